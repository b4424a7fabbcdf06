"""What an explorer is made from: run folders, tables and folders of tables.

The columns of a table tell what it holds.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from netdyn.errors import NetdynError
from netdyn.records.files import RUN_FILES
from netdyn.records.run_settings import RunSettings
from netdyn.records.sealed import read_record
from netdyn.results.tables import read_checked, read_table
from netdyn.results.verdicts import FROZEN

__all__ = [
    "KINDS",
    "VERDICTS",
    "Run",
    "Source",
    "choose_runs",
    "gather_runs",
    "read_file",
    "read_sources",
    "reading_names",
    "verdict_tables",
]

# What a table holds, by columns that no other kind has; the first that fits.
KINDS = {
    "history": {"step", "train_loss", "train_accuracy", "test_accuracy"},
    "rpd": {"step", "mode", "layer", "class", "r", "density"},
    "gradient": {"step", "mode", "layer", "class", "gradient"},
    "regions": {"moment", "split", "mode", "digit", "mean_h1", "cov_11", "radius"},
    "projection": {"moment", "split", "mode", "digit", "h1", "h2"},
    "projection_course": {"step", "split", "mode", "digit", "h1", "h2"},
    "pruning": {"step", "split", "start_layer", "accuracy", "full_accuracy"},
    "noise": {"step", "space", "of", "index", "amplitude", "accuracy"},
    "basin": {"step", "space", "of", "index", "size", "size_error"},
    "cone": {"kind", "sample", "digit", "amplitude", "c1", "c2", "c3"},
    "claims": {"id", "figure", "claim", "verdict"},
    "readings": {"claim", "reading", "criterion", "verdict"},
}
VERDICTS = ("claims", "readings")
_RUN_FOLDER = re.compile(r"(?P<run>.+)_seed-\d+(-(?P<digest>[0-9a-f]{10}))?")
# Behind a run's name: its swept settings, or what tells runs of one name and seed apart.
_BEHIND_NAME = re.compile(rf"_({'|'.join(RunSettings.__annotations__)})-| ")
_FEWEST_STEPS = 3  # with gradients, for a run to be one that is shown over time


class Source(NamedTuple):
    """A table that the explorer can show: its name, kind (see `KINDS`), settings and rows."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    table: pd.DataFrame
    run_folder: Path | None = None  # whose history this is


class Run(NamedTuple):
    """One training of one seed: the rows of each kind that tables hold of it."""

    name: str  # with the swept values, as in the run's folder: shallow_activation-tanh_samples-600
    seed: int
    parts: Mapping[str, Sequence[Source]]
    folder: Path | None = None  # the run's own, where that was given

    @property
    def group(self) -> str:
        """The run's name in the configuration, without swept values."""
        return _BEHIND_NAME.split(self.name)[0]

    @property
    def is_monitored(self) -> bool:
        """Whether this is the course that a monitor has saved, which has no seed."""
        return any(source.settings.get("monitor") for source in self.parts.get("history", ()))

    def first(self, kind: str) -> pd.DataFrame | None:
        """Return the rows of the first table of a kind, None where there is none."""
        return self.parts[kind][0].table if kind in self.parts else None


def read_sources(paths: Iterable[Path | str]) -> list[Source]:
    """Read run folders, tables, folders of tables, and committed results with their verdicts.

    Raises:
        NetdynError: a path is none of these, or a table or a run is damaged.
    """
    read = [source for path in paths for source in _read(Path(path))]
    folders = {source.run_folder: source for source in read if source.run_folder}
    apart = _told_apart([*folders.values()])
    return [*apart, *(source for source in read if not source.run_folder)]


def _read(path: Path) -> list[Source]:
    if path.is_dir() and any((path / name).is_file() for name in RUN_FILES):
        return [_read_run(path)]
    if path.is_dir():
        inner = path / "tables" if (path / "tables").is_dir() else path
        files = sorted(inner.glob("*.csv"))
        if inner != path:
            files += [file for name in VERDICTS if (file := path / f"{name}.csv").is_file()]
        files = [file for file in files if not file.name.startswith(".")]
    elif path.is_file() and path.suffix == ".csv":
        files = [path]
    else:
        files = []
    if not files:
        what = "no run's folder, no table and no folder of tables" if path.exists() else "missing"
        raise NetdynError(f"{path} is {what}: give results/<scale>/reference, tables or runs")
    return [source for file in files for source in read_file(file)]


def read_file(path: Path) -> list[Source]:
    """Read a table; of one that no panel shows nothing is returned.

    Raises:
        NetdynError: the table is damaged, or has no record.
    """
    table, record = read_checked(path)
    kind = next((kind for kind, needed in KINDS.items() if needed <= {*table.columns}), None)
    settings = _settings(record)
    if kind == "readings":
        settings = _reading_names(path)
    return [] if kind is None else [Source(path.stem, kind, settings, table)]


