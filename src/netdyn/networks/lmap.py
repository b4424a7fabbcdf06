"""The linear substitution map (L-map), and pruning by it.

M_l, l = 0 … L−1, is the affine map from x^(l) to the logits when every later activation is the
identity: x^(l) ↦ W x^(l) + b with

    W = (D^(L) W^(L)) ⋯ (D^(l+1) W^(l+1)),   D = diag(γ / σ̂)                           (Eq. 2, 4)

where batch norm enters with its evaluation statistics, and b gathers the offsets of the linear
layers and of batch norm, which Eq. 4 leaves out.
"""

import copy

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.layers import Layer, layers, linear_of

__all__ = ["linear_map", "linear_maps", "prune", "substitute"]


def linear_map(model: nn.Module, layer: int) -> tuple[Tensor, Tensor]:
    """Return the L-map M_l of layer l: weight (K, N_l) and bias (K,).

    Args:
        model: any network that `netdyn.networks.layers.layers` reads; its evaluation statistics are
            used, whatever mode it is in.
        layer: l = 0 … L−1; 0 maps the input, L−1 is the output layer itself.

    The products are taken in float64 and returned in the model's dtype.

    Raises:
        NetdynError: for a layer outside 0 … L−1.
    """
    depth = len(layers(model))
    if not 0 <= layer < depth:
        raise NetdynError(
            f"layer {layer}: a network of {depth} weight layers has L-maps 0 … {depth - 1}"
        )
    return linear_maps(model, first=layer)[0]


@torch.no_grad()
def linear_maps(model: nn.Module, first: int = 0) -> list[tuple[Tensor, Tensor]]:
    """Return the L-maps M_first … M_{L−1}, each as in `linear_map`, with one product a layer."""
    read = layers(model)
    weight, bias = _affine(read[-1])
    maps = [(weight, bias)]
    for layer in reversed(read[first:-1]):
        own_weight, own_bias = _affine(layer)
        weight, bias = weight @ own_weight, bias + weight @ own_bias
        maps.append((weight, bias))
    dtype = read[-1].linear.weight.dtype
    return [(weight.to(dtype), bias.to(dtype)) for weight, bias in reversed(maps)]


def _affine(layer: Layer) -> tuple[Tensor, Tensor]:
    """Return weight (N_l, N_{l−1}) and bias (N_l,) of x^(l−1) ↦ h^(l), in float64."""
    linear, norm, _ = layer
    weight = linear.weight.double()
    bias = weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.double()
    if norm is not None:
        scale = (norm.running_var.double() + norm.eps).rsqrt()  # (N_l,)
        if norm.weight is not None:
            scale = scale * norm.weight.double()
        weight = scale.unsqueeze(1) * weight
        bias = scale * (bias - norm.running_mean.double())
        if norm.bias is not None:
            bias = bias + norm.bias.double()
    return weight, bias


def prune(model: nn.Module, start_layer: int) -> nn.Sequential:
    """Return a copy whose layers s … L, the activation of s included, are replaced by M_{s−1}.

    Args:
        model: any network that `netdyn.networks.layers.layers` reads; it is not touched.
        start_layer: s = 1 … L. 1 gives one affine map of the input (the L-map curve of Fig. 2a–b),
            L the full network's function.

    Returns:
        A Sequential in evaluation mode, to which every measurement applies.

    Raises:
        NetdynError: for a starting layer outside 1 … L.
    """
    depth = len(layers(model))
    if not 1 <= start_layer <= depth:
        raise NetdynError(
            f"start_layer {start_layer}: a network of {depth} weight layers can be pruned from "
            f"1 … {depth}"
        )
    return substitute(model, start_layer, *linear_map(model, start_layer - 1))


@torch.no_grad()
def substitute(
    model: nn.Module, start_layer: int, weight: Tensor, bias: Tensor | None = None
) -> nn.Sequential:
    """Return a copy whose layers s … L are replaced by one affine map x^(s−1) ↦ W x^(s−1) + b.

    Args:
        model: any network that `netdyn.networks.layers.layers` reads; it is not touched.
        start_layer: s = 1 … L.
        weight: W, (any, N_{s−1}).
        bias: b, (any,); None for none.

    Returns:
        A Sequential in evaluation mode, without nesting; a leading Flatten is kept.
    """
    kept = [module for module in model.modules() if isinstance(module, nn.Flatten)]
    for layer in layers(model)[: start_layer - 1]:
        kept += [module for module in layer if module is not None]
    parameters = [
        None if given is None else nn.Parameter(given.to(weight.dtype, copy=True).contiguous())
        for given in (weight, bias)
    ]
    last = linear_of(*parameters)
    return nn.Sequential(*copy.deepcopy(kept), last).eval()
