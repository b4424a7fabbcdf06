"""Outlines of regions of samples in a plane."""

import numpy as np
from matplotlib.patches import Polygon

__all__ = ["ellipse", "outline"]


def ellipse(outline: np.ndarray, colour, trimmed: bool) -> Polygon:
    """Return the patch of an outline, dashed where the region is a trimmed one."""
    dashes = (0, (3, 1.5)) if trimmed else "-"
    look = {"fill": False, "linewidth": 1.1, "zorder": 3, "linestyle": dashes}
    return Polygon(outline, edgecolor=colour, **look)


def outline(region) -> np.ndarray:
    """Return 200 points, (200, 2), at the region's Mahalanobis radius from its centre."""
    covariance = np.array([[region.cov_11, region.cov_12], [region.cov_12, region.cov_22]])
    if not np.isfinite(covariance).all():
        return np.full((200, 2), np.nan)
    variances, directions = np.linalg.eigh(covariance)
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (200, 2)
    semi_axes = region.radius * np.sqrt(variances.clip(min=0))
    return (circle * semi_axes) @ directions.T + [region.mean_h1, region.mean_h2]
