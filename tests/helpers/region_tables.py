"""Projections of samples and regions of digits (Fig. 6), put together by hand."""

import numpy as np
from claim_judging import crossed, history_of

DIGITS = [0, 2, 5]


def inside_before_after(before, after, mode="evaluation"):
    """Return projections with such shares of the test points inside their own digit's region.

    Points of the other mode, of the training samples, and regions of other digits would say the
    opposite.
    """
    points = crossed(
        "deep23",
        moment=["before", "after"],
        split=["train", "test"],
        mode=["evaluation", "training"],
        digit=DIGITS,
        place=range(20),
    )
    share = points["moment"].map({"before": before, "after": after})
    judged = (points["split"] == "test") & (points["mode"] == mode)
    inside = (points["place"] < 20 * share) == judged
    # A circle of radius 2 around each digit's centre; the centres lie on a line, 10 apart.
    points = points.assign(step=10, h1=10.0 * points["digit"] + np.where(inside, 1.9, 2.1), h2=0.0)
    regions = crossed("deep23", moment=["before", "after"], digit=DIGITS).assign(
        step=10, split="train", mode="training", mean_h1=lambda rows: 10.0 * rows["digit"],
        mean_h2=0.0, cov_11=4.0, cov_12=0.0, cov_22=4.0, radius=1.0,
    )  # fmt: skip
    return {
        "deep23_history": history_of("deep23"),
        "deep23_projection": points,
        "deep23_regions": regions,
    }
