"""Sec. IV.A, claims C21 and C24 to C27: pruning from a layer on, and networks of all shapes.

Accuracies are of the test set, evaluation mode, in percent; over depth and width (Fig. 3i, j) they
are each run's best, and the gradient is that of the first hidden layer at the step of the best.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from netdyn.claims.curves import mean_curves, together, trends
from netdyn.claims.fitted import compared, compared_curves, tell_left_out
from netdyn.claims.kinds import (
    REPRODUCED,
    Claim,
    NotTested,
    Outcome,
    at_least,
    at_most,
    format_number,
    mean_spread,
    saturates,
    trend,
    verdict,
    worst,
)
from netdyn.claims.options import chosen
from netdyn.claims.tables import (
    Tables,
    at_last_step,
    best_accuracy,
    each_run,
    matching,
    raise_if_diverged,
)
from netdyn.claims.values import measured

__all__ = ["CLAIMS", "accuracies", "first_gradients", "history_of_shapes", "over_depth"]

SHAPE = ["width", "depth"]


def c21(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Pruning accuracy of Fig. 3g's network rises up to a critical layer s*, then equals the full.

    s* is the first starting layer from which on every pruned network is within `points` of the full
    one; it must be at most L − `layers_before_last`. Up to s*, over at least three layers, the
    accuracy has a trend upward; where s* = 1 there is nothing to rise.
    """
    raise_if_diverged(tables.history("deep23_history"))
    columns = ["split", "start_layer", "accuracy", "full_accuracy"]
    table = matching(tables.get("deep23_pruning", columns), split="test")
    series, critical, last_layers, lowest = {}, [], [], []
    for identity, rows in each_run(table):
        rows = rows.sort_values("start_layer")
        accuracy = 100 * measured(rows["accuracy"])
        loss = np.abs(accuracy - 100 * measured(rows["full_accuracy"]))
        layers = rows["start_layer"].to_numpy()
        if list(layers) != list(range(1, len(layers) + 1)):
            raise NotTested("a starting layer of pruning is missing")
        short = [not at_most(points, row.thresholds["points"]) for points in loss]
        start = int(layers[short].max()) + 1 if any(short) else 1
        critical.append(start)
        last_layers.append(len(layers))
        lowest.append(accuracy[0])
        rising = slice(0, max(start, 3))
        series[identity["seed"]] = layers[rising], accuracy[rising]
    early = [
        1 < start <= last - row.thresholds["layers_before_last"]
        for start, last in zip(critical, last_layers, strict=True)
    ]
    rises = trend(series, 1, row.thresholds, "seeds")
    reach = _reach(critical)
    return Outcome(
        worst(rises.verdict, verdict(all(early), np.mean(early) > row.thresholds["partly_share"])),
        f"s* = {reach} of {_reach(last_layers)} layers",
        mean_spread(critical)[1],
        f"Pruned from layer {reach} of {_reach(last_layers)} on, the network is within "
        f"{row.thresholds['points']:g} points of the full one; up to there the accuracy, "
        f"{format_number(min(lowest), 1)} % from layer 1, {rises.seen}",
        len(critical),
        0,
    )


