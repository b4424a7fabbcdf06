"""Tables of the shallow network that groks (Fig. 7), put together by hand: C41 to C47 hold."""

import numpy as np
import pandas as pd
from claim_judging import crossed, history_of

EVALUATED = sorted({0, *(round(10 ** (i / 10)) for i in range(61))})  # 0, 1 … 1,000,000
KEPT = [0, *(round(10 ** (i / 5)) for i in range(10, 31))]  # 0, 100 … 1,000,000
BEST = 100_000  # where the test accuracy is highest: it rises around 20,000 and then declines
AMPLITUDES = [0.0, 0.05, 0.1, 0.3]


def sigmoid(step, middle, steepness=6.0):
    """Rise from 0 to 1 over the logarithm of the step, steepest at `middle`."""
    return 1 / (1 + np.exp(-steepness * (np.log10(max(step, 0.1)) - np.log10(middle))))


def train(step):
    return 0.1 if step == 0 else min(1.0, 0.1 + 0.9 * np.log10(step) / 3)  # 100 % at 1,000


def test(step):
    late = max(0.0, np.log10(max(step, 1) / BEST))
    return 0.1 + 0.8 * sigmoid(step, 20_000, 12) - 0.05 * late


test.__test__ = False  # an accuracy, no test


def noisy(step, amplitude):
    """Learn what is a little noisy, lose again what is more so."""
    late = max(0.0, np.log10(max(step, 1) / BEST))
    highest = {0.0: 1.0, 0.05: 0.995, 0.1: 0.97, 0.3: 0.96}[amplitude]
    return highest * sigmoid(step, 5000, 20) - (late * amplitude if amplitude > 0.05 else 0)


def sample_size(step):
    late = max(0.0, np.log10(max(step, 1) / BEST))
    return (0.0 if step < 500 else 0.01) + 0.5 * sigmoid(step, 20_000) + 0.2 * late


def weight_size(step):
    """Grow at the onset; from 200,000 on shrink, to and fro."""
    if step <= 150_000:
        return 0.05 + sigmoid(step, 20_000)
    place = KEPT.index(step)
    return 1.2 - 0.4 * np.log10(step / 150_000) + 0.05 * (-1) ** place


def g(step, layer):
    """Peak around 20,000 and fall again, the second layer twice as high."""
    return layer * (0.01 + np.exp(-(np.log10(max(step, 1) / 20_000) ** 2) / 0.1))


def history(train=train, test=test):
    return history_of(
        "grokking",
        steps=EVALUATED,
        train_accuracy=[train(step) for step in EVALUATED],
        test_accuracy=[test(step) for step in EVALUATED],
    )


def over_steps(size):
    table = crossed("grokking", step=KEPT, of=["average", "class"])
    own = table["of"] == "average"
    table["size"] = np.where(own, table["step"].map({step: size(step) for step in KEPT}), 9.0)
    return table


def tables(
    train=train,
    test=test,
    noisy=noisy,
    cone=sample_size,
    affine=sample_size,
    weight=weight_size,
    deviation=0.15,
    g=g,
):
    noise = crossed("grokking", step=KEPT, of=["average", "class"], amplitude=AMPLITUDES)
    noise["accuracy"] = [
        noisy(row.step, row.amplitude) if row.of == "average" else 0.5 for row in noise.itertuples()
    ]
    gradient = crossed("grokking", step=KEPT, mode=["evaluation"], layer=[1, 2])
    gradient = gradient.merge(pd.DataFrame({"class": [-1, 0, 1]}), how="cross")
    gradient["gradient"] = [
        g(row.step, row.layer) if row[-1] == -1 else 99.0
        for row in gradient.rename(columns={"class": "k"}).itertuples()
    ]
    distance = crossed("grokking", digit=[-1, 0, 1])
    distance["distance"] = np.where(distance["digit"] == -1, deviation, 9.0)
    return {
        "grokking_history": history(train, test),
        "grokking_noise": noise,
        "grokking_sample_basin_cone": over_steps(cone),
        "grokking_sample_basin": over_steps(affine),
        "grokking_weight_basin": over_steps(weight),
        "grokking_test_distance": distance,
        "grokking_gradient": gradient,
        **projections(0.3, 0.9),
    }


def projections(before, after):
    """Return such shares of test points inside; training points and training mode say otherwise."""
    points = crossed(
        "grokking",
        moment=["before", "after"],
        split=["train", "test"],
        mode=["evaluation"],
        digit=[1, 5, 9],
        place=range(10),
    )
    share = points["moment"].map({"before": before, "after": after})
    inside = (points["place"] < 10 * share) == (points["split"] == "test")
    points = points.assign(step=10, h1=np.where(inside, 0.9, 1.1), h2=10.0 * points["digit"])
    regions = crossed(
        "grokking", moment=["before", "after"], mode=["evaluation", "training"], digit=[1, 5, 9]
    )
    own = regions["mode"] == "evaluation"
    regions = regions.assign(
        step=10, split="train", mean_h1=np.where(own, 0.0, 50.0), mean_h2=10.0 * regions["digit"],
        cov_11=1.0, cov_12=0.0, cov_22=1.0, radius=1.0,
    )  # fmt: skip
    return {"grokking_projection": points, "grokking_regions": regions}
