"""The basin size of each single sample, for the views of fragile samples."""

from typing import Literal

from torch import Tensor

from netdyn.measures.basins.sizes import basin_sizes, sample_noise_correct
from netdyn.networks.reading import Network
from netdyn.quantities.perturbed import Amplitudes, amplitude_grid
from netdyn.quantities.subject import MeasurementSettings, Subject

__all__ = ["SingleBasinsSettings", "single_basins"]


class SingleBasinsSettings(MeasurementSettings):
    """Of which samples, and under which noise, basins are measured."""

    steps: int | str  # a step, best, last, train>=x or test>=x: one snapshot
    samples: int | Literal["all"]  # training samples
    amplitudes: Amplitudes  # from 0
    trials: int  # of noise per sample and amplitude
    noise_return: Literal["affine", "clip", "range"]  # how a noisy sample returns to [0, 1]


def single_basins(
    subject: Subject, network: Network, settings: SingleBasinsSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sample-space basin size of each measured training sample, and the samples.

    The quantity basin_size returns the same for single samples: of the same samples and noise.

    Args:
        settings: samples, amplitudes, trials, noise_return.

    Returns:
        sizes (P,), 0 for a sample that is misclassified without noise; inputs (P, N_0); labels
        (P,).
    """
    x, y = subject.samples("train", settings["samples"])
    grid = amplitude_grid(settings["amplitudes"])
    correct = sample_noise_correct(
        network, x, y, grid, settings["trials"], subject.settings["seed"],
        noise_return=settings["noise_return"],
    )  # fmt: skip
    return basin_sizes(grid, correct), x, y
