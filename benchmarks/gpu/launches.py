"""How many times a step calls the device: kernels, graphs, copies and fills."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

__all__ = ["launches_per_step"]

# What the host calls, by the beginnings of the names that the profiler gives.
CALLS = ("cudaLaunch", "cuLaunch", "cudaGraphLaunch", "cuGraphLaunch", "cudaMemcpy", "cudaMemset")


def launches_per_step(
    advance: Callable[[int], object], device: torch.device, steps: int
) -> float | None:
    """Return the host's calls a step, a mean over `steps` of them; None where there is no CUDA.

    Args:
        advance: makes so many steps.
    """
    if device.type != "cuda":
        return None
    advance(steps)  # what is done once, such as recording a graph
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        advance(steps)
        torch.cuda.synchronize()
    calls = sum(each.count for each in profiled.key_averages() if each.key.startswith(CALLS))
    return calls / steps or None
