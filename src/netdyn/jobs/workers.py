"""Several processes that make one scale together, so that one GPU is never idle.

While one process reads, draws noise or waits for the launches of a small network, the others
compute. Each trains and measures as it would alone, so the results have the same bits.
"""

import contextlib
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from netdyn.jobs.scale import ScaleRun
from netdyn.jobs.sharing import SharedJobs
from netdyn.plan.readings import plan_of
from netdyn.runtime import terminal
from netdyn.runtime.terminal import message

__all__ = ["run_in_workers"]

WAITING_SECONDS = 0.2


def run_in_workers(
    workers: int,
    work: ScaleRun,
    planned: tuple[Path, Mapping, str],
    groups: list[list[str]],
    until: float | None,
    stopping: Callable[[], bool],
) -> tuple[bool, list[str]]:
    """Make the jobs of a scale in several processes.

    Args:
        workers: how many, at least 2. Where CUDA shows several GPUs, they are dealt out in turn.
        work: the scale's plan and options; nothing is made in this process.
        planned: workflow's folder, overrides and scale, of which `plan_of` makes the plan.
        groups: as of `ScaleRun`.
        until: the value of time.monotonic() at which the work stops, None for no such time.
        stopping: asked now and then; where it is true, the processes are terminated to stop.

    Returns:
        Whether all jobs were reached; and the runs and tables that failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="netdyn-jobs-"))
    options = {
        "planned": planned,
        "groups": groups,
        "data_root": work.data_root,
        "device": work.device,
        "engine": work.engine,
        "drop_snapshots": work.drop_snapshots,
        "checkpoint_seconds": work.checkpoint_seconds,
        "shared": folder,
        "workers": workers,
    }
    left = SharedJobs(folder, work.jobs)
    try:
        while _one_round(workers, until, options, left, stopping):
            missing = left.uncommitted()
            left.make_again(missing)
            message(f"{len(missing)} jobs are made again")
        return not left.uncommitted(), left.all_failed()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _one_round(
    workers: int,
    until: float | None,
    options: Mapping[str, Any],
    left: SharedJobs,
    stopping: Callable[[], bool],
) -> bool:
    """Let workers make jobs until none is left; return whether another round is of use.

    That is where a worker was killed: what it had made and not yet committed is missing.
    """
    # Spawned, not forked: CUDA does not survive a fork.
    context = multiprocessing.get_context("spawn")
    gpus = _gpus()
    before = left.uncommitted()
    processes = [
        context.Process(
            target=_work,
            args=(number, gpus[number % len(gpus)] if gpus else None, until, options),
            name=f"worker {number}",
        )
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    terminated = False
    while any(process.is_alive() for process in processes):
        time.sleep(WAITING_SECONDS)
        if stopping() and not terminated:
            terminated = True
            for process in processes:
                process.terminate()
    for process in processes:
        if process.exitcode:
            message(f"error: {process.name} ended with status {process.exitcode}")
    after = left.uncommitted()
    return any(p.exitcode for p in processes) and not terminated and 0 < len(after) < len(before)


def _gpus() -> list[str]:
    """Return the names of the GPUs that CUDA shows, as CUDA_VISIBLE_DEVICES has them."""
    import torch

    count = torch.cuda.device_count()
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = shown.split(",") if shown else [str(number) for number in range(count)]
    return names[:count]


def _work(number: int, gpu: str | None, until: float | None, options: Mapping[str, Any]) -> None:
    """Make jobs in a process of its own until none is left."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    terminal.prefix_messages(f"worker {number}: ")
    parent = multiprocessing.parent_process()
    with terminal.received_signals() as signals, contextlib.suppress(KeyboardInterrupt):
        rest = dict(options)
        ScaleRun(
            plan_of(*rest.pop("planned")),
            rest.pop("groups"),
            stopping=lambda: (
                signals.stopping()
                or (until is not None and time.monotonic() > until)
                or not (parent and parent.is_alive())
            ),
            checkpoint_due=signals.checkpoint_due,
            **rest,
        ).run()
