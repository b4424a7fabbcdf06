"""Supplement, claims C48 to C51: weight amplitudes, initial weights, and a larger training set.

Average basins at the step of best test accuracy; noisy samples return by `affine`.
"""

import math

import numpy as np
import pandas as pd

from netdyn.claims.basins import c30
from netdyn.claims.curves import curves, first_reaching, together, trends
from netdyn.claims.fitted import compared_curves, tell_left_out
from netdyn.claims.grokking_course import courses
from netdyn.claims.kinds import (
    Claim,
    NotTested,
    Outcome,
    at_most,
    difference,
    each,
    format_mean,
    format_number,
    mean_spread,
    rank_correlation,
    verdict,
    worst,
)
from netdyn.claims.tables import Tables, matching, raise_if_diverged
from netdyn.claims.values import measured

__all__ = ["CLAIMS"]

NORM = "weight_norm_"


def c48(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The weights of the shallow network shrink from memorisation to the onset of grokking.

    In each seed the Frobenius norm of every layer's weights, and of all together, decreases from
    each evaluated step to the next, from the first step with training accuracy `train_accuracy` to
    the first with test accuracy `test_accuracy`.
    """
    trainings = list(courses(tables))
    history = tables.history("grokking_history")
    layers = [column for column in history.columns if column.startswith(NORM)]
    if not layers:
        raise NotTested(f"table grokking_history has no column {NORM}1")
    verdicts, falls, details = [], [], []
    for course in trainings:
        memorised = first_reaching(course.steps, course.train, row.thresholds["train_accuracy"])
        onset = first_reaching(course.steps, course.test, row.thresholds["test_accuracy"])
        if memorised is None or onset is None:
            raise NotTested(f"seed {course.identity['seed']} does not both memorise and grok")
        rows = matching(history, **course.identity)
        norms = measured(rows.loc[rows["step"].between(memorised, onset), layers])  # (S, L)
        if len(norms) < 2:
            raise NotTested("fewer than two evaluated steps from memorisation to onset")
        amplitudes = np.column_stack([norms, np.linalg.norm(norms, axis=1)])
        falling = (np.diff(amplitudes, axis=0) < 0).mean(axis=0)  # share of the steps, (L + 1,)
        verdicts.append(verdict(bool((falling == 1).all())))
        falls.append(100 * (1 - amplitudes[-1, -1] / amplitudes[0, -1]))
        details.append(
            f"from {amplitudes[0, -1]:.1f} to {amplitudes[-1, -1]:.1f} between steps "
            f"{memorised:,} and {onset:,}, by layer falling at "
            f"{', '.join(f'{100 * share:.0f} %' for share in falling[:-1])} of the evaluated steps"
        )
    return Outcome(
        each(*verdicts),
        f"norm falls by {format_mean(falls, ' %', 0)}",
        mean_spread(falls)[1],
        f"The norm of all weights goes {'; '.join(details)}.",
        len(verdicts),
        0,
    )


def c49(tables: Tables, row: Claim, mode: str) -> Outcome:
    """With smaller initial weights the weight basin grows and the sample basin shrinks, each seed.

    So the weight basin falls with the initialisation scale, and the sample basin rises.
    """
    history = tables.history("initial_scales_history")
    raise_if_diverged(history)
    parts, unjudged = [], 0
    for space, sign in (("weight", -1), ("sample", 1)):
        table = tables.get(f"initial_scales_{space}_basin", ["initial_scale", "of", "size"])
        sizes = matching(table, of="average")
        sizes, unjudged = compared_curves(row, sizes, history, "initial_scale")
        over_scale = trends(sizes, "initial_scale", "size", sign, row.thresholds)
        parts.append((f"the {space} basin", over_scale))
    both = tell_left_out(row, together(*parts), history, unjudged)
    return both._replace(seen=f"With the initial scale {both.seen[:1].lower()}{both.seen[1:]}")


def c50(tables: Tables, row: Claim, mode: str) -> Outcome:
    """With one initial range for all widths the weight basin does not grow with width.

    ρ(width, size) is at most `absent_rho` in every seed; partly: in more than `partly_share` of
    them. No better than C30, which says that it does grow where the range follows the width.
    """
    history = tables.history("fixed_range_history")
    for each_history in (history, tables.history("architecture_history")):
        raise_if_diverged(each_history)
    table = tables.get("fixed_range_weight_basin", ["width", "of", "size"])
    sizes = matching(table, of="average")
    sizes, unjudged = compared_curves(row, sizes, history, "width")
    rhos = [rank_correlation(*curve) for curve in curves(sizes, "width", "size", ["seed"]).values()]
    absent = np.array([at_most(rho, row.thresholds["absent_rho"]) for rho in rhos])
    grows = c30(tables, row, mode)
    outcome = Outcome(
        worst(verdict(absent.all(), absent.mean() > row.thresholds["partly_share"]), grows.verdict),
        f"ρ(width, weight basin) = {format_mean(rhos)}",
        mean_spread(rhos)[1],
        f"With a fixed initial range ρ(width, weight basin) is {format_mean(rhos)}, the size "
        f"{_by_width(sizes)}; where the range "
        f"follows the width, both basins growing is {grows.verdict} ({grows.measured}).",
        len(rhos),
        0,
    )
    return tell_left_out(row, outcome, history, unjudged)


def c51(tables: Tables, row: Claim, mode: str) -> Outcome:
    """On the translated set the average sample basin is what it is on the original one.

    The relative difference of the means over seeds is at most `relative_difference`, partly at most
    `partly_relative_difference`.
    """
    raise_if_diverged(tables.history("translations_history"))
    table = tables.get("translations_sample_basin", ["translated", "of", "size"])
    sizes = matching(table, of="average").pivot_table(
        index="seed", columns="translated", values="size", dropna=False
    )
    if set(sizes.columns) != {False, True}:
        raise NotTested("a basin of the original or of the translated set is missing")
    measured(sizes)
    original, translated = (mean_spread(sizes[which])[0] for which in (False, True))
    change = _relative(translated, original)
    by_seed = [_relative(b, a) for a, b in zip(sizes[False], sizes[True], strict=True)]
    return Outcome(
        verdict(
            at_most(abs(change), row.thresholds["relative_difference"]),
            at_most(abs(change), row.thresholds["partly_relative_difference"]),
        ),
        f"relative difference {format_number(100 * change, 1)} %",
        mean_spread([100 * change for change in by_seed])[1],
        f"The average sample basin is {format_mean(sizes[False])} on the original set and "
        f"{format_mean(sizes[True])} on the translated one, a difference of "
        f"{format_number(100 * change, 1)} %.",
    )


def _by_width(sizes: pd.DataFrame) -> str:
    means = sizes.groupby("width")["size"].mean()
    return ", ".join(f"{size:.2f} (width {width})" for width, size in means.items())


def _relative(value: float, reference: float) -> float:
    """Return (value − reference) / reference; ±∞ if only one is infinite or the reference is 0."""
    apart = difference(value, reference)
    if apart and (reference == 0 or math.isinf(apart)):
        return math.copysign(math.inf, apart)
    return apart / reference if apart else 0.0


CLAIMS = {"C48": c48, "C49": c49, "C50": c50, "C51": c51}
