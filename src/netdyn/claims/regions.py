"""Test samples inside the training samples' regions, before and after grokking (Fig. 6, 7e–h)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from netdyn.claims.kinds import inside
from netdyn.claims.tables import Tables, each_run, matching, raise_if_diverged
from netdyn.claims.values import at_most, finite, format_mean, mean_spread
from netdyn.claims.verdicts import (
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    NotTested,
    Outcome,
    Thresholds,
    each,
    worst,
)

__all__ = ["moments", "share_inside"]

REGION = ["mean_h1", "mean_h2", "cov_11", "cov_12", "cov_22", "radius"]


def moments(
    tables: Tables,
    name: str,
    view: Mapping[str, str],
    training: Mapping[str, str],
    stated: Mapping[str, str],
    thresholds: Thresholds,
) -> Outcome:
    """Test where the test samples of all shown digits lie at each moment, in each seed.

    Args:
        name: prefix of the tables <name>_history, <name>_projection and <name>_regions.
        view: split and mode of the points.
        training: split and mode of the samples whose regions count.
        stated: moment → "inside" or "outside", as the paper states. A share in between is partly.
    """
    raise_if_diverged(tables.history(f"{name}_history"))
    columns = ["moment", "step", "split", "mode", "digit"]
    points = matching(tables.get(f"{name}_projection", [*columns, "h1", "h2"]), **view)
    regions = matching(tables.get(f"{name}_regions", [*columns, *REGION]), **training)
    verdicts, shares = [], {moment: [] for moment in stated}
    by_digit = {moment: [] for moment in stated}
    for identity, rows in each_run(points):
        of_run, grades = matching(regions, **identity), []
        for moment, where in stated.items():
            at_moment, region = matching(rows, moment=moment), matching(of_run, moment=moment)
            shares[moment].append(share_inside(at_moment, region))
            by_digit[moment].append(
                {d: share_inside(part, region) for d, part in at_moment.groupby("digit")}
            )
            grades.append(_compared(inside(shares[moment][-1], thresholds), where))
        verdicts.append(worst(*grades))
    percents = {moment: 100 * np.array(values) for moment, values in shares.items()}
    percent = {moment: format_mean(values, " %", 0) for moment, values in percents.items()}
    return Outcome(
        each(*verdicts),
        " → ".join(percent.values()),
        mean_spread(percents[next(iter(stated))])[1],
        "Inside the region of their class lie "
        + ", ".join(f"{share} of the test points {moment}" for moment, share in percent.items())
        + f" grokking. By digit: {'; '.join(map(_by_digit, by_digit, by_digit.values()))}.",
    )


def _by_digit(moment: str, shares: Sequence[Mapping[int, float]]) -> str:
    """Return the shares by digit, means over seeds: digits with wide regions differ from others."""
    means = pd.DataFrame(shares).mean()
    return f"{moment} {', '.join(f'{100 * mean:.0f} % ({d})' for d, mean in means.items())}"


def share_inside(points: pd.DataFrame, regions: pd.DataFrame) -> float:
    """Return the share of points (h1, h2) inside the region of their own digit, in [0, 1].

    Inside is a Mahalanobis distance, by the region's mean and covariance, of at most its radius.

    Raises:
        NotTested: a digit has not exactly one region, the region has no area, or a number that is
            needed is not finite.
    """
    counted = []
    for digit, rows in points.groupby("digit"):
        region = matching(regions, digit=digit)
        if len(region) > 1:
            raise NotTested(f"digit {digit} has {len(region)} regions")
        h1, h2, cov_11, cov_12, cov_22, radius = finite(region[REGION].iloc[0])
        covariance = np.array([[cov_11, cov_12], [cov_12, cov_22]])
        if np.linalg.matrix_rank(covariance) < 2:
            raise NotTested(f"the region of digit {digit} has no area")
        distances = cdist(
            finite(rows[["h1", "h2"]]), [[h1, h2]], "mahalanobis", VI=np.linalg.inv(covariance)
        )
        counted += [at_most(distance, radius) for distance in distances.ravel()]
    return float(np.mean(counted))


def _compared(observed: str, stated: str) -> str:
    return REPRODUCED if observed == stated else PARTLY if observed == "between" else NOT_REPRODUCED
