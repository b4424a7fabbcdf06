"""The tables that claims are judged from, with the runs that each must hold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from netdyn.claims.kinds import Diverged, NotTested

__all__ = [
    "Divergence",
    "Tables",
    "at_last_step",
    "best_accuracy",
    "diverged",
    "each_run",
    "identity_columns",
    "matching",
    "raise_if_diverged",
]

Identity = Mapping[str, Any]


class Tables:
    """The tables that are there, by name, and the runs that each is expected to hold.

    Args:
        tables: name → table; its first columns, up to `seed`, tell the run of a row.
        expected: name → identities (run, swept values, seed) of the runs that must be in the table.
            What is no column of the table's identity, such as the number of training samples,
            `samples`, is told beside and not looked for. A table without an entry is taken as it
            is.
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        expected: Mapping[str, Sequence[Identity]] | None = None,
    ):
        self._tables = dict(tables)
        self._expected = {name: list(runs) for name, runs in (expected or {}).items()}

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    def expected(self, name: str) -> list[Identity]:
        """Return what is told of the runs that the table is expected to hold."""
        return self._expected.get(name, [])

    def get(
        self, name: str, columns: Iterable[str] = (), runs: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return the rows of the expected runs, in their order, of table `name`.

        Args:
            columns: that are needed; the table may have more.
            runs: the names (column `run`) of those that are needed, all where it is None.

        Raises:
            NotTested: the table is missing, is empty, lacks one of the columns, or lacks an
                expected run or seed; or none of the runs asked for is expected.
        """
        if name not in self._tables:
            raise NotTested(f"table {name} is missing")
        table = self._tables[name]
        lacking = [column for column in columns if column not in table.columns]
        if lacking:
            raise NotTested(f"table {name} has no column {', '.join(lacking)}")
        wanted = None if runs is None else list(runs)
        if wanted is not None and "run" in table.columns:
            table = table[table["run"].isin(wanted)]
        if table.empty:
            raise NotTested(f"table {name} has no rows" + _of_runs(wanted))
        if name in self._expected:
            table = self._expected_rows(name, table, wanted)
        elif wanted is not None:
            present = set(table["run"])
            for run in wanted:
                if run not in present:
                    raise NotTested(f"table {name} has no rows of run {run}")
        return table.reset_index(drop=True)

    def history(
        self, name: str, columns: Iterable[str] = (), runs: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return a history as `get` does, in the order of steps, with `train_loss` (NaN: diverged).

        It is returned of diverged runs too: see `raise_if_diverged`.
        """
        table = self.get(name, ["step", "train_loss", *columns], runs)
        return table.sort_values("step", kind="stable", ignore_index=True)

    def _expected_rows(
        self, name: str, table: pd.DataFrame, wanted: Sequence[str] | None
    ) -> pd.DataFrame:
        columns = identity_columns(table)
        positions: dict[tuple, dict] = {}  # by identity, for each set of columns that tells one
        chosen = []
        for told in self._expected[name]:
            if wanted is not None and told["run"] not in wanted:
                continue
            # The count of training samples is told of every run but swept, a column, in few.
            identity = {k: v for k, v in told.items() if k in columns or k not in ABOUT_A_RUN}
            names = tuple(identity)
            if names not in positions:
                positions[names] = _positions(table, names)
            found = positions[names].get(_key(identity.values()))
            if found is None:
                raise NotTested(f"table {name} has no rows of {_name(identity)}")
            chosen.append(found)
        if not chosen:
            raise NotTested(f"table {name} is not made of" + _of_runs(wanted).removeprefix(" of"))
        return table.iloc[np.concatenate(chosen)]


# What is told of a run beside its identity (see `Tables`).
ABOUT_A_RUN = ("samples", "threads")


def identity_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that tell the run of a row: the first ones, `seed` the last of them."""
    columns = list(table.columns)
    return columns[: columns.index("seed") + 1] if "seed" in columns else []


def each_run(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield, per run, its identity and its rows, by step where there is one."""
    columns = identity_columns(table)
    for values, rows in table.groupby(columns, sort=False, dropna=False):
        by_step = rows.sort_values("step", kind="stable") if "step" in rows.columns else rows
        yield dict(zip(columns, values, strict=True)), by_step


def matching(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Return the rows in which every column equals its wanted value.

    Raises:
        NotTested: naming the values, if no row does.
    """
    found = table
    for column, value in wanted.items():
        found = found[found[column] == value]
    if found.empty:
        raise NotTested(f"no row with {_name(wanted)}")
    return found


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
    return [
        Divergence(identity, int(rows["step"].iloc[-1]))
        for identity, rows in each_run(history)
        if not np.isfinite(rows["train_loss"].iloc[-1])
    ]


def raise_if_diverged(history: pd.DataFrame, runs: Iterable[str] | None = None) -> None:
    """Raise Diverged, naming the run and the step, if a run of the history diverged.

    Args:
        runs: the names (column `run`) of those that matter, all where it is None.
    """
    wanted = None if runs is None else set(runs)
    for identity, step in diverged(history):
        if wanted is None or identity["run"] in wanted:
            raise Diverged(f"{_name(identity)} diverged at step {step}")


def _positions(table: pd.DataFrame, names: Sequence[str]) -> dict[tuple, np.ndarray]:
    """Return the positions of the rows of each identity, none where a column is missing."""
    if not set(names) <= set(table.columns):
        return {}
    groups = table.groupby(list(names), dropna=False)
    return {_key(values): where for values, where in groups.indices.items()}


def _key(values: Iterable[object]) -> tuple:
    """Return an identity's values such that equal ones are equal: a table keeps nine digits."""
    return tuple(float(f"{v:.9g}") if isinstance(v, float) else v for v in values)


def _name(identity: Identity) -> str:
    """Return an identity in words: "run deep23, seed 0"."""
    return ", ".join(f"{column} {value}" for column, value in identity.items())


def _of_runs(runs: Sequence[str] | None) -> str:
    return "" if runs is None else f" of run {', '.join(runs)}"
