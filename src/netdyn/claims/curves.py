"""Curves that claims are judged by: over swept settings, and over steps on a logarithmic axis."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netdyn.claims.kinds import Series, trend
from netdyn.claims.values import (
    at_least,
    at_most,
    difference,
    finite,
    mean_spread,
    measured,
    rank_correlation,
)
from netdyn.claims.verdicts import NotTested, Outcome, Thresholds, worst

__all__ = [
    "curves",
    "first_reaching",
    "fluctuation",
    "mean_curves",
    "sentence",
    "steepest_rise",
    "step_told",
    "together",
    "trends",
    "within_factor",
]


def curves(table: pd.DataFrame, x: str, y: str, of: Sequence[str]) -> Series:
    """Return, per combination of the values of columns `of`, x and y in the order of x."""
    found = {}
    for label, rows in table.groupby(list(of)):
        ranked = rows.sort_values(x, kind="stable")
        found[label] = ranked[x].to_numpy(float), ranked[y].to_numpy(float)
    return found


def mean_curves(table: pd.DataFrame, x: str, y: str, of: Sequence[str]) -> Series:
    """Return `curves` of the means over seeds; one infinite value makes a mean infinite.

    Raises:
        NotTested: a y is NaN.
    """
    measured(table[y])
    return curves(table.groupby([*of, x])[y].mean().reset_index(), x, y, of)


def trends(
    table: pd.DataFrame, x: str, y: str, sign: int, thresholds: Thresholds, of: str = "seed"
) -> Outcome:
    """Test the trend of y with x for each value of column `of` in each seed.

    The spread is that over seeds of ρ, its mean over the values of `of`.

    Args:
        sign, thresholds: as in `netdyn.claims.kinds.trend`.
        of: width, depth or, where there is one curve per seed, seed.
    """
    found = curves(table, x, y, list(dict.fromkeys([of, "seed"])))
    seeds = "" if of == "seed" or len(table["seed"].unique()) < 2 else " and seeds"
    outcome = trend(found, sign, thresholds, f"{of}s{seeds}")
    by_seed: dict[int, list[float]] = {}
    for label, curve in found.items():
        by_seed.setdefault(label[-1], []).append(rank_correlation(*curve))
    return outcome._replace(spread=mean_spread([np.mean(rhos) for rhos in by_seed.values()])[1])


def together(*parts: tuple[str, Outcome]) -> Outcome:
    """Return the outcome of a claim of several statements: no better than its weakest part.

    Args:
        parts: what a statement is about ("the sample basin") and its outcome; the first one's
            spread is kept.
    """
    return Outcome(
        worst(*(found.verdict for _, found in parts)),
        "; ".join(f"{subject.removeprefix('the ')} {found.measured}" for subject, found in parts),
        parts[0][1].spread,
        sentence(*(f"{subject} {found.seen.rstrip('.')}" for subject, found in parts)),
    )


def first_reaching(steps: Sequence[int], values: Sequence[float], bound: float) -> int | None:
    """Return the first of the steps at which a value is at least the bound; None if none is."""
    for step, value in zip(steps, measured(values), strict=True):
        if at_least(value, bound):
            return int(step)
    return None


def steepest_rise(steps: Sequence[int], values: Sequence[float]) -> float:
    """Return the step of the largest slope of the values against the logarithm of the step.

    Slopes are those between successive steps from 1 on; the step is the geometric mean of the two
    between which the slope is largest, the first such. A rise to infinity is the steepest of all.
    NaN where the values nowhere rise.
    """
    steps, values = measured(steps), measured(values)
    steps, values = steps[steps > 0], values[steps > 0]
    rises = np.array([difference(b, a) for a, b in itertools.pairwise(values)])
    if not (rises > 0).any():
        return math.nan
    steepest = (rises / np.diff(np.log(steps))).argmax()
    return math.sqrt(steps[steepest] * steps[steepest + 1])


def within_factor(a: float, b: float, factor: float) -> bool:
    """Return whether two steps differ by at most a factor; step 0 and no step (NaN) never do."""
    return a * b > 0 and at_most(max(a / b, b / a), factor)


def fluctuation(basin: pd.DataFrame) -> float:
    """Return the RMS distance of sizes from the line, over log step, between their neighbours.

    0 for a straight course, whatever its slope and however the steps are spaced.

    Raises:
        NotTested: fewer than three steps, or a size that is not finite.
    """
    if len(basin) < 3:
        raise NotTested(f"{len(basin)} kept steps are too few to see a fluctuation: it needs three")
    x, size = np.log(finite(basin["step"])), finite(basin["size"])
    part = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    line = size[:-2] + part * (size[2:] - size[:-2])
    return float(np.sqrt(np.mean((size[1:-1] - line) ** 2)))


def sentence(*parts: str) -> str:
    """Return parts of a sentence as one: a capital first, semicolons between, a full stop last."""
    told = "; ".join(parts)
    return f"{told[:1].upper()}{told[1:]}."


def step_told(step: float) -> str:
    """Return a step in words, "never" where there is none (NaN)."""
    return "never" if math.isnan(step) else f"{step:,.0f}"
