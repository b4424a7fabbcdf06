"""Where a file came from: its record, and those of all that it was made from, found by digest.

Records lie beside tables, figures, scorecards and runs, and those of committed files in
results/<scale>/reference/provenance/. A file is identified by its bytes, so a copy is found
wherever it lies; a figure also by the digests that it carries.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netdyn.errors import NetdynError
from netdyn.records.files import digest, digest_file, read_json
from netdyn.records.sealed import check, read_record
from netdyn.results.reference import run_record

__all__ = ["EMBEDDED", "Records", "embedded", "read_records", "trace"]

EMBEDDED = ("tables", "settings", "code")


class Records(NamedTuple):
    """Every record below a folder of results.

    Attributes:
        files: records of figures, scorecards, tables and parts, by where they lie.
        runs: provenance of runs, by id.
    """

    files: dict[str, dict[str, Any]]
    runs: dict[str, dict[str, Any]]


def read_records(results: Path, scale: str = "*") -> Records:
    """Read all records of the results, or of one scale; incomplete runs are left out."""
    files: dict[str, dict] = {}
    runs: dict[str, dict] = {}
    for path in sorted(results.glob(f"{scale}/reference/provenance/runs.json")):
        runs |= read_json(path)
    for path in sorted(results.glob(f"{scale}/runs/*/provenance.json")):
        if path.with_name("manifest.json").is_file():
            runs[path.parent.name] = run_record(path.parent)
    for pattern in (
        "figures/*.json",
        "redrawn/*.json",
        "claims/claims.csv.json",
        "tables/*.csv.json",
        "tables/parts/*/*.csv.json",
    ):
        for path in sorted(results.glob(f"{scale}/{pattern}")):
            if not path.name.startswith("."):  # being written
                files[str(path)] = read_record(path)
    for path in sorted(results.glob(f"{scale}/reference/provenance/**/*.json")):
        if path.name != "runs.json":
            files[str(path)] = _committed(read_json(path))
    return Records(files, runs)


def _committed(record: Mapping) -> dict[str, Any]:
    """Return a committed record in the terms of the others."""
    if isinstance(record["sha256"], str):
        return {"kind": "committed", **record}
    digests = {Path(name).name: sha256 for name, sha256 in record["sha256"].items()}
    tables = {Path(n).stem: s for n, s in record["sha256"].items() if n.startswith("tables/")}
    kind = "scorecard" if record["name"] == "claims" else "figure"
    results = {name: sha256 for name, sha256 in digests.items() if Path(name).stem not in tables}
    # Older records lack `embedded`: all of it but the code follows from the others.
    carried = {"tables": digest(tables), "settings": digest(record["settings"])}
    return {"kind": kind, "embedded": carried, **record, "sha256": results, "tables": tables}


def trace(path: Path, results: Path) -> dict[str, Any]:
    """Return what a file is and what it was made from, down to runs and data.

    Args:
        path: a run's folder, a table or part, a scorecard, or a figure's PDF or PNG; in its place
            or a copy.
        results: the folder of results whose records are searched.

    Returns:
        `kind`, `file`, `sha256`, `record` (where it lies) and what the record says; under `from`
        the same of what it was made from.

    Raises:
        NetdynError: no record is of the file, or its bytes are not those on record.
    """
    records = read_records(results)
    folder = path if path.is_dir() else path.parent
    if path.is_dir() or path.name in ("manifest.json", "provenance.json", "snapshots.safetensors"):
        return {"file": str(path), **_run(folder.name, records, folder)}
    if not path.is_file():
        raise NetdynError(f"{path} is missing: give a run's folder, a table, a figure or a page")
    content = path.read_bytes()
    sha256 = digest_file(path)
    where = _place(sha256, path, records)
    exact = where is not None
    if where is None and path.suffix == ".csv":
        # In its place, with a record that is of other bytes, or without one.
        check(path, content)
    carried = embedded(content)
    if where is None and carried:
        where = _by_embedded(carried, path, records)
    if where is None:
        digests = ", ".join(f"{key} {value[:12]}…" for key, value in carried.items())
        raise NetdynError(
            f"{path}: no record below {results} is of this file"
            + (f" (it carries {digests})" if digests else "")
            + ": give the folder of the results that it is from with --results"
        )
    node = {"file": str(path), "sha256": sha256, "exact": exact, "record": where}
    carries = {"embedded": carried} if carried else {}
    return {**_node(records.files[where], records), **node, **carries}


def _place(sha256: str, path: Path, records: Records) -> str | None:
    """Return where the record of these bytes lies."""
    files = records.files.items()
    return _nearest([where for where, record in files if sha256 in _digests(record)], path)


def _nearest(places: Iterable[str], path: Path) -> str | None:
    """Return the record that lies nearest to the file."""
    near = path.resolve().parts

    def shared(where: str) -> int:
        parts = zip(Path(where).resolve().parts, near, strict=False)
        return sum(a == b for a, b in parts)

    return max(places, key=shared, default=None)


def _digests(record: Mapping) -> Iterator[str]:
    sha256 = record["sha256"]
    yield from sha256.values() if isinstance(sha256, Mapping) else [sha256]
    if "page_sha256" in record:
        yield record["page_sha256"]


def _by_embedded(carried: Mapping, path: Path, records: Records) -> str | None:
    matches = []
    for where, record in records.files.items():
        digests = record.get("embedded", {})
        if digests and all(digests.get(key, value) == value for key, value in carried.items()):
            matches.append(where)
    return _nearest(matches, path)


def embedded(content: bytes) -> dict[str, str]:
    """Return the digests that a figure's PDF or PNG carries; none for anything else."""
    if content.startswith(b"%PDF-"):
        words = re.search(rb"/Keywords \(([^)]*)\)", content)
        pairs = (word.partition(":") for word in (words[1] if words else b"").decode().split())
        return {key: value for key, _, value in pairs if key in EMBEDDED}
    texts, place = {}, 8
    while content.startswith(b"\x89PNG") and place + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind == b"tEXt":
            key, _, value = content[place + 8 : place + 8 + length].partition(b"\0")
            texts[key.decode("latin1")] = value.decode("latin1")
        place += 12 + length
    return {key: texts[key] for key in EMBEDDED if key in texts}


