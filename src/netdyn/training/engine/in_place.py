"""Activations and their derivatives, computed in place: they need no memory of their own."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from netdyn.networks.elementwise import Gaussian
from netdyn.runtime.torch_internals import multiply_by_relu_slope, multiply_by_tanh_slope

__all__ = ["IN_PLACE", "InPlace"]


class InPlace:
    """The identity and its derivative; base class of the other activations."""

    needs_field = False

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        """Return f(y), in the memory of y."""
        return y

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        """Multiply g by f′(y), given x = f(y) and a function that returns y (`needs_field`)."""


class ReLUInPlace(InPlace):
    """ReLU, f(y) = max(y, 0)."""

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        """Return f(y), in the memory of y."""
        return y.relu_()

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        """Multiply g by f′(y); see `InPlace`."""
        if g.dtype is torch.bfloat16:
            # The bits, read as integers, have the same sign and zero and compare faster.
            g, x = g.view(torch.int16), x.view(torch.int16)
        multiply_by_relu_slope(g, x)


class TanhInPlace(InPlace):
    """f(y) = tanh(y)."""

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        """Return f(y), in the memory of y."""
        return y.tanh_()

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        """Multiply g by f′(y); see `InPlace`."""
        multiply_by_tanh_slope(g, x)


class GaussianInPlace(InPlace):
    """f(y) = exp(−y²)."""

    needs_field = True

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        """Return f(y), in the memory of y."""
        return y.square_().neg_().exp_()

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        """Multiply g by f′(y); see `InPlace`."""
        g.mul_(x).mul_(y()).mul_(-2)


IN_PLACE: dict[type[nn.Module], type[InPlace]] = {
    nn.ReLU: ReLUInPlace,
    nn.Tanh: TanhInPlace,
    nn.Identity: InPlace,
    Gaussian: GaussianInPlace,
}
