"""In which order a whole scale is made, one run after the other, and how much work is left."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from netdyn.errors import NetdynError
from netdyn.plan.settings import Run
from netdyn.plan.tables import OF_DATA
from netdyn.plan.targets import Plan

__all__ = ["RunJob", "TimeLeft", "chosen_tables", "run_jobs", "training_work"]

# Multiplications that take a GPU as long as starting one step's kernels: work of a small step.
STEP_OVERHEAD = 2e9


class RunJob(NamedTuple):
    """One run, to be trained unless it is there, and the tables that it is measured for."""

    run: Run | None  # None: the tables are measured on no run
    tables: tuple[str, ...]


def chosen_tables(plan: Plan, names: Sequence[str]) -> list[list[str]]:
    """Return the tables to make, in groups of falling priority.

    Args:
        names: tables, or figures, which stand for theirs; empty for everything, in the order of
            `Plan.tables_by_priority`.

    Raises:
        NetdynError: for a name that is neither; the message lists what there is.
    """
    if not names:
        return plan.tables_by_priority()
    groups: list[list[str]] = []
    for name in names:
        if name in plan.figures():
            groups.append(list(plan.figure_tables(name)))
        elif name in plan.measurements:
            groups.append([name])
        else:
            raise NetdynError(
                f"--tables: no table or figure {name!r} at scale {plan.scale}: choose from "
                f"{', '.join([*plan.figures(), *plan.measurements])}"
            )
    return groups


def run_jobs(plan: Plan, groups: Iterable[Sequence[str]]) -> list[RunJob]:
    """Return what is still to be made: for one seed after the other, group by group.

    Within a group a run is measured for all its tables at once. Rows that are committed already
    are left out.
    """
    by_seed: dict[int, list[RunJob]] = defaultdict(list)
    planned: set[str] = set()
    without_run: list[RunJob] = []
    for group in groups:
        tables = [name for name in dict.fromkeys(group) if name not in planned]
        planned.update(tables)
        of_run: dict[str, list[str]] = defaultdict(list)
        runs: dict[str, Run] = {}
        for name in tables:
            if not plan.measurement(name).runs and plan.blocks(name):
                without_run.append(RunJob(None, (name,)))
            for run in plan.measurement(name).runs:
                if run.id not in plan.reused_runs(name):
                    runs[run.id] = run
                    of_run[run.id].append(name)
        for run_id, run in runs.items():
            by_seed[run.settings["seed"]].append(RunJob(run, tuple(of_run[run_id])))
    jobs = [job for seed in sorted(by_seed) for job in by_seed[seed]]
    return without_run + jobs


def needs_training(plan: Plan, job: RunJob) -> bool:
    """Return whether a job reads a trained network, or its run's samples alone."""
    quantities = (plan.measurement(name).quantity for name in job.tables)
    return job.run is not None and any(quantity not in OF_DATA for quantity in quantities)


def training_work(settings: Mapping) -> float:
    """Return the multiplications of a training, with a step's own cost added."""
    widths = [784, *settings["width"], 10]
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    batch = settings["samples"] if settings["batch_size"] == "full" else settings["batch_size"]
    return settings["steps"] * (3 * batch * weights + STEP_OVERHEAD)


class TimeLeft:
    """Estimates the seconds that are left, from what trainings and measurements took so far."""

    def __init__(self) -> None:
        self._work, self._seconds = 0.0, 0.0
        self._measured: dict[str, list[float]] = defaultdict(list)

    def trained(self, settings: Mapping, seconds: float) -> None:
        """Take note of a training."""
        self._work += training_work(settings)
        self._seconds += seconds

    def measured(self, table: str, seconds: float) -> None:
        """Take note of a measurement of a table on one run."""
        self._measured[table].append(seconds)

    def estimate(self, to_train: Iterable[Mapping], to_measure: Iterable[str]) -> float | None:
        """Return the seconds that these trainings and measurements take, None where unknown."""
        work = sum(map(training_work, to_train))
        if work and not self._work:
            return None
        every = [seconds for known in self._measured.values() for seconds in known] or [0.0]
        mean = sum(every) / len(every)
        known = {name: sum(took) / len(took) for name, took in self._measured.items()}
        measuring = sum(known.get(name, mean) for name in to_measure)
        return (work / self._work * self._seconds if work else 0.0) + measuring
