"""Noise on samples, and the ways in which noisy samples are returned to the range of the data."""

from collections.abc import Callable

import torch
from torch import Tensor

from netdyn.errors import NetdynError

__all__ = ["NOISE_RETURNS", "checked_return", "noisy_samples"]


def _affine(x: Tensor, noise: Tensor) -> Tensor:
    return x + noise


def _clip(x: Tensor, noise: Tensor) -> Tensor:
    return (x + noise).clamp_(0.0, 1.0)


def _own_range(x: Tensor, noise: Tensor) -> Tensor:
    noisy = x + noise
    low, high = noisy.aminmax(dim=1, keepdim=True)  # (P, 1) each
    # A constant sample has no range to map: it is left unchanged.
    return torch.where(high > low, (noisy - low) / (high - low), noisy)


NOISE_RETURNS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "affine": _affine,
    "clip": _clip,
    "range": _own_range,
}


def noisy_samples(
    x: Tensor,
    noise: Tensor,
    value_range: tuple[float, float] = (0.0, 1.0),
    noise_return: str = "affine",
) -> Tensor:
    """Return samples with noise added on the scale [0, 1] and returned to the data's range.

    Args:
        x: samples, (P, N_0), whose values span `value_range`.
        noise: added to (x − low)/(high − low), (P, N_0).
        value_range: (low, high), the range of the data.
        noise_return: "affine" maps [0, 1] back to the range; "clip" clips to [0, 1] first; "range"
            maps the smallest and largest value of each noisy sample to low and high.

    Raises:
        NetdynError: for an unknown `noise_return`, an empty range, or a "clip" that would
            change samples even without noise.
    """
    low, high = checked_return(noise_return, value_range)
    if noise_return == "clip" and len(x) and not (low <= x.min() and x.max() <= high):
        raise NetdynError(
            f"samples run from {x.min():.4g} to {x.max():.4g}, outside value_range {value_range}, "
            "and would be clipped: give the range of the data"
        )
    return low + (high - low) * NOISE_RETURNS[noise_return]((x - low) / (high - low), noise)


def checked_return(noise_return: str, value_range: tuple[float, float]) -> tuple[float, float]:
    """Return (low, high) of the range; NetdynError for an unknown return or an empty range."""
    if noise_return not in NOISE_RETURNS:
        raise NetdynError(
            f"noise_return {noise_return!r} is unknown: choose one of {', '.join(NOISE_RETURNS)}"
        )
    low, high = value_range
    if not low < high:
        raise NetdynError(f"value_range {value_range}: the lower end must lie below the upper one")
    return low, high
