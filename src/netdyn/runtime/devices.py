"""Which device the work runs on."""

import torch

from netdyn.errors import NetdynError

__all__ = ["choose_device", "measuring_device", "release_cached_memory"]


def choose_device(name: str) -> torch.device:
    """Return the device of a name: "auto" chooses CUDA, else MPS, else the CPU.

    Raises:
        NetdynError: the named device is not available.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, exists in available.items() if exists)
    if not available.get(name, False):
        present = ", ".join(device for device, exists in available.items() if exists)
        raise NetdynError(f"device {name!r} is not available here: choose one of auto, {present}")
    return torch.device(name)


def measuring_device(name: str) -> torch.device:
    """Return the device that measures, by a name as of `choose_device`: the CPU instead of MPS."""
    chosen = choose_device(name)
    # L-maps, planes and basin sizes are computed in float64, which MPS lacks.
    return torch.device("cpu") if chosen.type == "mps" else chosen


def release_cached_memory(device: torch.device) -> None:
    """Give memory of a GPU that PyTorch holds without use to the other processes on it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
