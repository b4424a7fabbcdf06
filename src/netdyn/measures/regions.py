"""The region of a class in a plane: an ellipse by mean and covariance, and a trimmed one.

Made from points alone, without PyTorch, for verdicts and figures.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from netdyn.errors import NetdynError

__all__ = ["INNER_SHARE", "PERCENTILE", "Region", "mahalanobis", "trimmed_region"]

INNER_SHARE = 0.9  # of the points, those that make a trimmed region
PERCENTILE = 99.0  # of the Mahalanobis distance: the boundary of a region


class Region(NamedTuple):
    """Where the Mahalanobis distance, by mean and covariance, is at most the radius."""

    mean: np.ndarray  # (2,)
    covariance: np.ndarray  # (2, 2)
    radius: float


def mahalanobis(points: np.ndarray, region: Region) -> np.ndarray:
    """Return the Mahalanobis distance of points (P, 2) from a region's mean, (P,).

        d(h) = sqrt((h − m)ᵀ C⁻¹ (h − m))

    Raises:
        NetdynError: the region has no area.
    """
    if np.linalg.matrix_rank(region.covariance) < 2:
        raise NetdynError("the region has no area: its points lie on a line")
    inverse = np.linalg.inv(region.covariance)
    return cdist(points, [region.mean], "mahalanobis", VI=inverse).ravel()


def trimmed_region(points: np.ndarray) -> Region:
    """Return the region of the inner points, which a few far ones do not widen.

    The inner points are `INNER_SHARE` of all, those of least Mahalanobis distance by mean and
    covariance of all. Mean, covariance and radius, the `PERCENTILE` of the distances, are theirs.

    Args:
        points: (P, 2), finite.

    Raises:
        NetdynError: the points have no area.
    """
    distances = mahalanobis(points, _ellipse(points))
    count = math.ceil(INNER_SHARE * len(points))
    inner = points[np.argsort(distances, kind="stable")[:count]]
    ellipse = _ellipse(inner)
    return ellipse._replace(radius=np.percentile(mahalanobis(inner, ellipse), PERCENTILE))


def _ellipse(points: np.ndarray) -> Region:
    covariance = np.cov(points.T) if len(points) > 2 else np.zeros((2, 2))
    return Region(points.mean(axis=0), covariance, math.nan)
