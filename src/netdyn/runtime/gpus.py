"""A GPU for each process, where several share a machine's GPUs without a scheduler.

A process holds a lock on a file that stands for its GPU. The operating system releases the lock
when the process ends, however it ends, so no stale lock is left.
"""

import os
import re
import tempfile
import time
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.runtime.locks import lock

__all__ = ["claim_gpu"]

WAITING_SECONDS = 1.0


def claim_gpu(names: str) -> str:
    """Claim one of these GPUs for this process, as soon as one is free, and hide the others.

    Call it before CUDA is used. Processes of one user on one machine share the locks.

    Args:
        names: indices or UUIDs, separated by commas, as in CUDA_VISIBLE_DEVICES.

    Returns:
        The GPU's name, now the only one in CUDA_VISIBLE_DEVICES.

    Raises:
        NetdynError: these are no names of GPUs.
    """
    gpus = names.split(",")
    if not all(re.fullmatch(r"[A-Za-z0-9-]+", gpu) for gpu in gpus):
        raise NetdynError(f"GPUs {names!r}: give indices or UUIDs, such as 0,1,2,3")
    while not (held := next((gpu for gpu in gpus if _locked(gpu)), None)):
        time.sleep(WAITING_SECONDS)
    os.environ["CUDA_VISIBLE_DEVICES"] = held
    return held


def _locked(gpu: str) -> bool:
    """Lock a GPU's file until this process ends; return whether it was free."""
    path = Path(tempfile.gettempdir()) / f"netdyn-{os.getuid()}-gpu-{gpu}.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        is_free = lock(file, wait=False)
    except OSError as error:
        raise NetdynError(
            f"{path}: {error.strerror}: set TMPDIR to a folder whose file system has locks"
        ) from error
    if not is_free:
        os.close(file)
    return is_free  # the file stays open: closing it would release the lock
