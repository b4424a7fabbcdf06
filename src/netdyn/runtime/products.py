"""Products of float32 matrices on processors, outside automatic differentiation.

PyTorch carries two libraries for these products and calls MKL, which leaves the AVX-512
instructions of AMD's processors unused. oneDNN uses them and takes less than half of the time there
(docs/engine.md). Small products stay with MKL, whose calls cost less. The choice follows from
processor and shape alone, so the same machine gives the same bits. `without_onednn` switches oneDNN
off.

This module lies below training, because evaluation and measuring multiply by it too.
"""

import contextlib
import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from netdyn.runtime import torch_internals
from netdyn.runtime.torch_internals import capabilities

__all__ = ["add_product", "apply", "linear", "product", "uses_onednn", "without_onednn"]

# Multiplications below which a call of oneDNN costs more than it saves. Part of the bits.
WORTH_ONEDNN = 2**20

_switched_off = False


@contextlib.contextmanager
def without_onednn() -> Iterator[None]:
    """Leave all products of this process to PyTorch's own choice within this context."""
    global _switched_off
    before, _switched_off = _switched_off, True
    try:
        yield
    finally:
        _switched_off = before


def linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Return x·Wᵀ + b, (P, M), written to `out` where it is given.

    Args: x (P, N), weight (M, N), bias (M,) or None; of any dtype, on any device.
    """
    if _by_onednn(x, weight):
        result = torch_internals.onednn_linear(x, weight, bias)
        return result if out is None else out.copy_(result)
    if out is None:
        return nn.functional.linear(x, weight, bias)
    if bias is None:
        return torch.mm(x, weight.T, out=out)
    return torch.addmm(bias, x, weight.T, out=out)


def product(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Write a·b, (P, N)·(N, M), to `out`, and return it."""
    return linear(a, b.T, out=out)


def add_product(total: Tensor, a: Tensor, b: Tensor, first: bool = False) -> None:
    """Add a·b, (P, N)·(N, M), to total, (P, M); the `first` product overwrites it instead."""
    if not _by_onednn(a, b):
        total.addmm_(a, b, beta=0 if first else 1)
    elif first:
        linear(a, b.T, out=total)
    else:
        total += linear(a, b.T)


def apply(layer: nn.Linear, x: Tensor) -> Tensor:
    """Return layer(x), (P, M), of x (P, N); subclasses and layers with hooks are called."""
    if type(layer) is not nn.Linear or torch_internals.has_forward_hooks(layer):
        return layer(x)
    return linear(x, layer.weight, layer.bias)


def _by_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        x.dtype == weight.dtype == torch.float32
        and x.ndim == 2
        and x.device.type == "cpu"
        and weight.numel() * len(x) >= WORTH_ONEDNN
        and not torch.is_grad_enabled()  # it has no derivative
        and uses_onednn()
    )


def uses_onednn() -> bool:
    """Return whether large products of float32 are left to oneDNN here and now."""
    return (
        not _switched_off
        and torch.backends.mkldnn.enabled
        and _is_faster_by_onednn()
        and torch_internals.has_onednn_linear()
    )


@functools.cache
def _is_faster_by_onednn() -> bool:
    processor = capabilities()
    name = str(processor.get("cpu_name", ""))
    return bool(processor.get("avx512_f")) and name.startswith("AMD")
