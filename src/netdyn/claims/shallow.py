"""Sec. III, claims C01 to C07: the shallow network 784-2048-10 with and without a nonlinearity.

NN: tanh; LNN: identity; L-map: the NN with both layers replaced by its linear substitution map.
Accuracies are of the test set at the last step, evaluation mode, in percent.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from netdyn.claims.gradient_errors import error_of
from netdyn.claims.kinds import (
    Claim,
    NotTested,
    Outcome,
    at_least,
    at_most,
    each,
    format_mean,
    mean_spread,
    order,
    verdict,
    worst,
)
from netdyn.claims.tables import Tables, at_last_step, each_run, matching, raise_if_diverged
from netdyn.claims.values import measured

__all__ = ["CLAIMS"]

NN, LNN = "tanh", "identity"
NETWORK = ["activation", "samples"]


def c01(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The NN and the LNN have the same accuracy at every size up to `samples_at_most`.

    At each of these sizes |mean over seeds of NN − LNN| is at most `points`, or at most `spreads`
    times the sample standard deviation of that difference over seeds (one seed has none).
    """
    history = tables.history("shallow_history", [*NETWORK, "test_accuracy"])
    history = history[history["samples"] <= row.thresholds["samples_at_most"]]
    if history.empty:
        raise NotTested(f"no run has at most {row.thresholds['samples_at_most']} samples")
    raise_if_diverged(history)
    verdicts, details, widest = [], [], (0.0, None)
    for samples, rows in at_last_step(history).groupby("samples"):
        differences = _indexed(rows, "test_accuracy", NN) - _indexed(rows, "test_accuracy", LNN)
        mean, spread = mean_spread(100 * differences)
        bound = max(row.thresholds["points"], row.thresholds["spreads"] * (spread or 0.0))
        verdicts.append(verdict(at_most(abs(mean), bound)))
        details.append(f"{format_mean(100 * differences)} points at n = {samples:,}")
        widest = max(widest, (abs(mean), spread), key=lambda pair: pair[0])
    return Outcome(
        each(*verdicts),
        ", ".join(details),
        widest[1],
        f"NN minus LNN: {'; '.join(details)}.",
        len(verdicts),
        0,
    )


def c02(tables: Tables, row: Claim, mode: str) -> Outcome:
    """At `samples` the NN is above the LNN by at least `gap_points`, and that above the L-map."""
    networks = _final_accuracies(tables, row)
    upper = order(_pairs(networks, "NN", "LNN"), row.thresholds, row.thresholds["gap_points"])
    lower = order(_pairs(networks, "LNN", "L-map"), row.thresholds)
    gap = networks["NN"] - networks["LNN"]
    return Outcome(
        worst(upper.verdict, lower.verdict),
        f"NN − LNN {format_mean(gap, ' points')}",
        upper.spread,
        f"{_listed(networks)}; NN − LNN is {format_mean(gap, ' points')}, LNN − L-map "
        f"{format_mean(networks['LNN'] - networks['L-map'], ' points')}{_seed_caveat(gap)}.",
    )


def c03(tables: Tables, row: Claim, mode: str) -> Outcome:
    """NN and LNN overlap early and end in the order NN, LNN, L-map.

    A seed's early gap is the mean of |NN − LNN| over its evaluated steps after step 0 up to
    `early_epochs`. They overlap where it is at most `early_share` of NN − LNN at the last step: in
    every seed, or, partly, in more than `partly_share` of them.
    """
    history = _shallow_history(tables, row)
    networks = _final_accuracies(tables, row)
    early = history[(history["step"] > 0) & (history["epoch"] <= row.thresholds["early_epochs"])]
    if early.empty:
        raise NotTested("no step of the first epoch was evaluated")
    apart = _indexed(early, "test_accuracy", NN, "step") - _indexed(
        early, "test_accuracy", LNN, "step"
    )
    after = networks["NN"] - networks["LNN"]
    before = 100 * apart.abs().groupby("seed").mean().reindex(after.index)
    overlaps = np.array(
        [
            after[seed] > 0 and at_most(before[seed], row.thresholds["early_share"] * after[seed])
            for seed in after.index
        ]
    )
    return Outcome(
        worst(
            verdict(overlaps.all(), overlaps.mean() > row.thresholds["partly_share"]),
            order(_pairs(networks, "NN", "LNN"), row.thresholds).verdict,
            order(_pairs(networks, "LNN", "L-map"), row.thresholds).verdict,
        ),
        f"gap {format_mean(before)} → {format_mean(after)} points",
        mean_spread(before)[1],
        f"NN and LNN differ by {format_mean(before, ' points')} up to epoch "
        f"{row.thresholds['early_epochs']:g}, by {format_mean(after, ' points')} at the end, where "
        f"{_listed(networks)}{_seed_caveat(after)}.",
    )


