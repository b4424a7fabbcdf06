"""The tables that claims are judged from, with the runs that each must hold."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from netdyn.claims.verdicts import DIVERGED, NOT_TESTED, Claim, Diverged, NotTested, Outcome

__all__ = [
    "Divergence",
    "Judge",
    "Tables",
    "at_last_step",
    "best_accuracy",
    "diverged",
    "each_run",
    "identity_columns",
    "matching",
    "outcome_of",
    "raise_if_diverged",
    "rounded",
]

Identity = Mapping[str, Any]


class Tables:
    """The measured tables by name, and the runs that each is expected to hold.

    Args:
        tables: name → table; its first columns, up to `seed`, identify the run of a row.
        expected: name → identities (run, swept values, seed) of the runs that must be in the table.
            `samples` and `threads` (see `ABOUT_A_RUN`) describe the run and identify it only where
            they are columns of the table. A table without an entry is not checked.

    Attributes:
        read: name → names of the runs whose rows were returned since these tables were made, or
            since `unread`; empty where the table has not what was looked up, or no column `run`.
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        expected: Mapping[str, Sequence[Identity]] | None = None,
    ):
        self._tables = dict(tables)
        self._expected = {name: list(runs) for name, runs in (expected or {}).items()}
        self.read: dict[str, set[str]] = {}
        # Judging again reads the same rows again, many times.
        self._selected: dict[tuple, pd.DataFrame] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    def expected(self, name: str) -> list[Identity]:
        """Return the identities of the runs that the table is expected to hold."""
        return self._expected.get(name, [])

    def get(
        self, name: str, columns: Iterable[str] = (), runs: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return the rows of the expected runs, in their order, of table `name`.

        Args:
            columns: the required columns; the table may have more.
            runs: the names (column `run`) of the required runs; None requires all.

        Raises:
            NotTested: the table is missing or empty, it has no such column, no rows of an expected
                run or seed, or none of the required runs is expected in it.
        """
        if name not in self._tables:
            raise NotTested(f"table {name} is missing")
        self.read.setdefault(name, set())
        absent = [column for column in columns if column not in self._tables[name].columns]
        if absent:
            raise NotTested(f"table {name} has no column {', '.join(absent)}")
        required = None if runs is None else tuple(runs)
        if (name, required) not in self._selected:
            self._selected[name, required] = self._rows(name, required)
        table = self._selected[name, required]
        names = table["run"].unique() if "run" in table.columns else ()
        self.read[name].update(names)
        return table.copy()

    def unread(self) -> "Tables":
        """Return the same tables, of which nothing has been read yet."""
        same = copy(self)
        same.read = {}
        return same

    def altered(
        self,
        names: Iterable[str],
        table: Callable[[pd.DataFrame], pd.DataFrame],
        expected: Callable[[list[Identity]], list[Identity]] = list,
    ) -> "Tables":
        """Return these tables alone, each changed, and what is expected of them changed."""
        present = [name for name in names if name in self]
        return Tables(
            {name: table(self._tables[name]) for name in present},
            {name: expected(self._expected[name]) for name in present if name in self._expected},
        )

    def _rows(self, name: str, required: Sequence[str] | None) -> pd.DataFrame:
        table = self._tables[name]
        if required is not None and "run" in table.columns:
            table = table[table["run"].isin(required)]
        if table.empty:
            raise NotTested(f"table {name} has no rows" + _of_runs(required))
        if name in self._expected:
            table = self._expected_rows(name, table, required)
        elif required is not None:
            present = set(table["run"])
            for run in required:
                if run not in present:
                    raise NotTested(f"table {name} has no rows of run {run}")
        return table.reset_index(drop=True)

    def history(
        self, name: str, columns: Iterable[str] = (), runs: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return a history as `get` does, in the order of steps, with `train_loss` (NaN: diverged).

        Diverged runs are included: see `raise_if_diverged`.
        """
        table = self.get(name, ["step", "train_loss", *columns], runs)
        return table.sort_values("step", kind="stable", ignore_index=True)

    def _expected_rows(
        self, name: str, table: pd.DataFrame, required: Sequence[str] | None
    ) -> pd.DataFrame:
        columns = identity_columns(table)
        positions: dict[tuple, dict] = {}  # by identity, for each set of identifying columns
        chosen = []
        for expected in self._expected[name]:
            if required is not None and expected["run"] not in required:
                continue
            # Every run has a count of training samples; it is a column only where it is swept.
            identity = {k: v for k, v in expected.items() if k in columns or k not in ABOUT_A_RUN}
            names = tuple(identity)
            if names not in positions:
                positions[names] = _positions(table, names)
            rows = positions[names].get(rounded(identity.values()))
            if rows is None:
                raise NotTested(f"table {name} has no rows of {_name(identity)}")
            chosen.append(rows)
        if not chosen:
            raise NotTested(f"table {name} is not made of" + _of_runs(required).removeprefix(" of"))
        return table.iloc[np.concatenate(chosen)]


# Facts about a run that do not identify it unless they are swept (see `Tables`).
ABOUT_A_RUN = ("samples", "threads")


def identity_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that identify the run of a row: all up to and including `seed`."""
    columns = list(table.columns)
    return columns[: columns.index("seed") + 1] if "seed" in columns else []


def each_run(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield, per run, its identity and its rows, by step where there is one."""
    columns = identity_columns(table)
    for values, rows in table.groupby(columns, sort=False, dropna=False):
        by_step = rows.sort_values("step", kind="stable") if "step" in rows.columns else rows
        yield dict(zip(columns, values, strict=True)), by_step


def matching(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows in which every column equals the value given for it.

    Raises:
        NotTested: no row matches; the message names the values.
    """
    rows = table
    for column, value in values.items():
        rows = rows[rows[column] == value]
    if rows.empty:
        raise NotTested(f"no row with {_name(values)}")
    return rows


def at_last_step(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the last step of each run."""
    last = table.groupby(identity_columns(table), dropna=False)["step"].transform("max")
    return table[table["step"] == last]


def best_accuracy(history: pd.DataFrame) -> pd.DataFrame:
    """Return, per run, its identity and its best test accuracy (evaluation mode), in [0, 1]."""
    grouped = history.groupby(identity_columns(history), sort=False, dropna=False)
    return grouped["test_accuracy"].max().reset_index()


class Divergence(NamedTuple):
    """A run that diverged, and the step at which its training ended."""

    identity: dict[str, Any]
    step: int


def diverged(history: pd.DataFrame) -> list[Divergence]:
    """Return the runs whose history ends with a training loss that is not a number."""
    columns = identity_columns(history)
    runs = history.groupby(columns, sort=False, dropna=False)["step"]
    last = history.loc[runs.idxmax()]
    lost = last[~np.isfinite(last["train_loss"])]
    return [
        Divergence(identity, int(step))
        for identity, step in zip(lost[columns].to_dict("records"), lost["step"], strict=True)
    ]


def raise_if_diverged(history: pd.DataFrame, runs: Iterable[str] | None = None) -> None:
    """Raise Diverged, naming the run and the step, if a run of the history diverged.

    Args:
        runs: the names (column `run`) of the runs that are checked; None checks all.
    """
    checked = None if runs is None else set(runs)
    for identity, step in diverged(history):
        if checked is None or identity["run"] in checked:
            raise Diverged(f"{_name(identity)} diverged at step {step}")


def _positions(table: pd.DataFrame, names: Sequence[str]) -> dict[tuple, np.ndarray]:
    """Return the row positions of each identity; empty if the table has not all columns."""
    if not set(names) <= set(table.columns):
        return {}
    groups = table.groupby(list(names), dropna=False)
    return {rounded(values): where for values, where in groups.indices.items()}


def rounded(values: Iterable[object]) -> tuple:
    """Return an identity's values, floats rounded to the nine digits that tables hold."""
    return tuple(float(f"{v:.9g}") if isinstance(v, float) else v for v in values)


def _name(identity: Identity) -> str:
    """Return an identity in words: "run deep23, seed 0"."""
    return ", ".join(f"{column} {value}" for column, value in identity.items())


def _of_runs(runs: Sequence[str] | None) -> str:
    return "" if runs is None else f" of run {', '.join(runs)}"


Judge = Callable[[Tables, Claim, str], Outcome]


def outcome_of(judge: Judge, row: Claim, tables: Tables, mode: str) -> Outcome:
    """Return the outcome of a claim's test; a test that cannot be made has its verdict too."""
    try:
        return judge(tables, row, mode)
    except NotTested as missing:
        return Outcome(NOT_TESTED, "", None, str(missing))
    except Diverged as divergence:
        return Outcome(DIVERGED, "", None, str(divergence))
