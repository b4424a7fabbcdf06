"""Tables that lie beside run folders: those of their scale, and those that were measured of them.

A record says of which runs a table's rows are, by the names of their folders, which hold a digest
of the settings: rows of a run that was trained otherwise are never taken.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netdyn.explorer.sources import VERDICTS, Source, read_file
from netdyn.records.sealed import read_record, record_path
from netdyn.results.tables import rows_of

__all__ = ["sources_beside"]


def sources_beside(
    runs: Sequence[Source], more: Iterable[Path] = (), scales: bool = True
) -> list[Source]:
    """Return the rows that tables have of runs, and the verdicts of their scale.

    Looked through are the folders `more`, then `tables` and `reference/tables` of results/<scale>;
    of tables of one name the first that has rows of a run is taken.

    Args:
        runs: histories of run folders, results/<scale>/runs/<run>.
        more: folders of further tables.
        scales: whether tables and verdicts of results/<scale> are taken.

    Raises:
        NetdynError: a table with rows of these runs is damaged.
    """
    in_runs = [one.run_folder for one in runs if scales and one.run_folder.parent.name == "runs"]
    results = dict.fromkeys(folder.parents[1] for folder in in_runs)
    folders = [*more]
    folders += [scale / name for scale in results for name in ("tables", "reference/tables")]
    rows = [source for run in runs for source in _of_run(run, folders)]
    files = [scale / "reference" / f"{name}.csv" for scale in results for name in VERDICTS]
    return [*rows, *(source for file in files if file.is_file() for source in read_file(file))]


def _of_run(run: Source, folders: Iterable[Path]) -> Iterator[Source]:
    names: set[str] = set()
    for folder in folders:
        for path in sorted(folder.glob("*.csv")):
            identity = _identity(path, run.run_folder.name)
            if identity is None or path.stem in names:
                continue
            for source in read_file(path):
                rows = rows_of(source.table, identity)
                if source.kind == "history" or rows.empty:
                    continue
                names.add(path.stem)
                own = {"run": run.table["run"].iloc[0], "seed": run.table["seed"].iloc[0]}
                rows = rows.drop(columns=[name for name in identity if name in rows])
                for place, (name, value) in enumerate(own.items()):
                    rows.insert(place, name, value)
                yield source._replace(table=rows.reset_index(drop=True))


def _identity(path: Path, run: str) -> Mapping[str, Any] | None:
    """Return the columns by which a table's rows are a run's; None where it has none of it."""
    committed = path.parents[1] / "provenance" / "tables" / f"{path.stem}.json"
    if record_path(path).is_file():
        record = read_record(record_path(path))
    elif committed.is_file():
        record = read_record(committed, needs_seal=False)
    else:
        return None  # not a table of the workflow's
    parts = [record, *record.get("parts", ())]
    measured = (each for part in parts for each in part.get("runs", ()))
    return next((each["identity"] for each in measured if each["id"] == run), None)
