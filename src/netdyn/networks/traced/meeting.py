"""What a pass knows functions, modules and values by when it meets them."""

import re

from torch import Tensor, nn

from netdyn.networks.elementwise import ELEMENTWISE

__all__ = ["LAYERS", "PRODUCTS", "WEIGHTED", "depends", "named_place"]

# Products of two functions of the samples: gates.
PRODUCTS = {"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply", "div", "__truediv__"}
PRODUCTS |= {"matmul", "__matmul__", "mm", "bmm", "true_divide", "__rtruediv__"}


LAYERS = {
    "linear",
    "convolution",
    *(f"conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)),
}
WEIGHTED = LAYERS | {"matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "bilinear"}


_ACTIVATIONS = {one.__name__ for one in ELEMENTWISE}


def named_place(name: str, module: nn.Module) -> tuple[str, bool]:
    """Return a module's name and whether it is an activation, of an exported one as of its origin.

    A part of an exported program knows its class's name; of a module that is called twice there are
    two parts, "relu" and "relu@1".
    """
    exported = getattr(module, "type_name", None)
    if not callable(exported):
        return name, isinstance(module, ELEMENTWISE)
    kind = str(exported()).rpartition(".")[2]
    return re.sub(r"@\d+(?=\.|$)", "", name), kind in _ACTIVATIONS


def depends(value: object) -> bool:
    """Return whether a value is a tensor that depends on the samples, by its graph."""
    return isinstance(value, Tensor) and value.requires_grad
