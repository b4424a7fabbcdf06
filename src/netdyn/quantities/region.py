"""The regions that digits occupy in the plane of Fig. 6 and 7, as ellipses."""

import pandas as pd

from netdyn.measures.projections import region
from netdyn.quantities.moments import MomentSettings, views
from netdyn.quantities.subject import Subject

__all__ = ["RegionSettings", "measure"]


class RegionSettings(MomentSettings):
    """Whose regions are measured when and how."""

    percentile: float  # of the Mahalanobis distance, in (0, 100]: the boundary of a region


def measure(subject: Subject, settings: RegionSettings) -> pd.DataFrame:
    """Return the region of each digit: where its Mahalanobis distance is within the percentile.

    Args:
        settings: moments, views and digits as in `netdyn.quantities.moments`; percentile.

    Returns:
        moment, step, split, mode, digit, points, mean_h1, mean_h2, cov_11, cov_12, cov_22
        (covariance of the projections) and radius (the percentile of the Mahalanobis distance).
    """
    rows = []
    for columns, points in views(subject, settings):
        mean, covariance, radius = region(points, settings["percentile"])
        rows.append(
            {
                **columns,
                "points": len(points),
                "mean_h1": mean[0].item(),
                "mean_h2": mean[1].item(),
                "cov_11": covariance[0, 0].item(),
                "cov_12": covariance[0, 1].item(),
                "cov_22": covariance[1, 1].item(),
                "radius": radius,
            }
        )
    return pd.DataFrame(rows)
