"""The cones of single samples, for their views: the samples, their noise and their projection."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from netdyn.data.translation import translate
from netdyn.errors import NetdynError
from netdyn.measures.cones import Cones, cones
from netdyn.measures.principal_components import principal_components
from netdyn.measures.projections import half_sums, inside_region
from netdyn.networks.reading import Network
from netdyn.quantities.perturbed import amplitude_grid
from netdyn.quantities.subject import MeasurementSettings, Subject
from netdyn.runtime.random_streams import generator

__all__ = [
    "ApexSettings",
    "MeasuredCones",
    "ReturnedApexSettings",
    "noise_amplitudes",
    "projection_of",
    "single_sample_cones",
]


class ApexSettings(MeasurementSettings):
    """The samples, their noise and their projection."""

    steps: int | str  # a step, best, last, train>=x or test>=x: one snapshot
    projection: Literal["half_sums", "pca"]
    digits: list[int]  # 0 … 9
    samples_per_class: int
    shift: int  # pixels along both axes of a second copy of each, at most 14; 0 for none
    amplitudes: list[float]  # ascending from above 0
    trials: int  # of noise per sample and amplitude
    percentile: float  # of distances, in (0, 100]: the boundary of regions


class MeasuredCones(NamedTuple):
    """The cones of one step's network under one return of the noise."""

    step: int
    noise_return: str
    samples: pd.DataFrame  # columns sample, digit and shift, a row per apex
    cones: Cones


class ReturnedApexSettings(ApexSettings):
    """The same under several returns of the noise."""

    noise_return: list[Literal["affine", "clip", "range"]]


def projection_of(name: str, images: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the map from samples (P, N_0) to their coordinates (P, D), float64 on the CPU.

    "half_sums" has two, "pca" the three principal components of `images`.

    Raises:
        NetdynError: for another name.
    """
    if name == "half_sums":
        return lambda x: half_sums(x).double().cpu()
    if name == "pca":
        fitted = principal_components(images)
        return lambda x: torch.from_numpy(fitted.transform(x.double().cpu().numpy()))
    raise NetdynError(f"projection {name!r} is unknown: choose half_sums or pca")


def noise_amplitudes(settings: ApexSettings) -> list[float]:
    """Return the amplitudes of the settings above 0: without noise a cone is only its apex."""
    return [a for a in amplitude_grid(settings["amplitudes"]) if a > 0]


def single_sample_cones(
    subject: Subject,
    settings: ApexSettings,
    project: Callable[[Tensor], Tensor],
    noise_returns: Sequence[str],
) -> Iterator[MeasuredCones]:
    """Yield the cones of the chosen samples, per chosen step and return of the noise.

    The samples of a digit are the first `samples_per_class` training samples, in an order drawn by
    the run's seed, that the network classifies correctly and that lie within the region of the
    data: outside of it there is no effective basin. Where `shift` is not 0, each is followed by its
    copy moved down and right by so many pixels, which must lie within that region too. The noise is
    drawn by the run's seed and depends on a sample's position among them: all views of the same
    samples use the same noise.

    Args:
        settings: steps, digits, samples_per_class, shift, amplitudes, trials, percentile (the
            boundary of the region of the data).
        project: the map to coordinates, as `projection_of` returns it.

    Raises:
        NetdynError: where there is no such sample of these digits.
    """
    images, labels = subject.samples("train")
    amplitudes, seed = noise_amplitudes(settings), subject.settings["seed"]
    shifts = [0, settings["shift"]] if settings["shift"] else [0]
    data = project(images)  # (P, D)

    def with_copies(sample: int) -> Tensor:
        return torch.stack([translate(images[sample], shift, shift) for shift in shifts])

    def within(sample: int) -> bool:
        points = project(with_copies(sample))  # (copies, D)
        return bool(inside_region(points, data, settings["percentile"]).all())

    for step, network in subject.each_network(settings["steps"]):
        chosen = _chosen(network, images, labels, within, settings, seed)
        if not chosen:
            raise NetdynError(
                f"{subject.run_folder} at step {step} classifies no training sample of the digits "
                f"{settings['digits']} within the data's region correctly: choose another step"
            )
        x = torch.cat([with_copies(sample) for sample in chosen])
        samples = pd.DataFrame(
            [(s, labels[s].item(), shift) for s in chosen for shift in shifts],
            columns=["sample", "digit", "shift"],
        )
        for noise_return in noise_returns:
            measured = cones(
                network, x, project, amplitudes, settings["trials"], seed, noise_return=noise_return
            )
            yield MeasuredCones(step, noise_return, samples, measured)


def _chosen(
    network: Network,
    images: Tensor,
    labels: Tensor,
    within: Callable[[int], bool],
    settings: ApexSettings,
    seed: int,
) -> list[int]:
    """Return the positions of the samples among the run's training samples, digit by digit."""
    chosen = []
    for digit in settings["digits"]:
        members = (labels == digit).nonzero().squeeze(1)  # (n_k,)
        order = torch.randperm(
            len(members), generator=generator(seed, "cone samples", digit), device="cpu"
        )
        members = members[order.to(members.device)]
        right = network.logits(images[members]).argmax(dim=1) == digit
        fitting = (sample for sample in members[right].tolist() if within(sample))
        chosen += itertools.islice(fitting, settings["samples_per_class"])
    return chosen
