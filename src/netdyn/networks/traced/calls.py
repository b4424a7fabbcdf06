"""Functions of ATen, which programs of `torch.export` call, by the names that PyTorch gives them.

`aten.relu_.default` is `torch.relu_`, `aten.gelu.default` is `torch.nn.functional.gelu`.
"""

import functools
from collections.abc import Callable

from netdyn.runtime.torch_internals import function_holders

__all__ = ["base_name", "is_aten", "public_function"]


def is_aten(function: Callable) -> bool:
    """Return whether a function is one of ATen, with its overload."""
    return getattr(function, "namespace", None) == "aten"


def base_name(function: Callable) -> str:
    """Return a function's name, without the overload of one of ATen; "" if it has none."""
    name = getattr(function, "__name__", "")
    return name.partition(".")[0] if is_aten(function) else name


@functools.cache
def public_function(function: Callable) -> Callable:
    """Return PyTorch's own function of the same name for one of ATen; others as they are."""
    if not is_aten(function):
        return function
    functional, *others = function_holders()
    # Where two differ in the order of arguments (instance_norm), it is not ATen's in `functional`.
    for holder in (*others, functional):
        public = getattr(holder, base_name(function), None)
        if public is not None:
            return public
    return function
