"""What training at a scale costs on one GPU, from the settings alone: no torch, no GPU.

A step's kernels (`gpu.kernels`) run one after the other. Each starts a while after the one before
and then works at the rate of its products or of the memory, whichever is slower. Launched one by
one, a step also takes no less than the host needs for its launches; a CUDA graph takes these off
the host, where training uses graphs. Stacked, the seeds of such a run share each kernel (engine
stacked): its start once, the work of all. The roofline is what no order of kernels can beat: all
products at the rate that a large one attains, or the least bytes through the memory
(`least_bytes`), whichever takes longer.

Not in it: evaluation (`gpu.measuring`), loading, checkpoints, inputs that training omits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd

from gpu.kernels import Kernel, is_recorded, least_bytes, seconds_of, step_flop, step_kernels
from gpu.rates import HOST_LAUNCH, HOST_STEP, KERNEL_START, Gpu
from netdyn.plan.settings import Run

__all__ = ["COLUMNS", "launched_seconds", "rounded_precision", "step_seconds", "training_costs"]

# The columns of seconds: precision of networks with batch norm, and how kernels are launched.
COLUMNS = {
    "float32_s": ("float32", "launches"),
    "bfloat16_s": ("bfloat16", "launches"),
    "bfloat16_graphs_s": ("bfloat16", "graphs"),
    "bfloat16_stacked_s": ("bfloat16", "stacked"),
    "roofline_s": ("bfloat16", "roofline"),
}


def rounded_precision(settings: Mapping, precision: str) -> str:
    """Return `precision` where the network has batch norm; the others are float32 throughout."""
    return precision if settings["batch_norm"] else "float32"


# Launches of a step of a stack of runs beside those of one run (engine stacked).
STACK_LAUNCHES = 4


def launched_seconds(
    kernels: Iterable[Kernel], gpu: Gpu, precision: str, graphs: bool, runs: int = 1
) -> float:
    """Return the seconds of a training step's kernels, one after the other, of all their runs."""
    kernels = list(kernels)
    device = sum(KERNEL_START + seconds_of(kernel, gpu, precision, runs) for kernel in kernels)
    return device if graphs else max(device, HOST_STEP + HOST_LAUNCH * len(kernels))


def step_seconds(settings: Mapping, gpu: Gpu, precision: str, how: str, runs: int = 1) -> float:
    """Return the seconds of one training step of one run.

    Args:
        settings, gpu, precision: the run's, what computes, and in which precision.
        how: launches, graphs, stacked or roofline.
        runs: of how many, where they are stacked, each has its share of the seconds.
    """
    if how == "roofline":
        products = step_flop(settings) / gpu.attained[precision]
        return max(products, least_bytes(settings, precision) / gpu.copy)
    kernels = step_kernels(settings, precision)
    recorded = how != "launches" and is_recorded(settings)
    if how == "stacked" and recorded and runs > 1:
        kernels += [Kernel("of the stack")] * STACK_LAUNCHES
        return launched_seconds(kernels, gpu, precision, True, runs) / runs
    return launched_seconds(kernels, gpu, precision, recorded)


def training_costs(grouped: Mapping[str, list[Run]], gpu: Gpu) -> pd.DataFrame:
    """Return a row per group and their sum, `training`.

    Returns:
        group; trainings; steps, of all trainings; pflop of their products; bytes_per_step and
        launches_per_step, means over these steps in bfloat16 with batch norm, float32 without; and
        seconds as `COLUMNS` names them. Numbers are rounded to three digits.
    """
    rows = [_total(name, runs, gpu) for name, runs in grouped.items()]
    rows.append(_total("training", [run for runs in grouped.values() for run in runs], gpu))
    return pd.DataFrame(rows)


def _total(name: str, runs: list[Run], gpu: Gpu) -> dict[str, object]:
    alike = Counter(map(_but_for_the_seed, runs))
    each = [_run(run.settings, gpu, alike[_but_for_the_seed(run)]) for run in runs]
    total = {key: sum(row[key] for row in each) for key in each[0]}
    steps = total["steps"]
    return {
        "group": name,
        "trainings": len(runs),
        "steps": steps,
        "pflop": _rounded(total["flop"] / 1e15),
        "bytes_per_step": _rounded(total["bytes"] / steps),
        "launches_per_step": _rounded(total["launches"] / steps),
        **{column: _rounded(total[column]) for column in COLUMNS},
    }


def _but_for_the_seed(run: Run) -> str:
    return repr(sorted((name, value) for name, value in run.settings.items() if name != "seed"))


def _run(settings: Mapping, gpu: Gpu, seeds: int) -> dict[str, float]:
    steps = settings["steps"]
    kernels = step_kernels(settings, rounded_precision(settings, "bfloat16"))
    seconds = {
        column: steps
        * step_seconds(settings, gpu, rounded_precision(settings, precision), how, seeds)
        for column, (precision, how) in COLUMNS.items()
    }
    return {
        "steps": steps,
        "flop": steps * step_flop(settings),
        "bytes": steps * sum(kernel.bytes for kernel in kernels),
        "launches": steps * len(kernels),
        **seconds,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
