"""A GPU for each process, where several share a machine's GPUs and no scheduler hands them out.

A process holds a lock on a file that stands for its GPU. The lock is the kernel's: it ends with the
process, however that dies, and no record of who has what can go stale.
"""

import fcntl
import os
import re
import tempfile
import time
from pathlib import Path

from netdyn.errors import NetdynError

__all__ = ["claim_gpu"]

WAITING_SECONDS = 1.0


def claim_gpu(names: str) -> str:
    """Take one of these GPUs for this process, as soon as one is free, and hide the others.

    To be called before CUDA is used. Processes of one user on one machine share the locks.

    Args:
        names: what CUDA_VISIBLE_DEVICES takes, separated by commas: indices or UUIDs.

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
    """Lock a GPU's file for as long as this process lives; say whether it was free."""
    path = Path(tempfile.gettempdir()) / f"netdyn-{os.getuid()}-gpu-{gpu}.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    return True  # the file stays open: closing it would give the GPU back
