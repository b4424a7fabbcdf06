"""Further criteria of Sec. IV.A: RPD gradients, phases, grokking, and the best depth."""

import math

import numpy as np
import pandas as pd

from netdyn.claims.depth_and_width import accuracies as shape_accuracies
from netdyn.claims.depth_and_width import first_gradients, history_of_shapes
from netdyn.claims.fitted import compared, tell_left_out
from netdyn.claims.kinds import order
from netdyn.claims.learning_phases import converging, describe_phases, grokking_of, trainings
from netdyn.claims.panels import accuracies, common_steps, final_gradients, of_panels
from netdyn.claims.tables import Tables, each_run
from netdyn.claims.values import at_least, at_most, format_mean, mean_spread
from netdyn.claims.verdicts import (
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    Claim,
    NotTested,
    Outcome,
    each,
    verdict,
    worst,
)

__all__ = ["CRITERIA"]


def common_steps_of_c18(tables: Tables, row: Claim, mode: str) -> Outcome:
    """At every common step g_1 of Fig. 3b is below, and its accuracy above, those of a and of c.

    Common steps: kept in all three trainings, from the first at which each of them has a training
    accuracy of at least `train_accuracy`. At each the four orders are tested over seeds
    (`netdyn.claims.kinds.order`). Reproduced: all hold at all steps. Partly: all hold at least
    partly at more than `partly_share` of the steps.
    """
    steps = _learned(tables, row, "abc", common_steps(tables, "abc", mode))
    by_step = {}
    for step in steps:
        layers = final_gradients(tables, "abc", mode, step)
        accuracy = accuracies(tables, "abc", step)
        pairs = [(layers[other][1], layers["b"][1]) for other in "ac"]
        pairs += [(accuracy["b"], accuracy[other]) for other in "ac"]
        by_step[step] = worst(
            *(order(list(zip(*pair, strict=True)), row.thresholds).verdict for pair in pairs)
        )
    holds = [step for step, at_step in by_step.items() if at_step != NOT_REPRODUCED]
    share = len(holds) / len(steps)
    summary = f"the orders hold at {len(holds)} of {len(steps)} common steps"
    where = f", from step {holds[0]:,} to {holds[-1]:,}" if holds else ""
    return Outcome(
        verdict(
            set(by_step.values()) == {REPRODUCED},
            share > row.thresholds["partly_share"],
        ),
        summary,
        None,
        f"From step {steps[0]:,} to {steps[-1]:,} {summary}{where}.",
        len(steps),
        0,
    )


def all_but_three(tables: Tables, row: Claim, mode: str) -> Outcome:
    """As C20's frozen criterion, with the last `layers_left_out` hidden layers left out."""
    return converging(tables, row, mode, int(row.thresholds["layers_left_out"]))


