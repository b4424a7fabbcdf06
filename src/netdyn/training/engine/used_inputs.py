"""Training without the inputs that are 0 in every sample, such as the border of centred digits.

Such an input adds nothing to a local field and its weights have the gradient 0, so the products of
the first layer can omit it. The first thousand samples of MNIST leave 175 of its 784 inputs
unused, all 60,000 leave 67, too few for a copy of the samples to pay.
"""

import torch
from torch import Tensor, nn

from netdyn.networks.folding import linear_of
from netdyn.networks.layers import layers

__all__ = ["AllInputs", "UsedInputs"]

# Share of the inputs that must be 0 everywhere before a copy of the samples without them pays.
# Part of the bits.
WORTH_A_COPY = 1 / 8


class AllInputs:
    """A network that is trained on all inputs, as it is.

    Attributes:
        network: what is trained: the given network.
    """

    def __init__(self, model: nn.Sequential):
        self.network = model

    def parameters(self) -> list[nn.Parameter]:
        """Return all that an optimizer updates."""
        return [*self.network.parameters()]

    def select(self, images: Tensor) -> Tensor:
        """Return the samples (P, N_0) themselves."""
        return images

    def write(self) -> None:
        """Do nothing: the given network is what is trained."""

    def read(self) -> None:
        """Do nothing: the given network is what is trained."""


class UsedInputs:
    """A network of the inputs that some sample uses; it shares all but its first layer.

    Attributes:
        network: what is trained; the given network itself where nearly all inputs are used.
    """

    def __init__(self, model: nn.Sequential, images: Tensor):
        """Args: a network without nesting, as `MLP` is; its training samples (P, N_0)."""
        self._weight = layers(model)[0].linear.weight  # (N_1, N_0)
        used = (images.amax(0) != 0) | (images.amin(0) != 0)  # (N_0,)
        self.network: nn.Sequential = model
        self._parts: list[tuple[Tensor, nn.Parameter]] = []  # which inputs, their weights
        if used.count_nonzero() > (1 - WORTH_A_COPY) * len(used) or not used.any():
            return
        self._parts = [
            (which, nn.Parameter(self._weight.detach()[:, which]))
            for which in (used.nonzero().squeeze(1), used.logical_not().nonzero().squeeze(1))
        ]
        self.network = self._without_unused(model)

    def _without_unused(self, model: nn.Sequential) -> nn.Sequential:
        (_, weight), (_, unused) = self._parts
        unused.grad = torch.zeros_like(unused)  # only weight decay changes them
        replaced = layers(model)[0].linear
        first = linear_of(weight, replaced.bias)
        return nn.Sequential(*(first if module is replaced else module for module in model))

    def parameters(self) -> list[nn.Parameter]:
        """Return all that an optimizer updates, the weights of unused inputs last."""
        return [*self.network.parameters(), *(weight for _, weight in self._parts[1:])]

    def select(self, images: Tensor) -> Tensor:
        """Return the used inputs (P, N) of samples (P, N_0)."""
        return images[:, self._parts[0][0]] if self._parts else images

    @torch.no_grad()
    def write(self) -> None:
        """Write the first layer's weights into the given network."""
        for which, weight in self._parts:
            self._weight.index_copy_(1, which, weight)

    @torch.no_grad()
    def read(self) -> None:
        """Read the first layer's weights from the given network."""
        for which, weight in self._parts:
            torch.index_select(self._weight, 1, which, out=weight.data)
