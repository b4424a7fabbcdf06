"""Every private or undocumented name of PyTorch that netdyn calls, each with its public fallback.

Private names may be missing from another version of PyTorch. Each function here calls the private
name where it exists and the public fallback elsewhere. Both agree: in every bit for copies, masks
and optimizers, within rounding for the others. No other module calls a private name; a test says
so.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError

__all__ = [
    "FALLBACKS",
    "batch_moments",
    "capabilities",
    "copy_all",
    "forward_hooks",
    "function_holders",
    "fused_update",
    "global_forward_hooks",
    "has_forward_hooks",
    "has_onednn_linear",
    "internal",
    "multiply_by_relu_slope",
    "multiply_by_tanh_slope",
    "onednn_linear",
    "tensor_holders",
]

# Private name → what is called where it is missing.
FALLBACKS = {
    "torch._fused_sgd_": "torch.optim.SGD(fused=True)",
    "torch._fused_adam_": "torch.optim.Adam(fused=True)",
    "torch._fused_adamw_": "torch.optim.AdamW(fused=True)",
    "torch._foreach_copy_": "Tensor.copy_ of each tensor",
    "torch.batch_norm_update_stats": "torch.var_mean in float32",
    "torch.cpu.get_capabilities": "no instructions are known: bfloat16 is left to autocast",
    "torch.ops.aten.tanh_backward.grad_input": "Tensor.mul_ by 1 − x²",
    "torch.ops.aten.threshold_backward.grad_input": "Tensor.masked_fill_",
    "torch.ops.mkldnn._linear_pointwise": "torch.nn.functional.linear",
    "torch._C._nn": "torch and torch.nn.functional alone name functions",
    "torch.nn.Module._parameters": "refused: networks that are traced cannot be given noise",
    "torch.nn.Module._buffers": "refused: as for _parameters",
    "torch.nn.Module._forward_hooks": "the module is called",
    "torch.nn.Module._forward_pre_hooks": "the module is called",
    "torch.nn.modules.module._global_forward_hooks": "no such hooks are known",
    "torch.nn.modules.module._global_forward_pre_hooks": "no such hooks are known",
}


def internal(name: str) -> Callable | None:
    """Return the function of a name in `FALLBACKS`, or None where this PyTorch lacks it."""
    value: object = torch
    for part in name.split(".")[1:]:
        try:
            value = getattr(value, part)
        except (AttributeError, RuntimeError):
            return None
    return value


def function_holders() -> tuple[object, ...]:
    """Return what names PyTorch's functions, by which one that is called can be recognised."""
    compiled = internal("torch._C._nn")
    return nn.functional, torch, torch.Tensor, *(() if compiled is None else (compiled,))


def tensor_holders(module: nn.Module) -> tuple[dict, dict]:
    """Return where a module itself keeps its parameters and its buffers, by name.

    Raises:
        NetdynError: where this version of PyTorch keeps them in another way.
    """
    try:
        return module._parameters, module._buffers
    except AttributeError:
        raise NetdynError(
            f"PyTorch {torch.__version__} keeps a module's parameters in a way that netdyn does "
            "not know: install the version that its requirements name"
        ) from None


def fused_update(kind: str) -> Callable | None:
    """Return the fused kernel of "sgd", "adam" or "adamw", or None where it is missing."""
    return internal(f"torch._fused_{kind}_")


def copy_all(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copy each of `sources` into the tensor of `targets` at the same place."""
    copy = internal("torch._foreach_copy_")
    if copy is not None:
        copy(targets, sources)
        return
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def batch_moments(z: Tensor, unused: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance (N,) of z (P, N), summed in the precision of `unused`.

    Args:
        z: values, bfloat16 or of the precision of `unused`.
        unused: (2, N), running statistics that are left as they are.
    """
    update = internal("torch.batch_norm_update_stats")
    if update is not None:
        return update(z, *unused, 0.0)
    variance, mean = torch.var_mean(z.to(unused.dtype), dim=0, correction=0)
    return mean, variance


def capabilities() -> Mapping[str, object]:
    """Return what PyTorch knows of this processor's instructions; {} where it cannot tell."""
    query = internal("torch.cpu.get_capabilities")
    return {} if query is None else query()


def multiply_by_relu_slope(g: Tensor, x: Tensor) -> None:
    """Set g, (P, N), to 0 in place wherever x, (P, N), is 0 or less: ReLU's derivative."""
    mask = internal("torch.ops.aten.threshold_backward.grad_input")
    if mask is not None:
        mask(g, x, 0, grad_input=g)
    else:
        g.masked_fill_(x <= 0, 0)


def multiply_by_tanh_slope(g: Tensor, x: Tensor) -> None:
    """Multiply g, (P, N), by 1 − x² in place, for x = tanh(y), (P, N)."""
    multiply = internal("torch.ops.aten.tanh_backward.grad_input")
    if multiply is not None:
        multiply(g, x, grad_input=g)
    else:
        g.mul_(1 - x.square())


def has_onednn_linear() -> bool:
    """Return whether this PyTorch was built with oneDNN and multiplies by it on request."""
    return torch.backends.mkldnn.is_available() and (
        internal("torch.ops.mkldnn._linear_pointwise") is not None
    )


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x·Wᵀ + b, (P, M), by oneDNN; by PyTorch's own choice where that is missing."""
    linear = internal("torch.ops.mkldnn._linear_pointwise")
    if linear is None:
        return nn.functional.linear(x, weight, bias)
    return linear(x, weight, bias, "none", [], "")


def has_forward_hooks(module: nn.Module) -> bool:
    """Return whether hooks change what a module's call returns; True where that is unknown."""
    names = ("_forward_hooks", "_forward_pre_hooks")
    return any(getattr(module, name, True) for name in names)


def forward_hooks(module: nn.Module) -> list[Callable]:
    """Return the hooks that are called before and after the module's forward, where known."""
    names = ("_forward_pre_hooks", "_forward_hooks")
    return [hook for name in names for hook in getattr(module, name, {}).values()]


def global_forward_hooks() -> list[Callable]:
    """Return the hooks that are called before and after every module's forward, where known."""
    names = ("_global_forward_pre_hooks", "_global_forward_hooks")
    known = [internal(f"torch.nn.modules.module.{name}") or {} for name in names]
    return [hook for hooks in known for hook in hooks.values()]
