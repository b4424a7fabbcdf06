"""Shares of correct trials by amplitude and sample, for accuracies under noise and basin sizes."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
from torch import Tensor

from netdyn.measures.basins.sizes import sample_noise_correct, weight_noise_correct
from netdyn.networks.reading import Network
from netdyn.quantities.subject import MeasurementSettings, StepSelector, Subject

__all__ = [
    "AmplitudeGrid",
    "Amplitudes",
    "NoiseSettings",
    "amplitude_grid",
    "groups",
    "perturbed_groups",
]


class AmplitudeGrid(TypedDict):
    """Amplitudes 0 and a geometric grid from first to last."""

    first: float  # above 0
    last: float
    points: int  # of the grid, at least 2


# Amplitudes of noise, ascending: in units of inputs in [0, 1], or of the standard deviation of
# weights.
Amplitudes = list[float] | AmplitudeGrid


class NoiseSettings(MeasurementSettings):
    """What noise on samples or weights is measured on."""

    steps: StepSelector
    space: Literal["sample", "weight"]  # which of the two the noise is on
    amplitudes: Amplitudes  # from 0
    trials: int  # of noise per sample, or of the weights, at each amplitude
    samples: int | Literal["all"]  # training samples
    of: list[Literal["average", "class", "sample"]]  # whose accuracies there are
    # How a noisy sample returns to [0, 1], in sample space; affine unless given.
    noise_return: NotRequired[Literal["affine", "clip", "range"]]
    # Over what the noise on weights is standardised, in weight space; matrix unless given.
    standardization: NotRequired[Literal["matrix", "row", "all"]]
    # As what a sample is to be classified: its label, or the prediction without noise; label unless
    # given.
    correct: NotRequired[Literal["label", "prediction"]]


def amplitude_grid(amplitudes: Amplitudes) -> list[float]:
    """Return the noise amplitudes: the list itself, or 0 and a geometric grid first … last."""
    if isinstance(amplitudes, Mapping):
        grid = np.geomspace(amplitudes["first"], amplitudes["last"], amplitudes["points"])
        return [0.0, *grid.tolist()]
    return list(amplitudes)


def perturbed_groups(
    subject: Subject, settings: NoiseSettings
) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Yield the columns and the table (A, P_group) of each step and group of training samples.

    The columns are step, space, of and index (see `groups`); the table holds the shares of trials
    in which each sample is classified correctly, one row per amplitude of `amplitude_grid`.

    Args:
        settings: steps, space, amplitudes, trials, samples and of; noise_return (sample space);
            standardization (weight space; "matrix" where it is missing); correct: whether a sample
            is to be classified as its "label", which holds where it is missing, or by the network's
            "prediction" without noise. Classes are those of the labels in either case.
    """
    x, y = subject.samples("train", settings["samples"])
    by_prediction = settings.get("correct", "label") == "prediction"
    for step, network in subject.each_network(settings["steps"]):
        target = network.logits(x).argmax(dim=1) if by_prediction else y
        correct = _correct(subject, network, x, target, settings)  # (A, P)
        for columns, part in groups(correct, y, settings["of"]):
            yield {"step": step, "space": settings["space"], **columns}, part


def _correct(
    subject: Subject, network: Network, x: Tensor, target: Tensor, settings: NoiseSettings
) -> Tensor:
    grid, seed = amplitude_grid(settings["amplitudes"]), subject.settings["seed"]
    if settings["space"] == "weight":
        standardization = settings.get("standardization", "matrix")
        return weight_noise_correct(
            network, x, target, grid, settings["trials"], seed, standardization
        )
    noise_return = settings.get("noise_return", "affine")
    return sample_noise_correct(
        network, x, target, grid, settings["trials"], seed, noise_return=noise_return
    )


def groups(correct: Tensor, y: Tensor, kinds: list[str]) -> Iterator[tuple[dict, Tensor]]:
    """Yield the columns `of` and `index` of each group and its part of the table, (A, P_group).

    "average" is all samples (index −1), "class" each class, "sample" each single sample.
    """
    if "average" in kinds:
        yield {"of": "average", "index": -1}, correct
    if "class" in kinds:
        for k in y.unique().tolist():
            yield {"of": "class", "index": k}, correct[:, y == k]
    if "sample" in kinds:
        for sample in range(correct.shape[1]):
            yield {"of": "sample", "index": sample}, correct[:, sample : sample + 1]
