"""The answer of `netdyn status`: the run in this folder, and what is done of a scale."""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from netdyn.plan.targets import Plan
from netdyn.watch.output import Output
from netdyn.watch.run_state import RunState, read_state
from netdyn.watch.screen import picture
from netdyn.watch.words import duration

__all__ = ["done_of", "is_alive", "lines_of_run", "show"]

# A Snakemake on another machine writes its state every half minute.
SILENT_SECONDS = 120.0


def show(plan: Plan | None) -> None:
    """Print the run in this folder, and what is done of a plan."""
    output = Output(sys.stdout)
    width = output.size[0] if output.is_terminal else 120
    for line in lines_of_run(read_state(), width, time.time()):
        output.line(line)
    if plan is not None:
        for line in done_of(plan):
            output.line(line)


def is_alive(state: RunState, now: float) -> bool:
    """Return whether a run's Snakemake still runs; on another host, whether it wrote lately."""
    if state.ended is not None:
        return False
    if state.host != socket.gethostname():
        return now - state.updated < SILENT_SECONDS
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def lines_of_run(state: RunState | None, width: int, now: float) -> list[str]:
    """Return what there is to say of a run: its picture, or how it has ended.

    Args:
        state: the run; None where none was started here.
        width: characters a line may have.
        now: the time.
    """
    if state is None:
        return [
            "Nothing has run in this folder yet under the logger netdyn of the default profile."
        ]
    jobs = f"{state.done:,} of {state.total:,} jobs"
    failed = [
        f"  failed: {name}{f', see {log}' if log else ''}" for name, log in state.failed.values()
    ]
    if is_alive(state, now):
        lines = [line.plain for line in picture(state, state.progress(), width, 1000, now)]
        where = [f"Figures will be in {folder}." for folder in state.outputs]
        return [*lines, *failed, *where]
    if state.ended is None:
        silent = f"{duration(now - state.updated)} ago"
        return [
            f"Snakemake has ended without a word, last heard of {silent}: {jobs} were done.",
            "Unlock and go on: snakemake --unlock, then the same command again.",
            *failed,
        ]
    ended = f"{duration(now - state.ended)} ago"
    where = [f"Figures are in {folder}." for folder in state.outputs]
    first = f"The last run ended {ended}: {jobs} done, {len(state.failed)} failed."
    return [first, *failed, *where]


def done_of(plan: Plan) -> list[str]:
    """Return how many runs, tables and figures of a plan are there, and where figures are."""
    needed = plan.runs_needed(plan.tables())
    figures = f"{plan.folder}/figures"
    counts = [
        _count("runs", (f"{plan.run_folder(run)}/manifest.json" for run in needed)),
        _count("tables", (f"{plan.folder}/tables/{table}.csv" for table in plan.tables())),
        _count("figures", (f"{figures}/{figure}.pdf" for figure in plan.figures())),
    ]
    return [f"Scale {plan.scale}: {', '.join(counts)}; figures are in {figures}."]


def _count(what: str, files: Iterable[str]) -> str:
    paths = list(files)
    there = 0
    for path in paths:
        with contextlib.suppress(OSError):
            there += Path(path).is_file()
    return f"{there:,} of {len(paths):,} {what}"
