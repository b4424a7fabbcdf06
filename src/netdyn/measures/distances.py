"""Distances of samples to the nearest of others: the deviation of test from training samples."""

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_input
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["nearest_distance"]

# Number of distances held at a time (64 MB).
HELD = 16_000_000


@plain_mode
def nearest_distance(x: Tensor, others: Tensor) -> Tensor:
    """Return the distance of each sample x to the nearest of the others, (Q,), float64.

        d(μ) = min over ν of sqrt( mean_i (x_i(μ) − x_i(ν))² )

    the root of the mean square per input, on the scale of the inputs: for pixels in [0, 1] it
    compares with a noise amplitude in sample space.

    Args:
        x: samples, (Q, …), flattened to (Q, N_0); bytes (uint8) are divided by 255.
        others: samples among which the nearest is searched, (P, …), at least one.

    The nearest is chosen by matrix products in the precision of the samples, which may choose
    either of two that are equally near but for rounding; its distance is then computed from the
    differences.

    Raises:
        NetdynError: for no others, or another number of inputs.
    """
    x, others = as_input(x).flatten(1), as_input(others).flatten(1)
    if len(others) == 0 or x.shape[1] != others.shape[1]:
        raise NetdynError(
            f"samples {tuple(x.shape)} and others {tuple(others.shape)}: give (Q, N) and (P, N), "
            "P at least one"
        )
    nearest_distances = []
    for part in x.split(max(1, HELD // len(others))):
        # (part, P)
        distances = torch.cdist(part, others, compute_mode="use_mm_for_euclid_dist")
        nearest = others[distances.argmin(dim=1)]  # (part, N_0)
        nearest_distances.append((part.double() - nearest.double()).square().mean(dim=1).sqrt())
    return torch.cat(nearest_distances)
