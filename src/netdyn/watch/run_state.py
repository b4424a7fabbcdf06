"""What is known of a run of the workflow: its jobs, which of them run, and the time left."""

import dataclasses
import json
import os
import socket
import time
from pathlib import Path

from netdyn.records.files import atomic_write
from netdyn.records.progress_files import Progress, read_progress

__all__ = ["STATE_FILE", "Job", "RunState", "fraction_done", "read_state", "seconds_left"]

STATE_FILE = Path(".snakemake", "netdyn.json")
# Seconds for which the expected speed counts, beside the one that is seen.
TRUST = 20.0
# A job that takes longer than expected counts as nearly done.
NEARLY = 0.95


@dataclasses.dataclass
class Job:
    """A job that runs.

    Attributes:
        name: what it does, in words.
        log: its log; "" where it has none.
        seconds: how long it is expected to take.
        started: when it was started or, on a cluster, submitted; seconds since 1970.
    """

    name: str
    log: str
    seconds: float
    started: float


@dataclasses.dataclass
class RunState:
    """A run of Snakemake.

    Attributes:
        pid, host: the process of Snakemake.
        started, updated, ended: times in seconds since 1970; `ended` is None while it runs.
        cores: jobs that run at a time, about.
        local: whether jobs run on Snakemake's own machine.
        scale: the scale; "" where it is unknown.
        outputs: folders of the figures.
        total, done: numbers of jobs.
        seconds_waiting: what the jobs that have not begun are expected to take.
        seconds_done: what those that are done have taken.
        running: the jobs that run, by Snakemake's number.
        failed: names and logs of the jobs that failed, by Snakemake's number.
    """

    pid: int = dataclasses.field(default_factory=os.getpid)
    host: str = dataclasses.field(default_factory=socket.gethostname)
    started: float = dataclasses.field(default_factory=time.time)
    updated: float = 0.0
    ended: float | None = None
    cores: float = 1.0
    local: bool = True
    scale: str = ""
    outputs: list[str] = dataclasses.field(default_factory=list)
    total: int = 0
    done: int = 0
    seconds_waiting: float = 0.0
    seconds_done: float = 0.0
    running: dict[int, Job] = dataclasses.field(default_factory=dict)
    failed: dict[int, tuple[str, str]] = dataclasses.field(default_factory=dict)

    def write(self, path: Path = STATE_FILE) -> None:
        """Write all of it, for `read_state`."""
        self.updated = time.time()
        text = json.dumps(dataclasses.asdict(self))
        with atomic_write(path, durable=False) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def share_done(self, progress: dict[int, Progress | None], now: float) -> float:
        """Return which part of the run is done, from 0 to 1, jobs weighted by their seconds."""
        done, left = self._work(progress, now)
        return done / max(done + left, 1e-9)

    def seconds_left(self, progress: dict[int, Progress | None], now: float) -> float:
        """Return how long the rest takes.

        How many jobs run at a time, on the average so far, is averaged with `cores`. No job is
        expected to end before its own time is up.
        """
        done, left = self._work(progress, now)
        elapsed = max(now - self.started, 0.0)
        at_a_time = (done + self.cores * TRUST) / (elapsed + TRUST)
        own = [seconds_left(job, progress.get(n), now) or 0.0 for n, job in self.running.items()]
        return max([left / max(at_a_time, 1e-9), *own])

    def _work(self, progress: dict[int, Progress | None], now: float) -> tuple[float, float]:
        """Return the seconds of all jobs that are done, and those that are left."""
        done, left = self.seconds_done, self.seconds_waiting
        for number, job in self.running.items():
            share = fraction_done(job, progress.get(number), now, self.local)
            # A job that takes longer than expected weighs what it has taken.
            seconds = max(job.seconds, now - job.started) if self.local else job.seconds
            done, left = done + share * seconds, left + (1.0 - share) * seconds
        return done, left

    def progress(self) -> dict[int, Progress | None]:
        """Read how far the running jobs are; None for those that do not say so."""
        read = {}
        for number, job in self.running.items():
            now_at = read_progress(job.log) if job.log else None
            # One of a job that was killed before this one began says nothing.
            is_old = now_at and now_at["updated"] < job.started - 60.0
            read[number] = None if is_old else now_at
        return read


def read_state(path: Path = STATE_FILE) -> RunState | None:
    """Return the last run that was started in this folder; None where there was none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        running = {int(n): Job(**job) for n, job in content.pop("running").items()}
        failed = {int(n): (name, log) for n, (name, log) in content.pop("failed").items()}
        return RunState(**content, running=running, failed=failed)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def fraction_done(job: Job, progress: Progress | None, now: float, local: bool) -> float:
    """Return which part of a job is done: by its progress, else by its time.

    On a cluster a job without progress may be waiting, and counts as not begun.
    """
    if progress is not None:
        return min(progress["step"] / max(progress["steps"], 1), 1.0)
    return min((now - job.started) / max(job.seconds, 1e-9), NEARLY) if local else 0.0


def seconds_left(job: Job, progress: Progress | None, now: float) -> float | None:
    """Return how long a job takes yet, by its own steps; None where nothing says so."""
    if progress is None:
        return None
    steps = progress["step"] - progress["first"]
    took = progress["updated"] - progress["started"]
    if steps <= 0 or took <= 0:
        return None
    left = (progress["steps"] - progress["step"]) * took / steps
    return max(left - (now - progress["updated"]), 0.0)
