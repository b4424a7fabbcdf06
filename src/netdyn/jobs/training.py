"""Trainings, to their end or to a checkpoint."""

from collections.abc import Callable, Sequence
from pathlib import Path

from netdyn.jobs.completing import Candidate, complete, divide
from netdyn.jobs.settings_files import read_settings
from netdyn.jobs.shared_trainings import (
    SharedTrainings,
    Training,
    one_by_one,
    place,
    train_with_siblings,
)
from netdyn.records.progress_files import ProgressFile
from netdyn.results import placing
from netdyn.runtime import locks, terminal

__all__ = ["train_file", "train_runs"]


def train_file(
    own: Training,
    shared: SharedTrainings | None,
    device: str,
    engine: str,
    checkpoint_seconds: float,
    signals: terminal.Signals,
    log: Path | None = None,
) -> bool:
    """Train a run by its files, with its progress shown; then others of its block, if any.

    Args:
        own: the run's files.
        shared: the trainings that the jobs of one Snakemake share; None trains the run alone.
        device, engine, checkpoint_seconds: as of `train_runs`. By the engine "stacked", runs of
            the block that may be stacked train at once.
        signals: what stops the training, or requests a checkpoint.
        log: the job's log, beside which its progress is written; None writes none.

    Returns:
        Whether the run is complete and in its place.

    Raises:
        NetdynError: a file holds no settings of a run, or as `train_runs`.
    """
    shown = ProgressFile(log)

    def complete_all(trainings: Sequence[Training]) -> list[Path] | None:
        stack = [_candidate(one) for one in trainings]
        name = Path((own if own in trainings else trainings[0])["output"]).name
        with terminal.progress(name, stack[0].settings["steps"]) as bar:

            def report(step: int, steps: int, text: str) -> None:
                bar(step, steps, text)
                shown.step(name, step, steps, text)

            return complete(
                *(stack, device, engine, report),
                *(signals.stopping, checkpoint_seconds, signals.checkpoint_due),
            )

    def stacks(trainings: Sequence[Training]) -> list[list[Training]]:
        if engine != "stacked":
            return one_by_one(trainings)
        settings = [_candidate(one).settings for one in trainings]
        return [[trainings[i] for i in places] for places in divide(settings, device, engine)]

    with shown.kept():
        if shared is not None:
            return train_with_siblings(shared, own, complete_all, signals.stopping, stacks)
        folders = complete_all([own])
        if folders is not None:
            place(folders[0], own)
        return folders is not None


def _candidate(training: Training) -> Candidate:
    settings = read_settings(Path(training["settings"]), "format", "steps", "threads")
    places = (Path(training[name]) for name in ("data", "output", "checkpoints"))
    return Candidate(settings, *places)


def train_runs(
    candidates: Sequence[Candidate],
    device: str,
    engine: str,
    report: Callable[[int, int, str], None],
    stopping: Callable[[], bool],
    checkpoint_seconds: float,
    checkpoint_due: Callable[[], bool] = lambda: False,
) -> bool:
    """Train runs at once, or go on where they were cut, and give each its place.

    Args:
        candidates: one run, or those of a stack.
        device: "auto", "cpu", "cuda" or "mps".
        engine: "auto", "plain" or "stacked" (docs/engine.md).
        report, stopping, checkpoint_seconds, checkpoint_due: as `netdyn.training.train.train`
            takes them.

    Returns:
        True when the runs are complete, False when `stopping` ended them before.

    Raises:
        NetdynError: an output is a file, or as `netdyn.training.train.train` does.
    """
    folders = complete(
        candidates, device, engine, report, stopping, checkpoint_seconds, checkpoint_due
    )
    if folders is None:
        return False
    for each, folder in zip(candidates, folders, strict=True):
        with locks.alone(each.checkpoints):
            placing.link_into_place(folder, each.output)
    return True
