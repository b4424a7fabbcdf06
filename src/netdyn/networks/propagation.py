"""Samples through layers, one by one, in evaluation and in training mode.

With x^(0) the input,

    h^(l) = BN(W^(l) x^(l−1) + b^(l)),   x^(l) = f(h^(l))                                  (Eq. 1)

and the *local field* h^(l), l = 1 … L−1, is what enters the activation. A batch norm behind the
activation is the first map of the next layer: x^(l) does not contain it.

A network of one output z has the logits [0, z].

These are the passes of `netdyn.networks.reading.Network`, whose methods measures call.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.elementwise import ELEMENTWISE
from netdyn.networks.folding import Layer, wide
from netdyn.networks.inputs import as_input, as_samples
from netdyn.runtime.plain_mode import plain_mode
from netdyn.runtime.products import apply

__all__ = [
    "Statistics",
    "apply_norm",
    "as_logits",
    "batch_statistics",
    "differentiable_pass",
    "network_input",
    "network_samples",
    "propagate",
]


# Mean and variance, (N,) each, of a batch norm's inputs; None where there is no batch norm.
Statistics = tuple[Tensor, Tensor] | None


def network_samples(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Return samples (P, …) of the network of these layers as a tensor, not yet flattened.

    Args and Raises: as for `network_input`.
    """
    first = layers[0].linear
    x = as_samples(x, first.weight.device)
    if x.ndim < 2 or x[:1].numel() not in (0, first.in_features):
        raise NetdynError(
            f"samples of shape {tuple(x.shape)}: the network expects {first.in_features} values a "
            f"sample, give (samples, {first.in_features})"
        )
    return x


def network_input(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Return x^(0), (P, N_0), in the precision of the network of these layers.

    Args:
        x: samples, (P, …), flattened: floats, or bytes (uint8), pixels that are divided by 255.
            A tensor, an array or a list (see `netdyn.networks.inputs`).

    Raises:
        NetdynError: for samples of other types than floats or bytes, or of another size.
    """
    return as_input(network_samples(layers, x)).flatten(1).to(layers[0].linear.weight.dtype)


def as_logits(outputs: Tensor) -> Tensor:
    """Return the logits (P, K) of a network's outputs, [0, z] for a single output z (P, 1).

    These are the logits by which softmax gives class 1 the probability 1/(1 + exp(−z)).
    """
    if outputs.shape[1] != 1:
        return outputs
    return torch.cat([torch.zeros_like(outputs), outputs], dim=1)


def apply_norm(norm: nn.BatchNorm1d | None, h: Tensor) -> Tensor:
    """Return BN(h) with the running statistics (evaluation mode), or h where there is no norm."""
    if norm is None:
        return h
    return nn.functional.batch_norm(
        h, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
    )


def _may_overwrite(activation: nn.Module | None) -> bool:
    """Return whether an activation may write to its input: a module of one's own need not say."""
    return getattr(activation, "inplace", False) or not isinstance(
        activation, (type(None), *ELEMENTWISE)
    )


@plain_mode
def propagate(layers: Sequence[Layer], x: Tensor) -> Iterator[Tensor]:
    """Yield h^(1), …, h^(L−1) and the logits of inputs x (P, N_0), in evaluation mode.

    Only one layer's tensor is held at a time.
    """
    z = apply(layers[0].linear, x)  # (P, N_1)
    for l, (_, norm, activation, _) in enumerate(layers, 1):
        h = apply_norm(norm, z)  # (P, N_l)
        if l == len(layers):
            yield as_logits(h)
            return
        yield h
        # An activation in place would overwrite the local field that was just yielded.
        h = h.clone() if _may_overwrite(activation) else h
        after = layers[l]
        z = apply(
            after.linear, apply_norm(after.input_norm, h if activation is None else activation(h))
        )


@plain_mode
@torch.enable_grad()
def differentiable_pass(
    layers: Sequence[Layer], x: Tensor, first: int = 0
) -> tuple[list[Tensor], Tensor]:
    """Return x^(first) … x^(L−1) and the logits, evaluation mode, with a graph from x^(first) on.

    Args:
        x: inputs, (P, N_0).
        first: the first layer whose activations are returned, 0 … L−1; 0 is the input.
    """
    activations = []
    for l, (linear, norm, activation, input_norm) in enumerate(layers):
        if l == first:
            # A tensor of inference mode cannot require gradients; a copy can.
            x = x.clone() if x.is_inference() else x
            x = x.detach().requires_grad_()
        if l >= first:
            activations.append(x)
        h = apply_norm(norm, linear(apply_norm(input_norm, x)))
        x = h if activation is None else activation(h)
    return activations, as_logits(x)


@plain_mode
def batch_statistics(
    layers: Sequence[Layer], x: Tensor
) -> tuple[Tensor, list[Statistics], list[Statistics]]:
    """Return the logits in training mode and the statistics that each batch norm computes there.

    Args:
        x: the batch as inputs, (P, N_0).

    Returns:
        The logits (P, K), every batch norm normalising by the batch's own mean and (biased)
        variance (α = 1 in Eq. 3), and per weight layer the statistics of its norm and those of its
        input norm, in float32 at least.
    """
    statistics: list[Statistics] = []
    input_statistics: list[Statistics] = []
    for linear, norm, activation, input_norm in layers:
        x, pair = _normalised(input_norm, x)
        input_statistics.append(pair)
        h, pair = _normalised(norm, apply(linear, x))  # (P, N_l)
        statistics.append(pair)
        x = h if activation is None else activation(h)
    return as_logits(x), statistics, input_statistics


def _normalised(norm: nn.BatchNorm1d | None, h: Tensor) -> tuple[Tensor, Statistics]:
    """Return BN(h) as in training mode, and the statistics of the batch h (P, N)."""
    if norm is None:
        return h, None
    precise = h.to(wide(h.dtype))
    variance, mean = torch.var_mean(precise, dim=0, correction=0)
    weight, bias = (
        None if tensor is None else tensor.to(precise.dtype) for tensor in (norm.weight, norm.bias)
    )
    result = nn.functional.batch_norm(precise, mean, variance, weight, bias, False, 0.0, norm.eps)
    return result.to(h.dtype), (mean, variance)
