"""A whole scale in one process: one job after the other, stopped and gone on with at any time.

Snakemake makes the same tables from the same functions and starts a process for each job. Here
PyTorch is imported once, data and runs are opened once, and what a run is measured for is measured
while it is at hand. Finished parts go into the committed tables, results/<scale>/reference, so a
later call takes them as they are, and so does Snakemake with reuse=True.
"""

import contextlib
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from netdyn.data import translation
from netdyn.data.datasets import prepare
from netdyn.errors import NetdynError
from netdyn.jobs.measuring import measure_block, quantity, subject_of
from netdyn.jobs.schedule import RunJob, TimeLeft, needs_training, run_jobs
from netdyn.jobs.training import train_run
from netdyn.networks.reading import Network
from netdyn.plan.targets import Plan
from netdyn.quantities.subject import Subject
from netdyn.records import provenance
from netdyn.records.files import digest_file
from netdyn.records.sealed import read_record, record_path
from netdyn.results import finished
from netdyn.results.reference import keep_parts
from netdyn.runtime.terminal import message, progress

__all__ = ["ScaleRun"]

# Seconds between two times at which finished parts go into the committed tables.
KEEP_SECONDS = 60.0


class _Stopped(Exception):
    """A measurement was ended before its last network; nothing of it was written."""


class _Interruptible(Subject):
    """A run whose measurement ends between two networks, once it is asked to."""

    stopping: Callable[[], bool]

    def each_network(self, selector: int | str | list) -> Iterator[tuple[int, Network]]:
        for step, network in super().each_network(selector):
            if self.stopping():
                raise _Stopped
            yield step, network


