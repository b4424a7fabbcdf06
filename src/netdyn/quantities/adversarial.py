"""Basins of single samples and the smallest perturbations that flip the samples (Fig. 5b)."""

import math
from functools import reduce

import pandas as pd
import torch

from netdyn.measures.adversarial import deepfool
from netdyn.quantities.single_basins import SingleBasinsSettings, single_basins
from netdyn.quantities.subject import Subject

__all__ = ["measure"]

# DeepFool as published, and with its steps shortened: pairs of longest step (L2 norm) and number of
# steps. The published steps overshoot on deep networks; the shortest ones do not reach every
# boundary.
STEPS = ((math.inf, 50), (1.0, 100), (0.1, 200))


def measure(subject: Subject, settings: SingleBasinsSettings) -> pd.DataFrame:
    """Return basin size and flipping distances of single samples, in evaluation mode.

    Args:
        settings: steps, samples, amplitudes, trials, noise_return.

    Returns:
        One row per training sample that is classified correctly: step, sample (its position among
        the measured ones), digit, prediction, basin (amplitude at which half of the trials are no
        longer classified as the sample's label; inf if that never happens), flip_distance (L2 norm
        of DeepFool's perturbation, inputs in [0, 1], overshoot included; empty where none
        flips), flip_class (the class predicted then), least_flip_distance (the smallest distance of
        DeepFool and of its variants with shortened steps: closer to the smallest possible one).
    """
    tables = []
    for step, network in subject.each_network(settings["steps"]):
        basins, x, y = single_basins(subject, network, settings)
        flips = [
            deepfool(network, x, iterations=iterations, longest_step=longest)
            for longest, iterations in STEPS
        ]
        published = flips[0]
        table = pd.DataFrame(
            {
                "step": step,
                "sample": range(len(y)),
                "digit": y.tolist(),
                "prediction": published.prediction.tolist(),
                "basin": basins.tolist(),
                "flip_distance": published.distance.tolist(),
                "flip_class": published.flipped_prediction.tolist(),
                "least_flip_distance": reduce(torch.fmin, [f.distance for f in flips]).tolist(),
            }
        )
        flipped = table["flip_distance"].notna()
        table["flip_class"] = table["flip_class"].astype("Int64").where(flipped)
        tables.append(table[table["prediction"] == table["digit"]])
    return pd.concat(tables, ignore_index=True)
