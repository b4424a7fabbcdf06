"""How times are taken: in one process, contenders in turn, the median of the repeats."""

import platform
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from netdyn.products import capabilities

Work = Callable[[], object]


def in_turn(contenders: Mapping[str, Work], repeats: int, each: int = 1) -> dict[str, float]:
    """Return the median seconds of one call of each contender.

    Every contender is called once before. In each repeat every contender in turn is called `each`
    times, so that a slow moment of the machine meets all of them.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for work in contenders.values():
        work()
    for _ in range(repeats):
        for name, work in contenders.items():
            since = time.perf_counter()
            for _ in range(each):
                work()
            times[name].append((time.perf_counter() - since) / each)
    return {name: statistics.median(taken) for name, taken in times.items()}


def machine() -> dict[str, str]:
    """Return what the times depend on: processor, cores, versions."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
        processor = models[0]
    except (OSError, IndexError):
        pass
    instructions = sorted(
        name
        for name, there in capabilities().items()
        if there is True and name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16", "bf16")
    )
    return {
        "processor": processor,
        "instructions": " ".join(instructions),
        "cores": str(torch.get_num_threads()),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
