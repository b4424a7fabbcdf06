"""What to hand over in place of something that is no network netdyn can read."""

from collections.abc import Mapping
from pathlib import PurePath

from torch import nn

__all__ = ["MODULES_READ", "not_a_module", "not_a_sequential", "not_supported"]

MODULES_READ = (
    "netdyn reads Linear, BatchNorm1d, elementwise activations, Identity, Dropout and a leading "
    "Flatten"
)

# By the name of a class: importing some of them takes a second.
_WRAPPERS = {
    "OptimizedModule": ("is compiled", "_orig_mod"),
    "DataParallel": ("is a copy on each device", "module"),
    "DistributedDataParallel": ("is one of several processes", "module"),
    "FullyShardedDataParallel": ("is one of several processes", "module"),
    "AveragedModel": ("is a wrapper", "module"),
}


def not_a_module(given: object) -> str | None:
    """Return the message for a model that cannot be traced; None for one that can."""
    if not isinstance(given, nn.Module):
        return not_a_sequential(given).replace("a torch.nn.Sequential", "a torch.nn.Module")
    wrapped = _wrapped(given)
    kind = type(given).__name__
    return f"{kind} cannot be traced: {wrapped.format('model')}" if wrapped else None


def not_a_sequential(given: object) -> str:
    """Return the message for a model that is no `torch.nn.Sequential`."""
    kind = type(given).__name__
    if isinstance(given, str | PurePath):
        return (
            f"the model is a path ({str(given)!r}): give the network itself; "
            "netdyn.load_model(run_folder, step) loads one that the workflow trained"
        )
    if isinstance(given, Mapping) and not isinstance(given, nn.Module):
        return (
            f"the model is a {kind}, such as a state_dict: build the torch.nn.Sequential, load it "
            "by load_state_dict, and give that"
        )
    if isinstance(given, type):
        return f"the model is the class {given.__name__}: give an instance of it"
    if isinstance(given, nn.ModuleList | list | tuple):
        return f"the model is a {kind}: give torch.nn.Sequential(*modules)"
    if not isinstance(given, nn.Module):
        return f"the model is a {kind}: give a torch.nn.Sequential"
    wrapped = _wrapped(given)
    if wrapped:
        return f"{kind} is not a torch.nn.Sequential: {wrapped.format('model')}"
    if isinstance(given, nn.Linear):
        return f"{kind} is not a torch.nn.Sequential: give torch.nn.Sequential(model)"
    inside = [name for name, child in given.named_children() if isinstance(child, nn.Sequential)]
    if len(inside) == 1:
        return (
            f"{kind} is not a torch.nn.Sequential, but model.{inside[0]} is: give that, if its "
            "forward does nothing else"
        )
    return (
        f"{kind} is not a torch.nn.Sequential: "
        "wrap the network's Linear, BatchNorm1d and activation modules in one"
    )


def not_supported(module: nn.Module, text: str) -> str:
    """Return the message for a module of a Sequential that is not read; `text` names it."""
    wrapped = _wrapped(module)
    if wrapped:
        return f"{text} is not supported: {wrapped.format('module')}"
    if isinstance(module, nn.Softmax | nn.LogSoftmax):
        return f"{text} is not supported: remove it, the measurements need the logits"
    message = f"{text} is not supported: {MODULES_READ}"
    if type(module).__module__.startswith("torch."):
        return message
    if any(isinstance(part, nn.Linear) for part in module.modules()):
        return f"{message}, and looks into nothing but nested Sequentials"
    return (
        f"{message}. Declare an elementwise module of your own by netdyn.read(model, "
        f"activations=[{type(module).__name__}])"
    )


def _wrapped(module: nn.Module) -> str | None:
    """Return why a module is not read and what is instead, {} its name; None for others."""
    kinds = [(one.__name__, one.__module__) for one in type(module).__mro__]
    for name, _ in kinds:
        if name in _WRAPPERS:
            why, inside = _WRAPPERS[name]
            return f"it {why}, give {{}}.{inside}"
    if any(name == "ScriptModule" for name, _ in kinds):
        return "it is scripted or traced, give the Sequential that it was made from"
    if any(name == "GraphModule" for name, _ in kinds):
        return "it is a traced graph, give the Sequential that it was made from"
    if any("quantized" in path or ".qat" in path for _, path in kinds):
        return "it is quantised, give the network of floats that it was made from"
    return None
