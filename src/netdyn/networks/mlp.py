"""The paper's networks: fully connected, of any widths, and their initial weights."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.elementwise import ACTIVATIONS
from netdyn.networks.parametrized import EvaluatedLinear
from netdyn.networks.reading import Network, local_fields, read
from netdyn.runtime.plain_mode import plain_mode
from netdyn.runtime.random_streams import generator

__all__ = ["MLP", "initialise"]


class MLP(nn.Sequential):
    """A fully connected network N_0 – N_1 – … – N_L, as one flat `Sequential`.

    Args:
        widths: N_0 … N_L, at least two positive integers: inputs, hidden widths, outputs.
        activation: "relu", "tanh", "identity" (the paper's LNN) or "gaussian".
        batch_norm: whether a BatchNorm1d stands before each activation; its layers then carry no
            bias of their own, which the normalisation would remove.
        momentum: α of Eq. 3, in [0, 1]; 1 keeps the current batch's statistics only.

    Weights start as PyTorch's default: U(−1/√fan_in, 1/√fan_in); see `initialise`. As those of any
    `torch.nn` module they are drawn from PyTorch's global random numbers, in its default dtype and
    on its default device.

    Raises:
        NetdynError: for invalid widths, an unknown activation or a momentum outside [0, 1].
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


@plain_mode
def initialise(
    model: nn.Module | Network, seed: int, scale: float = 1.0, weight_range: float | None = None
) -> None:
    """Draw the initial weights and biases of every Linear layer in place.

    Args:
        model: any network that `netdyn.read` reads, or what it returned.
        seed: master seed; the weights come from its stream "initial weights".
        scale: factor on weights and biases of every layer, > 0 (8 in the shallow grokking recipe).
        weight_range: r of U(−r, r), the same in all layers; None means PyTorch's
            default r = 1/√fan_in, which shrinks as layers widen.

    The parameters of batch norm are left unchanged.
    """
    stream = generator(seed, "initial weights")
    for linear, *_ in read(model).layers:
        if isinstance(linear, EvaluatedLinear):
            raise NetdynError(
                "a weight is computed from other parameters (torch.nn.utils.parametrize) and "
                "cannot be drawn: initialise the network before"
            )
        bound = (
            1 / math.sqrt(linear.in_features) if weight_range is None else weight_range
        ) * scale
        for parameter in (linear.weight, linear.bias):
            if parameter is not None:
                drawn = torch.empty(parameter.shape, dtype=parameter.dtype, device="cpu")
                parameter.copy_(drawn.uniform_(-bound, bound, generator=stream))
