"""Contrast of colours on white, as WCAG 2.1 defines it: 3 is asked of marks, 4.5 of text."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgba, to_rgba_array

__all__ = ["MARK", "TEXT", "contrast", "darkened"]

MARK, TEXT = 3.0, 4.5  # the least contrasts
SLACK = 0.05  # above them: files hold colours in steps of 1/255
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])  # of linear red, green and blue in luminance


def contrast(colour: object, alpha: float = 1.0) -> float:
    """Return the contrast (1 + 0.05) / (Y + 0.05) on white of a colour of luminance Y, 1 to 21.

    Args:
        colour: any of matplotlib's; its own opacity counts.
        alpha: a further opacity, 0 to 1.
    """
    *rgb, own = to_rgba(colour)
    seen = 1 - own * alpha * (1 - np.array(rgb))
    return float(1.05 / (_linear(seen) @ WEIGHTS + 0.05))


def darkened(colours: object | Sequence, least: float = MARK, together: bool = False) -> np.ndarray:
    """Return colours, (..., 4), of the same hue whose contrast on white is at least `least`.

    Linear red, green and blue are scaled by one factor, where the contrast is less.

    Args:
        colours: one, or several.
        together: whether all are scaled by the factor of the lightest, so that the colours of a
            map keep the order of their luminances.
    """
    one = np.ndim(colours) < 2 and not (np.ndim(colours) == 1 and isinstance(colours[0], str))
    rgba = to_rgba_array(colours)
    linear = _linear(rgba[:, :3])
    most = 1.05 / (least + SLACK) - 0.05
    luminance = np.maximum(linear @ WEIGHTS, 1e-12)
    factor = np.minimum(1, most / luminance)
    if together:
        factor = np.full_like(factor, factor.min())
    linear = linear * factor[:, None]
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    curved = np.where(linear <= 0.0031308, 12.92 * linear, curve)
    rgba[:, :3] = np.where(factor[:, None] < 1, curved, rgba[:, :3])
    return rgba[0] if one else rgba


def _linear(rgb: np.ndarray) -> np.ndarray:
    """Return linear red, green and blue of those of sRGB, 0 to 1."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
