"""Whether a module does what its class in PyTorch does, and nothing else.

A network is computed from the parameters of its modules, layer by layer. A `forward` of one's own
or a forward hook would not take part in that: such modules are refused. Backward hooks change no
value and are allowed.

What is called may change after a network was read. `CalledCode` remembers what it was, and refuses
anything else.
"""

from collections.abc import Collection

from torch import nn

from netdyn.errors import NetdynError
from netdyn.runtime import torch_internals

__all__ = ["CalledCode", "refuse_global_hooks", "refuse_own_code"]

# What decides on the values that a call of a module returns; by its own `train` or `eval` a module
# may not be in evaluation mode when it is told to.
CALLED = {
    "forward", "__call__", "_call_impl", "_wrapped_call_impl", "__getattribute__", "__iter__",
    "train", "eval",
}  # fmt: skip
# How the tools of PyTorch that recompute a weight before each pass are ended, by their modules.
# Between an optimizer's step and the next pass that weight is out of date.
ENDED_BY = {
    "torch.nn.utils.prune": "torch.nn.utils.prune.remove(module, {!r})",
    "torch.nn.utils.weight_norm": "torch.nn.utils.remove_weight_norm(module, {!r})",
    "torch.nn.utils.spectral_norm": "torch.nn.utils.remove_spectral_norm(module, {!r})",
}


def refuse_own_code(
    module: nn.Module, kinds: Collection[type[nn.Module]], text: str, use: str
) -> None:
    """Raise NetdynError where calling the module may be more than calling one of its class.

    Args:
        module: one of a network.
        kinds: the classes as one of which it is read; a subclass that overrides nothing is too.
        text: the module's name in messages.
        use: what to do about a `forward` of one's own.
    """
    for name in vars(module).keys() & CALLED:
        raise NetdynError(
            f"{text} has a {name} of its own, set on this instance, which netdyn does not "
            f"read: remove it (del module.{name}), or {use}"
        )
    kind = next(one for one in type(module).__mro__ if one in kinds)
    for name in CALLED:
        if _is_patched(getattr(kind, name, None)):
            raise NetdynError(
                f"{text}: {kind.__name__}.{name} was replaced by another function, which netdyn "
                "does not read: restore that of torch before measuring"
            )
    for name in CALLED if kind is not type(module) else ():
        if getattr(type(module), name, None) is not getattr(kind, name, None):
            raise NetdynError(
                f"{text} has a {name} other than that of {kind.__name__}, which netdyn does not "
                f"read: {use}"
            )
    for hook in torch_internals.forward_hooks(module):
        _refuse_hook(hook, text)


def _is_patched(function: object) -> bool:
    # By where a function was defined: functools.wraps copies its other names.
    room = getattr(function, "__globals__", {}).get("__name__", "torch")
    return room.partition(".")[0] not in ("torch", "netdyn")


class CalledCode:
    """What is run when the modules of a network are called, as it was at reading."""

    def __init__(self, model: nn.Module):
        self._named = [*model.named_modules()]
        self._called = [_called(module) for _, module in self._named]
        self._functions = {type(module): _functions(type(module)) for _, module in self._named}

    def refuse_changes(self) -> None:
        """Raise NetdynError where anything else would be called now."""
        refuse_global_hooks()
        for (name, module), called in zip(self._named, self._called, strict=True):
            if _called(module) != called:
                kind = type(module).__name__
                raise NetdynError(
                    f"{f'module {name!r} ({kind})' if name else kind} has changed since it was "
                    "read, by a hook, a parametrization or a forward of its own: undo that, or "
                    "read it again (netdyn.read)"
                )
        for kind, functions in self._functions.items():
            if _functions(kind) != functions:
                raise NetdynError(
                    f"functions of the class {kind.__name__} were replaced since the network was "
                    "read: restore them, or read it again (netdyn.read)"
                )


def _called(module: nn.Module) -> tuple[type, set[str], list[object]]:
    return type(module), vars(module).keys() & CALLED, torch_internals.forward_hooks(module)


def _functions(kind: type) -> list[object]:
    return [getattr(kind, name, None) for name in CALLED]


def _refuse_hook(hook: object, text: str) -> None:
    end = ENDED_BY.get(type(hook).__module__)
    if end is None:
        raise NetdynError(
            f"{text} has a forward hook, which netdyn does not read: remove it (handle.remove()) "
            "before measuring"
        )
    weight = getattr(hook, "_tensor_name", None) or getattr(hook, "name", "weight")
    way = end.format(weight)
    if not type(hook).__module__.endswith("prune"):
        modern = type(hook).__module__.rpartition(".")[2]
        way += f", or use torch.nn.utils.parametrizations.{modern} instead"
    raise NetdynError(
        f"{text} computes its {weight} in a forward hook ({type(hook).__name__}), so it is out of "
        f"date after an optimizer's step: call {way}"
    )


def refuse_global_hooks() -> None:
    """Raise NetdynError where PyTorch calls a forward hook on every module."""
    if torch_internals.global_forward_hooks():
        raise NetdynError(
            "a forward hook is registered for all modules, which netdyn does not read: remove it "
            "(handle.remove()) before measuring"
        )
