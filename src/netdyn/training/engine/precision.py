"""A training step's products: float32, tf32, float64, or bfloat16 as autocast does it.

What float32, tf32 and sums of bfloat16 are on a device is set in `netdyn.runtime.arithmetic`.

Processors without bfloat16 instructions multiply bfloat16 matrices some eighty times slower than
float32 ones. There the same rounded factors are multiplied in float32. The instructions accumulate
in float32 too, so the results are equal up to the order of summation.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netdyn.runtime.products import uses_onednn
from netdyn.runtime.torch_internals import capabilities, internal

__all__ = [
    "PRODUCTS",
    "autocast_logits",
    "logits_in_precision",
    "multiplies_bfloat16",
    "products",
]

# Values of `products` in the record of a run.
PRODUCTS = {
    "float32": "float32 by oneDNN",
    "native": "bfloat16 instructions",
    "emulated": "float32 products of factors rounded to bfloat16",
    "unknown": "bfloat16 as autocast makes them (this PyTorch cannot tell the instructions)",
}


def products(precision: str, device: torch.device) -> str:
    """Return how products of a precision are computed on a device, for the run's record."""
    if precision == "float32" and device.type == "cpu" and uses_onednn():
        return PRODUCTS["float32"]
    if precision != "bfloat16":
        return precision
    if not _knows_instructions(device):
        return PRODUCTS["unknown"]
    return PRODUCTS["native" if multiplies_bfloat16(device) else "emulated"]


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return whether a device is known to have instructions for products of bfloat16."""
    if device.type != "cpu":
        return True
    return _has_instructions(capabilities())


def logits_in_precision(model: nn.Sequential, x: Tensor, precision: str) -> Tensor:
    """Return the network's logits (P, K) of inputs x (P, N_0), ready for a loss.

    Args:
        precision: "bfloat16" rounds the factors and the result of each product to bfloat16, as
            autocast does; weights stay as they are, and logits are returned in float32. Any other
            takes the network as it is.
    """
    if precision != "bfloat16":
        return model(x)
    if _emulated(x.device):
        return _rounded(model, x).float()
    return autocast_logits(model, x, precision)


def autocast_logits(model: nn.Sequential, x: Tensor, precision: str) -> Tensor:
    """Return what `logits_in_precision` does, with all products of bfloat16 left to autocast."""
    if precision != "bfloat16":
        return model(x)
    # The cache of rounded weights must not outlive a recording; each weight is used once anyway.
    with torch.autocast(x.device.type, dtype=torch.bfloat16, cache_enabled=False):
        return model(x).float()


def _emulated(device: torch.device) -> bool:
    # Where the instructions are unknown, the products are left to autocast.
    return _knows_instructions(device) and not multiplies_bfloat16(device)


def _knows_instructions(device: torch.device) -> bool:
    return device.type != "cpu" or internal("torch.cpu.get_capabilities") is not None


def _has_instructions(capabilities: Mapping) -> bool:
    names = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # x86, ARM
    return any(capabilities.get(name) for name in names)


def _rounded(model: nn.Sequential, x: Tensor) -> Tensor:
    for module in model:
        if isinstance(module, nn.Linear):
            x = _RoundedProduct.apply(x, module.weight, module.bias)  # (P, N_l)
        else:
            x = module(x)  # bfloat16 in, bfloat16 out; batch norm sums in float32
    return x


class _RoundedProduct(torch.autograd.Function):
    """x·Wᵀ + b: factors, offset and result rounded to bfloat16, in the backward pass too."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, weight = x.bfloat16(), weight.bfloat16()
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        product = x.float() @ weight.float().T
        if bias is not None:
            product += bias.bfloat16().float()
        return product.bfloat16()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.float()
        to_x = (gradient @ weight.float()).bfloat16() if ctx.needs_input_grad[0] else None
        to_weight = (gradient.T @ x.float()).bfloat16().float()
        to_bias = gradient.sum(dim=0).bfloat16().float() if ctx.has_bias else None
        return to_x, to_weight, to_bias
