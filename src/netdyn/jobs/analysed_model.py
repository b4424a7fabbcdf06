"""The network of `netdyn analyse`: a program of torch.export, or a factory with its weights."""

import importlib
import re
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass

from netdyn.errors import NetdynError
from netdyn.networks.exported import load_program

__all__ = ["load_network"]

_PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt")
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def load_network(
    model: str, weights: Path | None, device: torch.device
) -> nn.Module | ExportedProgram:
    """Return the network on its device, in evaluation mode.

    Args:
        model: an archive FILE.pt2 of `torch.export.save`, of which no code is run, or
            package:factory, whose code is run: called without arguments it returns a module.
        weights: a state_dict as .safetensors for the factory's module; None leaves its own.
        device: where it is measured.

    Raises:
        NetdynError: naming what is missing, damaged or does not fit.
    """
    if model.endswith(".pt2"):
        if weights is not None:
            raise NetdynError(f"--weights {weights}: {model} holds its own, leave the option out")
        program = load_program(model)
        return program if device.type == "cpu" else move_to_device_pass(program, device)
    if model.endswith(_PICKLES):
        raise NetdynError(
            f"{model}: is a pickle, which could run any code, and is not opened: save the network "
            "by torch.export.save as .pt2, or give package:factory and --weights FILE.safetensors"
        )
    if not _FACTORY.fullmatch(model):
        raise NetdynError(
            f"model {model!r}: give FILE.pt2, which torch.export.save writes, or package:factory"
        )
    module = _from_factory(model)
    if weights is not None:
        _load_weights(module, weights)
    return module.to(device).eval()


def _from_factory(model: str) -> nn.Module:
    package, _, name = model.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # one's own module lies beside the data, as with `python -m`
    try:
        factory = importlib.import_module(package)
        for part in name.split("."):
            factory = getattr(factory, part)
        module = factory()
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NetdynError(f"model {model!r}: cannot be made: {reason}") from error
    if not isinstance(module, nn.Module):
        raise NetdynError(
            f"model {model!r}: returns a {type(module).__name__}: let it return a torch.nn.Module"
        )
    return module


def _load_weights(module: nn.Module, weights: Path) -> None:
    if weights.suffix != ".safetensors":
        raise NetdynError(
            f"--weights {weights}: give a .safetensors file, such as "
            "safetensors.torch.save_file(model.state_dict(), path) writes"
        )
    try:
        state = load_file(weights)
    except FileNotFoundError as error:
        raise NetdynError(f"--weights {weights}: there is no such file") from error
    except (SafetensorError, OSError) as error:
        raise NetdynError(f"--weights {weights}: damaged or no safetensors ({error})") from error
    own = {name: tuple(one.shape) for name, one in module.state_dict().items()}
    given = {name: tuple(one.shape) for name, one in state.items()}
    for name in [*own, *given]:
        if own.get(name) != given.get(name):
            raise NetdynError(
                f"--weights {weights}: {name} has the shape {given.get(name, 'missing')}, in the "
                f"network {own.get(name, 'missing')}: give the weights of this network"
            )
    module.load_state_dict(state)
