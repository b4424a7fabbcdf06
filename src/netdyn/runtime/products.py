"""Products of float32 matrices on processors, outside automatic differentiation.

PyTorch brings two libraries for them and asks MKL, which leaves the AVX-512 instructions of AMD's
processors unused. oneDNN takes them, and there needs less than half of the time (README, "Speed").
Small products stay with MKL, whose calls cost less. Which it is follows from processor and shape
alone, so that the same machine gives the same bits.
"""

import functools
from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["add_product", "apply", "capabilities", "linear", "product", "takes_onednn"]

# Multiplications below which a call of oneDNN costs more than it saves. Part of the bits.
WORTH_ONEDNN = 2**20


def linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Return x·Wᵀ + b, (P, M), written to `out` where it is given.

    Args: x (P, N), weight (M, N), bias (M,) or None; of any dtype, on any device.
    """
    if _by_onednn(x, weight):
        found = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return found if out is None else out.copy_(found)
    if out is None:
        return nn.functional.linear(x, weight, bias)
    if bias is None:
        return torch.mm(x, weight.T, out=out)
    return torch.addmm(bias, x, weight.T, out=out)


def product(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Write a·b, (P, N)·(N, M), to `out`, and return it."""
    return linear(a, b.T, out=out)


def add_product(total: Tensor, a: Tensor, b: Tensor, first: bool = False) -> None:
    """Add a·b, (P, N)·(N, M), to total, (P, M); the `first` is written over what was there."""
    if not _by_onednn(a, b):
        total.addmm_(a, b, beta=0 if first else 1)
    elif first:
        linear(a, b.T, out=total)
    else:
        total += linear(a, b.T)


def apply(layer: nn.Linear, x: Tensor) -> Tensor:
    """Return what the layer makes of x, (P, N); a layer that does more than x·Wᵀ + b is called."""
    if type(layer) is not nn.Linear or layer._forward_hooks or layer._forward_pre_hooks:
        return layer(x)
    return linear(x, layer.weight, layer.bias)


def _by_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        x.dtype == weight.dtype == torch.float32
        and x.ndim == 2
        and x.device.type == "cpu"
        and weight.numel() * len(x) >= WORTH_ONEDNN
        and not torch.is_grad_enabled()  # it has no derivative
        and takes_onednn()
    )


def takes_onednn() -> bool:
    """Return whether large products of float32 are left to oneDNN on this machine."""
    return torch.backends.mkldnn.enabled and _has_onednn() and _gains()


@functools.cache
def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@functools.cache
def _gains() -> bool:
    found = capabilities()
    return bool(found.get("avx512_f")) and str(found.get("cpu_name", "")).startswith("AMD")


def capabilities() -> Mapping[str, object]:
    """Return what PyTorch knows of this processor; nothing where its version cannot tell."""
    return getattr(torch.cpu, "get_capabilities", dict)()
