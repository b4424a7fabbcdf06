"""One training, or a stack of them, to complete runs beside their checkpoints."""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netdyn.errors import NetdynError
from netdyn.records.files import digest
from netdyn.records.run_settings import RunSettings
from netdyn.results import finished
from netdyn.runtime import locks
from netdyn.runtime.devices import choose_device
from netdyn.runtime.terminal import message
from netdyn.training import train
from netdyn.training.engine.stacking import stacks
from netdyn.training.new_runs import NewRun

__all__ = ["Candidate", "complete", "divide"]


class Candidate(NamedTuple):
    """A run that is to be trained: its settings and its places."""

    settings: RunSettings
    data: Path  # the prepared data set
    output: Path  # the run's folder, which names it
    checkpoints: Path  # where it is kept while it is not complete


def divide(runs: Sequence[RunSettings], device: str, engine: str) -> list[list[int]]:
    """Divide runs of one data set into those that train at once; by one, but for engine stacked.

    Returns:
        Places in `runs`, as of `netdyn.training.engine.stacking.stacks`.
    """
    if engine != "stacked":
        return [[place] for place in range(len(runs))]
    return stacks(runs, choose_device(device).type)


def complete(
    candidates: Sequence[Candidate],
    device: str,
    engine: str,
    report: Callable[[int, int, str], None],
    *how: Any,
) -> list[Path] | None:
    """Train runs at once, or go on where they were cut, and keep them beside their checkpoints.

    Runs that are complete are not trained again. A single one trains alone.

    Args:
        candidates: one run, or those of a stack. The order does not matter.
        device: "auto", "cpu", "cuda" or "mps".
        engine: "auto", "plain" or "stacked" (docs/engine.md).
        report: as `progress` of `netdyn.training.train.train`.
        how: stopping, checkpoint_seconds, checkpoint_due, as there.

    Returns:
        The folder of each complete run; None when they were stopped before.

    Raises:
        NetdynError: an output is a file, or as `netdyn.training.train.train` does.
    """
    for each in candidates:
        if each.output.exists() and not each.output.is_dir():
            raise NetdynError(f"{each.output} is a file: delete it, or name another --output")
    # In one order, so that no two processes wait for each other, and a stack has the same bits.
    ordered = sorted(candidates, key=lambda each: str(each.checkpoints))
    with contextlib.ExitStack() as held:
        for each in ordered:
            held.enter_context(locks.alone(each.checkpoints))
        done = _complete(ordered, device, engine, report, *how)
    return None if done is None else [done[each.output] for each in candidates]


def _complete(
    ordered: Sequence[Candidate], device: str, engine: str, *how: Any
) -> dict[Path, Path] | None:
    folders = {
        each.output: finished.storage_folder(
            each.checkpoints, each.settings, each.data, device, engine
        )
        for each in ordered
    }
    left = [each for each in ordered if not finished.is_complete(folders[each.output])]
    for each in ordered:
        if each not in left:
            message(f"{each.output.name}: was trained before, taken from {folders[each.output]}")
    if not left:
        return folders
    of_all = _stack_checkpoints(ordered, folders)
    if of_all.exists():  # it was cut while its runs were written
        left = list(ordered)
    runs = [NewRun(each.settings, folders[each.output]) for each in left]
    data, first = left[0].data, left[0].checkpoints
    if len(left) == 1:
        done = train.train(left[0].settings, data, runs[0].output, first, device, engine, *how)
    else:
        checkpoints = _stack_checkpoints(left, folders)
        done = train.train_stack(runs, data, checkpoints, device, *how)
        if done:
            shutil.rmtree(first, ignore_errors=True)  # no stack of it is left to go on
    return folders if done else None


def _stack_checkpoints(stack: Sequence[Candidate], folders: dict[Path, Path]) -> Path:
    """Return where the checkpoint of these runs lies: among those of the first, by all of them."""
    names = [[each.output.name, folders[each.output].name] for each in stack]
    return stack[0].checkpoints / f"stack-{digest(names)[:10]}"
