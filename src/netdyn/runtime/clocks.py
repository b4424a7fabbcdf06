"""Time stamps after a clock that jumped: none may lie in the future.

Snakemake takes a job for failed, and deletes what it made, where an input is younger than that.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["date_back"]

SLACK = 5.0  # seconds by which clocks of a cluster's machines may differ


def date_back(files: Iterable[Path]) -> None:
    """Give files that are dated in the future the present time.

    What is out of date doesn't hang on it: settings and code are told by their content.
    """
    now = time.time()
    for path in files:
        try:
            stamp = path.stat(follow_symlinks=False)
            if stamp.st_mtime > now + SLACK:
                os.utime(path, (now, now), follow_symlinks=False)
        except FileNotFoundError:
            continue  # a job's temporary file, renamed meanwhile
