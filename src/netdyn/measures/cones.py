"""Cones of single samples (Fig. 4h, 5): their projected perturbed points, and overlaps of basins.

A sample is the apex; at noise amplitude a its perturbed points scatter around or below it. Those
that keep its prediction lie in its attraction basin (Sec. II.D), and the part of the basin within
the data's region is its *effective* basin (Sec. IV.B).
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.measures.basins.drawn_noise import drawn_noise
from netdyn.measures.basins.noise import checked_range, returned
from netdyn.measures.projections import inside_region
from netdyn.networks.inputs import as_count, as_input, as_samples, as_tensor, as_whole
from netdyn.networks.integer_samples import refuse_tokens
from netdyn.networks.reading import Network, read
from netdyn.runtime.plain_mode import plain_mode
from netdyn.runtime.random_streams import generator

__all__ = ["ConeShapes", "Cones", "basin_overlaps", "cone_shapes", "cones", "perturbed_samples"]


class Cones(NamedTuple):
    """Perturbed points of S samples at A amplitudes in T trials, in a projection of D coordinates.

    All tensors are on the CPU, coordinates in float64.
    """

    apexes: Tensor  # (S, D): the samples themselves
    points: Tensor  # (S, A, T, D)
    kept: Tensor  # (S, A, T): whether the prediction of the unperturbed sample is kept


class ConeShapes(NamedTuple):
    """How the points of each cone lie at each amplitude, (S, A) each, in units of the projection.

    spread: square root of the trace of the points' covariance, their RMS distance from their mean.
    drift: distance of their mean from the apex.
    distance_to_common: distance of their mean from the mean of all samples' means: 0 where the
        bases of all cones fall together.
    """

    spread: Tensor
    drift: Tensor
    distance_to_common: Tensor


@plain_mode
def perturbed_samples(
    x: Tensor,
    amplitudes: Sequence[float] | Tensor,
    trials: int,
    seed: int,
    value_range: tuple[float, float] = (0.0, 1.0),
    noise_return: str = "affine",
) -> Iterator[Tensor]:
    """Yield, sample by sample, its perturbed versions x + a·ε, returned to the data's range.

    Args:
        x: samples, (S, …), flattened to (S, N_0); bytes (uint8) are divided by 255.
        amplitudes: standard deviations a ≥ 0 of the noise on the scale [0, 1], (A,).
        trials: T, draws of the standard normal ε; the same ε serves every amplitude, and fewer
            trials are the first ones of more.
        seed: master seed; a sample's noise depends on the seed, the trial and its place in x.
        value_range, noise_return: see `netdyn.measures.basins.noise.noisy_samples`.

    Yields:
        (A, T, N_0) per sample.

    Raises:
        NetdynError: for amplitudes or trials that give no noise, and as `noisy_samples` does.
    """
    scales = as_tensor(amplitudes, "amplitudes").double()  # (A,)
    if scales.ndim != 1 or not len(scales) or not (scales.isfinite() & (scales >= 0)).all():
        raise NetdynError(f"amplitudes {scales.tolist()}: give finite numbers from 0 upwards")
    trials, seed = as_count(trials, "trials"), as_whole(seed, "seed")
    x = as_samples(x)
    ends = checked_range(x, value_range, noise_return)

    def draw(place: int, inputs: int) -> Tensor:
        stream = generator(seed, "cone noise", place)
        # Drawn trial by trial: a single draw would depend on the number of trials.
        return torch.stack(
            [
                torch.randn(inputs, generator=stream, dtype=torch.float32, device="cpu")
                for _ in range(trials)
            ]
        )

    for place, sample in enumerate(as_input(x).flatten(1)):
        key = "cone noise", seed, place, trials, len(sample)
        drawn = drawn_noise(key, sample.device, functools.partial(draw, place, len(sample)))
        noise = scales[:, None, None].to(sample) * drawn.to(sample)  # (A, T, N_0)
        clean = sample.expand(len(scales) * trials, -1)
        noisy = returned(clean, noise.flatten(0, 1), ends, noise_return)
        yield noisy.view_as(noise)


@plain_mode
def cones(
    model: nn.Module | Network,
    x: Tensor,
    project: Callable[[Tensor], Tensor],
    amplitudes: Sequence[float] | Tensor,
    trials: int,
    seed: int,
    value_range: tuple[float, float] = (0.0, 1.0),
    noise_return: str = "affine",
) -> Cones:
    """Return the perturbed points of each sample, projected, and which keep its prediction.

    The noisy versions of one sample are held at a time. The network is measured in evaluation mode
    and left unchanged.

    Args:
        model: any network that `netdyn.read` reads, or what it returned.
        project: maps samples (P, N_0) to coordinates (P, D):
            `netdyn.measures.projections.half_sums` for Fig. 4h, the fitted
            `principal_components` for Fig. 5.
        x, amplitudes, trials, seed, value_range, noise_return: as in `perturbed_samples`, with at
            least one sample.

    Raises:
        NetdynError: as `perturbed_samples` does, and for no samples.
    """
    network = read(model)
    refuse_tokens(network, "cones")
    x = network.prepare(x)  # (S, N_0)
    if not len(x):
        raise NetdynError("cones of no samples: give at least one")
    predictions = network.logits(x).argmax(dim=1)  # (S,)
    points, kept = [], []
    noisy_versions = perturbed_samples(x, amplitudes, trials, seed, value_range, noise_return)
    for prediction, noisy in zip(predictions, noisy_versions, strict=True):
        outputs = network.logits(noisy.flatten(0, 1))  # (A·T, K)
        is_kept = (outputs.argmax(dim=1) == prediction) & outputs.isfinite().all(dim=1)
        kept.append(is_kept.view(noisy.shape[:2]).cpu())
        points.append(project(noisy.flatten(0, 1)).double().cpu().unflatten(0, noisy.shape[:2]))
    return Cones(project(x).double().cpu(), torch.stack(points), torch.stack(kept))


@plain_mode
def cone_shapes(measured: Cones) -> ConeShapes:
    """Return spread, drift and distance to the common mean of each cone at each amplitude."""
    means = measured.points.mean(dim=2)  # (S, A, D)
    spread = measured.points.var(dim=2, correction=0).sum(dim=2).sqrt()
    drift = (means - measured.apexes[:, None]).norm(dim=2)
    return ConeShapes(spread, drift, (means - means.mean(dim=0)).norm(dim=2))


@plain_mode
def basin_overlaps(
    points: Tensor, kept: Tensor, within: Tensor, percentile: float = 99.0
) -> tuple[Tensor, Tensor]:
    """Return the overlaps of the effective basins of each two samples, (S, S), and their points.

    One direction is the share of the counted points of one sample, those that keep its prediction
    and lie within the data's region, inside the region
    (`netdyn.measures.projections.inside_region`) of all points that keep the other's prediction.
    The overlap is the larger of both directions, so that a small basin inside a large one overlaps
    completely: 0 for disjoint basins, about the percentile for equal ones.

    Args:
        points: perturbed points in a projection, (S, T, D): those of one amplitude, or of all
            amplitudes pooled, `cones.points.flatten(1, 2)`.
        kept: whether each keeps its sample's prediction, bool (S, T).
        within: whether each lies within the data's region, bool (S, T).
        percentile: of the Mahalanobis distance at which a region ends, in [0, 100].

    Returns:
        The overlaps, symmetric, in [0, 1], float64, NaN where one of the two samples has fewer
        counted points than 3 or than D + 1 (so few span a flat region, which contains no points
        of the other); and the number of counted points of each sample, (S,).

    Raises:
        NetdynError: for shapes that do not match, and as `inside_region` does.
    """
    if points.ndim != 3 or kept.shape != points.shape[:2] or within.shape != kept.shape:
        raise NetdynError(
            f"points {tuple(points.shape)}, kept {tuple(kept.shape)}, within "
            f"{tuple(within.shape)}: give (S, T, D) and twice (S, T)"
        )
    samples, _, dimensions = points.shape
    counted = kept & within  # (S, T)
    counts = counted.sum(dim=1)  # (S,)
    enough = counts >= max(3, dimensions + 1)
    shares = torch.full((samples, samples), torch.nan, dtype=torch.float64, device="cpu")
    for other in enough.nonzero().flatten().tolist():
        inside = inside_region(points.flatten(0, 1), points[other, kept[other]], percentile)
        hits = (inside.view_as(counted) & counted).sum(dim=1)  # (S,)
        shares[:, other] = torch.where(enough, hits.float() / counts.float(), torch.nan)
    return torch.maximum(shares, shares.T), counts
