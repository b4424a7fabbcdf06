"""Committed tables: kept part by part as runs are finished, and reused without training.

    <reference>/tables/<name>.csv              rows of every run that was kept so far
    <reference>/provenance/tables/<name>.json  what was measured how, on which runs; SHA-256; when,
                                               where and by which code each part was measured
    <reference>/provenance/runs.json           provenance and settings of each run, by its id

Rows are reused where the measurement's settings are the same and a run's id, which holds a
digest of its settings, is still configured.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write, digest, digest_file, read_json, write_json
from netdyn.records.sealed import read_record
from netdyn.runtime import locks

__all__ = [
    "LARGEST",
    "committed_runs",
    "is_committed_table",
    "keep",
    "keep_parts",
    "run_record",
    "too_large",
]

LARGEST = 1_000_000  # bytes of a committed file
# What many parts have in common: written once in a table's record.
ENVIRONMENT = ("netdyn", "python", "packages", "machine")


def committed_runs(reference: Path, measurement: Mapping) -> set[str]:
    """Return the ids of the runs in the committed table, none if it was measured otherwise.

    Args:
        reference: the folder of committed results.
        measurement: the measurement: its `name`, `quantity` and `settings`.

    Raises:
        NetdynError: the table is not the one that its record was written for, or one of the two is
            missing.
    """
    record = _matching(reference, measurement)
    return set() if record is None else {run["id"] for run in record["runs"]}


def is_committed_table(reference: Path, measurement: Mapping) -> bool:
    """Return whether the table of a quantity that is measured on no run is committed.

    Args and errors are those of `committed_runs`.
    """
    return _matching(reference, measurement) is not None


def _matching(reference: Path, measurement: Mapping) -> dict[str, Any] | None:
    """Return the record of the committed table, None where it is missing or of other settings."""
    path, table = (
        _record_path(reference, measurement["name"]),
        _table_path(reference, measurement["name"]),
    )
    if not path.is_file():
        if table.is_file():
            raise NetdynError(f"{table} has no record {path}: restore it from the repository")
        return None
    _put_in_place(reference, measurement["name"])
    record = _record(path)
    if any(record[key] != measurement[key] for key in ("quantity", "settings")):
        return None
    if not table.is_file():
        raise NetdynError(f"{table} is missing, {path} is there: restore it from the repository")
    if digest_file(table) != record["sha256"]:
        raise NetdynError(
            f"{table} is damaged (its SHA-256 is not the one on record, {path}): "
            "restore both from the repository"
        )
    return record


def keep(part: Path, run_folders: Sequence[Path], measurement: Mapping, reference: Path) -> dict:
    """Put a finished part into the committed table (see `keep_parts`)."""
    return keep_parts([(part, run_folders)], measurement, reference)


def keep_parts(
    parts: Sequence[tuple[Path, Sequence[Path]]], measurement: Mapping, reference: Path
) -> dict:
    """Put finished parts into the committed table, in the place of older rows of their runs.

    Args:
        parts: of each its table, a measured block or a run's history, and the folders of the runs
            in it, named by their ids; none for toy neurons.
        measurement: the measurement: `name`, `quantity`, `settings` and `runs`, a list of `id` and
            `identity` in the order in which their rows are to stand.
        reference: the folder of committed results.

    Returns:
        The table's record.

    Raises:
        NetdynError: the table has become too large to be committed; it is left as it was.
    """
    from netdyn.results.tables import tabulate, write_csv

    identities = {run["id"]: run["identity"] for run in measurement["runs"]}
    new = [[folder.name for folder in folders] for _, folders in parts]
    replaced = {run for runs in new for run in runs}
    table = _table_path(reference, measurement["name"])
    with locks.alone(reference, silent=True):
        committed = committed_runs(reference, measurement) - replaced
        old = [run for run in identities if run in committed]
        sources: list[dict] = [{"file": part} for part, _ in parts]
        if measurement["quantity"] == "history":
            for source, (run,) in zip(sources, new, strict=True):
                source["identity"] = identities[run]
        if old:
            sources.append({"file": table, "rows": [identities[run] for run in old]})
        present = [run for run in identities if run in committed | replaced]
        content, records = tabulate(sources, [identities[run] for run in present])
        with atomic_write(_next_path(table)) as temporary:
            write_csv(temporary, content)
            if (size := temporary.stat().st_size) > LARGEST:
                raise too_large(table, size)
        record = {
            **measurement,
            "runs": [{"id": run, "identity": identities[run]} for run in present],
            "sha256": digest_file(_next_path(table)),
            **_measured(records, new, old),
        }
        _keep_provenance(reference, [folder for _, folders in parts for folder in folders], record)
        write_json(_record_path(reference, measurement["name"]), record)
        _put_in_place(reference, measurement["name"])
    return record


def _put_in_place(reference: Path, name: str) -> None:
    """Give a new table its name once its record is there: of the two, both change or neither.

    What a kill left between the two renamings is made up for here by the next who asks.
    """
    table = _table_path(reference, name)
    with contextlib.suppress(FileNotFoundError):
        if digest_file(_next_path(table)) == _record(_record_path(reference, name))["sha256"]:
            os.replace(_next_path(table), table)


def _record(path: Path) -> dict[str, Any]:
    record = read_json(path)
    needed = ("quantity", "settings", "runs", "sha256")
    if not isinstance(record, dict) or not record.keys() >= set(needed):
        raise NetdynError(
            f"{path} is damaged (no record of a table): restore it from the repository"
        )
    return record


def _measured(sources: Sequence[Mapping], new: Sequence[Sequence[str]], old: Sequence[str]) -> dict:
    """Return when, where and by which code the new parts and the older rows were measured.

    Args: records of the new parts, then of the committed table, if any; the runs in each new part;
        those in the older rows.
    """
    entries: list[dict] = []
    environments: dict[str, Mapping] = {}
    for record in sources[len(new) :]:
        environments |= record.get("environments", {})
        for entry in record.get("measured", ()):
            if runs := [run for run in entry["runs"] if run in old]:
                entries.append({**entry, "runs": runs})
    for part, runs in zip(sources, new, strict=False):
        if origin := part.get("made"):
            environment = {key: origin[key] for key in ENVIRONMENT}
            name = digest(environment)[:10]
            environments[name] = environment
            rest = {k: v for k, v in origin.items() if k not in (*ENVIRONMENT, "command")}
            entry = {"runs": list(runs), "part_sha256": part["sha256"], "environment": name, **rest}
            entries.append(entry)
    if not entries:
        return {}
    entries.sort(key=lambda entry: entry["runs"])
    used = {entry["environment"] for entry in entries}
    return {
        "measured": entries,
        "environments": {k: v for k, v in sorted(environments.items()) if k in used},
    }


def _keep_provenance(reference: Path, run_folders: Iterable[Path], record: Mapping) -> None:
    """Keep the runs' provenance, and no more that of runs which no committed table is of."""
    path = reference / "provenance" / "runs.json"
    committed = read_json(path) if path.is_file() else {}
    # A quantity of the samples alone names runs that need not be trained.
    new = {
        folder.name: run_record(folder)
        for folder in run_folders
        if (folder / "provenance.json").is_file()
    }
    tables = [record, *map(_record, (reference / "provenance" / "tables").glob("*.json"))]
    named = {run["id"] for table in tables for run in table["runs"]}
    records = {**committed, **new}
    write_json(path, {run: records[run] for run in sorted(records) if run in named})


def run_record(folder: Path) -> dict:
    """Return a run's provenance with its settings and the digest of its manifest."""
    record, manifest = read_record(folder / "provenance.json", needs_seal=False), {}
    if (path := folder / "manifest.json").is_file():
        manifest = {
            "settings": read_record(path, needs_seal=False)["settings"],
            "manifest_sha256": digest_file(path),
        }
    return {**record, **manifest}


def too_large(path: Path, size: int) -> NetdynError:
    """Return the error for a file that is too large to be committed."""
    return NetdynError(
        f"{path} has {size:,} bytes, more than the {LARGEST:,} of a committed file: "
        "measure fewer points or steps"
    )


def _table_path(reference: Path, name: str) -> Path:
    return reference / "tables" / f"{name}.csv"


def _next_path(table: Path) -> Path:
    return table.with_name(f".{table.stem}.next.csv")


def _record_path(reference: Path, name: str) -> Path:
    return reference / "provenance" / "tables" / f"{name}.json"
