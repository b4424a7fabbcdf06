"""Where a finished run is kept, and how it gets its place in runs/ (see `netdyn.results.finished`).

It needs no PyTorch, whose import takes longer than all that is done here.
"""

import contextlib
import os
import shutil
from pathlib import Path

from netdyn.records.files import RUN_FILES, atomic_write

__all__ = ["folder_of", "link_into_place"]


def folder_of(checkpoints: Path) -> Path:
    """Return the folder of the whole runs that were trained with these checkpoints."""
    return checkpoints.with_name(f"{checkpoints.name}.whole")


def link_into_place(complete: Path, output: Path) -> None:
    """Give the files of a complete run in `complete` their names in `output`, the manifest last.

    Runs written there before with other code or data are removed. Without hard links the files are
    moved.
    """
    output.mkdir(parents=True, exist_ok=True)
    for name in RUN_FILES:
        if (output / name).exists() and (output / name).samefile(complete / name):
            continue  # perhaps being read by another Snakemake's job
        beside = output / f".{name}.made"
        beside.unlink(missing_ok=True)
        try:
            os.link(complete / name, beside)
            os.replace(beside, output / name)
        except OSError:
            beside.unlink(missing_ok=True)
            # Content alone: to copy modes and dates is not permitted on every file system.
            with atomic_write(output / name) as temporary:
                shutil.copyfile(complete / name, temporary)
    linked = all((complete / name).samefile(output / name) for name in RUN_FILES)
    for other in complete.parent.iterdir():
        if other != complete or not linked:
            shutil.rmtree(other, ignore_errors=True)
    with contextlib.suppress(OSError):
        complete.parent.rmdir()  # empty where nothing could be linked
