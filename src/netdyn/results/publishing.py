"""Reference results: finished figures and the scorecard, small enough to be committed."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write, digest_file, write_json
from netdyn.records.sealed import read_record, record_path
from netdyn.results.reference import LARGEST, too_large

__all__ = ["JUDGED_FROM", "publish"]

# In the record of the readings: SHA-256 of each table, by its path in the scale's folder.
JUDGED_FROM = "judged_from"


def publish(
    name: str,
    files: Sequence[Path],
    tables: Sequence[Path],
    reference: Path,
    folder: str,
    settings: Mapping,
) -> dict:
    """Copy finished files into `reference` and write their record there.

    Args:
        name: what they are, "fig1" … or "claims".
        files: a figure's PDF and PNG, or the scorecard's CSV and page.
        tables: the tables they were made from, which `netdyn.results.reference.keep` has committed.
        reference: the folder of reference results.
        folder: where in it the files go: "figures", or "." for the scorecard.
        settings: the figure's block, or the scorecard's settings.

    Returns:
        The record, also written to reference/provenance/<name>.json.

    Raises:
        NetdynError: a file is too large to be committed, or a table is not the committed one;
            nothing is copied then.
    """
    for path in files:
        if (size := path.stat().st_size) > LARGEST:
            raise too_large(path, size)
    for path in tables:
        committed = reference / "tables" / path.name
        if not committed.is_file() or digest_file(committed) != digest_file(path):
            raise NetdynError(
                f"{committed} is not the table that {name} was made from: "
                "run the workflow again with the target publish"
            )
    targets = [reference / folder / path.name for path in files]
    for source, target in zip(files, targets, strict=True):
        with atomic_write(target) as temporary:
            shutil.copyfile(source, temporary)
    digests = {str(t.relative_to(reference)): digest_file(t) for t in targets}
    digests |= {f"tables/{path.name}": digest_file(path) for path in tables}
    record = {
        "name": name,
        "settings": dict(settings),
        "sha256": digests,
        **_origin(files[0], reference.parent),
    }
    write_json(reference / "provenance" / f"{name}.json", record)
    return record


def _origin(file: Path, scale: Path) -> dict:
    """Return what is on record of how a figure was drawn, or claims were judged."""
    for path in (file.with_suffix(".json"), record_path(file)):
        if path.is_file():
            record = read_record(path)
            kept = {key: record[key] for key in ("embedded", "made") if key in record}
            if record.get("kind") == "readings":
                kept[JUDGED_FROM] = {
                    Path(os.path.relpath(table, scale)).as_posix(): sha256
                    for table, sha256 in record["tables"].items()
                }
            return kept
    return {}
