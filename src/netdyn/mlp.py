"""Fully connected networks, and how any `Sequential` of the same kind is read.

Depth L counts weight layers. Layer l = 1 … L is Linear → BatchNorm1d (optional) → activation;
nothing follows the output layer L. With x^(0) the input,

    h^(l) = BN(W^(l) x^(l−1) + b^(l)),   x^(l) = f(h^(l))                                  (Eq. 1)

and the *local field* h^(l), l = 1 … L−1, is what enters the activation.
"""

import copy
import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.random_streams import generator

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Gaussian",
    "Layer",
    "apply_norm",
    "as_input",
    "batch_statistics",
    "initialise",
    "layers",
    "local_fields",
    "logits",
    "propagate",
    "propagate_from",
    "with_batch_statistics",
]


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


class MLP(nn.Sequential):
    """A fully connected network N_0 – N_1 – … – N_L, as one flat `Sequential`.

    Args:
        widths: N_0 … N_L, at least two positive integers: inputs, hidden widths, outputs.
        activation: "relu", "tanh", "identity" (the paper's LNN) or "gaussian".
        batch_norm: whether a BatchNorm1d stands before each activation; its layers then carry no
            bias of their own, which the normalisation would remove.
        momentum: α of Eq. 3, in [0, 1]; 1 keeps the current batch's statistics only.

    Weights start as PyTorch's default: U(−1/√fan_in, 1/√fan_in); see `initialise`.

    Raises:
        NetdynError: for widths, an activation or a momentum that make no network.
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str = "relu",
        batch_norm: bool = True,
        momentum: float = 0.1,
    ):
        if len(widths) < 2 or any(int(width) != width or width < 1 for width in widths):
            raise NetdynError(
                f"widths {list(widths)}: give at least two positive integers, inputs … outputs"
            )
        if activation not in ACTIVATIONS:
            raise NetdynError(
                f"activation {activation!r} is unknown: choose one of {', '.join(ACTIVATIONS)}"
            )
        if not 0.0 <= momentum <= 1.0:
            raise NetdynError(f"momentum {momentum}: batch norm's α must lie in [0, 1]")
        super().__init__()
        self.widths = tuple(int(width) for width in widths)
        depth = len(self.widths) - 1
        for l, (fan_in, fan_out) in enumerate(itertools.pairwise(self.widths), 1):
            hidden = l < depth
            has_bias = not (batch_norm and hidden)
            self.add_module(f"linear{l}", nn.Linear(fan_in, fan_out, bias=has_bias))
            if hidden and batch_norm:
                self.add_module(f"norm{l}", nn.BatchNorm1d(fan_out, momentum=momentum))
            if hidden:
                self.add_module(f"activation{l}", ACTIVATIONS[activation]())

    def local_fields(self, x: Tensor) -> list[Tensor]:
        """Return h^(1) … h^(L−1), each (P, N_l), of the samples x (P, N_0) in evaluation mode."""
        return local_fields(self, x)


class Layer(NamedTuple):
    """One weight layer: `norm` and `activation` are None where the network has none."""

    linear: nn.Linear
    norm: nn.BatchNorm1d | None
    activation: nn.Module | None


def layers(model: nn.Module) -> list[Layer]:
    """Read a `Sequential` of Linear, BatchNorm1d and elementwise activations as its layers 1 … L.

    Nested Sequentials are unrolled and a leading Flatten is passed over. A Linear directly behind
    another counts as a layer with the identity as its activation.

    Raises:
        NetdynError: naming the module that cannot be treated (a convolution, softmax, dropout,
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
        if isinstance(module, nn.Flatten) and last is None:
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
                f"{here} cannot be treated: only Linear, BatchNorm1d, elementwise activations "
                "and a leading Flatten can"
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
    # Not named_children(), which passes over a module that is used a second time.
    for name, module in model._modules.items():
        if isinstance(module, nn.Sequential):
            yield from _leaves(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


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
        x: samples, (P, …), flattened to (P, N_0).

    Only one layer is held at a time. The model is left as it was found, its mode included.
    """
    read = layers(model)
    yield from propagate_from(read, read[0].linear(x.flatten(1)))


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
        z = read[l].linear(h if activation is None else activation(h))


def local_fields(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the local fields h^(1) … h^(L−1) of samples x, each (P, N_l), in evaluation mode.

    For training mode measure `with_batch_statistics(model, x)` instead of `model`.
    """
    return list(propagate(model, x))[:-1]


def logits(model: nn.Module, x: Tensor, chunk: int = 10_000) -> Tensor:
    """Return the logits (P, K) of samples x (P, …) in evaluation mode, `chunk` samples at a time.

    Bytes (uint8) are taken as pixels and divided by 255, chunk by chunk.
    """
    return torch.cat([_last(propagate(model, as_input(part))) for part in x.split(chunk)])


def _last(tensors: Iterator[Tensor]) -> Tensor:
    # A deque of length one drops each layer's tensor as the next one comes.
    return deque(tensors, maxlen=1).pop()


def as_input(x: Tensor) -> Tensor:
    """Return x^(0): bytes (uint8) are pixels and divided by 255, floats are taken as they are."""
    return x.float().div_(255.0) if x.dtype == torch.uint8 else x


@torch.no_grad()
def batch_statistics(
    model: nn.Module, x: Tensor
) -> tuple[Tensor, list[tuple[Tensor, Tensor] | None]]:
    """Return the logits in training mode and the statistics that each batch norm meets there.

    Args:
        model: any network that `layers` reads; left as it was found, running statistics included.
        x: the batch, (P, …); bytes are taken as pixels.

    Returns:
        The logits (P, K), every batch norm normalising by the batch's own mean and (biased)
        variance (α = 1 in Eq. 3), and per weight layer the pair mean, variance, each (N_l,),
        or None where there is no batch norm.
    """
    x = as_input(x).flatten(1)
    met: list[tuple[Tensor, Tensor] | None] = []
    for linear, norm, activation in layers(model):
        h = linear(x)  # (P, N_l)
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


@torch.no_grad()
def initialise(
    model: nn.Module, seed: int, scale: float = 1.0, weight_range: float | None = None
) -> None:
    """Draw the initial weights and biases of every Linear layer in place.

    Args:
        model: any network that `layers` reads.
        seed: master seed; the weights come from its stream "initial weights".
        scale: factor on weights and biases of every layer, > 0 (8 in the shallow grokking recipe).
        weight_range: r of U(−r, r), the same in all layers; None takes PyTorch's default
            r = 1/√fan_in, which shrinks as layers widen.

    Batch norm's own parameters are not touched.
    """
    stream = generator(seed, "initial weights")
    for linear, _, _ in layers(model):
        bound = (
            1 / math.sqrt(linear.in_features) if weight_range is None else weight_range
        ) * scale
        for parameter in (linear.weight, linear.bias):
            if parameter is not None:
                drawn = torch.empty(parameter.shape, dtype=parameter.dtype)
                parameter.copy_(drawn.uniform_(-bound, bound, generator=stream))
