"""What a dry run ends in: how many jobs of each rule would run, and for how long."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from netdyn.watch.words import duration

__all__ = ["PlannedJob", "predicted", "summary"]

FULL = "Every job, with its reason and files: the same command with --logger-netdyn-full."


class PlannedJob(NamedTuple):
    """A job that would run: its rule, the seconds expected, and its threads."""

    rule: str
    seconds: float
    threads: int = 1


def predicted(jobs: Iterable[PlannedJob], cores: float) -> float:
    """Return the seconds that jobs take on `cores` cores, none of which is ever without work."""
    jobs = list(jobs)
    work = sum(job.seconds * min(job.threads, cores) for job in jobs)
    return max([work / max(cores, 1.0), *(job.seconds for job in jobs)])


def summary(jobs: Iterable[PlannedJob], cores: float) -> str:
    """Return the lines that say what would run and for how long.

    Args:
        jobs: those that would run, in their order.
        cores: processor cores that they share.
    """
    jobs = list(jobs)
    if not jobs:
        return "No job would run."
    by_rule: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        by_rule[job.rule].append(job.seconds)
    width = max(map(len, by_rule))
    count = f"{len(jobs):,} job{'s' * (len(jobs) != 1)}"
    on = f"{cores:g} core{'s' * (cores != 1)}"
    lines = [f"{count} would run, in about {duration(predicted(jobs, cores))} on {on}:"]
    lines += [
        f"{len(seconds):8,}  {rule:{width}}  {duration(sum(seconds)):>12}"
        for rule, seconds in by_rule.items()
    ]
    return "\n".join([*lines, FULL])
