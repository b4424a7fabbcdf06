"""Numbers that tests compare: means and spreads, rank correlations, bounds, and their formatting.

A NaN means that a value was not measured: every function that meets one raises `NotTested`.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from netdyn.claims.verdicts import NotTested
from netdyn.measures.bounds import at_least, at_most

__all__ = [
    "at_least",
    "at_most",
    "difference",
    "finite",
    "format_mean",
    "format_number",
    "mean_spread",
    "measured",
    "rank_correlation",
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

    The spread is infinite where some but not all values are infinite, and 0 where all are equal.
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
        raise NotTested(f"{len(x)} points make no trend: three are needed")
    if (x == x[0]).all() or (y == y[0]).all():
        return 0.0
    return float(stats.spearmanr(x, y).statistic)


def format_mean(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Return "mean ± spread" and the unit, or the only seed's value; `unit` includes its space."""
    mean, spread = mean_spread(values)
    around = "" if spread is None else f" ± {format_number(spread, digits)}"
    return f"{format_number(mean, digits)}{around}{unit}"


def format_number(value: float, digits: int = 2) -> str:
    """Return a number with `digits` decimals, or "∞"."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    # A typographic minus sign, and none before zero.
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
