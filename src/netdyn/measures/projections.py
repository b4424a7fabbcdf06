"""Low-dimensional views of samples, and the regions that classes occupy in them."""

import numpy as np
import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_input, as_tensor
from netdyn.networks.reading import Network, read
from netdyn.runtime.plain_mode import plain_mode

__all__ = [
    "bottleneck",
    "half_sums",
    "inside_region",
    "output_plane",
    "region",
]

# A direction counts as flat if the training points spread less in it than this fraction of their
# widest spread: float32 coordinates are no more precise.
FLAT = 1e-6


@plain_mode
def output_plane(model: nn.Module | Network) -> Tensor:
    """Return the two leading right-singular vectors of the output layer's weight, (2, N_{L−1}).

    Rows are orthonormal; each has its component of largest size positive, which fixes its sign.

    Raises:
        NetdynError: for an output layer with fewer than two inputs or outputs.
    """
    network = read(model)
    weight, _ = network.linear_maps(network.depth - 1)[0]  # (K, N_{L−1}): W^(L)
    if min(network.outputs, weight.shape[1]) < 2:
        raise NetdynError(
            f"the output layer has {weight.shape[1]} inputs and {network.outputs} outputs: "
            "a plane needs two of each"
        )
    # On the processor: of one network, two calls of CUDA's iterative solver gave planes that were
    # farther apart than the width of classes that training has contracted.
    plane = torch.linalg.svd(weight.double().cpu(), full_matrices=False).Vh[:2]
    largest = plane.gather(1, plane.abs().argmax(dim=1, keepdim=True))  # (2, 1)
    return (plane * largest.sign()).to(weight)


@plain_mode
def bottleneck(model: nn.Module | Network, x: Tensor) -> Tensor:
    """Return the local fields (h_1, h_2) of a bottleneck before the output layer, (P, 2).

    The last hidden activations x^(L−1) times the vectors of `output_plane`: the coordinates of
    Fig. 6 and 7e–h. Evaluation mode; for training mode measure
    `netdyn.read(model).with_batch_statistics(x)` instead of `model`.

    Args:
        model: any network that `netdyn.read` reads, or what it returned.
        x: samples, (P, …), flattened to (P, N_0); bytes (uint8) are divided by 255.
    """
    network = read(model)
    x = network.prepare(x)  # (P, N_0)
    return network.projected(output_plane(network), x)


@plain_mode
def half_sums(x: Tensor) -> Tensor:
    """Return the sums of the first and of the last half of each sample's inputs, (P, 2).

    The coordinates of Fig. 4h: for 784 inputs, the first and the last 392. Of an odd number of
    inputs the middle one belongs to the last half. Bytes (uint8) are divided by 255.
    """
    x = as_input(x).flatten(1)
    middle = x.shape[1] // 2
    return torch.stack([x[:, :middle].sum(dim=1), x[:, middle:].sum(dim=1)], dim=1)


@plain_mode
def region(points: Tensor, percentile: float = 99.0) -> tuple[Tensor, Tensor, float]:
    """Return mean (D,), covariance (D, D) and radius of the region that points (P, D) occupy.

    The radius is the given percentile of the points' Mahalanobis distances: this is the region of
    `inside_region`, for drawing. It is infinite where the covariance has no inverse.

    Raises:
        NetdynError: for fewer than two points or values that are not finite.
    """
    points = as_tensor(points, "points")
    if len(points) < 2 or not points.isfinite().all():
        raise NetdynError(f"a region of {len(points)} points: give at least two, all finite")
    points = points.double()
    mean, covariance = points.mean(dim=0), points.T.cov(correction=0)
    centred = points - mean  # (P, D)
    solved, singular = torch.linalg.solve_ex(covariance, centred.T)
    if singular.any():
        return mean, covariance, float("inf")
    distances = (centred * solved.T).sum(dim=1).clamp(min=0).sqrt()
    return mean, covariance, float(np.percentile(distances.cpu().numpy(), percentile))


@plain_mode
def inside_region(
    points: Tensor | np.ndarray, training: Tensor | np.ndarray, percentile: float = 99.0
) -> Tensor:
    """Return which points lie inside the region of a class's training projections, bool (Q,).

    Inside is a point whose Mahalanobis distance to the training projections, by their mean and
    covariance, is at most the given percentile of the distances of the training projections
    themselves. Where those lie on a line (or plane, or in a point), the distance is measured within
    it, and all points off it are outside.

    Args:
        points: (Q, D).
        training: projections of the class's training samples, (P, D), at least one.
        percentile: in [0, 100].

    Raises:
        NetdynError: for shapes that do not match, no training projections, or values not finite.
    """
    points, training = as_tensor(points, "points"), as_tensor(training, "training projections")
    if training.ndim != 2 or 0 in training.shape or points.shape[1:] != training.shape[1:]:
        raise NetdynError(
            f"points {tuple(points.shape)} and training projections {tuple(training.shape)}: "
            "give (Q, D) and (P, D), P at least one"
        )
    if not training.isfinite().all():
        raise NetdynError("training projections are not all finite: the network diverged")
    if not 0 <= percentile <= 100:
        raise NetdynError(f"percentile {percentile}: it must lie in [0, 100]")
    training = training.double()
    mean = training.mean(dim=0)
    centred = training - mean  # (P, D)
    covariance = (centred.T @ centred / len(training)).cpu()  # see `output_plane`
    variances, axes = (one.to(centred) for one in torch.linalg.eigh(covariance))  # (D,), (D, D)
    spreads = variances.clamp(min=0).sqrt()
    flat = spreads <= FLAT * (spreads[-1] + FLAT * mean.abs().max())
    off_plane = (centred @ axes).abs().amax(dim=0) + FLAT * (spreads[-1] + mean.abs().max())

    def distances(positions: Tensor) -> Tensor:
        along = (positions.double() - mean) @ axes  # (Q, D)
        within = (along / spreads)[:, ~flat].square().sum(dim=1).sqrt()
        is_off = (along.abs() > off_plane)[:, flat].any(dim=1)
        return torch.where(is_off, torch.inf, within)

    training_distances = distances(training).cpu().numpy()
    # Rounding must not move the outermost training projections out of their own region.
    limit = float(np.percentile(training_distances, percentile)) * (1 + 1e-9)
    return distances(points) <= limit
