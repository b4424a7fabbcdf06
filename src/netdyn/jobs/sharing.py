"""Which jobs of a scale are left, for one process or for several that share them."""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from netdyn.jobs.schedule import RunJob
from netdyn.runtime.locks import lock

__all__ = ["Jobs", "OwnJobs", "SharedJobs"]

WAITING_SECONDS = 0.2


class Jobs(Protocol):
    """The jobs of a scale, by number, in the order in which they are made."""

    def take(self, stopping: Callable[[], bool]) -> int | None:
        """Return the next job that is to be made; None where none is left, or at `stopping`."""

    def finished(self, number: int) -> None:
        """Take note that a job is finished, or has failed: nobody needs to make it again."""

    def committed(self, numbers: Collection[int]) -> None:
        """Take note that the tables of jobs have been committed."""

    def failed(self, what: str) -> None:
        """Take note of a run, or a table, that failed."""

    def all_failed(self) -> list[str]:
        """Return the runs and tables that failed."""

    def unfinished(self) -> list[int]:
        """Return the jobs that are not made yet."""

    def uncommitted(self) -> list[int]:
        """Return the jobs whose tables are not committed yet."""


class OwnJobs:
    """The jobs of a process that makes them alone; see `Jobs`."""

    def __init__(self, count: int):
        self._unfinished, self._uncommitted = list(range(count)), list(range(count))
        self._failed: list[str] = []

    def take(self, stopping: Callable[[], bool]) -> int | None:
        """Return the next job; see `Jobs`."""
        return None if stopping() or not self._unfinished else self._unfinished[0]

    def finished(self, number: int) -> None:
        """Take note of a finished job; see `Jobs`."""
        self._unfinished.remove(number)

    def committed(self, numbers: Collection[int]) -> None:
        """Take note of committed jobs; see `Jobs`."""
        self._uncommitted = [number for number in self._uncommitted if number not in numbers]

    def failed(self, what: str) -> None:
        """Take note of a failure; see `Jobs`."""
        if what not in self._failed:
            self._failed.append(what)

    def all_failed(self) -> list[str]:
        """Return what failed; see `Jobs`."""
        return list(self._failed)

    def unfinished(self) -> list[int]:
        """Return what is not made; see `Jobs`."""
        return list(self._unfinished)

    def uncommitted(self) -> list[int]:
        """Return what is not committed; see `Jobs`."""
        return list(self._uncommitted)


class SharedJobs:
    """The jobs of a process that shares them with others, by files in a common folder; see `Jobs`.

    A process holds the lock of the run that it works on. The operating system releases the lock of
    a process that ends, however it ends, so that another takes its job.
    """

    def __init__(self, folder: Path, jobs: Sequence[RunJob]):
        """Args: an empty folder on this machine, the same for all processes; the jobs."""
        self._folder = folder
        self._names = [job.run.id if job.run else job.tables[0] for job in jobs]
        self._held: BinaryIO | None = None

    def take(self, stopping: Callable[[], bool]) -> int | None:
        """Return the first job whose run no other process works on; see `Jobs`."""
        while not stopping() and self.unfinished():
            for number in self.unfinished():
                if self._hold(number):
                    return number
            time.sleep(WAITING_SECONDS)
        return None

    def _hold(self, number: int) -> bool:
        stream = (self._folder / f"{self._names[number]}.lock").open("ab")
        # Another process may have made it since it was last asked for.
        if lock(stream.fileno(), wait=False) and not self._marked("finished", number):
            self._held = stream
            return True
        stream.close()
        return False

    def finished(self, number: int) -> None:
        """Take note of a finished job and release its run; see `Jobs`."""
        self._mark("finished", number)
        if self._held is not None:
            self._held.close()
            self._held = None

    def committed(self, numbers: Collection[int]) -> None:
        """Take note of committed jobs; see `Jobs`."""
        for number in numbers:
            self._mark("committed", number)

    def failed(self, what: str) -> None:
        """Take note of a failure; see `Jobs`."""
        (self._folder / f"{what}.failed").touch()

    def all_failed(self) -> list[str]:
        """Return what failed in any of the processes; see `Jobs`."""
        return sorted(path.stem for path in self._folder.glob("*.failed"))

    def unfinished(self) -> list[int]:
        """Return what no process has made; see `Jobs`."""
        return [n for n in range(len(self._names)) if not self._marked("finished", n)]

    def uncommitted(self) -> list[int]:
        """Return what no process has committed; see `Jobs`."""
        return [n for n in range(len(self._names)) if not self._marked("committed", n)]

    def make_again(self, numbers: Collection[int]) -> None:
        """Forget that jobs were made: a process ended before it committed what it had made."""
        for number in numbers:
            (self._folder / f"{number}.finished").unlink(missing_ok=True)

    def _mark(self, state: str, number: int) -> None:
        (self._folder / f"{number}.{state}").touch()

    def _marked(self, state: str, number: int) -> bool:
        return (self._folder / f"{number}.{state}").exists()
