"""A weight layer, and its batch norm folded into weights and biases.

Depth L counts weight layers. Layer l = 1 … L is Linear → BatchNorm1d (optional) → activation;
nothing follows the output layer L. A batch norm behind an activation belongs to the next layer, as
a map of its inputs.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.parametrized import EvaluatedLinear

__all__ = [
    "FoldedLayer",
    "Layer",
    "folded_layers",
    "linear_maps",
    "linear_of",
    "norms",
    "refuse_shared_norms",
    "set_statistics",
    "wide",
    "with_logit_0",
]


class FoldedLayer(NamedTuple):
    """One layer x ↦ f(W x + b), batch norm folded into W and b."""

    weight: Tensor  # (N_l, N_{l−1})
    bias: Tensor | None  # (N_l,); None where the layer adds nothing
    activation: Callable[[Tensor], Tensor] | None
    scale: Tensor | None  # (N_l,), γ/σ̂, by which the rows of W were multiplied; None without norm


class Layer(NamedTuple):
    """One weight layer: what it has none of is None.

    x^(l) = f(BN(W BN_in(x^(l−1)) + b)), with BN_in a batch norm behind the activation before.
    """

    linear: nn.Linear | EvaluatedLinear
    norm: nn.BatchNorm1d | None
    activation: nn.Module | None
    input_norm: nn.BatchNorm1d | None = None

    def folded(self, dtype: torch.dtype | None = None) -> FoldedLayer:
        """Fold batch norm in evaluation mode, an affine map of each neuron, into W and b.

            BN(W x + b) = s (W x + b − μ̂) + β = (s W) x + (s (b − μ̂) + β),   s = γ/√(σ̂² + ε)

        `input_norm` is not part of it: see `affine` and `folded_layers`.

        Args:
            dtype: precision of the arithmetic and of the result; None is that of the weight, but
                float32 at least.
        """
        weight = self.linear.weight
        dtype = wide(weight.dtype) if dtype is None else dtype
        weight, bias = weight.to(dtype), _to(self.linear.bias, dtype)
        norm = self.norm
        if norm is None:
            return FoldedLayer(weight, bias, self.activation, None)
        scale = (norm.running_var.to(dtype) + norm.eps).rsqrt()  # (N_l,)
        if norm.weight is not None:
            scale = scale * norm.weight.to(dtype)
        mean = norm.running_mean.to(dtype)
        bias = scale * (-mean if bias is None else bias - mean)
        if norm.bias is not None:
            bias = bias + norm.bias.to(dtype)
        return FoldedLayer(scale.unsqueeze(1) * weight, bias, self.activation, scale)

    def affine(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return W (N_l, N_{l−1}) and b (N_l,) of x^(l−1) ↦ h^(l), both batch norms folded in."""
        weight, bias, *_ = self.folded(dtype)
        if bias is None:
            bias = weight.new_zeros(len(weight))
        if self.input_norm is None:
            return weight, bias
        scale, shift = _scale_and_shift(self.input_norm, dtype)
        return weight * scale, bias + weight @ shift


class _Scaled:
    """An activation with the batch norm behind it in evaluation mode, f(h)·s + t."""

    def __init__(self, activation: nn.Module | None, norm: nn.BatchNorm1d, dtype: torch.dtype):
        self._activation = activation
        self._scale, self._shift = _scale_and_shift(norm, dtype)  # (N_l,) each

    def __call__(self, h: Tensor) -> Tensor:
        x = h if self._activation is None else self._activation(h)
        return torch.addcmul(self._shift, x, self._scale)


def folded_layers(layers: Sequence[Layer], dtype: torch.dtype | None = None) -> list[FoldedLayer]:
    """Return the layers by `Layer.folded`, what stands between two of them as the activation.

    A batch norm behind an activation is not folded into the next W, whose noise is its own.

    Args:
        dtype: precision of all layers; None is that of the weights, but float32 at least.
    """
    result = [layer.folded(dtype) for layer in layers]
    for l, (layer, folded) in enumerate(zip(layers, result, strict=True)):
        activation, width = layer.activation, folded.weight.dtype
        if activation is not None and any(p.dtype != width for p in activation.parameters()):
            activation = copy.deepcopy(activation).to(width)
        after = layers[l + 1].input_norm if l + 1 < len(layers) else None
        if after is not None:
            activation = _Scaled(activation, after, width)
        result[l] = folded._replace(activation=activation)
    return result


def linear_maps(layers: Sequence[Layer]) -> list[tuple[Tensor, Tensor]]:
    """Return each layer's map to the outputs of the last, activations left out, in float64.

    By one recursion backwards, M_{l−1} = M_l ∘ (layer l without its activation): weight
    (N_L, N_{l−1}) and bias (N_L,) of each.
    """
    weight = bias = None
    maps = []
    for layer in reversed(layers):
        layer_weight, layer_bias = layer.affine(torch.float64)
        if weight is None:
            weight, bias = layer_weight, layer_bias
        else:
            weight, bias = weight @ layer_weight, bias + weight @ layer_bias
        maps.append((weight, bias))
    return maps[::-1]


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the precision for what half precision cannot hold: float32 at least."""
    return torch.promote_types(dtype, torch.float32)


def norms(layers: Sequence[Layer]) -> Iterator[nn.BatchNorm1d]:
    """Yield every batch norm in the order of a pass, one that is used twice twice."""
    for layer in layers:
        yield from (norm for norm in (layer.input_norm, layer.norm) if norm is not None)


def refuse_shared_norms(layers: Sequence[Layer]) -> None:
    """Raise NetdynError where one batch norm stands in two places: it holds one statistic."""
    places = [id(norm) for norm in norms(layers)]
    if len({*places}) < len(places):
        raise NetdynError(
            "one batch norm stands in two places of the network and cannot hold the statistics of "
            "both: give each its own (copy.deepcopy)"
        )


def set_statistics(
    layers: Sequence[Layer],
    statistics: Sequence[tuple[Tensor, Tensor] | None],
    input_statistics: Sequence[tuple[Tensor, Tensor] | None],
) -> None:
    """Set the running mean and variance of each layer's `norm` and `input_norm`, if it has one."""
    for layer, *pairs in zip(layers, statistics, input_statistics, strict=True):
        for norm, pair in zip((layer.norm, layer.input_norm), pairs, strict=True):
            if pair is not None:
                mean, variance = pair
                norm.to(mean.dtype)
                norm.running_mean.copy_(mean)
                norm.running_var.copy_(variance)


def with_logit_0(maps: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Return maps to one output z as maps to the logits [0, z]: a first row of 0."""
    pad = nn.functional.pad
    return [(pad(weight, (0, 0, 1, 0)), pad(bias, (1, 0))) for weight, bias in maps]


def _scale_and_shift(norm: nn.BatchNorm1d, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return s = γ/√(σ̂² + ε) and t = β − s μ̂, (N,) each."""
    scale = (norm.running_var.to(dtype) + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.to(dtype)
    shift = -scale * norm.running_mean.to(dtype)
    return scale, shift if norm.bias is None else shift + norm.bias.to(dtype)


def _to(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype)


def linear_of(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Linear:
    """Return the layer x ↦ W x + b of these parameters themselves.

    Linear's own constructor would draw others from the global random numbers.
    """
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight, linear.bias = weight, bias
    return linear
