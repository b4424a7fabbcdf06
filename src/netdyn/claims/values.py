"""Numbers that tests compare: means and spreads, rank correlations, bounds, and how they are told.

A NaN is no measurement: what meets one raises `NotTested`.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from netdyn.claims.verdicts import NotTested

__all__ = [
    "at_least",
    "at_most",
    "difference",
    "finite",
    "mean_spread",
    "measured",
    "rank_correlation",
    "said",
    "shortly",
]


def measured(values: Sequence) -> np.ndarray:
    """Return the values as an array; raises NotTested where one is NaN."""
    array = np.asarray(values, dtype=float)
    if np.isnan(array).any():
        raise NotTested("a value that the test needs was not measured (NaN)")
    return array


def finite(values: Sequence) -> np.ndarray:
    """Return the values as an array; raises NotTested where one is NaN or infinite."""
    array = measured(values)
    if not np.isfinite(array).all():
        raise NotTested("a value that the test needs is not finite")
    return array


def difference(a: float, b: float) -> float:
    """Return a − b; two infinite values of one sign are equal."""
    measured([a, b])
    return 0.0 if a == b else a - b


def mean_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Return mean and sample standard deviation over seeds, None for one seed.

    The spread of values of which some are infinite is infinite, that of equal ones 0.
    """
    values = measured(values)
    if not len(values):
        raise NotTested("no seed was measured")
    if np.isfinite(values).all():
        return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None
    same = bool((values == values[0]).all())
    mean = float(values[0]) if same else math.inf if values.max() == math.inf else -math.inf
    return mean, None if len(values) == 1 else 0.0 if same else math.inf


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Return Spearman's ρ of at least three points; 0 where x or y is constant."""
    x, y = measured(x), measured(y)
    if len(x) < 3:
        raise NotTested(f"{len(x)} points make no trend: it needs three")
    if (x == x[0]).all() or (y == y[0]).all():
        return 0.0
    return float(stats.spearmanr(x, y).statistic)


def at_least(value: float, bound: float) -> bool:
    """Return value ≥ bound, equal within what float32 leaves of a difference of accuracies."""
    return bool(value >= bound or _close(value, bound))


def at_most(value: float, bound: float) -> bool:
    """Return value ≤ bound, equal within what float32 leaves of a difference of accuracies."""
    return bool(value <= bound or _close(value, bound))


def _close(value: float, bound: float) -> bool:
    return math.isclose(value, bound, rel_tol=1e-5, abs_tol=1e-9)


def said(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Return "mean ± spread" with its unit, which brings its own space, or one seed's value."""
    mean, spread = mean_spread(values)
    around = "" if spread is None else f" ± {shortly(spread, digits)}"
    return f"{shortly(mean, digits)}{around}{unit}"


def shortly(value: float, digits: int = 2) -> str:
    """Return a number with so many digits after the point; "∞" where it is infinite."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    # A true minus, and none before zero.
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
