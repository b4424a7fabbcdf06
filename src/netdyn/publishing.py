"""Reference results: finished figures and their tables, small enough to be committed."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.files import digest_file, read_json, write_json, written_whole

__all__ = ["LARGEST", "publish"]

LARGEST = 1_000_000  # bytes of a committed file


def publish(
    figure: str,
    files: Sequence[Path],
    tables: Sequence[Path],
    run_folders: Sequence[Path],
    reference: Path,
    settings: Mapping,
) -> dict:
    """Copy a figure and its tables into `reference` and write its record there.

    Args:
        figure: its name, "fig1" ….
        files: its PDF and PNG, copied to reference/figures.
        tables: the tables it was drawn from, copied to reference/tables.
        run_folders: the runs behind the tables, whose provenance goes into the record.
        reference: the folder of reference results.
        settings: the figure's block.

    Returns:
        The record, also written to reference/provenance/<figure>.json.

    Raises:
        NetdynError: a file is too large to be committed; nothing is copied then.
    """
    for path in (*files, *tables):
        size = path.stat().st_size
        if size > LARGEST:
            raise NetdynError(
                f"{path} has {size:,} bytes, more than the {LARGEST:,} of a committed file: "
                "measure fewer points or steps"
            )
    provenance = {folder.name: read_json(folder / "provenance.json") for folder in run_folders}
    places = [(path, reference / "figures" / path.name) for path in files]
    places += [(path, reference / "tables" / path.name) for path in tables]
    for source, target in places:
        with written_whole(target) as temporary:
            shutil.copyfile(source, temporary)
    record = {
        "figure": figure,
        "settings": dict(settings),
        "sha256": {str(t.relative_to(reference)): digest_file(t) for _, t in places},
        "runs": provenance,
    }
    write_json(reference / "provenance" / f"{figure}.json", record)
    return record
