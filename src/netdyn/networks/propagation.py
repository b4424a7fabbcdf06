"""Samples through a network, layer by layer, in evaluation and in training mode.

With x^(0) the input,

    h^(l) = BN(W^(l) x^(l−1) + b^(l)),   x^(l) = f(h^(l))                                  (Eq. 1)

and the *local field* h^(l), l = 1 … L−1, is what enters the activation.
"""

import copy
from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.layers import Layer, layers
from netdyn.runtime.products import apply

__all__ = [
    "apply_norm",
    "as_input",
    "batch_statistics",
    "local_fields",
    "logits",
    "network_input",
    "propagate",
    "propagate_from",
    "with_batch_statistics",
]


def apply_norm(norm: nn.BatchNorm1d | None, h: Tensor) -> Tensor:
    """Return BN(h) with the running statistics (evaluation mode), or h where there is no norm."""
    if norm is None:
        return h
    return nn.functional.batch_norm(
        h, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
    )


@torch.no_grad()
def propagate(model: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """Yield h^(1), …, h^(L−1) and the logits, one layer at a time, in evaluation mode.

    Args:
        model: any network that `layers` reads.
        x: samples, as `network_input` takes them.

    Only one layer is held at a time. The model is left as it was found, its mode included.
    """
    read = layers(model)
    yield from propagate_from(read, apply(read[0].linear, network_input(read, x)))


@torch.no_grad()
def propagate_from(read: Sequence[Layer], z: Tensor) -> Iterator[Tensor]:
    """Yield the same from z = W^(1) x + b^(1), (P, N_1), on: what noise that enters there changes.

    Args:
        read: the network's `layers`.
    """
    for l, (_, norm, activation) in enumerate(read, 1):
        h = apply_norm(norm, z)  # (P, N_l)
        yield h
        if l == len(read):
            return
        # An activation in place would overwrite the local field that was just given away.
        h = h.clone() if getattr(activation, "inplace", False) else h
        z = apply(read[l].linear, h if activation is None else activation(h))


def local_fields(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the local fields h^(1) … h^(L−1) of samples x, each (P, N_l), in evaluation mode.

    For training mode measure `with_batch_statistics(model, x)` instead of `model`.

    Raises:
        NetdynError: as `network_input` and `layers` do.
    """
    return list(propagate(model, x))[:-1]


def logits(model: nn.Module, x: Tensor, chunk: int = 10_000) -> Tensor:
    """Return the logits (P, K) of samples x (P, …) in evaluation mode, `chunk` samples at a time.

    Bytes (uint8) are taken as pixels and divided by 255, chunk by chunk.
    """
    return torch.cat([_last(propagate(model, part)) for part in x.split(chunk)])


def _last(tensors: Iterator[Tensor]) -> Tensor:
    # A deque of length one drops each layer's tensor as the next one comes.
    return deque(tensors, maxlen=1).pop()


def as_input(x: Tensor) -> Tensor:
    """Return x^(0): bytes (uint8) are pixels and divided by 255, floats are taken as they are."""
    return x.float().div_(255.0) if x.dtype == torch.uint8 else x


def network_input(read: Sequence[Layer], x: Tensor) -> Tensor:
    """Return x^(0), (P, N_0), in the precision of the network whose `layers` are given.

    Args:
        x: samples, (P, …), flattened: floats, or bytes (uint8), pixels that are divided by 255.

    Raises:
        NetdynError: for samples that are no tensor of floats or bytes, or of another size.
    """
    first = read[0].linear
    if not isinstance(x, Tensor):
        raise NetdynError(f"samples are a {type(x).__name__}: give a tensor (torch.as_tensor)")
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise NetdynError(f"samples of {x.dtype}: give floats, or bytes (uint8) from 0 to 255")
    if x.ndim < 2 or x[:1].numel() not in (0, first.in_features):
        raise NetdynError(
            f"samples of shape {tuple(x.shape)}: the network takes {first.in_features} values a "
            f"sample, give (samples, {first.in_features})"
        )
    return as_input(x).flatten(1).to(first.weight.dtype)


@torch.no_grad()
def batch_statistics(
    model: nn.Module, x: Tensor
) -> tuple[Tensor, list[tuple[Tensor, Tensor] | None]]:
    """Return the logits in training mode and the statistics that each batch norm meets there.

    Args:
        model: any network that `layers` reads; left as it was found, running statistics included.
        x: the batch, as `network_input` takes it.

    Returns:
        The logits (P, K), every batch norm normalising by the batch's own mean and (biased)
        variance (α = 1 in Eq. 3), and per weight layer the pair mean, variance, each (N_l,),
        or None where there is no batch norm.
    """
    read = layers(model)
    x = network_input(read, x)
    met: list[tuple[Tensor, Tensor] | None] = []
    for linear, norm, activation in read:
        h = apply(linear, x)  # (P, N_l)
        met.append(None)
        if norm is not None:
            variance, mean = torch.var_mean(h, dim=0, correction=0)
            met[-1] = mean, variance
            h = nn.functional.batch_norm(
                h, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps
            )
        x = h if activation is None else activation(h)
    return x, met


@torch.no_grad()
def with_batch_statistics(model: nn.Module, x: Tensor) -> nn.Sequential:
    """Return a copy whose running statistics are those of the batch x itself (α = 1 in Eq. 3).

    Evaluation mode of the copy is training mode of the model on x, so every measurement in
    training mode is the same measurement of this copy. The model itself is not touched.
    """
    copied = copy.deepcopy(model)
    _, met = batch_statistics(model, x)
    for layer, statistics in zip(layers(copied), met, strict=True):
        if statistics is not None:
            layer.norm.running_mean.copy_(statistics[0])
            layer.norm.running_var.copy_(statistics[1])
    return copied
