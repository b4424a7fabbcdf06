"""The committed results of a scale in one archive, to be carried to another machine."""

import gzip
import tarfile
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write

__all__ = ["pack"]


def pack(reference: Path, archive: Path) -> int:
    """Write the folder of committed results into a .tar.gz, to be unpacked where the workflow is.

    Args:
        reference: results/<scale>/reference, relative to the workflow's folder.
        archive: the file to write; equal content gives equal bytes.

    Returns:
        How many files it holds.

    Raises:
        NetdynError: nothing is committed yet.
    """
    files = sorted(
        path
        for path in reference.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(reference).parts)
    )
    if not files:
        raise NetdynError(f"{reference} holds no table yet: nothing to pack into {archive}")
    with (
        atomic_write(archive) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for path in files:
            entry = tar.gettarinfo(path, arcname=path.as_posix())
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o644
            with path.open("rb") as stream:
                tar.addfile(entry, stream)
    return len(files)
