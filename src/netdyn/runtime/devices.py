"""Which device the work runs on."""

import torch

from netdyn.errors import NetdynError

__all__ = ["choose_device", "measuring_device"]


def choose_device(name: str) -> torch.device:
    """Return the device that `name` means: "auto" takes CUDA, else MPS, else the CPU.

    Raises:
        NetdynError: the device that is asked for by name is not there.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, present in available.items() if present)
    if not available.get(name, False):
        here = ", ".join(device for device, present in available.items() if present)
        raise NetdynError(f"device {name!r} is not available here: choose one of auto, {here}")
    return torch.device(name)


def measuring_device(name: str) -> torch.device:
    """Return the device that measures where `name` is asked for (see `choose_device`)."""
    chosen = choose_device(name)
    # L-maps, planes and basin sizes are taken in float64, which MPS does not have.
    return torch.device("cpu") if chosen.type == "mps" else chosen
