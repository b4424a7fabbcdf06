"""The order in which the runs of a whole scale are trained and measured."""

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from netdyn.errors import NetdynError
from netdyn.plan.settings import Run
from netdyn.plan.tables import OF_DATA
from netdyn.plan.targets import Plan

__all__ = ["RunJob", "chosen_tables", "needs_training", "run_jobs", "runs_of_block"]


class RunJob(NamedTuple):
    """One run, trained unless it is complete, and the tables that it is measured for."""

    run: Run | None  # None: the tables are measured on no run
    tables: tuple[str, ...]


def chosen_tables(plan: Plan, names: Sequence[str]) -> list[list[str]]:
    """Return the requested tables, in groups of falling priority.

    Args:
        plan: the scale's.
        names: tables or figures, a figure standing for its tables; empty for all tables, in the
            order of `Plan.tables_by_priority`.

    Raises:
        NetdynError: a name is neither table nor figure; the message gives the nearest, or all.
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
            known = [*plan.figures(), *plan.measurements]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f": choose from {', '.join(known)}"
            raise NetdynError(f"--tables: no table or figure {name!r} at scale {plan.scale}{hint}")
    return groups


def run_jobs(plan: Plan, groups: Iterable[Sequence[str]]) -> list[RunJob]:
    """Return the jobs of tables whose rows are not committed: seed by seed, group by group.

    Within a group a run is measured for all its tables at once.
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


def runs_of_block(
    plan: Plan, jobs: Iterable[RunJob], run: Run, has_place: Callable[[str], bool]
) -> list[Run]:
    """Return the runs of a run's block that jobs train and that have no place yet, and itself.

    Args:
        plan, jobs: the scale's.
        run: one of the runs.
        has_place: whether a run, by its id, is trained.
    """
    blocks = plan.training_blocks()
    others = {
        job.run.id: job.run
        for job in jobs
        if job.run
        and blocks[job.run.id] == blocks[run.id]
        and needs_training(plan, job)
        and not has_place(job.run.id)
    }
    return [*({run.id: run} | others).values()]
