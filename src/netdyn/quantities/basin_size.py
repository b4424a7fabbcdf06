"""Sizes of the attraction basins in sample and weight space."""

import pandas as pd

from netdyn.measures.basins.sizes import basin_error, basin_size
from netdyn.quantities.perturbed import NoiseSettings, amplitude_grid, perturbed_groups
from netdyn.quantities.subject import Subject

__all__ = ["measure"]


def measure(subject: Subject, settings: NoiseSettings) -> pd.DataFrame:
    """Return basin sizes with their resampling errors, in evaluation mode (see `basins.sizes`).

    Args:
        settings: as for `netdyn.quantities.noise_accuracy`.

    Returns:
        step, space, of, index (class or sample; −1 for the average), size (the amplitude at which
        the accuracy falls to 50 %; 0 if it is lower without noise, inf if it never does),
        size_error (standard error over resampled samples; empty for a single sample),
        clean_accuracy (without noise).
    """
    grid = amplitude_grid(settings["amplitudes"])
    rows = []
    for columns, correct in perturbed_groups(subject, settings):
        curve = correct.double().mean(dim=1)  # (A,)
        rows.append(
            {
                **columns,
                "size": basin_size(grid, curve),
                "size_error": basin_error(grid, correct, subject.settings["seed"]),
                "clean_accuracy": curve[0].item(),
            }
        )
    return pd.DataFrame(rows)
