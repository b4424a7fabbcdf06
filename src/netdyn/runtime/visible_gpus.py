"""Whether a process on this machine would see an NVIDIA GPU, determined without PyTorch.

The workflow checks this before it plans a job: importing PyTorch would take seconds, and starting
CUDA would use memory of the GPU.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["a_gpu_is_visible"]

# One folder for each GPU that the driver runs.
DRIVERS_GPUS = Path("/proc/driver/nvidia/gpus")


def a_gpu_is_visible(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the driver runs a GPU that CUDA_VISIBLE_DEVICES does not hide.

    The answer is True also where PyTorch cannot use the GPU because it is a CPU build.

    Args:
        environment: what a job inherits. CUDA sees the GPUs that CUDA_VISIBLE_DEVICES names up to
            the first name that is none, so that "", "-1" and "NoDevFiles" hide them all.
    """
    shown = environment.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        first = shown.split(",")[0].strip()
        if not first.isdecimal() and not first.startswith(("GPU-", "MIG-")):
            return False
    return _listed_by_driver() or _listed_by_tool()


def _listed_by_driver() -> bool:
    try:
        return any(DRIVERS_GPUS.iterdir())
    except OSError:
        return False


def _listed_by_tool() -> bool:
    # Containers may have only the tool.
    try:
        completed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, encoding="utf-8", timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return completed.stdout.startswith("GPU ")