def c04(tables: Tables, row: Claim, mode: str) -> Outcome:
    """At `samples` the RPDs of NN and LNN match and are steep, at the last step.

    Their total variation ½ ∫ |p − q| dr is at most `total_variation`, the ratio g(NN) / g(LNN) lies
    in `ratio_low` … `ratio_high`, and both g are above `gradient`: means over seeds.
    """
    gradients = _final_gradients(tables, row)
    rpd = tables.get("shallow_rpd", [*NETWORK, "step", "mode", "layer", "class", "r", "density"])
    layer = {"layer": 1, "mode": mode, "class": -1, "samples": row.thresholds["samples"]}
    curves = at_last_step(matching(rpd, **layer))
    apart = _indexed(curves, "density", NN, "r") - _indexed(curves, "density", LNN, "r")
    # The bins are equal: the integral over r is the mean over bins.
    measured(apart)
    variation = apart.abs().groupby("seed").mean() / 2
    ratio = gradients[NN] / gradients[LNN]
    matches = at_most(mean_spread(variation)[0], row.thresholds["total_variation"])
    mean_ratio = mean_spread(ratio)[0]
    even = at_least(mean_ratio, row.thresholds["ratio_low"]) and at_most(
        mean_ratio, row.thresholds["ratio_high"]
    )
    steep = all(mean_spread(gradients[name])[0] > row.thresholds["gradient"] for name in (NN, LNN))
    return Outcome(
        worst(*map(verdict, (matches, even, steep))),
        f"total variation {format_mean(variation, digits=3)}, ratio of g {format_mean(ratio)}",
        mean_spread(variation)[1],
        f"The RPDs differ by a total variation of {format_mean(variation, digits=3)}; g is "
        f"{format_mean(gradients[NN])} (NN) and {format_mean(gradients[LNN])} (LNN), ratio "
        f"{format_mean(ratio)}.",
    )


def c05(tables: Tables, row: Claim, mode: str) -> Outcome:
    """At `samples` g of the LNN is above g of the NN, at the last step."""
    gradients = _final_gradients(tables, row)
    outcome = order(_pairs(gradients, LNN, NN), row.thresholds)
    return outcome._replace(
        measured=f"g {format_mean(gradients[LNN])} (LNN), {format_mean(gradients[NN])} (NN)",
        seen=f"g is {format_mean(gradients[LNN])} for the LNN and {format_mean(gradients[NN])} for "
        "the NN"
        f"{_seed_caveat(gradients[NN])}.",
    )


def c06(tables: Tables, row: Claim, mode: str) -> Outcome:
    """g of the NN starts flat, peaks in between and declines, at `samples`, in each seed.

    |g| at step 0 is at most `flat`, and the largest g is neither at the first nor at the last step
    and at least `peak_over_final` times that at the last.
    """
    verdicts, starts, peaks, ends, steps = [], [], [], [], []
    table = matching(_gradients(tables, row), activation=NN, **{"class": -1})
    error = error_of(table[table["step"] == table["step"].min()], "the first g")
    for _, rows in each_run(table):
        g = rows["gradient"].to_numpy()
        peak = int(g.argmax())
        flat = rows["step"].iloc[0] == 0 and at_most(abs(g[0]), row.thresholds["flat"])
        interior = 0 < peak < len(g) - 1
        high = at_least(g[peak], row.thresholds["peak_over_final"] * g[-1])
        verdicts.append(verdict(flat and interior and high))
        starts.append(g[0])
        peaks.append(g[peak])
        ends.append(g[-1])
        steps.append(rows["step"].iloc[peak])
    return Outcome(
        each(*verdicts),
        f"g {format_mean(starts)} → {format_mean(peaks)} → {format_mean(ends)}{error}",
        mean_spread(peaks)[1],
        f"g starts at {format_mean(starts)}, is largest, {format_mean(peaks)}, at step "
        f"{_reach(steps)}, and ends at {format_mean(ends)}.",
    )