def _reading_names(path: Path) -> Mapping[str, str]:
    """Return what readings are called by the committed picture of the multiverse, by name."""
    picture = path.parent / "provenance" / "multiverse.json"
    if not picture.is_file():
        return {FROZEN: "the frozen reading"}
    declared = read_record(picture, needs_seal=False)["settings"]["readings"]
    named = {each["name"]: f"{each['question']}: {each['choice']}" for each in declared}
    return {FROZEN: "the frozen reading", **named}


def _settings(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a table's measurement: its record's, or those of its first part."""
    parts = record.get("parts") or [{}]
    settings = record.get("settings") or parts[0].get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _told_apart(runs: Sequence[Source]) -> list[Source]:
    """Return histories of run folders; those of one name and seed get their digest as well."""
    names = Counter(_key(source) for source in runs)
    apart = []
    for source in runs:
        named = _RUN_FOLDER.fullmatch(source.run_folder.name)
        if names[_key(source)] > 1:
            name = f"{_key(source)[0]} {(named and named['digest']) or source.run_folder}"
            source = source._replace(table=source.table.assign(run=name))
        apart.append(source)
    return apart


def _key(source: Source) -> tuple[str, int]:
    return str(source.table["run"].iloc[0]), int(source.table["seed"].iloc[0])


def _read_run(folder: Path) -> Source:
    folder = folder.resolve()
    for name in RUN_FILES[1:]:
        if not (folder / name).is_file():
            raise NetdynError(f"run {folder} is not whole, {name} is missing: finish its training")
    settings = read_record(folder / "manifest.json", needs_seal=False)["settings"]
    table = read_table(folder / "history.csv")
    named = _RUN_FOLDER.fullmatch(folder.name)
    name = named["run"] if named else folder.name
    table.insert(0, "run", name)
    table.insert(1, "seed", int(settings["seed"]))
    return Source(str(folder), "history", {}, table, folder)


def verdict_tables(sources: Iterable[Source]) -> dict[str, pd.DataFrame]:
    """Return the scorecard `claims` and the verdicts under every reading `readings`, if given."""
    return {source.kind: source.table for source in sources if source.kind in VERDICTS}


def reading_names(sources: Iterable[Source]) -> Mapping[str, str]:
    """Return what the readings of `readings` are called, by name."""
    return next((source.settings for source in sources if source.kind == "readings"), {})


def gather_runs(sources: Iterable[Source]) -> list[Run]:
    """Return every training that some table has rows of, in the order of the tables."""
    parts: dict[tuple[str, int], dict[str, list[Source]]] = {}
    folders: dict[tuple[str, int], Path] = {}
    # A run's own history stands before that of a table.
    for source in sorted(sources, key=lambda source: not source.run_folder):
        columns = [*source.table.columns]
        if source.kind in VERDICTS or not {"run", "seed"} <= {*columns}:
            continue
        identity = columns[: columns.index("seed") + 1]
        for values, rows in source.table.groupby(identity, sort=False):
            run, *swept, seed = values
            name = "_".join([str(run), *map("-".join, _swept(identity[1:-1], swept))])
            key = name, int(seed)
            if source.run_folder:
                folders[key] = source.run_folder
            parts.setdefault(key, {}).setdefault(source.kind, []).append(
                source._replace(table=rows.reset_index(drop=True))
            )
    return [Run(*key, kinds, folders.get(key)) for key, kinds in parts.items()]


def _swept(columns: Sequence[str], values: Sequence[object]) -> Iterable[tuple[str, str]]:
    for column, value in zip(columns, values, strict=True):
        yield column, f"{value:g}" if isinstance(value, float) else str(value)


def choose_runs(runs: Sequence[Run], names: Sequence[str] = ()) -> list[Run]:
    """Return the runs to show: those named, else run folders and courses, else those with g.

    The last are those whose g was measured over several steps; where there are none, all that have
    a history are shown.

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
    for fits in (_is_given, _over_steps, lambda run: "history" in run.parts):
        if chosen := [run for run in runs if fits(run)]:
            return chosen
    raise NetdynError("the tables hold no history of a run: give those of results/<scale>/tables")


def _is_given(run: Run) -> bool:
    return run.folder is not None or run.is_monitored


def _over_steps(run: Run) -> bool:
    gradient = run.first("gradient")
    enough = gradient is not None and gradient["step"].nunique() >= _FEWEST_STEPS
    return enough and "history" in run.parts
