"""A run as it is told by Snakemake's events: what is kept of each, and what is shown."""

import contextlib
import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePath
from typing import Any, TypedDict

from netdyn.watch.dry_run import PlannedJob, predicted, summary
from netdyn.watch.job_times import JobTimes
from netdyn.watch.output import Output
from netdyn.watch.run_state import Job, RunState
from netdyn.watch.screen import picture
from netdyn.watch.sentences import beginning, ending, failure
from netdyn.watch.words import duration, job_name
from netdyn.watch.work_left import WorkLeft

__all__ = ["ExpectedJob", "Follower"]

# Seconds between two pictures, two looks at jobs on a cluster, and two writes of the state.
PICTURE_SECONDS, CLUSTER_SECONDS, STATE_SECONDS = 0.5, 5.0, 2.0
# The state of a run is written this often where nothing happens: the run is still alive.
ALIVE_SECONDS = 30.0
# Jobs at a time on a cluster that sets no limit.
UNLIMITED = 100

# What Snakemake says beside events and is not shown; its log file has it.
_SILENT = (
    *("Workflow has started", "Building DAG", "Updating checkpoint", "Using shell", "Processed "),
    *("Provided ", "Rules claiming", "Select jobs", "Execute ", "Group jobs: inactive", "Reasons:"),
    *("Conda environments: ignored", "Singularity containers: ignored", "Complete log"),
    *("This was a dry-run", "Some jobs were triggered", "Assuming unrestricted", "Elapsed time"),
    *("Removing output files of failed", "Exiting because a job", "Will exit after"),
    *("Shutting down, this", "Job stats", "Touching output", "Trying to restart"),
    *("Rules with provenance", "SLURM run ID", "Cleaning up SLURM log", "Submitted array job"),
)
_SUBMITTED = "has been submitted with SLURM"
_SOME_FAILED = "At least one job did not complete successfully"


class ExpectedJob(TypedDict):
    """A job that Snakemake is going to run: its number, and what tells its time."""

    number: int
    rule: str
    wildcards: Mapping[str, str]
    benchmark: str | None
    threads: int
    output: str


