"""Curves that claims are judged by: over swept settings, and over steps on a logarithmic axis."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netdyn.claims.kinds import Series, trend
from netdyn.claims.options import chosen
from netdyn.claims.values import (
    at_least,
    at_most,
    difference,
    finite,
    mean_spread,
    measured,
    rank_correlation,
)
from netdyn.claims.verdicts import Claim, NotTested, Outcome, Thresholds, worst

__all__ = [
    "curves",
    "first_reaching",
    "fluctuation",
    "format_step",
    "logarithms",
    "mean_curves",
    "sentence",
    "sizes_on",
    "steepest_rise",
    "together",
    "trends",
    "within_factor",
]


def curves(table: pd.DataFrame, x: str, y: str, of: Sequence[str]) -> Series:
    """Return, per combination of the values of columns `of`, x and y in the order of x."""
    by_label = {}
    for label, rows in table.groupby(list(of)):
        ranked = rows.sort_values(x, kind="stable")
        by_label[label] = ranked[x].to_numpy(float), ranked[y].to_numpy(float)
    return by_label


def mean_curves(table: pd.DataFrame, x: str, y: str, of: Sequence[str]) -> Series:
    """Return `curves` of the means over seeds; one infinite value makes a mean infinite.

    Raises:
        NotTested: a y is NaN.
    """
    measured(table[y])
    return curves(table.groupby([*of, x])[y].mean().reset_index(), x, y, of)


def sizes_on(row: Claim, by_label: Series) -> Series:
    """Return curves of sizes on the axis of option `size`: as they are, or their logarithms."""
    if chosen(row, "size") == "linear":
        return by_label
    return {label: (x, logarithms(y)) for label, (x, y) in by_label.items()}


def logarithms(sizes: Sequence[float]) -> np.ndarray:
    """Return the natural logarithms of sizes; that of 0 is −∞, that of ∞ is ∞."""
    with np.errstate(divide="ignore"):
        return np.log(measured(sizes))


def trends(
    table: pd.DataFrame, x: str, y: str, sign: int, thresholds: Thresholds, of: str = "seed"
) -> Outcome:
    """Test the trend of y with x for each value of column `of` in each seed.

    The spread is that over seeds of ρ, its mean over the values of `of`.

    Args:
        sign, thresholds: as in `netdyn.claims.kinds.trend`.
        of: "width" or "depth", or "seed" where there is one curve per seed.
    """
    by_label = curves(table, x, y, list(dict.fromkeys([of, "seed"])))
    seeds = "" if of == "seed" or len(table["seed"].unique()) < 2 else " and seeds"
    outcome = trend(by_label, sign, thresholds, f"{of}s{seeds}")
    by_seed: dict[int, list[float]] = {}
    for label, curve in by_label.items():
        by_seed.setdefault(label[-1], []).append(rank_correlation(*curve))
    return outcome._replace(spread=mean_spread([np.mean(rhos) for rhos in by_seed.values()])[1])


def together(*parts: tuple[str, Outcome]) -> Outcome:
    """Return the outcome of a claim of several statements: no better than its weakest part.

    Args:
        parts: the subject of each statement ("the sample basin") and its outcome. The spread is
            that of the first part. Parts are of the same networks, and the outcome stands on as
            many curves as the part with the most.
    """
    counts = [(outcome.judged, outcome.unjudged) for _, outcome in parts]
    judged, unjudged = (
        max((number for number in numbers if number is not None), default=None)
        for numbers in zip(*counts, strict=True)
    )
    return Outcome(
        worst(*(outcome.verdict for _, outcome in parts)),
        "; ".join(
            f"{subject.removeprefix('the ')} {outcome.measured}" for subject, outcome in parts
        ),
        parts[0][1].spread,
        sentence(*(f"{subject} {outcome.seen.rstrip('.')}" for subject, outcome in parts)),
        judged,
        unjudged,
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
    NaN where the values never rise.
    """
    steps, values = measured(steps), measured(values)
    steps, values = steps[steps > 0], values[steps > 0]
    rises = np.array([difference(b, a) for a, b in itertools.pairwise(values)])
    if not (rises > 0).any():
        return math.nan
    steepest = (rises / np.diff(np.log(steps))).argmax()
    return math.sqrt(steps[steepest] * steps[steepest + 1])


def within_factor(a: float, b: float, factor: float) -> bool:
    """Return whether two steps are within a factor of each other; False for step 0 and for NaN."""
    return a * b > 0 and at_most(max(a / b, b / a), factor)


def fluctuation(basin: pd.DataFrame) -> float:
    """Return the RMS distance of sizes from the line, over log step, between their neighbours.

    0 for a straight course, whatever its slope and however the steps are spaced.

    Raises:
        NotTested: fewer than three steps, or a size that is not finite.
    """
    if len(basin) < 3:
        raise NotTested(
            f"{len(basin)} measured steps are too few for a fluctuation: three are needed"
        )
    x, size = np.log(finite(basin["step"])), finite(basin["size"])
    part = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    line = size[:-2] + part * (size[2:] - size[:-2])
    return float(np.sqrt(np.mean((size[1:-1] - line) ** 2)))


def sentence(*parts: str) -> str:
    """Join clauses with semicolons into a sentence with a capital and a full stop."""
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def format_step(step: float) -> str:
    """Return a step as text; NaN, which means no step, is "never"."""
    return "never" if math.isnan(step) else f"{step:,.0f}"
