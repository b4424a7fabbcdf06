"""How times are taken: in one process, contenders in turn, the median of the repeats."""

import operator
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch

from netdyn.runtime.torch_internals import capabilities

Work = Callable[[], object]


class Medians(dict[str, float]):
    """Median seconds of a call by contender; `faster`: peer/netdyn of every repeat, sorted."""

    faster: Sequence[float] = ()
    all: Mapping[str, Sequence[float]] = MappingProxyType({})  # of every repeat

    def ratio(self, one: str, other: str) -> tuple[float, float, float]:
        """Return the median of one's time over the other's in the same repeat, and its interval.

        The interval is that of two of the sorted ratios between which the median lies with a
        probability of 95 %, whatever their distribution.
        """
        ratios = sorted(map(operator.truediv, self.all[one], self.all[other]))
        n = len(ratios)
        low = max(0, int(n / 2 - 0.98 * n**0.5))
        return statistics.median(ratios), ratios[low], ratios[n - 1 - low]


def in_turn(
    contenders: Mapping[str, Work],
    repeats: int,
    each: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Medians:
    """Return the median seconds of one call of each contender.

    Every contender is called once before. In each repeat every contender in turn is called `each`
    times, so that a slow moment of the machine meets all of them. The clock `time.process_time`
    does not count the time of other processes.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for work in contenders.values():
        work()
    for _ in range(repeats):
        for name, work in contenders.items():
            since = clock()
            for _ in range(each):
                work()
            times[name].append((clock() - since) / each)
    medians = Medians({name: statistics.median(seconds) for name, seconds in times.items()})
    medians.all = times
    if "peer" in times:
        medians.faster = sorted(map(operator.truediv, times["peer"], times["netdyn"]))
    return medians


def machine() -> dict[str, str]:
    """Return what the times depend on: processor, cores, versions."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
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
