"""Linear layers whose weight is computed from other parameters, as they are in evaluation mode.

In training mode some parametrizations change at every look at the weight: spectral norm takes a
step of power iteration, and the weight is another the next time. A measure looks often and changes
nothing, so it sees the weight of evaluation mode, whatever mode the layer is in.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from netdyn.errors import NetdynError

__all__ = ["EvaluatedLinear", "in_evaluation", "original"]


class EvaluatedLinear(nn.Module):
    """A parametrized Linear layer, computed in evaluation mode; the layer itself is unchanged.

    Attributes:
        source: the layer, of whose present parameters weight and bias are computed when they are
            read.
    """

    def __init__(self, source: nn.Linear):
        super().__init__()
        self.source = source

    @property
    def in_features(self) -> int:
        """Number of inputs."""
        return self.source.in_features

    @property
    def out_features(self) -> int:
        """Number of outputs."""
        return self.source.out_features

    @property
    def weight(self) -> Tensor:
        """The weight, (out_features, in_features)."""
        return self._computed("weight")

    @property
    def bias(self) -> Tensor | None:
        """The bias, (out_features,); None where the layer has none."""
        return self._computed("bias")

    def forward(self, x: Tensor) -> Tensor:
        """Return W x + b, (P, out_features)."""
        return nn.functional.linear(x, self.weight, self.bias)

    def _computed(self, name: str) -> Tensor | None:
        if not parametrize.is_parametrized(self.source):
            raise NetdynError(
                "a parametrization was removed since the network was read: read it again "
                "(netdyn.read)"
            )
        chain = self.source.parametrizations
        if name not in chain:
            return getattr(self.source, name)
        if not any(module.training for module in chain[name].modules()):
            return getattr(self.source, name)
        # On a copy, because a mode that is switched for a moment would be seen by other threads.
        with torch.no_grad():
            return copy.deepcopy(chain[name]).eval()()


def in_evaluation(linear: nn.Linear) -> nn.Linear | EvaluatedLinear:
    """Return a layer as it is in evaluation mode: itself, unless it is parametrized."""
    return EvaluatedLinear(linear) if parametrize.is_parametrized(linear) else linear


def original(module: nn.Module) -> nn.Module:
    """Return the layer that `in_evaluation` was given."""
    return module.source if isinstance(module, EvaluatedLinear) else module
