"""How a network is read: any `Sequential` of Linear, BatchNorm1d and activations, layer by layer.

Depth L counts weight layers. Layer l = 1 … L is Linear → BatchNorm1d (optional) → activation;
nothing follows the output layer L.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError

__all__ = ["ACTIVATIONS", "Gaussian", "Layer", "layers", "linear_of"]


class Gaussian(nn.Module):
    """The non-monotonic activation f(h) = exp(−h²): a single neuron of it is in the NPT mode."""

    def forward(self, h: Tensor) -> Tensor:
        return torch.exp(-h.square())


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
    "gaussian": Gaussian,
}

# Elementwise and without state: what may stand between two linear layers of a foreign network.
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


class Layer(NamedTuple):
    """One weight layer: `norm` and `activation` are None where the network has none."""

    linear: nn.Linear
    norm: nn.BatchNorm1d | None
    activation: nn.Module | None


def layers(model: nn.Module) -> list[Layer]:
    """Read a `Sequential` of Linear, BatchNorm1d and elementwise activations as its layers 1 … L.

    Nested Sequentials are unrolled; a leading Flatten and, as in evaluation mode, Dropout are
    passed over. A Linear directly behind another counts as a layer with the identity as its
    activation.

    Raises:
        NetdynError: naming the module that cannot be treated (a convolution, softmax,
            batch norm behind the activation or behind the output, …) and why.
    """
    if not isinstance(model, nn.Sequential):
        raise NetdynError(
            f"{type(model).__name__} is not a torch.nn.Sequential: "
            "wrap the network's Linear, BatchNorm1d and activation modules in one"
        )
    found: list[Layer] = []
    for name, module in _leaves(model):
        here = f"module {name!r} ({type(module).__name__})"
        last = found[-1] if found else None
        if isinstance(module, nn.Dropout) or (isinstance(module, nn.Flatten) and last is None):
            continue
        if isinstance(module, nn.Linear):
            found.append(Layer(module, None, None))
        elif last is None:
            raise NetdynError(f"{here} stands before the first Linear layer, which must come first")
        elif isinstance(module, nn.BatchNorm1d):
            if last.norm is not None or last.activation is not None:
                raise NetdynError(
                    f"{here} must directly follow a Linear layer, before its activation"
                )
            if module.running_mean is None:
                raise NetdynError(
                    f"{here} keeps no running statistics, which evaluation mode needs: "
                    "build it with track_running_stats=True"
                )
            found[-1] = last._replace(norm=module)
        elif isinstance(module, ELEMENTWISE):
            if last.activation is not None:
                raise NetdynError(f"{here} follows another activation: merge the two into one")
            found[-1] = last._replace(activation=module)
        else:
            raise NetdynError(
                f"{here} cannot be treated: only Linear, BatchNorm1d, elementwise activations, "
                "Dropout and a leading Flatten can"
            )
    if not found:
        raise NetdynError("the network has no Linear layer")
    if found[-1].norm is not None:
        raise NetdynError("batch norm follows the output layer: nothing may stand behind it")
    if found[-1].activation is not None and not isinstance(found[-1].activation, nn.Identity):
        raise NetdynError(
            f"{type(found[-1].activation).__name__} follows the output layer: take it away, "
            "the measurements need the logits"
        )
    for l, (before, after) in enumerate(itertools.pairwise(found), 1):
        if before.linear.out_features != after.linear.in_features:
            raise NetdynError(
                f"layer {l} gives {before.linear.out_features} values but layer {l + 1} "
                f"takes {after.linear.in_features}"
            )
    return found


def _leaves(model: nn.Sequential, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    # Not named_children(), which omits a module that is used a second time.
    for name, module in model.named_modules(remove_duplicate=False):
        if not name or "." in name:
            continue  # the network itself, or inside one of its modules
        if isinstance(module, nn.Sequential):
            yield from _leaves(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


def linear_of(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Linear:
    """Return the layer x ↦ W x + b of these parameters themselves.

    Linear's own constructor would draw others from the global random numbers.
    """
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight, linear.bias = weight, bias
    return linear
