"""Test samples inside the training samples' regions, before and after grokking (Fig. 6, 7e–h).

A class's region is, by option `region` (`netdyn.claims.options`):
    ellipse: where the Mahalanobis distance, by mean and covariance of all its training samples, is
        at most the 99th percentile of theirs. A few samples far from the others widen it.
    trimmed: the same with the inner 90 % of the training samples alone, those of least
        Mahalanobis distance to all: mean, covariance and percentile are those of these samples.
        Made from the projected training samples of the table, a part of the training set.
    centroid: where the mean of its training samples is nearer than that of any other class shown.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from netdyn.claims.kinds import inside
from netdyn.claims.options import chosen
from netdyn.claims.tables import (
    Tables,
    each_run,
    identity_columns,
    matching,
    raise_if_diverged,
)
from netdyn.claims.values import at_most, finite, format_mean, mean_spread
from netdyn.claims.verdicts import (
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    Claim,
    NotTested,
    Outcome,
    each,
    worst,
)
from netdyn.errors import NetdynError
from netdyn.measures.regions import Region, mahalanobis, trimmed_region

__all__ = ["moments", "share_inside", "share_nearest", "trimmed"]

REGION = ["mean_h1", "mean_h2", "cov_11", "cov_12", "cov_22", "radius"]


def moments(
    tables: Tables,
    name: str,
    view: Mapping[str, str],
    training: Mapping[str, str],
    stated: Mapping[str, str],
    row: Claim,
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
    projection = tables.get(f"{name}_projection", [*columns, "h1", "h2"])
    points = matching(projection, **view)
    regions = matching(tables.get(f"{name}_regions", [*columns, *REGION]), **training)
    kind = chosen(row, "region")
    shares_of = SHARES[kind]
    if kind == "trimmed":
        regions = trimmed(matching(projection, **training))
    verdicts, shares, judged = [], {moment: [] for moment in stated}, 0
    by_digit = {moment: [] for moment in stated}
    for identity, rows in each_run(points):
        of_run, grades = matching(regions, **identity), []
        for moment, where in stated.items():
            at_moment, region = matching(rows, moment=moment), matching(of_run, moment=moment)
            shares[moment].append(shares_of(at_moment, region))
            by_digit[moment].append(
                {d: shares_of(part, region) for d, part in at_moment.groupby("digit")}
            )
            grades.append(_compared(inside(shares[moment][-1], row.thresholds), where))
            judged += len(at_moment)
        verdicts.append(worst(*grades))
    percents = {moment: 100 * np.array(values) for moment, values in shares.items()}
    percent = {moment: format_mean(values, " %", 0) for moment, values in percents.items()}
    return Outcome(
        each(*verdicts),
        " → ".join(percent.values()),
        mean_spread(percents[next(iter(stated))])[1],
        f"{LIE[kind]} "
        + ", ".join(f"{share} of the test points {moment}" for moment, share in percent.items())
        + f" grokking. By digit: {'; '.join(map(_by_digit, by_digit, by_digit.values()))}.",
        judged,
        0,
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
        points_of_digit, of_digit = finite(rows[["h1", "h2"]]), Region([h1, h2], covariance, radius)
        try:
            distances = mahalanobis(points_of_digit, of_digit)
        except NetdynError:
            raise NotTested(f"the region of digit {digit} has no area") from None
        counted += [at_most(distance, radius) for distance in distances]
    return float(np.mean(counted))


def share_nearest(points: pd.DataFrame, regions: pd.DataFrame) -> float:
    """Return the share of points (h1, h2) that their own digit's mean is nearest to, in [0, 1].

    Raises:
        NotTested: a digit has not exactly one region, or a number that is needed is not finite.
    """
    digits = regions["digit"].to_numpy()
    for digit in points["digit"].unique():
        if (digits == digit).sum() != 1:
            raise NotTested(f"digit {digit} has {(digits == digit).sum()} regions")
    distances = cdist(finite(points[["h1", "h2"]]), finite(regions[["mean_h1", "mean_h2"]]))
    return float((digits[distances.argmin(axis=1)] == points["digit"].to_numpy()).mean())


def trimmed(points: pd.DataFrame) -> pd.DataFrame:
    """Return the trimmed regions of points (h1, h2) by run, moment and digit.

    Raises:
        NotTested: the points of a digit have no area, or one of them is not finite.
    """
    regions = []
    columns = [*identity_columns(points), "moment", "digit"]
    for labels, rows in points.groupby(columns, sort=False):
        try:
            region = trimmed_region(finite(rows[["h1", "h2"]]))
        except NetdynError:
            raise NotTested(f"the region of digit {labels[-1]} has no area") from None
        numbers = *region.mean, *region.covariance[[0, 0, 1], [0, 1, 1]], region.radius
        regions.append(dict(zip([*columns, *REGION], [*labels, *numbers], strict=True)))
    return pd.DataFrame(regions)


SHARES = {"ellipse": share_inside, "trimmed": share_inside, "centroid": share_nearest}
LIE = {
    "ellipse": "Inside the region of their class lie",
    "trimmed": "Inside the trimmed region of their class lie",
    "centroid": "Nearest to the centre of their own class lie",
}


def _compared(observed: str, stated: str) -> str:
    return REPRODUCED if observed == stated else PARTLY if observed == "between" else NOT_REPRODUCED
