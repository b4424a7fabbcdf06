"""One training, to its end or to a checkpoint."""

from collections.abc import Callable
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.records.run_settings import RunSettings
from netdyn.results import finished
from netdyn.runtime import locks
from netdyn.runtime.terminal import message
from netdyn.training import train

__all__ = ["train_run"]


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
    if output.exists() and not output.is_dir():
        raise NetdynError(f"{output} is a file: delete it, or name another --output")
    complete = finished.storage_folder(checkpoints, settings, data, device, engine)
    with locks.alone(checkpoints):
        if finished.is_complete(complete):
            message(f"{output.name}: was trained before, taken from {complete}")
        elif not train.train(
            *(settings, data, complete, checkpoints, device, engine),
            *(report, stopping, checkpoint_seconds, checkpoint_due),
        ):
            return False
        finished.link_into_place(complete, output)
    return True
