"""Distances of test images to the nearest training image of their class."""

import pandas as pd
import torch

from netdyn.measures.distances import nearest_distance
from netdyn.quantities.subject import MeasurementSettings, Subject

__all__ = ["measure"]


def measure(subject: Subject, settings: MeasurementSettings) -> pd.DataFrame:
    """Return the mean distance of test images to the run's training images, by class.

    See `netdyn.measures.distances.nearest_distance`. The distances depend only on the samples: the
    run needs no training.

    Args:
        settings: not used.

    Returns:
        digit (−1: all), test_samples, distance: mean over these of the root mean square per pixel,
        inputs in [0, 1], to the nearest training image of the same class.
    """
    training, training_labels = subject.samples("train")
    x, y = subject.samples("test")
    by_digit = {
        digit: nearest_distance(x[y == digit], training[training_labels == digit])
        for digit in y.unique().tolist()
    }
    groups = {-1: torch.cat([*by_digit.values()]), **by_digit}
    return pd.DataFrame(
        {"digit": digit, "test_samples": len(distances), "distance": distances.mean().item()}
        for digit, distances in groups.items()
    )