def _node(record: Mapping, records: Records) -> dict[str, Any]:
    """Return a record with what it was made from."""
    node = {key: value for key, value in record.items() if key not in ("tables", "parts", "runs")}
    if record["kind"] in ("figure", "scorecard"):
        sources = [_table(name, sha, records) for name, sha in record["tables"].items()]
    elif record["kind"] == "table":
        sources = [{**_node(part, records), "file": part["file"]} for part in record["parts"]]
    elif record["kind"] == "run":
        return {**_run(record["id"], records), **node}
    else:
        sources = [{**_run(run["id"], records), **run} for run in record.get("runs", ())]
    return {**node, "from": sources}


def _table(name: str, sha256: str, records: Records) -> dict[str, Any]:
    for where, record in records.files.items():
        if record["sha256"] == sha256 and record["kind"] in ("table", "committed"):
            return {**_node(record, records), "name": name, "record": where}
    return {"kind": "table", "name": name, "sha256": sha256, "record": None, "from": []}


def _run(run: str, records: Records, folder: Path | None = None) -> dict[str, Any]:
    """Return a run's settings and provenance; the files in `folder` are checked."""
    record = records.runs.get(run)
    if folder is not None and (folder / "manifest.json").is_file():
        record = run_record(folder)
        manifest = read_record(folder / "manifest.json", needs_seal=False)
        for name, sha256 in manifest["sha256"].items():
            if digest_file(folder / name) != sha256:
                raise NetdynError(
                    f"{folder / name} is damaged (its SHA-256 is not the manifest's): "
                    f"delete {folder} and run the workflow again"
                )
    if record is None:
        if folder is not None:
            raise NetdynError(f"{folder} is no complete run: run the workflow, it will finish it")
        return {"kind": "run", "id": run, "made": None}
    settings = {key: record[key] for key in ("settings", "manifest_sha256") if key in record}
    return {
        "kind": "run",
        "id": run,
        **settings,
        "made": {key: value for key, value in record.items() if key not in settings},
    }
