"""Rank probability distributions of every hidden layer, as curves."""

import pandas as pd

from netdyn.measures.ranks.rpd import rank_probability
from netdyn.quantities.layerwise import LayerwiseSettings, hidden_layers
from netdyn.quantities.subject import Subject

__all__ = ["RankProbabilitySettings", "measure"]


class RankProbabilitySettings(LayerwiseSettings):
    """Of which samples and neurons there are curves, and how fine they are."""

    bins: int  # of r in [0, 1]
    classes: bool  # whether each class has a curve beside the layer's


def measure(subject: Subject, settings: RankProbabilitySettings) -> pd.DataFrame:
    """Return the RPDs of training samples (see `netdyn.measures.ranks.rpd.rank_probability`).

    Args:
        settings: steps, samples, modes, signs, as for `layerwise.hidden_layers`; bins; and
            classes: whether each class has a curve.

    Returns:
        step, mode, layer, samples_measured, class (−1: the layer's, mean over classes), r (centre
        of the bin, 0 the top of the order), density (mean 1).
    """
    bins = settings["bins"]
    tables = []
    for columns, field, labels, signs in hidden_layers(subject, settings):
        densities = rank_probability(field, labels, signs, bins).cpu()  # (K, bins)
        curves = {-1: densities.nanmean(dim=0)}
        if settings["classes"]:
            curves |= dict(enumerate(densities))
        for k, density in curves.items():
            centres = [(i + 0.5) / bins for i in range(bins)]
            curve = {"class": k, "r": centres, "density": density.tolist()}
            tables.append(pd.DataFrame({**columns, **curve}))
    return pd.concat(tables, ignore_index=True)
