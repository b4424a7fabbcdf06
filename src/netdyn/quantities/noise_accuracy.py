"""Accuracy of training samples as a function of the noise on them or on the weights."""

import pandas as pd

from netdyn.quantities.perturbed import NoiseSettings, amplitude_grid, perturbed_groups
from netdyn.quantities.subject import Subject

__all__ = ["measure"]


def measure(subject: Subject, settings: NoiseSettings) -> pd.DataFrame:
    """Return accuracy against noise amplitude, in evaluation mode (see `basins.sizes`).

    Args:
        settings: steps, space (sample, weight), amplitudes, trials, samples, noise_return (sample
            space), standardization (weight space), correct, and of: average, class or sample; see
            `perturbed.perturbed_groups`.

    Returns:
        step, space, of, index (class or sample; −1 for the average), amplitude, accuracy in
        [0, 1] over samples and trials.
    """
    grid = amplitude_grid(settings["amplitudes"])
    tables = []
    for columns, correct in perturbed_groups(subject, settings):
        curve = {"amplitude": grid, "accuracy": correct.double().mean(dim=1).tolist()}
        tables.append(pd.DataFrame({**columns, **curve}))
    return pd.concat(tables, ignore_index=True)
