"""Trainings that the jobs of one Snakemake share, so that one process makes many of them.

Importing PyTorch takes longer than many a training. So the job of one run goes on with other runs
of its block that nobody trains yet; their own jobs then link them into place without PyTorch.
Which process trains a run changes no bit of it. Where runs train at once, as a stack, a process
trains all of it or nothing. The jobs share their state in one folder:

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

__all__ = ["SharedTrainings", "Training", "one_by_one", "place", "take_trained"]
__all__ += ["train_with_siblings"]

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

    def block_of(self, own: Training) -> list[Training]:
        """Return the trainings in the block of a run, itself among them; itself where unlisted."""
        output = Path(own["output"])
        for block in self._blocks:
            if any(Path(each["output"]) == output for each in block):
                return [own if Path(each["output"]) == output else each for each in block]
        return [own]

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
    def held(self, *outputs: Path) -> Iterator[bool]:
        """Yield whether this process may train the runs: nobody else does, while the block runs.

        It may train all or none. Of processes that want one stack, each given in the same order,
        the first gets it.
        """
        with contextlib.ExitStack() as opened:
            streams = (
                opened.enter_context(self._file(output, "lock").open("ab")) for output in outputs
            )
            yield all(locks.lock(stream.fileno(), wait=False) for stream in streams)

    def _file(self, output: Path, kind: str) -> Path:
        # Runs of several scales may have one name.
        name = "-".join(part for part in output.parts if part not in ("/", ".."))
        return self._folder / f"{name}.{kind}"


def one_by_one(trainings: Sequence[Training]) -> list[list[Training]]:
    """Return each training by itself: no two train at once."""
    return [[training] for training in trainings]


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
    complete: Callable[[Sequence[Training]], Sequence[Path] | None],
    stopping: Callable[[], bool],
    stacks: Callable[[Sequence[Training]], Sequence[Sequence[Training]]] = one_by_one,
) -> bool:
    """Train a run and give it its place, then go on with those of its block that nobody trains.

    While another process trains the run itself, this one trains others.

    Args:
        shared: the trainings that are wanted.
        own: the run that this job is to make.
        complete: trains the runs of a stack and returns the folders in which they lie complete;
            None where they were stopped before.
        stopping: asked between trainings.
        stacks: divides the runs of a block, given in its order, into those that train at once.

    Returns:
        Whether the job's own run has its place. It may be False at `stopping` alone.

    Raises:
        Whatever `complete` raises for the job's own run. Another run that fails is named, and is
        left to its own job; one that fails in a stack with the job's own run, too.
    """
    of_block = stacks(shared.block_of(own))
    of_block = sorted(of_block, key=lambda stack: own not in stack)  # the job's own first
    placed = False
    while not stopping():
        placed = placed or take_trained(shared, own)
        # Nobody waits for the runs of a Snakemake that was killed.
        alone = shared.is_abandoned()
        candidates = [] if placed and alone else [[own]] if alone else of_block
        if any(_train_if_free(shared, stack, complete, own) for stack in candidates):
            continue
        if placed:
            break
        time.sleep(WAITING_SECONDS)  # for the process that trains it
    return placed


def _train_if_free(
    shared: SharedTrainings,
    stack: Sequence[Training],
    complete: Callable[[Sequence[Training]], Sequence[Path] | None],
    own: Training,
) -> bool:
    """Train the runs of a stack that nobody has trained; return whether this process tried to."""
    stack = [one for one in stack if one == own or not shared.has_failed(Path(one["output"]))]
    with shared.held(*(Path(one["output"]) for one in stack)) as free:
        left = [one for one in stack if shared.trained(Path(one["output"])) is None]
        if not free or not left:
            return False
        try:
            folders = complete(left)
        except Exception as error:
            if left == [own]:
                raise
            for output in (Path(one["output"]) for one in left if one != own):
                message(f"{output.name}: {error}; this run is left to its own job")
                shared.note_failed(output)
            return True
        for one, folder in zip(left, folders or (), strict=folders is not None):
            shared.note_trained(Path(one["output"]), folder)
    return True
