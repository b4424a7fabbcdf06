"""The layers of a network: any `Sequential` of Linear, BatchNorm1d and elementwise activations.

Depth L counts weight layers. Layer l = 1 … L is Linear → BatchNorm1d (optional) → activation;
nothing follows the output layer L.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.parametrized import in_evaluation

__all__ = [
    "ACTIVATIONS",
    "ELEMENTWISE",
    "FoldedLayer",
    "Gaussian",
    "Layer",
    "layers",
    "linear_of",
    "named_layers",
]


class Gaussian(nn.Module):
    """The non-monotonic activation f(h) = exp(−h²): a single neuron of it is in the NPT mode."""

    def forward(self, h: Tensor) -> Tensor:
        """Return f(h), of the shape of h."""
        return torch.exp(-h.square())


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
    "gaussian": Gaussian,
}

# Elementwise and without state: the modules that may stand between two linear layers.
ELEMENTWISE = (
    *ACTIVATIONS.values(),
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.Mish,
    nn.SELU,
    nn.Sigmoid,
    nn.SiLU,
    nn.Softplus,
    nn.Softsign,
)


class FoldedLayer(NamedTuple):
    """One layer x ↦ f(W x + b), batch norm folded into W and b."""

    weight: Tensor  # (N_l, N_{l−1})
    bias: Tensor | None  # (N_l,); None where the layer adds nothing
    activation: nn.Module | None
    scale: Tensor | None  # (N_l,), γ/σ̂, by which the rows of W were multiplied; None without norm


class Layer(NamedTuple):
    """One weight layer: `norm` and `activation` are None where the network has none."""

    linear: nn.Linear
    norm: nn.BatchNorm1d | None
    activation: nn.Module | None

    def folded(self, dtype: torch.dtype | None = None) -> FoldedLayer:
        """Fold batch norm in evaluation mode, an affine map of each neuron, into W and b.

            BN(W x + b) = s (W x + b − μ̂) + β = (s W) x + (s (b − μ̂) + β),   s = γ/√(σ̂² + ε)

        Args:
            dtype: precision of the arithmetic and of the result; None is that of the weight.
        """
        weight = self.linear.weight
        dtype = weight.dtype if dtype is None else dtype
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


def _to(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype)


def layers(model: nn.Module, activations: Sequence[type[nn.Module]] = ()) -> list[Layer]:
    """Read a `Sequential` of Linear, BatchNorm1d and elementwise activations as its layers 1 … L.

    Args and Raises: as for `named_layers`.
    """
    return [layer for _, layer in named_layers(model, activations)]


def named_layers(
    model: nn.Module, activations: Sequence[type[nn.Module]] = ()
) -> list[tuple[str, Layer]]:
    """Read a `Sequential` as its layers 1 … L, each with the name of its last module.

    Nested Sequentials are unrolled. A leading Flatten and, as in evaluation mode, Dropout are
    skipped. A Linear directly behind another counts as a layer with the identity as its
    activation.

    Args:
        activations: module classes that are elementwise and without state, beside `ELEMENTWISE`.

    Raises:
        NetdynError: naming the module that is not supported (a convolution, softmax, batch norm
            behind the activation or behind the output, …) and why.
    """
    if not isinstance(model, nn.Sequential):
        raise NetdynError(
            f"{type(model).__name__} is not a torch.nn.Sequential: "
            "wrap the network's Linear, BatchNorm1d and activation modules in one"
        )
    elementwise = _elementwise(activations)
    names: list[str] = []
    read: list[Layer] = []
    for name, module in _leaves(model, elementwise):
        module_text = f"module {name!r} ({type(module).__name__})"
        last = read[-1] if read else None
        if isinstance(module, nn.Dropout) or (isinstance(module, nn.Flatten) and last is None):
            continue
        if isinstance(module, nn.Linear):
            read.append(Layer(in_evaluation(module), None, None))
            names.append(name)
            continue
        if last is None:
            raise NetdynError(
                f"{module_text} stands before the first Linear layer, which must come first"
            )
        if isinstance(module, nn.BatchNorm1d):
            if last.norm is not None or last.activation is not None:
                raise NetdynError(
                    f"{module_text} must directly follow a Linear layer, before its activation"
                )
            if module.running_mean is None:
                raise NetdynError(
                    f"{module_text} keeps no running statistics, which evaluation mode needs: "
                    "build it with track_running_stats=True"
                )
            read[-1] = last._replace(norm=module)
        elif isinstance(module, elementwise):
            if last.activation is not None:
                raise NetdynError(
                    f"{module_text} follows another activation: merge the two into one"
                )
            read[-1] = last._replace(activation=module)
        else:
            raise NetdynError(
                f"{module_text} is not supported: only Linear, BatchNorm1d, elementwise "
                "activations, Dropout and a leading Flatten are. Declare an elementwise module of "
                f"your own by netdyn.read(model, activations=[{type(module).__name__}])"
            )
        names[-1] = name
    _check(read)
    return [*zip(names, read, strict=True)]


def _elementwise(activations: Sequence[type[nn.Module]]) -> tuple[type[nn.Module], ...]:
    if isinstance(activations, type):
        raise NetdynError(f"activations: give a list of classes, [{activations.__name__}]")
    for kind in activations:
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise NetdynError(f"activations hold {kind!r}: give classes of torch.nn.Module")
    return (*ELEMENTWISE, *activations)


def _check(read: Sequence[Layer]) -> None:
    if not read:
        raise NetdynError("the network has no Linear layer")
    if read[-1].norm is not None:
        raise NetdynError("batch norm follows the output layer, which must be the last module")
    if read[-1].activation is not None and not isinstance(read[-1].activation, nn.Identity):
        raise NetdynError(
            f"{type(read[-1].activation).__name__} follows the output layer: remove it, "
            "the measurements need the logits"
        )
    for l, (before, after) in enumerate(itertools.pairwise(read), 1):
        if before.linear.out_features != after.linear.in_features:
            raise NetdynError(
                f"layer {l} returns {before.linear.out_features} values but layer {l + 1} "
                f"expects {after.linear.in_features}"
            )


def _leaves(
    model: nn.Sequential, elementwise: tuple[type[nn.Module], ...], prefix: str = ""
) -> Iterator[tuple[str, nn.Module]]:
    # named_children() would skip a module that is used a second time.
    for name, module in model.named_modules(remove_duplicate=False):
        if not name or "." in name:
            continue  # the network itself, or inside one of its modules
        if isinstance(module, nn.Sequential) and not isinstance(module, elementwise):
            yield from _leaves(module, elementwise, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


def linear_of(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Linear:
    """Return the layer x ↦ W x + b of these parameters themselves.

    Linear's own constructor would draw others from the global random numbers.
    """
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight, linear.bias = weight, bias
    return linear
