"""Other tensors in place of a module's parameters and buffers, for a pass."""

import contextlib
from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from netdyn.runtime.torch_internals import tensor_holders

__all__ = ["exchanged"]


@contextlib.contextmanager
def exchanged(model: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Give the module other tensors, and its own back afterwards.

    `torch.func.functional_call` leaves its tensors in a module that stands in two places.

    Args:
        tensors: by the name that `named_parameters` or `named_buffers` gives what they stand for,
            in all its places.

    Raises:
        NetdynError: where this version of PyTorch keeps them in another way.
    """
    named = [*model.named_parameters(), *model.named_buffers()]
    others = {id(own): tensors[name] for name, own in named if name in tensors}
    held = [part for module in model.modules() for part in tensor_holders(module)]
    before = [(part, name, own) for part in held for name, own in part.items() if id(own) in others]
    try:
        for part, name, own in before:
            part[name] = others[id(own)]
        yield
    finally:
        for part, name, own in before:
            part[name] = own