def over_steps(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Fig. 3g has three phases, and in the last each g_l but the last layer's stays what it is.

    In each training: phase I before phase II first holds, as in C14; then, over the kept steps in
    the last half of the logarithmic axis, from the square root of the last step on, the standard
    deviation over steps of each g_l but the last layer's is at most `relative_difference` of its
    mean there, partly at most `partly_relative_difference`.
    """
    verdicts, largest, details = [], [], []
    for name, g, course in trainings(tables, row, "g", mode):
        late = g.loc[g.index >= math.sqrt(g.index[-1])].iloc[:, :-1]
        if len(late) < 3:
            raise NotTested(f"Fig. 3{name}: {len(late)} kept steps are too few to converge over")
        with np.errstate(divide="ignore", invalid="ignore"):
            moves = (late.std(ddof=0) / late.mean().abs()).fillna(math.inf)
        steady = verdict(
            at_most(moves.max(), row.thresholds["relative_difference"]),
            at_most(moves.max(), row.thresholds["partly_relative_difference"]),
        )
        in_phases = verdict(course.first is not None and course.second is not None)
        verdicts.append(worst(in_phases, steady))
        largest.append(100 * moves.max())
        within = sum(at_most(move, row.thresholds["relative_difference"]) for move in moves)
        details.append(
            f"{name}: {describe_phases(g, course)}; from step {late.index[0]:,} on {within} of "
            f"{len(moves)} layers stay within {100 * row.thresholds['relative_difference']:g} % of "
            f"their mean, layer {moves.idxmax()} least ({100 * moves.max():.0f} %)"
        )
    return Outcome(
        each(*verdicts),
        f"largest deviation of a g_l over late steps {format_mean(largest, ' %', 0)} of its mean",
        mean_spread(largest)[1],
        f"{'; '.join(details)}.",
        len(verdicts),
        0,
    )


def no_others(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Fig. 3a, d and g grok, and b, c, e and f do not: each training, by its running statistics."""
    groups = {"adg": "grokking", "bcef": "none"}
    verdicts, details = {}, []
    for letters, expected in groups.items():
        history = of_panels(tables, "history", letters, ["train_accuracy", "test_accuracy"])
        verdicts[letters], listed = grokking_of(history, "test_accuracy", row, expected=expected)
        details += listed
    grok, others = verdicts["adg"], verdicts["bcef"]
    return Outcome(
        worst(each(*grok), each(*others)),
        f"grokking in {grok.count(REPRODUCED)} of {len(grok)} trainings of a, d, g, none in "
        f"{others.count(REPRODUCED)} of {len(others)} of b, c, e, f",
        None,
        f"Test accuracy when training accuracy reaches "
        f"{100 * row.thresholds['train_accuracy']:g} %: {', '.join(details)}.",
        len(grok) + len(others),
        0,
    )


def pronounced_peak(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The accuracy at the best depth is above that of both ends, clearly (`_stands_out`)."""
    history = history_of_shapes(tables)
    table = compared(row, shape_accuracies(row, history), history)
    return tell_left_out(row, _stands_out(table, 1, row, "accuracy", " points"), history)


def pronounced_minimum(tables: Tables, row: Claim, mode: str) -> Outcome:
    """g_1 at the depth where it is least is below that of both ends, clearly (`_stands_out`)."""
    history = history_of_shapes(tables)
    table = compared(row, first_gradients(tables, mode), history)
    return tell_left_out(row, _stands_out(table, -1, row, "the first layer's g", ""), history)


def _stands_out(table: pd.DataFrame, sign: int, row: Claim, what: str, unit: str) -> Outcome:
    """Test that the extremum over depth stands out against the seed spread, for most widths.

    Per width: the extremum of the means over seeds lies at `depth_low` … `depth_high`, and seed by
    seed the value there is beyond that of the shallowest and beyond that of the deepest network, by
    a mean difference over `spreads` times its standard deviation over seeds
    (`netdyn.claims.kinds.order`; with one seed the spread is unknown, and the width counts partly).
    It must hold for more than a share `most` of the widths.

    Args:
        table: `value` by width, depth and seed.
        sign: 1 for a maximum, −1 for a minimum.
    """
    by_width, details = {}, []
    for width, rows in table.groupby("width"):
        values = sign * rows.pivot_table(index="seed", columns="depth", values="value")
        at = values.mean().idxmax()
        heights, ends = [], []
        for end in dict.fromkeys((values.columns[0], values.columns[-1])):
            both = values[[at]].assign(end=values[end]).dropna()
            pairs = list(both.itertuples(index=False, name=None))
            ends.append(order(pairs, row.thresholds).verdict if at != end else NOT_REPRODUCED)
            heights.append(format_mean([abs(top - low) for top, low in pairs], unit, 3))
        in_range = at_least(at, row.thresholds["depth_low"]) and at_most(
            at, row.thresholds["depth_high"]
        )
        by_width[width] = worst(verdict(in_range), *ends)
        details.append(f"{at} (width {width}), {' and '.join(heights)} beyond the ends")
    verdicts = list(by_width.values())
    clear = verdicts.count(REPRODUCED) / len(verdicts)
    at_all = clear + verdicts.count(PARTLY) / len(verdicts)
    return Outcome(
        verdict(clear > row.thresholds["most"], at_all > row.thresholds["most"]),
        f"clear in {verdicts.count(REPRODUCED)} of {len(verdicts)} widths",
        None,
        f"The extremum of {what} over depth lies at depth {'; '.join(details)}.",
        len(verdicts),
        0,
    )


def _learned(tables: Tables, row: Claim, letters: str, steps: list[int]) -> list[int]:
    """Return the steps from the first at which all trainings have the training accuracy on."""
    history = of_panels(tables, "history", letters, ["train_accuracy"])
    since = []
    for identity, rows in each_run(history):
        bound = row.thresholds["train_accuracy"]
        learned = rows.loc[[at_least(value, bound) for value in rows["train_accuracy"]], "step"]
        if learned.empty:
            raise NotTested(
                f"the training accuracy of {identity['run']}, seed {identity['seed']}, stays below "
                f"{bound:g}"
            )
        since.append(learned.iloc[0])
    later = [step for step in steps if step >= max(since)]
    if not later:
        raise NotTested("no common step was kept once all networks had learned")
    return later


CRITERIA = {
    ("C18", "common_steps"): common_steps_of_c18,
    ("C20", "all_but_three"): all_but_three,
    ("C20", "over_steps"): over_steps,
    ("C22", "no_others"): no_others,
    ("C24", "pronounced"): pronounced_peak,
    ("C27", "pronounced"): pronounced_minimum,
}