class Follower:
    """Keeps the state of a run by Snakemake's log records, and shows it.

    Records may come from any thread.
    """

    def __init__(
        self, output: Output | None, quiet: Collection[str] = (), is_dry: bool = False
    ) -> None:
        """Args: where to show the run, if anywhere; what not to show of it; whether jobs run."""
        self.output, self._quiet, self._is_dry = output, set(quiet), is_dry
        self.state = RunState()
        self._times = JobTimes()
        self._lock = threading.RLock()
        self._expected: dict[int, ExpectedJob] | None = None
        self._work = WorkLeft()
        self._rules: dict[str, int] = {}  # and how many jobs they have
        self._planned: list[PlannedJob] = []
        self._began = False
        self._progress_read = self._written = float("-inf")
        self._progress: dict[int, Any] = {}
        self._closed = threading.Event()
        self._timer: threading.Thread | None = None

    # What the workflow says before its jobs run

    def expect(
        self,
        cores: float | None = None,
        scale: str | None = None,
        jobs: Iterable[ExpectedJob] | None = None,
    ) -> None:
        """Take note of cores and scale, or of all jobs that are going to run."""
        with self._lock:
            if cores:
                self.state.cores = float(cores)
            if scale:
                self.state.scale = scale
            if jobs is None:
                return
            self._expected = {job["number"]: job for job in jobs if job["output"]}
            for number, job in self._expected.items():
                seconds = self._times.seconds(job["rule"], job["wildcards"], job["benchmark"])
                self._work.add(number, job["rule"], seconds)
            drawn = [
                job
                for job in self._expected.values()
                if self._times.plain_rule(job["rule"]) == "draw_figure"
            ]
            folders = [str(PurePath(job["output"]).parent) for job in drawn]
            self.state.outputs = list(dict.fromkeys(folders))
            self.state.total, self.state.seconds_waiting = len(self._work), self._work.seconds()

    # Events

    def handle(self, record: logging.LogRecord) -> None:
        """Take note of a record, and show what there is to see."""
        event = str(getattr(record, "event", None) or "")
        with self._lock:
            method = getattr(self, f"_on_{event}", None) if event else self._on_message
            if method is not None:
                method(record)
            self._refresh(force=False)

    def _on_message(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip() if record.msg is not None else ""
        is_mistake = record.levelno >= logging.WARNING
        if not text or record.levelno < logging.INFO or text.startswith(_SILENT):
            return
        if _SUBMITTED in text and not is_mistake:
            return
        if is_mistake or "progress" not in self._quiet:
            self._line(text, "red" if record.levelno >= logging.ERROR else "")

    def _on_error(self, record: logging.LogRecord) -> None:
        text = record.getMessage() if record.msg is not None else ""
        # The event of a job that failed says more, before or after.
        if "CalledProcessError" in text or (self.state.failed and _SOME_FAILED in text):
            return
        self._line(text, "red")

    def _on_resources_info(self, record: logging.LogRecord) -> None:
        if getattr(record, "cores", None):
            self.state.cores = float(record.cores)
        if getattr(record, "nodes", None):
            self.state.local, self.state.cores = False, float(min(record.nodes, UNLIMITED))

    def _on_run_info(self, record: logging.LogRecord) -> None:
        stats = getattr(record, "stats", None) or {}
        self._rules = {rule: int(n) for rule, n in stats.items() if rule != "total"}
        if self._expected is None and not self._is_dry and not self._began:
            self.state.total = sum(self._rules.values())
            for rule, jobs in self._rules.items():
                self._work.add_rule(rule, jobs, self._of_rule(rule))
            self.state.seconds_waiting = self._work.seconds()

    def _on_job_info(self, record: logging.LogRecord) -> None:
        number, rule, wildcards = record.jobid, record.rule_name, dict(record.wildcards or {})
        is_target = not record.output and number not in self._work
        if self._is_dry:
            if record.output:
                seconds = self._times.seconds(rule, wildcards, record.benchmark)
                self._planned.append(PlannedJob(rule, seconds, int(record.threads or 1)))
            return
        if is_target and self._expected is not None:
            return
        self._begin()
        seconds = self._work.begin(number, rule, self._of_rule(rule))
        self.state.seconds_waiting = self._work.seconds()
        name = job_name(rule, record.rule_msg, wildcards, self.state.scale)
        log = str(record.log[0]) if record.log else ""
        self.state.failed.pop(number, None)  # it is tried again
        self.state.running[number] = Job(name, log, seconds, time.time())

    def _on_job_finished(self, record: logging.LogRecord) -> None:
        job = self.state.running.pop(record.job_id, None)
        if job is None:
            return
        seconds = time.time() - job.started
        self._work.end(record.job_id, seconds)
        self.state.done += 1
        self.state.seconds_done += seconds
        self.state.seconds_waiting = self._work.seconds()
        is_plain = self.output is not None and not self.output.is_terminal
        if is_plain and not {"rules", "progress"} & self._quiet:
            self._line(f"{self._count()} {job.name}: done in {duration(seconds)}")

    def _on_job_error(self, record: logging.LogRecord) -> None:
        self._begin()
        job = self.state.running.pop(record.jobid, None)
        name = job.name if job else job_name(record.rule_name, None, {}, self.state.scale)
        logs = [str(log) for log in record.log or ()]
        self.state.failed[record.jobid] = (name, logs[0] if logs else "")
        self._line(f"{self._count()} {failure(name, logs)}", "red")

    def _on_group_error(self, record: logging.LogRecord) -> None:
        # Its members' errors follow, each with its own log.
        logs = [str(log) for log in record.aux_logs or ()]
        if logs:
            self._begin()
            self._line(failure("a group of jobs", logs), "red")

    def _on_progress(self, record: logging.LogRecord) -> None:
        if self._expected is None and not self._is_dry:
            self.state.total = max(record.total, self.state.done)

    # What is shown

    def _of_rule(self, rule: str) -> float:
        return self._times.seconds(rule, {"scale": self.state.scale}, None)

    def _count(self) -> str:
        done = self.state.done + len(self.state.failed)
        return f"[{done:,} of {self.state.total:,}]"

    def _begin(self) -> None:
        if self._began:
            return
        self._began = True
        self.state.started = time.time()
        if "progress" not in self._quiet:
            self._line(beginning(self.state, self._expected_seconds()), "bold")
        self._timer = threading.Thread(target=self._tick, daemon=True, name="netdyn-progress")
        self._timer.start()

    def _expected_seconds(self) -> float:
        if self._expected is None:
            return self.state.seconds_waiting / max(self.state.cores, 1.0)
        jobs = self._expected.items()
        planned = [PlannedJob(j["rule"], self._work.expected(n), j["threads"]) for n, j in jobs]
        return predicted(planned, self.state.cores)

    def _line(self, text: str, style: str = "") -> None:
        if self.output is not None and text and ("all" not in self._quiet or self._is_dry):
            self.output.line(text, style)

    def _tick(self) -> None:
        """Draw a picture now and then. An error in here only ends the pictures."""
        while not self._closed.wait(PICTURE_SECONDS):
            try:
                with self._lock:
                    if not self._closed.is_set():
                        self._refresh(force=True)
            except Exception as error:
                logging.getLogger(__name__).debug("no progress is shown any more: %s", error)
                with contextlib.suppress(Exception):
                    if self.output is not None:
                        self.output.end()
                return

    def _refresh(self, force: bool) -> None:
        if not self._began or self._closed.is_set():
            return
        now = time.monotonic()
        pause = STATE_SECONDS if not force else ALIVE_SECONDS
        if now - self._written >= pause:
            self._written = now
            with contextlib.suppress(OSError):
                self.state.write()
        shows = self.output is not None and self.output.is_terminal
        if not force or not shows or {"progress", "all"} & self._quiet:
            return
        if now - self._progress_read >= (0 if self.state.local else CLUSTER_SECONDS):
            self._progress_read, self._progress = now, self.state.progress()
        width, height = self.output.size
        self.output.show(picture(self.state, self._progress, width, height, time.time()))

    def close(self) -> None:
        """Show how the run has ended. Nothing is shown from then on."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            if self.output is not None:
                self.output.end()
            if self._is_dry:
                self._end_dry_run()
            elif self._began:
                self.state.ended = time.time()
                with contextlib.suppress(OSError):
                    self.state.write()
                if "progress" not in self._quiet or self.state.failed:
                    text = ending(self.state, self.state.ended - self.state.started)
                    self._line(text, "red" if self.state.failed else "bold")

    def _end_dry_run(self) -> None:
        planned = self._planned
        if not planned:  # Snakemake names no jobs where it is quiet about rules
            planned = [
                PlannedJob(rule, self._of_rule(rule))
                for rule, n in self._rules.items()
                for _ in range(n)
            ]
        if planned:
            self._line(summary(planned, self.state.cores))
