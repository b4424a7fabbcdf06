"""What an explorer is made from: run folders, tables and folders of tables.

The columns of a table tell what it holds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from netdyn.errors import NetdynError
from netdyn.records.files import RUN_FILES
from netdyn.records.sealed import read_record
from netdyn.results.tables import read_checked, read_table

__all__ = ["KINDS", "Run", "Source", "choose_runs", "gather_runs", "read_sources", "verdict_tables"]

# What a table holds, by columns that no other kind has; the first that fits.
KINDS = {
    "history": {"step", "train_loss", "train_accuracy", "test_accuracy"},
    "rpd": {"step", "mode", "layer", "class", "r", "density"},
    "gradient": {"step", "mode", "layer", "class", "gradient"},
    "regions": {"moment", "split", "mode", "digit", "mean_h1", "cov_11", "radius"},
    "projection": {"moment", "split", "mode", "digit", "h1", "h2"},
    "noise": {"step", "space", "of", "index", "amplitude", "accuracy"},
    "basin": {"step", "space", "of", "index", "size", "size_error"},
    "cone": {"kind", "sample", "digit", "amplitude", "c1", "c2", "c3"},
    "claims": {"id", "figure", "claim", "verdict"},
    "readings": {"claim", "reading", "criterion", "verdict"},
}
_JUDGED = ("claims", "readings")
_RUN_FOLDER = re.compile(r"(?P<run>.+)_seed-\d+(-[0-9a-f]{10})?")
_FEWEST_STEPS = 3  # with gradients, for a run to be one that is shown over time


class Source(NamedTuple):
    """A table that the explorer can show: its name, kind (see `KINDS`), settings and rows."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    table: pd.DataFrame
    run_folder: bool = False


class Run(NamedTuple):
    """One training of one seed: the rows of each kind that tables hold of it."""

    name: str  # with the swept values, as in the run's folder: shallow_activation-tanh_samples-600
    seed: int
    parts: Mapping[str, Sequence[Source]]
    chosen: bool  # given as a run folder

    @property
    def group(self) -> str:
        """The run's name in the configuration, without swept values."""
        return str(next(iter(self.parts.values()))[0].table["run"].iloc[0])

    def first(self, kind: str) -> pd.DataFrame | None:
        """Return the rows of the first table of a kind, None where there is none."""
        return self.parts[kind][0].table if kind in self.parts else None


def read_sources(paths: Iterable[Path | str]) -> list[Source]:
    """Read run folders, tables, folders of tables, and committed results with their verdicts.

    Raises:
        NetdynError: a path is none of these, or a table or a run is damaged.
    """
    return [source for path in paths for source in _read(Path(path))]


def _read(path: Path) -> list[Source]:
    if path.is_dir() and any((path / name).is_file() for name in RUN_FILES):
        return [_read_run(path)]
    if path.is_dir():
        inner = path / "tables" if (path / "tables").is_dir() else path
        files = sorted(inner.glob("*.csv"))
        if inner != path:
            files += [file for name in _JUDGED if (file := path / f"{name}.csv").is_file()]
        files = [file for file in files if not file.name.startswith(".")]
    elif path.is_file() and path.suffix == ".csv":
        files = [path]
    else:
        files = []
    if not files:
        what = "no run's folder, no table and no folder of tables" if path.exists() else "missing"
        raise NetdynError(f"{path} is {what}: give results/<scale>/reference, tables or runs")
    return [source for file in files for source in _read_file(file)]


def _read_file(path: Path) -> list[Source]:
    table, record = read_checked(path)
    kind = next((kind for kind, needed in KINDS.items() if needed <= {*table.columns}), None)
    settings = _settings(record)
    return [] if kind is None else [Source(path.stem, kind, settings, table)]


def _settings(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a table's measurement: its record's, or those of its first part."""
    parts = record.get("parts") or [{}]
    settings = record.get("settings") or parts[0].get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _read_run(folder: Path) -> Source:
    for name in RUN_FILES[1:]:
        if not (folder / name).is_file():
            raise NetdynError(f"run {folder} is not whole, {name} is missing: finish its training")
    settings = read_record(folder / "manifest.json", needs_seal=False)["settings"]
    table = read_table(folder / "history.csv")
    named = _RUN_FOLDER.fullmatch(folder.resolve().name)
    name = named["run"] if named else folder.resolve().name
    table.insert(0, "run", name)
    table.insert(1, "seed", int(settings["seed"]))
    return Source(str(folder), "history", {}, table, run_folder=True)


def verdict_tables(sources: Iterable[Source]) -> dict[str, pd.DataFrame]:
    """Return the scorecard `claims` and the verdicts under every reading `readings`, if given."""
    return {source.kind: source.table for source in sources if source.kind in _JUDGED}


def gather_runs(sources: Iterable[Source]) -> list[Run]:
    """Return every training that some table has rows of, in the order of the tables."""
    parts: dict[tuple[str, int], dict[str, list[Source]]] = {}
    folders = set()
    # A run's own history stands before that of a table.
    for source in sorted(sources, key=lambda source: not source.run_folder):
        columns = [*source.table.columns]
        if source.kind in _JUDGED or not {"run", "seed"} <= {*columns}:
            continue
        identity = columns[: columns.index("seed") + 1]
        for values, rows in source.table.groupby(identity, sort=False):
            run, *swept, seed = values
            name = "_".join([str(run), *map("-".join, _swept(identity[1:-1], swept))])
            key = name, int(seed)
            folders |= {key} if source.run_folder else set()
            parts.setdefault(key, {}).setdefault(source.kind, []).append(
                source._replace(table=rows.reset_index(drop=True))
            )
    return [Run(*key, kinds, key in folders) for key, kinds in parts.items()]


def _swept(columns: Sequence[str], values: Sequence[object]) -> Iterable[tuple[str, str]]:
    for column, value in zip(columns, values, strict=True):
        yield column, f"{value:g}" if isinstance(value, float) else str(value)


def choose_runs(runs: Sequence[Run], names: Sequence[str] = ()) -> list[Run]:
    """Return the runs to show: those named, else run folders, else those with g over steps.

    Where no run has gradients over several steps, all that have a history are shown.

    Raises:
        NetdynError: no run has a name that is asked for, or there is nothing to show.
    """
    if names:
        present = {run.name for run in runs} | {run.group for run in runs}
        if unknown := [name for name in names if name not in present]:
            raise NetdynError(
                f"no table has rows of the run {unknown[0]!r}: choose from "
                f"{', '.join(sorted({run.group for run in runs})) or 'none'}"
            )
        return [run for run in runs if run.name in names or run.group in names]
    for fits in (lambda run: run.chosen, _over_steps, lambda run: "history" in run.parts):
        if chosen := [run for run in runs if fits(run)]:
            return chosen
    raise NetdynError("the tables hold no history of a run: give those of results/<scale>/tables")


def _over_steps(run: Run) -> bool:
    gradient = run.first("gradient")
    enough = gradient is not None and gradient["step"].nunique() >= _FEWEST_STEPS
    return enough and "history" in run.parts
