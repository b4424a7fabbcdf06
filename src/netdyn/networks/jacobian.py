"""The true connection of a hidden neuron to an output: the mean Jacobian of the logits.

    J_l[k, i] = mean over samples μ of ∂ logit_k(μ) / ∂ x^(l)_i

The L-map M_l (`netdyn.networks.lmap`) estimates it by taking every later activation as the
identity. An RPD uses only the signs of M_l (Sec. II.C): `sign_agreement` returns how many are
right.
"""

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_count, as_layer
from netdyn.networks.reading import Network, read
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["mean_jacobians", "sign_agreement"]


def mean_jacobians(
    model: nn.Module | Network, x: Tensor, first: int = 0, chunk: int = 1000
) -> list[Tensor]:
    """Return J_first … J_{L−1}, each (K, N_l), float64, in evaluation mode.

    In evaluation mode samples do not interact, so the gradient of Σ_μ logit_k(μ) by x^(l) holds
    every sample's own: K backward passes serve all layers and samples, and no (P, K, N_l) is ever
    held.

    Args:
        model: any network that `netdyn.read` reads, or what it returned; it is left unchanged. For
            training mode use `netdyn.read(model).with_batch_statistics(x)`: statistics then count
            as constants, as they do in the L-map.
        x: samples, (P, …), at least one, flattened to (P, N_0); bytes (uint8) are divided by 255.
        first: the first layer whose Jacobian is returned, 0 … L−1; 0 is the input.
        chunk: samples held at a time.

    Raises:
        NetdynError: for no samples or a layer outside 0 … L−1.
    """
    return _mean_jacobians(read(model), x, first, chunk)


@plain_mode
@torch.enable_grad()
def _mean_jacobians(network: Network, x: Tensor, first: int, chunk: int) -> list[Tensor]:
    first, chunk = as_layer(first, network.depth, "Jacobians"), as_count(chunk, "chunk")
    x = network.samples(x)
    if len(x) == 0:
        raise NetdynError("a mean Jacobian needs at least one sample")
    classes = network.classes
    sums: list[Tensor] = []
    for part in x.split(chunk):
        activations, outputs = network.differentiable_pass(network.prepare(part), first)
        sums = sums or [
            one.new_zeros(classes, one.shape[1], dtype=torch.float64) for one in activations
        ]
        for k in range(classes):
            gradients = torch.autograd.grad(
                outputs[:, k].sum(), activations, retain_graph=k < classes - 1
            )
            for total, gradient in zip(sums, gradients, strict=True):
                total[k] += gradient.sum(dim=0, dtype=torch.float64)
    return [total / len(x) for total in sums]


def sign_agreement(
    model: nn.Module | Network, x: Tensor, first: int = 0, chunk: int = 1000
) -> list[float]:
    """Return per layer l = first … L−1 the share of entries with sign(M_l) = sign(J_l), in [0, 1].

    Two zeros agree; a zero and another number do not. Signs drawn at random reach one half. A
    linear network reaches 1, and so does the last layer of any network, up to entries that are
    zero but for rounding.

    Args and Raises: as for `mean_jacobians`.
    """
    network = read(model)
    jacobians = _mean_jacobians(network, x, first, chunk)
    rows = slice(-network.outputs, None)  # of one output, not the logit that is always 0
    return [
        (weight[rows].sign() == jacobian[rows].sign()).double().mean().item()
        for (weight, _), jacobian in zip(network.linear_maps(first), jacobians, strict=True)
    ]
