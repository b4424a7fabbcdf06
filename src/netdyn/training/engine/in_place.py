"""Activations and their derivatives in place: nothing is written but what is there already."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from netdyn.networks.layers import Gaussian

__all__ = ["IN_PLACE", "InPlace"]


class InPlace:
    """An activation, here the identity, and its derivative applied to a gradient."""

    needs_field = False

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        return y

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        """Multiply g by f′(y), given x = f(y), and y where asked for."""


class ReLUInPlace(InPlace):
    @staticmethod
    def forward(y: Tensor) -> Tensor:
        return y.relu_()

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        if g.dtype is torch.bfloat16:
            # Its bits, read as whole numbers, have its sign and its zero, and compare faster.
            g, x = g.view(torch.int16), x.view(torch.int16)
        torch.ops.aten.threshold_backward.grad_input(g, x, 0, grad_input=g)


class TanhInPlace(InPlace):
    @staticmethod
    def forward(y: Tensor) -> Tensor:
        return y.tanh_()

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        torch.ops.aten.tanh_backward.grad_input(g, x, grad_input=g)


class GaussianInPlace(InPlace):
    needs_field = True

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        return y.square_().neg_().exp_()

    @staticmethod
    def backward(g: Tensor, x: Tensor, y: Callable[[], Tensor]) -> None:
        g.mul_(x).mul_(y()).mul_(-2)


IN_PLACE: dict[type[nn.Module], type[InPlace]] = {
    nn.ReLU: ReLUInPlace,
    nn.Tanh: TanhInPlace,
    nn.Identity: InPlace,
    Gaussian: GaussianInPlace,
}
