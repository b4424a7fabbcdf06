"""Noise on samples, and the ways in which noisy samples are returned to the range of the data."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.inputs import check_finite

__all__ = [
    "NOISE_RETURNS",
    "TOLERANCE",
    "checked_ends",
    "checked_range",
    "noisy_samples",
    "returned",
]

# By how much of the range samples may lie outside of it: a range that is written with four decimals
# is off by less. It changes a basin by the same share at most, far below the error of its size.
TOLERANCE = 1e-4


def _affine(x: Tensor, noise: Tensor) -> Tensor:
    return x + noise


def _clip(x: Tensor, noise: Tensor) -> Tensor:
    return (x + noise).clamp_(0.0, 1.0)


def _range_of_sample(x: Tensor, noise: Tensor) -> Tensor:
    noisy = x + noise
    low, high = noisy.aminmax(dim=1, keepdim=True)  # (P, 1) each
    # A constant sample has no range to map: it is left unchanged.
    return torch.where(high > low, (noisy - low) / (high - low), noisy)


NOISE_RETURNS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "affine": _affine,
    "clip": _clip,
    "range": _range_of_sample,
}


def noisy_samples(
    x: Tensor,
    noise: Tensor,
    value_range: tuple[float, float] = (0.0, 1.0),
    noise_return: str = "affine",
) -> Tensor:
    """Return samples with noise added on the scale [0, 1] and returned to the data's range.

    Args:
        x: samples, (P, N_0), whose values lie within `value_range`.
        noise: added to (x − low)/(high − low), (P, N_0).
        value_range: (low, high), the range of the data.
        noise_return: "affine" maps [0, 1] back to the range; "clip" clips to [0, 1] first; "range"
            maps the smallest and largest value of each noisy sample to low and high.

    Raises:
        NetdynError: for an unknown `noise_return`, a range that is none, and samples outside of
            the range.
    """
    return returned(x, noise, checked_range(x, value_range, noise_return), noise_return)


def returned(
    x: Tensor, noise: Tensor, value_range: tuple[float, float], noise_return: str
) -> Tensor:
    """Return what `noisy_samples` does, of samples and a range that `checked_range` has passed."""
    low, high = value_range
    return low + (high - low) * NOISE_RETURNS[noise_return]((x - low) / (high - low), noise)


def checked_range(
    x: Tensor, value_range: tuple[float, float], noise_return: str
) -> tuple[float, float]:
    """Return (low, high) of the range of all samples x, checked.

    Noise is drawn on the scale [0, 1] of the data. Samples outside of the range are on another
    scale, whatever the noise return does with them.

    Args:
        x: samples, (P, …); of bytes (uint8), which are divided by 255, the range is (0, 1).
        value_range, noise_return: see `noisy_samples`. Samples may lie outside of the range by
            `TOLERANCE` times high − low, or by the rounding of their own type.

    Raises:
        NetdynError: for an unknown return, a range that is none, and samples outside of it or not
            finite.
    """
    low, high = checked_ends(value_range, noise_return)
    if x.dtype == torch.uint8:
        if (low, high) != (0.0, 1.0):
            raise NetdynError(
                f"value_range {value_range}: bytes are divided by 255, leave it (0, 1)"
            )
        return low, high
    check_finite(x)
    if x.numel():
        least, most = (end.item() for end in x.detach().aminmax())
        rounding = torch.finfo(x.dtype).eps * max(abs(low), abs(high))
        slack = max(TOLERANCE * (high - low), rounding)
        if least < low - slack or most > high + slack:
            raise NetdynError(
                f"samples run from {least:.7g} to {most:.7g}, outside value_range "
                f"({low:g}, {high:g}): give the range of the data, such as "
                f"value_range=({least:.7g}, {most:.7g})"
            )
    return low, high


def checked_ends(value_range: tuple[float, float], noise_return: str) -> tuple[float, float]:
    """Return (low, high); NetdynError for a range that is none and for an unknown return."""
    if noise_return not in NOISE_RETURNS:
        raise NetdynError(
            f"noise_return {noise_return!r} is unknown: choose one of {', '.join(NOISE_RETURNS)}"
        )
    try:
        if any(isinstance(end, str | bytes) for end in value_range):
            raise TypeError("text is no number")
        low, high = (float(end) for end in value_range)
    except (TypeError, ValueError) as error:
        raise NetdynError(f"value_range {value_range}: give two numbers, (low, high)") from error
    if not -math.inf < low < high < math.inf:
        raise NetdynError(
            f"value_range {value_range}: the lower end must lie below the upper one, both finite"
        )
    return low, high
