"""Trainings that the jobs of one Snakemake share, so that one process makes many of them.

Importing PyTorch takes longer than many a training. So the job of one run goes on with other runs
of its block that nobody trains yet; their own jobs then link them into place without PyTorch.
Which process trains a run changes no bit of it. The jobs share their state in one folder:

    trainings.json    the blocks: each a list of trainings
    <run>.lock        locked by the process that trains the run; the kernel frees a dead one's
    <run>.trained     the folder in which the complete run lies
    <run>.failed      it failed in the job of another run: only its own job tries it again
    snakemake.lock    locked by the Snakemake whose jobs they are, while it lives
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypedDict

from netdyn.records.files import read_json, write_json
from netdyn.results.placing import link_into_place
from netdyn.runtime import locks
from netdyn.runtime.terminal import message

__all__ = ["SharedTrainings", "Training", "place", "take_trained", "train_with_siblings"]

WAITING_SECONDS = 0.2


class Training(TypedDict):
    """What `netdyn train` is given of one run: its options by their names."""

    settings: str
    data: str
    output: str
    checkpoints: str


class SharedTrainings:
    """The trainings that are wanted, and which of them are made or being made."""

    def __init__(self, file: Path):
        """Args: file: the trainings.json of a folder that `write` has filled."""
        self._folder = file.parent
        self._blocks: list[list[Training]] = read_json(file)["blocks"]

    @staticmethod
    def write(folder: Path, blocks: Iterable[Sequence[Training]]) -> Path:
        """Write the blocks into an empty folder; return the file that `SharedTrainings` reads."""
        file = folder / "trainings.json"
        write_json(file, {"blocks": [list(block) for block in blocks]}, durable=False)
        return file

    @staticmethod
    def attend(folder: Path) -> BinaryIO:
        """Hold the lock that says that Snakemake lives, until the returned file is closed."""
        stream = (folder / "snakemake.lock").open("ab")
        locks.lock(stream.fileno(), wait=False)
        return stream

    def is_abandoned(self) -> bool:
        """Return whether the Snakemake that held the lock has ended, or was killed."""
        file = self._folder / "snakemake.lock"
        if not file.exists():
            return not self._folder.exists()
        with file.open("ab") as stream:
            return locks.lock(stream.fileno(), wait=False)

    def siblings(self, output: Path) -> list[Training]:
        """Return the other trainings in the block of the run with this folder; none unlisted."""
        for block in self._blocks:
            if any(Path(training["output"]) == output for training in block):
                return [training for training in block if Path(training["output"]) != output]
        return []

    def trained(self, output: Path) -> Path | None:
        """Return the folder of the complete run that is to get its place in `output`, once made."""
        file = self._file(output, "trained")
        return Path(file.read_text(encoding="utf-8")) if file.exists() else None

    def note_trained(self, output: Path, complete: Path) -> None:
        """Take note that the run of `output` lies complete in `complete`."""
        file = self._file(output, "trained")
        beside = file.with_name(f"{file.name}.made")
        beside.write_text(str(complete), encoding="utf-8")
        beside.replace(file)

    def has_failed(self, output: Path) -> bool:
        """Return whether a run failed in the job of another one."""
        return self._file(output, "failed").exists()

    def note_failed(self, output: Path) -> None:
        """Take note that a run failed in the job of another one."""
        self._file(output, "failed").touch()

    @contextlib.contextmanager
    def held(self, output: Path) -> Iterator[bool]:
        """Yield whether this process may train the run: nobody else does, while the block runs."""
        with self._file(output, "lock").open("ab") as stream:
            yield locks.lock(stream.fileno(), wait=False)

    def _file(self, output: Path, kind: str) -> Path:
        # Runs of several scales may have one name.
        name = "-".join(part for part in output.parts if part not in ("/", ".."))
        return self._folder / f"{name}.{kind}"


def take_trained(shared: SharedTrainings, own: Training) -> bool:
    """Give a run that another job has trained its place; return whether there is one."""
    complete = shared.trained(Path(own["output"]))
    if complete is None or not complete.is_dir():
        return False
    place(complete, own)
    return True


def place(complete: Path, training: Training) -> None:
    """Give the files of a complete run their place."""
    with locks.alone(Path(training["checkpoints"])):
        link_into_place(complete, Path(training["output"]))


def train_with_siblings(
    shared: SharedTrainings,
    own: Training,
    complete: Callable[[Training], Path | None],
    stopping: Callable[[], bool],
) -> bool:
    """Train a run and give it its place, then go on with those of its block that nobody trains.

    While another process trains the run itself, this one trains others.

    Args:
        shared: the trainings that are wanted.
        own: the run that this job is to make.
        complete: trains a run and returns the folder in which it lies complete; None where it was
            stopped before.
        stopping: asked between trainings.

    Returns:
        Whether the job's own run has its place. It may be False at `stopping` alone.

    Raises:
        Whatever `complete` raises for the job's own run. Another run that fails is named, and is
        left to its own job.
    """
    siblings = shared.siblings(Path(own["output"]))
    placed = False
    while not stopping():
        placed = placed or take_trained(shared, own)
        # Nobody waits for the runs of a Snakemake that was killed.
        others = [] if shared.is_abandoned() else siblings
        candidates = others if placed else [own, *others]
        if any(_train_if_free(shared, one, complete, one is own) for one in candidates):
            continue
        if placed:
            break
        time.sleep(WAITING_SECONDS)  # for the process that trains it
    return placed


def _train_if_free(
    shared: SharedTrainings,
    training: Training,
    complete: Callable[[Training], Path | None],
    is_own: bool,
) -> bool:
    """Train a run unless it is trained or being trained; return whether this process tried to."""
    output = Path(training["output"])
    if not is_own and shared.has_failed(output):
        return False
    with shared.held(output) as free:
        if not free or shared.trained(output) is not None:
            return False
        try:
            folder = complete(training)
        except Exception as error:
            if is_own:
                raise
            message(f"{output.name}: {error}; this run is left to its own job")
            shared.note_failed(output)
            return True
        if folder is not None:
            shared.note_trained(output, folder)
    return True
