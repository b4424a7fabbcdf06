"""One process at a time for each result: a job waits for an older one that is still running.

A job outlives a Snakemake that is killed. Without a lock it could end after its successor and
overwrite the newer result by one of older settings or code.
"""

import contextlib
import errno
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

__all__ = ["alone"]

log = logging.getLogger(__name__)

# A file system without locks is no worse than none taken.
_WITHOUT = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of `path`, the hidden file .<name>.lock beside it, while the block runs.

    Waits for another process that holds it, and says so. The kernel frees a dead process's lock.
    """
    lock = path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("another process is still making %s: waiting for it to end", path)
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _WITHOUT:
                raise
        yield
