"""Records: what a file was made from and the checksum of its bytes, checked before it is read.

    <table>.csv.json           beside every table and part, and beside the scorecard
    <figure>.json              beside a figure's PDF and PNG
    <reference>/provenance/    those of committed files
    <run>/manifest.json        that of a run's history and snapshots (see `netdyn.results.runs`)

A record carries a seal, the digest of its own content, so that a damaged one is noticed too.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netdyn.errors import NetdynError
from netdyn.records.files import (
    digest,
    digest_file,
    is_committed,
    read_json,
    repair_hint,
    write_json,
)

__all__ = ["check", "read_record", "record_path", "write_record"]

SEAL = "seal"


def record_path(path: Path) -> Path:
    """Return where the record of a table lies.

    >>> record_path(Path("tables/a.csv")).as_posix()
    'tables/a.csv.json'
    """
    return path.with_name(path.name + ".json")


def write_record(path: Path, content: Mapping) -> None:
    """Write a record with its seal."""
    write_json(path, {**content, SEAL: digest(content)})


def read_record(path: Path, needs_seal: bool = True) -> dict[str, Any]:
    """Read a record.

    Raises:
        NetdynError: naming it, where it is missing, or its content is not what was sealed. One
            without a seal is damaged too, unless it is of a kind that was once written without.
    """
    content = read_json(path)
    if isinstance(content, dict):
        unsealed = {key: value for key, value in content.items() if key != SEAL}
        if content.get(SEAL, None if needs_seal else digest(unsealed)) == digest(unsealed):
            return unsealed
    raise NetdynError(
        f"{path} is damaged (its content is not what was sealed): {repair_hint(path)}"
    )


def check(path: Path, content: bytes) -> dict[str, Any]:
    """Return the record of a table, a part, a history or a scorecard that holds `content`.

    Raises:
        NetdynError: there is no record, or it was written for other bytes.
    """
    path = Path(path)
    record, hint = _record_of(path)
    if record is None:
        raise NetdynError(f"table {path} has no record {_expected(path)}: {hint}")
    if record["sha256"] != hashlib.sha256(content).hexdigest():
        raise NetdynError(
            f"table {path} is damaged (its SHA-256 is not the one on record, {record['record']}): "
            + hint
        )
    return record


def _record_of(path: Path) -> tuple[dict[str, Any] | None, str]:
    """Return a table's record, with its own place as `record`, and how to repair the table."""
    beside, run = record_path(path), path.with_name("manifest.json")
    again = f"delete {path} and run the workflow again"
    if beside.is_file():
        return {**read_record(beside), "record": str(beside)}, again
    if path.name == "history.csv" and run.is_file():
        record = {"kind": "run", "id": path.parent.name, "sha256": _digest_of(run, path.name)}
        hint = f"delete {path.parent} and run the workflow again"
        return {**record, "manifest_sha256": digest_file(run), "record": str(run)}, hint
    for committed in _committed(path):
        if committed.is_file():
            content = read_record(committed, needs_seal=False)
            sealed = {**content, "sha256": _digest_of(committed, path.name)}
            hint = "restore both from the repository"
            return {"kind": "committed", **sealed, "record": str(committed)}, hint
    return None, repair_hint(path) if is_committed(path) else again


def _expected(path: Path) -> str:
    """Return where a table's record would lie."""
    if not is_committed(path):
        return record_path(path).name
    table, scorecard = _committed(path)
    return str(table if path.parent.name == "tables" else scorecard)


def _digest_of(record: Path, name: str) -> str | None:
    """Return the digest that a record of one or of several files holds for one of this name."""
    content = read_record(record, needs_seal=False)
    sha256 = content.get("sha256")
    return sha256.get(name) if isinstance(sha256, dict) else sha256


def _committed(path: Path) -> list[Path]:
    provenance = path.parent.parent / "provenance"
    return [
        provenance / "tables" / f"{path.stem}.json",
        path.parent / "provenance" / f"{path.stem}.json",
    ]