def c24(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Accuracy over depth peaks in the middle and falls from there, steeper in narrow networks.

    Curves are means over seeds. The maximum lies at `depth_low` … `depth_high` for more than a
    share `most` of the widths. The later slope of a width is the least-squares slope of accuracy
    over depth from the maximum on; it rises (towards 0) with width, by the trend's ρ. A width with
    its maximum at the deepest network has no later slope.
    """
    slopes, deepest = {}, {}
    history = history_of_shapes(tables)
    for width, curve in over_depth(compared(row, accuracies(row, history), history)):
        top = int(curve.to_numpy().argmax())
        deepest[width] = curve.index[top]
        if len(later := curve.iloc[top:]) > 1:
            slopes[width] = np.polyfit(later.index, later, 1)[0]
    peaks = [_within(depth, row) for depth in deepest.values()]
    peaked = verdict(np.mean(peaks) > row.thresholds["most"])
    # A single series has no share that holds: its trend holds or it does not.
    one = {**row.thresholds, "partly_share": row.thresholds["most"]}
    if len(slopes) > 2:
        steeper = trend({"all": (list(slopes), list(slopes.values()))}, 1, one)
        judged, rho = worst(peaked, steeper.verdict), f"over width {steeper.measured}"
    elif peaked == REPRODUCED:
        raise NotTested(f"{len(slopes)} widths fall from their maximum: too few for a trend")
    else:
        judged, rho = peaked, "in too few widths for a trend"
    listed = ", ".join(f"{format_number(slope)} (width {width})" for width, slope in slopes.items())
    later = (
        f"the slope from there on is {listed} points a layer, {rho}" if slopes else "nothing falls"
    )
    outcome = Outcome(
        judged,
        f"maximum at {row.thresholds['depth_low']}–{row.thresholds['depth_high']} layers in "
        f"{sum(peaks)} of {len(peaks)} widths; later slope {rho}",
        None,
        f"Accuracy is highest at depth {_listed(deepest)}; {later}.",
        len(slopes),
        len(deepest) - len(slopes),
    )
    return tell_left_out(row, outcome, history)


def c25(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The accuracy rises with width and saturates, at every depth (see `_over_width`)."""
    history = history_of_shapes(tables)
    return _over_width(accuracies(row, history), 1, row, "accuracy", history)


def c26(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The first layer's g falls with width and saturates, at every depth (see `_over_width`)."""
    history = history_of_shapes(tables)
    return _over_width(first_gradients(tables, mode), -1, row, "the first layer's g", history)


def c27(tables: Tables, row: Claim, mode: str) -> Outcome:
    """For more than a share `most` of the widths g of the first layer is least at a middle depth.

    The minimum over depth of its mean over seeds is at `depth_low` … `depth_high` and at neither
    end of the range.
    """
    lowest, ends = {}, []
    history = history_of_shapes(tables)
    for width, curve in over_depth(compared(row, first_gradients(tables, mode), history)):
        lowest[width] = curve.idxmin()
        ends.append(lowest[width] in (curve.index[0], curve.index[-1]))
    holds = [
        _within(depth, row) and not end for depth, end in zip(lowest.values(), ends, strict=True)
    ]
    outcome = Outcome(
        verdict(np.mean(holds) > row.thresholds["most"]),
        f"minimum at {row.thresholds['depth_low']}–{row.thresholds['depth_high']} layers in "
        f"{sum(holds)} of {len(holds)} widths",
        None,
        f"The first layer's g is lowest at depth {_listed(lowest)}.",
        len(holds),
        0,
    )
    return tell_left_out(row, outcome, history)


def history_of_shapes(tables: Tables) -> pd.DataFrame:
    """Return the history of the networks of all shapes; raises Diverged where one diverged."""
    history = tables.history("architecture_history", [*SHAPE, "test_accuracy"])
    raise_if_diverged(history)
    return history


def accuracies(row: Claim, history: pd.DataFrame) -> pd.DataFrame:
    """Return the test accuracy of each run in percent: column `value`.

    The best over steps, or, by option `step`, that of the last step.
    """
    last = chosen(row, "step") == "last"
    of_runs = at_last_step(history) if last else best_accuracy(history)
    return of_runs.assign(value=100 * measured(of_runs["test_accuracy"]))


def first_gradients(tables: Tables, mode: str) -> pd.DataFrame:
    """Return g_1 of each run at the step of its best accuracy: column `value`."""
    columns = [*SHAPE, "mode", "layer", "class", "gradient"]
    table = tables.get("architecture_gradient", columns)
    first = matching(table, mode=mode, layer=1, **{"class": -1})
    return first.assign(value=measured(first["gradient"]))


def over_depth(table: pd.DataFrame) -> Iterator[tuple[int, pd.Series]]:
    """Yield, per width, the means over seeds by depth."""
    for width, rows in table.groupby("width"):
        yield width, rows.groupby("depth")["value"].mean()


def _over_width(
    table: pd.DataFrame, sign: int, row: Claim, what: str, history: pd.DataFrame
) -> Outcome:
    """Judge a trend over width, per depth and seed, and whether means over seeds saturate."""
    table, unjudged = compared_curves(row, table, history, "width", "depth")
    levels = mean_curves(table, "width", "value", ["depth"])
    outcome = together(
        (what, trends(table, "width", "value", sign, row.thresholds, of="depth")),
        ("it", saturates(levels, row.thresholds, "depths")),
    )
    return tell_left_out(row, outcome, history, unjudged)


def _within(depth: int, row: Claim) -> bool:
    return at_least(depth, row.thresholds["depth_low"]) and at_most(
        depth, row.thresholds["depth_high"]
    )


def _listed(depths: dict[int, int]) -> str:
    return ", ".join(f"{depth} (width {width})" for width, depth in depths.items())


def _reach(numbers: list[int]) -> str:
    return " … ".join(dict.fromkeys(str(number) for number in (min(numbers), max(numbers))))


CLAIMS = {"C21": c21, "C24": c24, "C25": c25, "C26": c26, "C27": c27}
