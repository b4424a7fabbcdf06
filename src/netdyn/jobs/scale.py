"""A whole scale in one process, job after job; it can be stopped and resumed at any time.

Snakemake makes the same tables by the same functions, with a process for each job. Here PyTorch is
imported once, and a run is opened once for all of its measurements. Finished parts go into the
committed tables, results/<scale>/reference, which a later call reuses, as Snakemake does with
reuse=True.
"""

import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Set
from pathlib import Path

from netdyn.data import prepared, translation
from netdyn.data.datasets import prepare
from netdyn.errors import NetdynError
from netdyn.jobs.completing import Candidate, divide
from netdyn.jobs.measuring import measure_block, quantity, subject_of
from netdyn.jobs.progress import ScaleProgress
from netdyn.jobs.schedule import RunJob, needs_training, run_jobs, runs_of_block
from netdyn.jobs.sharing import OwnJobs, SharedJobs
from netdyn.jobs.stoppable import StoppableSubject, Stopped
from netdyn.jobs.time_left import TimeLeft
from netdyn.jobs.training import train_runs
from netdyn.plan.settings import Run
from netdyn.plan.targets import Plan
from netdyn.quantities.subject import Subject
from netdyn.records import provenance
from netdyn.records.files import digest_file
from netdyn.records.sealed import read_record, record_path
from netdyn.results import placing
from netdyn.results.reference import keep_parts
from netdyn.runtime import locks
from netdyn.runtime.devices import choose_device, release_cached_memory
from netdyn.runtime.terminal import message
from netdyn.training.engine.steps import check_engine

__all__ = ["ScaleRun"]

# Seconds between two writings of the committed tables.
KEEP_SECONDS = 60.0