def c07(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The g of the NN's classes differ by more than `spreads` times what seeds differ by.

    Between classes: the sample standard deviation over classes, averaged over seeds; between seeds:
    the root mean square over classes of the sample standard deviation over seeds. Both are averaged
    over all kept steps after step 0.
    """
    table = matching(_gradients(tables, row), activation=NN)
    table = table[(table["class"] >= 0) & (table["step"] > 0)]
    if table["seed"].nunique() < 2:
        raise NotTested("one seed: the spread between seeds is unknown")
    measured(table["gradient"])
    classes = table.groupby(["seed", "step"])["gradient"].std().groupby("seed").mean()
    seeds = (
        table.groupby(["step", "class"])["gradient"].var().groupby("step").mean().pow(0.5).mean()
    )
    between, spread = mean_spread(classes)
    return Outcome(
        verdict(between > row.thresholds["spreads"] * seeds),
        f"g spreads by {format_mean(classes)} over classes, {seeds:.2f} over seeds",
        spread,
        f"During training the g of the classes spread by {format_mean(classes)}, that of a class "
        "over "
        f"{len(classes)} seeds by {seeds:.2f}.",
    )


def _shallow_history(tables: Tables, row: Claim) -> pd.DataFrame:
    history = tables.history("shallow_history", [*NETWORK, "epoch", "test_accuracy"])
    history = matching(history, samples=row.thresholds["samples"])
    raise_if_diverged(history)
    return history


def _final_accuracies(tables: Tables, row: Claim) -> dict[str, pd.Series]:
    """Return the final test accuracy of NN, LNN and L-map in percent, by seed."""
    last = at_last_step(_shallow_history(tables, row))
    pruning = tables.get("shallow_pruning", [*NETWORK, "step", "split", "start_layer", "accuracy"])
    lmap = matching(
        pruning, samples=row.thresholds["samples"], split="test", start_layer=1, activation=NN
    )
    return {
        "NN": 100 * _indexed(last, "test_accuracy", NN),
        "LNN": 100 * _indexed(last, "test_accuracy", LNN),
        "L-map": 100 * _indexed(at_last_step(lmap), "accuracy", NN),
    }


def _gradients(tables: Tables, row: Claim) -> pd.DataFrame:
    """Return the gradients of the hidden layer, by run, step and class, in evaluation mode."""
    _shallow_history(tables, row)  # raises Diverged
    columns = [*NETWORK, "step", "mode", "layer", "class", "gradient"]
    table = tables.get("shallow_gradient", columns)
    return matching(table, samples=row.thresholds["samples"], layer=1, mode="evaluation")


def _final_gradients(tables: Tables, row: Claim) -> dict[str, pd.Series]:
    last = at_last_step(matching(_gradients(tables, row), **{"class": -1}))
    return {name: _indexed(last, "gradient", name) for name in (NN, LNN)}


def _indexed(rows: pd.DataFrame, column: str, activation: str, *within: str) -> pd.Series:
    """Return a column of one network, indexed by seed and the columns `within`."""
    values = matching(rows, activation=activation).set_index(["seed", *within])[column]
    measured(values)
    return values.sort_index()


def _pairs(networks: dict[str, pd.Series], larger: str, smaller: str) -> list[tuple[float, float]]:
    both = pd.concat([networks[larger], networks[smaller]], axis=1, join="inner")
    return list(both.itertuples(index=False, name=None))


def _listed(networks: dict[str, pd.Series]) -> str:
    return ", ".join(f"{name} {format_mean(values, ' %')}" for name, values in networks.items())


def _seed_caveat(values: pd.Series) -> str:
    return " (one seed, its spread unknown)" if len(values) == 1 else ""


def _reach(steps: Sequence[int]) -> str:
    return " … ".join(dict.fromkeys(f"{step:,}" for step in (min(steps), max(steps))))


CLAIMS = {"C01": c01, "C02": c02, "C03": c03, "C04": c04, "C05": c05, "C06": c06, "C07": c07}
