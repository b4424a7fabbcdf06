"""Time stamps after a clock that jumped: none may lie in the future.

Snakemake counts a job as failed and deletes its outputs where an input is newer than these.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["date_back"]

SLACK = 5.0  # seconds by which clocks of a cluster's machines may differ


def date_back(files: Iterable[Path]) -> None:
    """Set the time stamp of files that are dated in the future to the present.

    Whether a result is out of date does not depend on it: content is compared, not time.
    """
    now = time.time()
    for path in files:
        try:
            stamp = path.stat(follow_symlinks=False)
            if stamp.st_mtime > now + SLACK:
                os.utime(path, (now, now), follow_symlinks=False)
        except FileNotFoundError:
            continue  # a job's temporary file, renamed meanwhile