class ScaleRun:
    """Trains and measures the runs of a scale for chosen tables."""

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
        checkpoint_due: Callable[[], bool] = lambda: False,
        shared: Path | None = None,
        workers: int = 1,
    ):
        """Plan the jobs; nothing is trained yet.

        Args:
            plan: the scale's, with `reuse` set, so that committed rows are reused.
            groups: the tables, in groups of falling priority.
            data_root: folder of the IDX files.
            device, engine: as `netdyn.jobs.training.train_runs` takes them. By the engine
                "stacked", a run brings those of its block with it that may be stacked.
            drop_snapshots: whether to delete a run once its rows of all these tables are committed.
            stopping: called between steps, networks and jobs; the work stops where it is true.
            checkpoint_seconds, checkpoint_due: when a training writes a checkpoint.
            shared: a folder through which several processes share the jobs; None for one alone.
            workers: how many processes these are.
        """
        check_engine(engine)
        self.plan, self.data_root, self.device = plan, Path(data_root), device
        self.engine, self.drop_snapshots, self.stopping = engine, drop_snapshots, stopping
        self.checkpoint_seconds, self.checkpoint_due = checkpoint_seconds, checkpoint_due
        self.jobs, self.reference = run_jobs(plan, groups), plan.folder / "reference"
        self._tables = [name for group in groups for name in group]
        self._complete: set[str] = set()
        self._unstacked: set[str] = set()  # whose stack failed
        self._parts: dict[str, list[tuple[Path, list[Path]]]] = {}
        self._kept_at = time.monotonic()
        self._subject: tuple[str, Subject] | None = None
        self._time_left = TimeLeft(choose_device(device).type)
        self._workers = workers
        self._left = SharedJobs(shared, self.jobs) if shared else OwnJobs(len(self.jobs))
        self._uncommitted: list[int] = []  # not yet committed
        self._progress = ScaleProgress(len(self.jobs), self._estimate)

    @property
    def failed(self) -> list[str]:
        """Return the runs, or tables, of jobs that failed."""
        return self._left.all_failed()

    def describe(self) -> str:
        """Return how much there is to do."""
        runs = {job.run.id for job in self.jobs if needs_training(self.plan, job) and job.run}
        measured = sum(len(self._measured(job)) for job in self.jobs)
        return f"{len(runs)} runs to train, {measured} measurements of them"

    def run(self) -> bool:
        """Do the jobs; return whether all were reached before `stopping`.

        What is finished is in the committed tables when this returns. A failing job is reported
        and listed in `failed`; the others go on.
        """
        try:
            while (number := self._left.take(self.stopping)) is not None:
                if not self._make_or_report(number, self.jobs[number]):
                    return False
                self._left.finished(number)
                self._uncommitted.append(number)
                if time.monotonic() - self._kept_at > KEEP_SECONDS:
                    self._keep()
        finally:
            self._keep()
        return not self._left.unfinished()

    def _estimate(self) -> float | None:
        jobs = [self.jobs[number] for number in self._left.unfinished()]
        to_train = {
            job.run.id: job.run.settings
            for job in jobs
            if job.run and needs_training(self.plan, job) and not self._has_place(job.run.id)
        }
        to_measure = Counter(name for job in jobs for name in self._measured(job))
        seconds = self._time_left.estimate(to_train.values(), to_measure)
        return None if seconds is None else seconds / self._workers

    def _measured(self, job: RunJob) -> list[str]:
        """Return the tables that a job measures; history comes from the training."""
        return [n for n in job.tables if self.plan.measurement(n).quantity != "history"]

    def _make_or_report(self, number: int, job: RunJob) -> bool:
        # One failing job in hundreds must not end hours of work.
        try:
            return self._make(number, job)
        except Exception as error:
            self._fail(job.run.id if job.run else ", ".join(job.tables), error)
            self._subject = None
            return True

    def _fail(self, what: str, error: Exception) -> None:
        expected = isinstance(error, NetdynError | OSError)
        message(f"error: {what}: {error if expected else traceback.format_exc()}")
        self._left.failed(what)

    def _make(self, number: int, job: RunJob) -> bool:
        """Train a run unless it is complete, and measure it; return False where it stopped."""
        if job.run is not None:
            self._prepare(job.run.id)
        if needs_training(self.plan, job) and not self._train(number, job):
            return False
        for name in job.tables:
            if self.stopping():
                return False
            part, folders = self._part(name, job)
            if name in self._measured(job) and not self._is_current(name, job, part):
                what = f"{name} of {job.run.id}" if job.run else name
                self._progress.start(number, f"measure {what}")
                started = time.monotonic()
                try:
                    self._measure(name, job, part)
                except Stopped:
                    return False
                self._time_left.measured(name, time.monotonic() - started)
            self._parts.setdefault(name, []).append((part, folders))
        return True

    def _prepare(self, run_id: str) -> None:
        path = Path(self.plan.data_file(run_id))
        if path.is_file():
            return
        settings = self.plan.run(run_id).settings
        source = path.with_name(f"{settings['dataset']}.safetensors")
        with locks.alone(source, silent=True):
            if not source.is_file():
                message(f"prepare {settings['dataset']} from {self.data_root}")
                prepare(settings["dataset"], self.data_root, source)
            if not path.is_file():
                message(f"translate the training images of {settings['dataset']}")
                translation.write_translated(source, path)

    def _train(self, number: int, job: RunJob) -> bool:
        run = job.run
        if run.id in self._complete:
            return True
        is_new = not (self._folder(run.id).exists() or self._checkpoints(run.id).exists())
        self._progress.start(number, f"train {run.id}")
        started = time.monotonic()
        stack = self._stack(run)
        try:
            if not train_runs(
                [self._candidate(each) for each in stack],
                self.device,
                self.engine,
                self._progress.step,
                self.stopping,
                self.checkpoint_seconds,
                self.checkpoint_due,
            ):
                return False
        except Exception as error:
            if len(stack) == 1:
                raise
            message(f"{run.id}, {len(stack)} runs at once: {error}; each of them trains alone")
            self._unstacked.update(each.id for each in stack)
            return self._train(number, job)
        if self._workers > 1:
            release_cached_memory(choose_device(self.device))
        if is_new:
            seconds = (time.monotonic() - started) / len(stack)
            for each in stack:
                self._time_left.trained(each.settings, seconds)
        self._complete.update(each.id for each in stack)
        return True

    def _stack(self, run: Run) -> list[Run]:
        """Return the runs that train at once with a run, itself among them."""
        if self.engine != "stacked" or run.id in self._unstacked:
            return [run]
        runs = runs_of_block(
            self.plan, self.jobs, run, lambda id: self._has_place(id) or id in self._unstacked
        )
        divided = divide([each.settings for each in runs], self.device, self.engine)
        return next([runs[i] for i in places] for places in divided if runs.index(run) in places)

    def _has_place(self, run_id: str) -> bool:
        return run_id in self._complete or self._folder(run_id).exists()

    def _candidate(self, run: Run) -> Candidate:
        data = Path(self.plan.data_file(run.id))
        return Candidate(run.settings, data, self._folder(run.id), self._checkpoints(run.id))

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

    def _runs(self, name: str, job: RunJob) -> list[dict]:
        """Return the run of a job as `measure_block` reads it; none for a table without runs."""
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
        measure_block(
            measurement.quantity,
            measurement.settings,
            self._runs(name, job),
            part,
            self.device,
            open_subject=self._open,
        )

    def _open(self, run: Mapping, device: str) -> Subject:
        """Return an opened run; the last one stays open for the next measurement."""
        key = run.get("folder", run.get("settings"))
        if self._subject is None or self._subject[0] != key:
            opened = StoppableSubject(*subject_of(run, device))
            opened.stopping = self.stopping
            self._subject = key, opened
        return self._subject[1]

    def _is_current(self, name: str, job: RunJob, part: Path) -> bool:
        """Return whether a part is complete and made from these settings, run, data and code."""
        measurement, runs = self.plan.measurement(name), self._runs(name, job)
        module = quantity(measurement.quantity).__module__
        try:
            record = read_record(record_path(part))
            manifests = [Path(run["folder"]) / "manifest.json" for run in runs if "folder" in run]
            return (
                record["settings"] == measurement.settings
                and record["made"]["code_sha256"] == provenance.code_digest(module)
                and [run.get("manifest_sha256") for run in record["runs"]]
                == [digest_file(path) for path in manifests] + [None] * (len(runs) - len(manifests))
                and [run["data_sha256"] for run in record["runs"]]
                == [prepared.metadata(run["data"])["sha256"] for run in runs]
                and digest_file(part) == record["sha256"]
            )
        except (NetdynError, FileNotFoundError, KeyError):
            return False

    def _keep(self) -> None:
        """Put finished parts into the committed tables; delete runs that no later job needs."""
        for name, parts in self._parts.items():
            try:
                keep_parts(parts, self.plan.keep_settings(name), self.reference)
            except (NetdynError, OSError) as error:
                self._fail(name, error)
        self._parts.clear()
        self._left.committed(self._uncommitted)
        self._uncommitted.clear()
        self._kept_at = time.monotonic()
        if self.drop_snapshots:
            later = [self.jobs[number] for number in self._left.uncommitted()]
            self._drop({job.run.id for job in later if job.run})

    def _drop(self, needed: Set[str]) -> None:
        """Delete the runs of these tables but those that are needed or of which anything failed."""
        runs = {name: {r.id for r in self.plan.measurement(name).runs} for name in self._tables}
        what = self.failed
        failed = set(what).union(*(runs[name] for name in what if name in runs))
        for run_id in set().union(*runs.values()) - needed - failed:
            shutil.rmtree(self._folder(run_id), ignore_errors=True)
            complete = placing.folder_of(self._checkpoints(run_id))
            shutil.rmtree(complete, ignore_errors=True)
            self._complete.discard(run_id)
