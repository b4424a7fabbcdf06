"""Sizes of the attraction basins in sample and weight space."""

from collections.abc import Mapping

import pandas as pd

from netdyn.basins import basin_error, basin_size
from netdyn.measurements.perturbed import amplitude_grid, perturbed_groups
from netdyn.measurements.subject import Subject

__all__ = ["measure"]


def measure(subject: Subject, settings: Mapping) -> pd.DataFrame:
    """Return basin sizes with their resampling errors, in evaluation mode (see `netdyn.basins`).

    Args:
        settings: as for `netdyn.measurements.noise_accuracy`.

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
