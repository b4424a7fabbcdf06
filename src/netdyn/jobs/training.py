"""One training, to its end or to a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from netdyn.errors import NetdynError
from netdyn.jobs.settings_files import read_settings
from netdyn.jobs.shared_trainings import (
    SharedTrainings,
    Training,
    place,
    train_with_siblings,
)
from netdyn.records.progress_files import ProgressFile
from netdyn.records.run_settings import RunSettings
from netdyn.results import finished, placing
from netdyn.runtime import locks, terminal
from netdyn.runtime.terminal import message
from netdyn.training import train

__all__ = ["train_file", "train_run"]


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
        device, engine, checkpoint_seconds: as of `train_run`.
        signals: what stops the training, or requests a checkpoint.
        log: the job's log, beside which its progress is written; None writes none.

    Returns:
        Whether the run is complete and in its place.

    Raises:
        NetdynError: a file holds no settings of a run, or as `train_run`.
    """
    shown = ProgressFile(log)

    def complete(one: Training) -> Path | None:
        output = Path(one["output"])
        settings = read_settings(Path(one["settings"]), "format", "steps", "threads")
        _check_is_folder(output)
        checkpoints = Path(one["checkpoints"])
        with (
            locks.alone(checkpoints),
            terminal.progress(output.name, settings["steps"]) as bar,
        ):

            def report(step: int, steps: int, text: str) -> None:
                bar(step, steps, text)
                shown.step(output.name, step, steps, text)

            return _complete(
                *(output.name, settings, Path(one["data"]), checkpoints, device, engine),
                *(report, signals.stopping, checkpoint_seconds, signals.checkpoint_due),
            )

    with shown.kept():
        if shared is not None:
            return train_with_siblings(shared, own, complete, signals.stopping)
        folder = complete(own)
        if folder is not None:
            place(folder, own)
        return folder is not None


def train_run(
    settings: RunSettings,
    data: Path,
    output: Path,
    checkpoints: Path,
    device: str,
    engine: str,
    report: Callable[[int, int, str], None],
    stopping: Callable[[], bool],
    checkpoint_seconds: float,
    checkpoint_due: Callable[[], bool] = lambda: False,
) -> bool:
    """Train one run, or go on where it was cut, and give it its place in `output`.

    Args:
        settings: the run's resolved settings.
        data: the prepared data set.
        output: the run's folder.
        checkpoints: where the run is kept while it is not complete.
        device: "auto", "cpu", "cuda" or "mps".
        engine: "auto" or "plain" (docs/engine.md).
        report, stopping, checkpoint_seconds, checkpoint_due: as `netdyn.training.train.train`
            takes them.

    Returns:
        True when the run is complete, False when `stopping` ended it before.

    Raises:
        NetdynError: `output` is a file, or as `netdyn.training.train.train` does.
    """
    _check_is_folder(output)
    with locks.alone(checkpoints):
        complete = _complete(
            *(output.name, settings, data, checkpoints, device, engine),
            *(report, stopping, checkpoint_seconds, checkpoint_due),
        )
        if complete is not None:
            placing.link_into_place(complete, output)
    return complete is not None


def _check_is_folder(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise NetdynError(f"{output} is a file: delete it, or name another --output")


def _complete(
    name: str,
    settings: RunSettings,
    data: Path,
    checkpoints: Path,
    device: str,
    engine: str,
    *how: Any,
) -> Path | None:
    """Train one run, or go on where it was cut, and keep it beside its checkpoints.

    The caller holds the lock of `checkpoints`. `how` is the rest of what `train_run` takes.

    Returns:
        The folder of the complete run; None when it was stopped before.
    """
    complete = finished.storage_folder(checkpoints, settings, data, device, engine)
    if finished.is_complete(complete):
        message(f"{name}: was trained before, taken from {complete}")
        return complete
    done = train.train(settings, data, complete, checkpoints, device, engine, *how)
    return complete if done else None
