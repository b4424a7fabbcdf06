"""The true connection of a hidden neuron to an output: the mean Jacobian of the logits.

    J_l[k, i] = mean over samples μ of ∂ logit_k(μ) / ∂ x^(l)_i

The L-map M_l (`netdyn.networks.lmap`) estimates it by taking every later activation as the
identity. An RPD uses no more of M_l than its signs (Sec. II.C): how many are right is
`sign_agreement`.
"""

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.layers import Layer, layers
from netdyn.networks.lmap import linear_maps
from netdyn.networks.propagation import apply_norm, network_input

__all__ = ["mean_jacobians", "sign_agreement"]


@torch.enable_grad()
def mean_jacobians(model: nn.Module, x: Tensor, first: int = 0, chunk: int = 1000) -> list[Tensor]:
    """Return J_first … J_{L−1}, each (K, N_l), float64, in evaluation mode.

    In evaluation mode samples do not meet, so the gradient of Σ_μ logit_k(μ) by x^(l) holds every
    sample's own: K backward passes serve all layers and samples, and no (P, K, N_l) is ever held.

    Args:
        model: any network that `netdyn.networks.layers.layers` reads; it is left as it was found.
            For training mode give `netdyn.networks.propagation.with_batch_statistics(model, x)`:
            statistics then count as constants, as they do in the L-map.
        x: samples, (P, …), at least one, flattened to (P, N_0); bytes (uint8) are divided by 255.
        first: the first layer wanted, 0 … L−1; 0 is the input.
        chunk: samples held at a time.

    Raises:
        NetdynError: for no samples or a layer outside 0 … L−1.
    """
    read = layers(model)
    if not 0 <= first < len(read):
        raise NetdynError(
            f"layer {first}: a network of {len(read)} weight layers has Jacobians "
            f"0 … {len(read) - 1}"
        )
    if len(x) == 0:
        raise NetdynError("a mean Jacobian needs at least one sample")
    classes = read[-1].linear.out_features
    sums = [
        layer.linear.weight.new_zeros(classes, layer.linear.in_features, dtype=torch.float64)
        for layer in read[first:]
    ]
    for part in x.split(chunk):
        inputs, outputs = _inputs_and_logits(read, network_input(read, part), first)
        for k in range(classes):
            gradients = torch.autograd.grad(
                outputs[:, k].sum(), inputs, retain_graph=k < classes - 1
            )
            for total, gradient in zip(sums, gradients, strict=True):
                total[k] += gradient.sum(dim=0, dtype=torch.float64)
    return [total / len(x) for total in sums]


def _inputs_and_logits(read: list[Layer], x: Tensor, first: int) -> tuple[list[Tensor], Tensor]:
    """Return x^(first) … x^(L−1) and the logits, with a graph from x^(first) on."""
    inputs = []
    for l, (linear, norm, activation) in enumerate(read):
        if l == first:
            x = x.detach().requires_grad_()
        if l >= first:
            inputs.append(x)
        h = apply_norm(norm, linear(x))
        x = h if activation is None else activation(h)
    return inputs, x


def sign_agreement(model: nn.Module, x: Tensor, first: int = 0, chunk: int = 1000) -> list[float]:
    """Return per layer l = first … L−1 the share of entries with sign(M_l) = sign(J_l), in [0, 1].

    Two zeros agree; a zero and another number do not. A half is what signs drawn at random reach,
    and 1 what a linear network does, as does the last layer of any, up to entries that are zero
    but for rounding.

    Args and Raises: as for `mean_jacobians`.
    """
    jacobians = mean_jacobians(model, x, first, chunk)
    return [
        (weight.sign() == jacobian.sign()).double().mean().item()
        for (weight, _), jacobian in zip(linear_maps(model, first), jacobians, strict=True)
    ]
