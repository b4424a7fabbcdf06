"""What the threads of a training step share: network, batch, and values between layers."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from netdyn.networks.folding import Layer
from netdyn.training.engine.in_place import InPlace

__all__ = ["Shared"]


class Shared(Protocol):
    """A network of L layers and a batch of P samples, as `Blocks` reads and fills them.

    N_l is the width of layer l, K that of the last; y = s z + t is the output of batch norm
    for the local fields z, and g the gradient ∂loss/∂y.
    """

    read: Sequence[Layer]
    activations: Sequence[type[InPlace]]  # of the L − 1 hidden layers
    weights: Sequence[Tensor]  # (N_l, N_{l−1}), without automatic differentiation
    factors: Sequence[Tensor]  # the same, as factors of products
    widths: Sequence[int]  # N_1 … N_L
    loss: str  # "cross_entropy" or "mse"
    dtype: torch.dtype  # of the network
    stored: torch.dtype  # of factors, z and g
    rounded: bool  # whether `stored` is shorter than `dtype`
    samples: int  # P
    x: Tensor  # (P, N_0), a factor
    labels: Tensor  # (P,)
    z: Sequence[Tensor]  # (P, N_l) of the hidden layers; empty without batch norm
    g: Tensor  # room for (P, N_l) of any hidden layer; empty without batch norm
    mean: Sequence[Tensor]  # (N_l,), of z
    scale: Sequence[Tensor]  # (N_l,), s
    shift: Sequence[Tensor]  # (N_l,), t
    back: Sequence[tuple[Tensor, Tensor]]  # (N_l,), (N_l,): ∂z = s g + slope (z − μ) + offset
