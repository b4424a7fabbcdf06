"""The kinds of test that claims share, on plain numbers.

All thresholds come from the claim's row. Infinite values (a basin that no noise
ends) rank above all others. A NaN was not measured: every test that meets one raises `NotTested`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from netdyn.claims.values import (
    at_least,
    at_most,
    difference,
    finite,
    format_mean,
    format_number,
    mean_spread,
    measured,
    rank_correlation,
)
from netdyn.claims.verdicts import (
    DIVERGED,
    NOT_REPRODUCED,
    NOT_TESTED,
    PARTLY,
    REPRODUCED,
    VERDICTS,
    Claim,
    Diverged,
    NotTested,
    Outcome,
    Thresholds,
    each,
    verdict,
    worst,
)
from netdyn.measures.grokking import grokking_grade

__all__ = [
    "DIVERGED",
    "NOT_REPRODUCED",
    "NOT_TESTED",
    "PARTLY",
    "REPRODUCED",
    "VERDICTS",
    "Claim",
    "Diverged",
    "NotTested",
    "Outcome",
    "Phases",
    "at_least",
    "at_most",
    "each",
    "format_mean",
    "format_number",
    "grokking",
    "inside",
    "mean_spread",
    "number",
    "order",
    "phases",
    "rank_correlation",
    "saturates",
    "trend",
    "verdict",
    "worst",
]

Series = Mapping[Any, tuple[Sequence[float], Sequence[float]]]


def number(values: Sequence[float], paper_value: float, thresholds: Thresholds) -> Outcome:
    """Compare accuracies, in percent, one per seed, with the paper's: its distance to their mean.

    Reproduced within `reproduced_points`, partly within `partly_points`.
    """
    mean, spread = mean_spread(finite(values))
    distance = abs(mean - paper_value)
    side = "above" if mean > paper_value else "below"
    return Outcome(
        verdict(
            at_most(distance, thresholds["reproduced_points"]),
            at_most(distance, thresholds["partly_points"]),
        ),
        format_mean(values, " %"),
        spread,
        f"{mean:.2f} %, {distance:.2f} points {side} the paper's {paper_value:.2f} %.",
    )


def order(
    pairs: Sequence[tuple[float, float]],
    thresholds: Thresholds,
    gap: float = 0.0,
    unit: str = "",
) -> Outcome:
    """Test that the first of each pair, one pair per seed, is larger, by at least `gap`.

    Reproduced: in every seed, and the mean difference over `spreads` times its sample standard
    deviation over seeds. Partly: in more than `partly_share` of the seeds. With a single seed the
    spread is unknown, and the claim is at most partly reproduced.

    Args:
        unit: unit of the difference ("points").
    """
    differences = np.array([difference(a, b) for a, b in pairs])
    mean, spread = mean_spread(differences)
    holds = (differences > 0) & [at_least(d, gap) for d in differences]
    clear = spread is not None and mean > thresholds["spreads"] * spread
    unit = f" {unit}" if unit else ""
    seen = f"in the stated order in {holds.sum()} of {len(holds)} seeds"
    if gap:
        seen += f", by at least {gap:g}{unit}"
    if spread is None:
        seen += f"; the difference is {format_number(mean)}{unit} in one seed, its spread unknown"
    else:
        seen += f"; the mean difference is {format_number(mean)}{unit}"
        seen += f", its seed spread {format_number(spread)}"
    return Outcome(
        verdict(holds.all() and clear, holds.mean() > thresholds["partly_share"]),
        f"difference {format_mean(differences, unit)}",
        spread,
        f"{seen}.",
    )


def trend(series: Series, sign: int, thresholds: Thresholds, of: str = "series") -> Outcome:
    """Test that y rises (sign 1) or falls (−1) with x in every series, by Spearman's ρ.

    Reproduced: sign·ρ at least `rho` in each; partly: at least `partly_rho` in each, or `rho` in
    more than `partly_share` of them. A constant y has ρ = 0.

    Args:
        series: label → (x, y), at least three points each: one per seed, width or depth.
        of: plural noun for the series in the outcome's sentence ("widths").
    """
    if not series:
        raise NotTested("no series to test for a trend")
    rhos = np.array([rank_correlation(x, y) for x, y in series.values()])
    full = np.array([at_least(sign * rho, thresholds["rho"]) for rho in rhos])
    partly = [at_least(sign * rho, thresholds["partly_rho"]) for rho in rhos]
    reach = _reach(rhos)
    return Outcome(
        verdict(full.all(), all(partly) or full.mean() > thresholds["partly_share"]),
        f"ρ = {reach}",
        None,
        f"{'rises' if sign > 0 else 'falls'} in {full.sum()} of {len(full)} {of} (ρ = {reach}).",
        len(full),
        0,
    )


def saturates(series: Series, thresholds: Thresholds, of: str = "series") -> Outcome:
    """Test that y levels off: its change over the last third of x is small against the first's.

    Thirds are those of the range of x by value, y between its points is linear; a series saturates
    if |Δy| over the last third is at most `last_third_share` of |Δy| over the first. A series
    with an infinite y does not saturate. Reproduced: every series does; partly: more than
    `partly_share` of them.

    Args:
        series: label → (x, y), at least three points each, y the mean over seeds.
        of: plural noun for the series in the outcome's sentence.
    """
    if not series:
        raise NotTested("no series to test for saturation")
    shares = np.array([_last_third_share(x, y) for x, y in series.values()])
    holds = np.array([at_most(share, thresholds["last_third_share"]) for share in shares])
    reach = _reach(shares)
    return Outcome(
        verdict(holds.all(), holds.mean() > thresholds["partly_share"]),
        f"last third / first third = {reach}",
        None,
        f"levels off in {holds.sum()} of {len(holds)} {of} (the last third of the axis brings "
        f"{reach} of what the first brings).",
        len(holds),
        0,
    )


def grokking(train: Sequence[float], test: Sequence[float], thresholds: Thresholds) -> str:
    """Return "grokking", "none" or "partly" for the accuracies of one run over steps.

    At the first step with training accuracy ≥ `train_accuracy`: grokking if the test accuracy is at
    most `test_at_most`, none if at least `none_at_least`, partly in between. A test accuracy that
    is low there and never reaches `none_at_least` is partly too.

    Raises:
        NotTested: the training accuracy is never reached.
    """
    grade = grokking_grade(measured(train), measured(test), thresholds)
    if grade is None:
        raise NotTested(f"the training accuracy stays below {thresholds['train_accuracy']:g}")
    return grade


class Phases(NamedTuple):
    """Where the order of g_l over layers is that of phase I and of phase II."""

    correlations: np.ndarray  # (S,) ρ(l, g_l); NaN where the mean of g_l is at most mean_gradient
    first: int | None  # index of the first step in phase I before phase II first holds
    second: int | None  # index of the first step in phase II
    final: float  # ρ(l, g_l) at the last step, whatever the mean gradient there


def phases(gradients: Sequence[Sequence[float]], thresholds: Thresholds) -> Phases:
    """Return the learning phases of one run from g_l, (S, L−1), a row per step in order.

    A step counts where the mean of g_l over layers is above `mean_gradient`. It is in phase I if
    ρ(l, g_l) ≤ `phase_1_rho`, in phase II if ρ ≥ `phase_2_rho`. Phase I must come early: before the
    first step in phase II, or at any step if there is none in phase II.
    """
    gradients = measured(gradients)
    depths = np.arange(gradients.shape[1])
    correlations = np.array([rank_correlation(depths, g) for g in gradients])
    counts = gradients.mean(axis=1) > thresholds["mean_gradient"]
    one = counts & [at_most(rho, thresholds["phase_1_rho"]) for rho in correlations]
    two = counts & [at_least(rho, thresholds["phase_2_rho"]) for rho in correlations]
    second = int(two.argmax()) if two.any() else None
    early = one[:second]
    first = int(early.argmax()) if early.any() else None
    return Phases(np.where(counts, correlations, math.nan), first, second, float(correlations[-1]))


def inside(share: float, thresholds: Thresholds) -> str:
    """Return whether a share of points means "inside" a region, "outside" or "between"."""
    (share,) = measured([share])
    if at_least(share, thresholds["inside"]):
        return "inside"
    return "outside" if at_most(share, thresholds["outside"]) else "between"


def _last_third_share(x: Sequence[float], y: Sequence[float]) -> float:
    x, y = measured(x), measured(y)
    if len(x) < 3:
        raise NotTested(f"{len(x)} points are too few to test for saturation: three are needed")
    if not np.isfinite(y).all():
        return math.inf
    ranked = np.argsort(x)
    x, y = x[ranked], y[ranked]
    start, early, late, end = np.interp(np.linspace(x[0], x[-1], 4), x, y)
    first, last = abs(early - start), abs(end - late)
    if first == 0:
        return 0.0 if last == 0 else math.inf
    return float(last / first)


def _reach(numbers: np.ndarray) -> str:
    """Return the lowest and the highest number as text: "0.12 … 0.97"."""
    return " … ".join(dict.fromkeys([format_number(numbers.min()), format_number(numbers.max())]))
