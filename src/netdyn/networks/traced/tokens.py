"""Integer samples (tokens): where they enter a network, and what a pass has in their place.

A derivative by an integer does not exist. x^(0) of tokens is therefore what their embeddings
return, one after another, (P, N_0): all calls of `embedding` whose indices are the samples or are
computed from them. Positions, which are not, have embeddings that count as biases.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.traced.calls import base_name

__all__ = ["Entrance", "embedding_of"]


class Entrance:
    """What is seen of tokens in one pass.

    Args:
        x: the samples that the module is given.
        replaced: x^(0), (P, N_0), of which the embeddings return their parts; None for their own
            outputs.
    """

    def __init__(self, x: Tensor, replaced: Tensor | None = None):
        self._derived = {id(x): x}  # held, so that no other tensor can have the same id
        self._samples, self._replaced, self._place = len(x), replaced, 0
        self.outputs: list[Tensor] = []

    def follow(self, args: tuple, kwargs: dict, output: object) -> None:
        """Note that integers were computed from the samples, if they were."""
        outputs = output if isinstance(output, tuple | list) else (output,)
        if any(id(one) in self._derived for one in _tensors((*args, *kwargs.values()))):
            for one in outputs:
                if isinstance(one, Tensor) and not one.is_floating_point():
                    self._derived[id(one)] = one

    def enters(self, indices: Tensor) -> bool:
        """Return whether indices of an embedding are the samples, or are computed from them."""
        return id(indices) in self._derived

    def embedded(self, output: Tensor) -> Tensor:
        """Return what an embedding of the samples returns in this pass: a part of x^(0)."""
        if output.shape[0] != self._samples:
            raise NetdynError(
                f"an embedding returns the shape {tuple(output.shape)} for {self._samples} "
                "samples: the samples must be the first dimension there"
            )
        if self._replaced is None:
            output = output.detach()
            if torch.is_grad_enabled():
                output = output.requires_grad_()
        else:
            end = self._place + output[0].numel()
            part = self._replaced[:, self._place : end]
            self._place, output = end, part.reshape(output.shape)
        self.outputs.append(output)
        return output

    def inputs(self) -> Tensor:
        """Return x^(0) of this pass, (P, N_0)."""
        return torch.cat([one.flatten(1) for one in self.outputs], dim=1)


def embedding_of(function: Callable, args: tuple, kwargs: dict) -> tuple[Tensor, Tensor] | None:
    """Return indices and weight of a call of an embedding, None for another function's.

    `torch.nn.functional.embedding` takes the indices first, `torch.embedding` the weight.
    """
    if base_name(function) != "embedding":
        return None
    both = [one for one in _tensors((*args, *kwargs.values())) if isinstance(one, Tensor)]
    both.sort(key=torch.is_floating_point)
    return both[0], both[-1]


def _tensors(values: Iterable[object]) -> Iterable[object]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _tensors(value)
        elif isinstance(value, Tensor):
            yield value