class ScaleRun:
    """Trains and measures the runs of a scale for a list of tables."""

    def __init__(
        self,
        plan: Plan,
        groups: list[list[str]],
        data_root: Path,
        device: str = "auto",
        engine: str = "auto",
        drop_snapshots: bool = False,
        stopping: Callable[[], bool] = lambda: False,
        checkpoint_seconds: float = 30.0,
    ):
        """
        Args:
            plan: the scale's, with `reuse` set, so that committed rows are taken as they are.
            groups: tables to make, in groups of falling priority.
            data_root: folder of the IDX files.
            device: "auto", "cpu", "cuda" or "mps".
            engine: what trains, "auto" or "plain" (docs/engine.md).
            drop_snapshots: whether the folder of a run goes once all its tables are kept.
            stopping: asked between steps, networks and jobs; once true, the work ends.
            checkpoint_seconds: between two checkpoints of a training.
        """
        self.plan, self.data_root, self.device = plan, Path(data_root), device
        self.engine, self.drop_snapshots, self.stopping = engine, drop_snapshots, stopping
        self.checkpoint_seconds = checkpoint_seconds
        self.jobs = run_jobs(plan, groups)
        self.reference = plan.folder / "reference"
        self.failed: list[str] = []  # runs, or tables without runs, of jobs that failed
        self._complete: set[str] = set()
        self._parts: dict[str, list[tuple[Path, list[Path]]]] = {}
        self._kept_at = time.monotonic()
        self._subject: tuple[str, Subject] | None = None
        self._left = TimeLeft()

    def run(self) -> bool:
        """Work through the jobs; return whether all were come to.

        What is finished is in the committed tables when this returns. A job that fails is shown
        with its traceback and counted in `failed`; the others go on.
        """
        trainings = len({j.run.id for j in self.jobs if j.run and needs_training(self.plan, j)})
        measuring = sum(len(self._measured(job)) for job in self.jobs)
        message(
            f"scale {self.plan.scale}: {trainings} runs to train, {measuring} measurements of them"
        )
        done = True
        try:
            for number, job in enumerate(self.jobs):
                if self.stopping() or not self._make_or_report(number, job):
                    done = False
                    break
                self._keep_now_and_then(number)
        finally:
            self._keep(len(self.jobs) if done else 0)
        return done

    def _measured(self, job: RunJob) -> list[str]:
        return [n for n in job.tables if self.plan.measurement(n).quantity != "history"]

    def _make_or_report(self, number: int, job: RunJob) -> bool:
        # Hours of work must not end with the one job in hundreds that cannot be done.
        try:
            return self._make(number, job)
        except Exception as error:
            subject = job.run.id if job.run else ", ".join(job.tables)
            said = str(error) if isinstance(error, NetdynError) else traceback.format_exc()
            message(f"error: {subject}: {said}")
            self.failed.append(subject)
            return True

    def _make(self, number: int, job: RunJob) -> bool:
        """Train a run unless that is done, measure it; return False where it had to stop."""
        if job.run is not None:
            self._prepare(job.run.id)
        if needs_training(self.plan, job) and not self._train(number, job):
            return False
        for position, name in enumerate(job.tables):
            if self.stopping():
                return False
            part, folders = self._part(name, job)
            if name in self._measured(job) and not self._is_current(name, job, part):
                what = f"{name} of {job.run.id}" if job.run else name
                self._message(number, position, f"measure {what}")
                started = time.monotonic()
                try:
                    self._measure(name, job, part)
                except _Stopped:
                    return False
                self._left.measured(name, time.monotonic() - started)
            self._parts.setdefault(name, []).append((part, folders))
        return True

    def _prepare(self, run_id: str) -> None:
        path = Path(self.plan.data_file(run_id))
        if path.is_file():
            return
        settings = self.plan.run(run_id).settings
        source = path.with_name(f"{settings['dataset']}.safetensors")
        if not source.is_file():
            message(f"prepare {settings['dataset']} from {self.data_root}")
            prepare(settings["dataset"], self.data_root, source)
        if path != source:
            message(f"translate the training images of {settings['dataset']}")
            translation.write_translated(source, path)

    def _train(self, number: int, job: RunJob) -> bool:
        run = job.run
        if run.id in self._complete:
            return True
        self._message(number, 0, f"train {run.id}")
        started = time.monotonic()
        with progress(run.id, run.settings["steps"]) as report:
            complete = train_run(
                run.settings,
                Path(self.plan.data_file(run.id)),
                self._folder(run.id),
                self._checkpoints(run.id),
                self.device,
                self.engine,
                report,
                self.stopping,
                self.checkpoint_seconds,
            )
        if not complete:
            return False
        self._left.trained(run.settings, time.monotonic() - started)
        self._complete.add(run.id)
        return True

    def _folder(self, run_id: str) -> Path:
        return Path(self.plan.run_folder(run_id))

    def _checkpoints(self, run_id: str) -> Path:
        return self.plan.folder / "checkpoints" / run_id

    def _part(self, name: str, job: RunJob) -> tuple[Path, list[Path]]:
        """Return the file of a job's part of a table, and the folders of the runs in it."""
        if job.run is None:
            return self.plan.folder / "tables" / "parts" / name / "none.csv", []
        folder = self._folder(job.run.id)
        if self.plan.measurement(name).quantity == "history":
            return folder / "history.csv", [folder]
        return self.plan.folder / "tables" / "parts" / name / f"{job.run.id}.csv", [folder]

    def _described(self, name: str, job: RunJob) -> list[dict]:
        """Return the run of a job as a measurement's settings name it."""
        if job.run is None:
            return []
        of_data = not needs_training(self.plan, RunJob(job.run, (name,)))
        where = (
            {"settings": self.plan.run_settings_file(job.run.id)}
            if of_data
            else {"folder": self.plan.run_folder(job.run.id)}
        )
        data_file = self.plan.data_file(job.run.id)
        return [{**where, "data": data_file, "identity": job.run.columns()}]

    def _measure(self, name: str, job: RunJob, part: Path) -> None:
        measurement = self.plan.measurement(name)
        described = self._described(name, job)
        measure_block(
            *(measurement.quantity, measurement.settings, described, part, self.device),
            open_subject=self._open,
        )

    def _open(self, run: Mapping, device: str) -> Subject:
        """Open a run, or return it where it was the last to be opened."""
        key = run.get("folder", run.get("settings"))
        if self._subject is None or self._subject[0] != key:
            opened = _Interruptible(*subject_of(run, device))
            opened.stopping = self.stopping
            self._subject = key, opened
        return self._subject[1]

    def _is_current(self, name: str, job: RunJob, part: Path) -> bool:
        """Return whether a part is there, of these settings, this run and this code."""
        measurement = self.plan.measurement(name)
        try:
            record = read_record(record_path(part))
        except NetdynError:
            return False
        module = quantity(measurement.quantity).__module__
        current = {
            "settings": measurement.settings,
            "code": provenance.code_digest(module),
            "runs": [
                digest_file(Path(run["folder"]) / "manifest.json")
                for run in self._described(name, job)
                if "folder" in run
            ],
        }
        recorded = {
            "settings": record["settings"],
            "code": record["made"]["code_sha256"],
            "runs": [r["manifest_sha256"] for r in record["runs"] if "manifest_sha256" in r],
        }
        with contextlib.suppress(FileNotFoundError):
            return current == recorded and digest_file(part) == record["sha256"]
        return False

    def _keep_now_and_then(self, number: int) -> None:
        if time.monotonic() - self._kept_at > KEEP_SECONDS:
            self._keep(number + 1)

    def _keep(self, done: int) -> None:
        """Put finished parts into the committed tables; `done` jobs need their runs no more."""
        for name, parts in self._parts.items():
            keep_parts(parts, self.plan.keep_settings(name), self.reference)
        self._parts.clear()
        self._kept_at = time.monotonic()
        if self.drop_snapshots and done:
            needed = {job.run.id for job in self.jobs[done:] if job.run} | set(self.failed)
            for run_id in sorted(self._complete - needed):
                shutil.rmtree(self._folder(run_id), ignore_errors=True)
                shutil.rmtree(finished.folder_of(self._checkpoints(run_id)), ignore_errors=True)
                self._complete.discard(run_id)

    def _message(self, number: int, position: int, what: str) -> None:
        later = self.jobs[number + 1 :]
        to_train = {
            j.run.id: j.run.settings
            for j in self.jobs[number:]
            if needs_training(self.plan, j) and j.run.id not in self._complete
        }
        to_measure = list(self.jobs[number].tables[position:])
        to_measure += [n for j in later for n in self._measured(j)]
        seconds = self._left.estimate(to_train.values(), to_measure)
        left = "" if seconds is None else f", about {seconds / 60:.1f} min left"
        message(f"{number + 1} of {len(self.jobs)}: {what}{left}")
