"""The sites of a traced network: calls of activations that depend on the samples."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch

__all__ = ["TracedSite", "numbered"]


class TracedSite(NamedTuple):
    """A call of an activation that depends on the samples."""

    name: str  # of the module in which it is called
    function: str
    shape: tuple[int, ...]  # of one sample's local field

    @property
    def width(self) -> int:
        """N_s, number of neurons."""
        return torch.Size(self.shape).numel()


def numbered(names: Sequence[str]) -> list[str]:
    """Return the names, the second and later of one name with their number: relu, relu (2)."""
    seen = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return numbered
