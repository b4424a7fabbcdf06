"""One process at a time for each result: a job waits for an older one that is still running.

A job outlives a Snakemake that is killed. Without a lock it could end after its successor and
overwrite the newer result by one of older settings or code.
"""

import contextlib
import errno
import logging
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone", "is_held", "lock"]

log = logging.getLogger(__name__)

# A file system without locks is no worse than none taken.
_WITHOUT = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
WAITING_SECONDS = 1.0


@contextlib.contextmanager
def alone(path: Path, silent: bool = False) -> Iterator[None]:
    """Hold the lock of `path`, the hidden file .<name>.lock beside it, while the block runs.

    Waits for another process that holds it, and says so unless `silent`. The kernel frees a dead
    process's lock. Where the file system has no locks the block runs without one.

    Raises:
        OSError: naming the lock's file, where it cannot be written.
    """
    file = path.with_name(f".{path.name}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        try:
            if not lock(stream.fileno(), wait=silent):
                log.warning("another process is still making %s: waiting for it to end", path)
                lock(stream.fileno(), wait=True)
        except OSError as error:
            if error.errno not in _WITHOUT:
                raise OSError(error.errno, error.strerror, str(file)) from error
        yield


def is_held(path: Path) -> bool:
    """Say whether another process holds the lock of `path`; no, where there are no locks."""
    file = path.with_name(f".{path.name}.lock")
    if not file.exists():
        return False
    with file.open("r+b") as stream:
        try:
            return not lock(stream.fileno(), wait=False)
        except OSError as error:
            if error.errno not in _WITHOUT:
                raise
    return False


def lock(file: int, wait: bool) -> bool:
    """Lock an open file for this process, until it is closed or the process ends.

    Args:
        file: its descriptor.
        wait: whether to wait for another process that holds the lock.

    Returns:
        Whether this process holds the lock; always True where it has waited.

    Raises:
        OSError: the file system has no locks.
    """
    if fcntl is None:
        return _lock_on_windows(file, wait)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_on_windows(file: int, wait: bool) -> bool:
    import msvcrt

    while True:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            return True
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK):
                raise
        if not wait:
            return False
        time.sleep(WAITING_SECONDS)
