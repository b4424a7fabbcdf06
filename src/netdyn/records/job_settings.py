"""What the resolved settings of jobs hold that measure, put tables together, keep and judge them.

`netdyn.plan` makes them; they travel as JSON. The settings of a quantity are described where it is
measured, by the type of its `measure`'s settings in `netdyn.quantities`.
"""

from typing import Any, Literal, NotRequired, TypedDict

from netdyn.records.figure_settings import ReadingTexts

__all__ = [
    "BlockSettings",
    "ClaimsSettings",
    "ClaimsTable",
    "DeclaredReading",
    "Identity",
    "KeepSettings",
    "KeptRun",
    "MeasuredRun",
    "MultiverseSettings",
    "MultiverseTable",
    "ReadingSettings",
    "TablePart",
    "TableSettings",
]

# Columns of each row of a run: run, its swept settings by name, and seed.
Identity = dict[str, Any]


class MeasuredRun(TypedDict):
    """A run that a job measures: it has a folder, or settings where it need not be trained."""

    folder: NotRequired[str]  # of the trained run
    settings: NotRequired[str]  # file of the run's settings
    data: str  # file of the prepared data set
    identity: NotRequired[Identity]  # put in front of the rows; none for a run of one's own


class BlockSettings(TypedDict):
    """What one job measures."""

    settings: dict[str, Any]  # the quantity's, with threads
    runs: list[MeasuredRun]  # empty for toy neurons


class TablePart(TypedDict):
    """A file whose rows become a part of a table."""

    file: str
    identity: NotRequired[Identity]  # put in front of all rows, which lack it
    rows: NotRequired[list[Identity]]  # the runs whose rows are used; of all runs unless given


class TableSettings(TypedDict):
    """From which parts a table is put together, and the order of its runs."""

    parts: list[TablePart]
    order: list[Identity]


class KeptRun(TypedDict):
    """A run of a committed table."""

    id: str  # with a digest of the run's settings
    identity: Identity


class KeepSettings(TypedDict):
    """What identifies a committed table."""

    name: str
    quantity: str
    settings: dict[str, Any]  # the quantity's, without threads
    runs: list[KeptRun]  # in the order of their rows


class ClaimsTable(TypedDict):
    """What a table of the scorecard must hold."""

    runs: list[Identity]  # each with samples, its number of training samples
    file: NotRequired[str]  # <name>.csv in the folder of tables unless given


class ClaimsSettings(TypedDict):
    """What the scorecard is judged from."""

    scale: str
    dataset: str
    tables: dict[str, ClaimsTable]  # by name


class ReadingSettings(TypedDict):
    """What claims are judged from under one reading."""

    name: str
    claims: list[str] | tuple[str, ...]  # ids of those that the reading concerns
    options: dict[str, str]  # of judging
    mode: Literal["evaluation", "training"]
    changed: list[str]  # names of the tables that differ from those of the frozen reading
    tables: dict[str, str]  # by name, the key in `MultiverseSettings.tables`


class DeclaredReading(ReadingSettings, ReadingTexts):
    """The same under a reading of workflow/readings.yaml; the frozen one needs no texts."""


class MultiverseTable(TypedDict):
    """A table of one or more readings."""

    parts: list[TablePart]  # empty where nothing is committed
    runs: list[Identity]  # that it must hold, each with samples


class MultiverseSettings(TypedDict):
    """What the claims are judged from under every reading."""

    scale: str
    dataset: str
    readings: list[ReadingSettings | DeclaredReading]  # the frozen one first
    tables: dict[str, MultiverseTable]  # by a digest of their content
