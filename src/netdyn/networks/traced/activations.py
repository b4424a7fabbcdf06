"""Which calls of PyTorch are activations: functions, methods and their in-place forms alike."""

import functools
import inspect
from collections.abc import Callable, Sequence

import torch
from torch import nn

from netdyn.errors import NetdynError
from netdyn.networks.elementwise import checked_classes
from netdyn.networks.traced.calls import base_name
from netdyn.runtime.torch_internals import function_holders

__all__ = ["ACTIVATION_CALLS", "declared", "is_in_place"]

_NAMES = (
    "celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish prelu relu "
    "relu6 selu sigmoid silu softplus softshrink softsign tanh tanhshrink threshold"
)


def _calls() -> dict[Callable, str]:
    calls: dict[Callable, str] = {torch.special.expit: "sigmoid"}
    for name in _NAMES.split():
        for holder in function_holders():
            # In the compiled part of PyTorch one has a spelling of its own: log_sigmoid.
            for spelled in (name, f"{name}_", name.replace("logsig", "log_sig")):
                call = getattr(holder, spelled, None)
                if call is not None:
                    calls[call] = name
    return calls


ACTIVATION_CALLS = _calls()  # by the function that PyTorch calls, its name


def declared(
    activations: Sequence[object],
) -> tuple[dict[Callable, str], tuple[type[nn.Module], ...]]:
    """Return the declared functions of PyTorch, by name, and the declared classes of modules.

    Raises:
        NetdynError: for what is neither.
    """
    functions: dict[Callable, str] = {}
    if isinstance(activations, list | tuple):
        for one in activations:
            if callable(one) and not isinstance(one, type | nn.Module):
                name = getattr(one, "__name__", "")
                if not any(getattr(holder, name, None) is one for holder in function_holders()):
                    raise NetdynError(
                        f"activations hold {name or one!r}, which is no function of PyTorch and "
                        "cannot be seen in a forward pass: put it into a module, and give its class"
                    )
                base = name.rstrip("_")
                spellings = (base, f"{base}_")
                twins = {
                    getattr(holder, s, None) for holder in function_holders() for s in spellings
                }
                functions |= dict.fromkeys(twins - {None}, base)
        activations = [one for one in activations if one not in functions]
    return functions, checked_classes(activations)


@functools.cache
def _signature(function: Callable) -> inspect.Signature | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return signature if "inplace" in signature.parameters else None


def is_in_place(function: Callable, args: tuple, kwargs: dict) -> bool:
    """Return whether this call of an activation writes to its input."""
    if base_name(function).endswith("_"):
        return True
    signature = _signature(function)
    return signature is not None and bool(
        signature.bind(*args, **kwargs).arguments.get("inplace", False)
    )
