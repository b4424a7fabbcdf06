"""Copies of tensors, to restore them or to compare with them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from netdyn.runtime.torch_internals import copy_all

__all__ = ["Copies", "same_bits"]


class Copies:
    """Copies of some tensors, in memory that is allocated once."""

    def __init__(self, tensors: Sequence[Tensor]):
        self.tensors = [tensor.detach() for tensor in tensors]
        self.copies: list[Tensor] = []

    def save(self) -> None:
        """Copy the tensors as they are now."""
        if not self.copies:
            self.copies = [torch.empty_like(tensor) for tensor in self.tensors]
        copy_all(self.copies, self.tensors)

    def restore(self) -> None:
        """Write the copies back into the tensors."""
        copy_all(self.tensors, self.copies)


def same_bits(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Return whether tensors are equal bit for bit, NaN to the same NaN."""
    return all(torch.equal(_bytes(a), _bytes(b)) for a, b in zip(one, other, strict=True))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().flatten().view(torch.uint8)
