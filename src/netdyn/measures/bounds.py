"""Comparing accuracies with bounds, but for the rounding of float32."""

import math

__all__ = ["at_least", "at_most"]


def at_least(value: float, bound: float) -> bool:
    """Return value ≥ bound, with a tolerance for the float32 rounding of accuracy differences."""
    return bool(value >= bound or _close(value, bound))


def at_most(value: float, bound: float) -> bool:
    """Return value ≤ bound, with a tolerance for the float32 rounding of accuracy differences."""
    return bool(value <= bound or _close(value, bound))


def _close(value: float, bound: float) -> bool:
    return math.isclose(value, bound, rel_tol=1e-5, abs_tol=1e-9)
