"""Tidy tables: written whole, put together from parts, and read back as they were."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write, digest_file
from netdyn.records.sealed import check, record_path, write_record

__all__ = [
    "identified",
    "read_checked",
    "read_table",
    "rows_of",
    "rows_of_runs",
    "tabulate",
    "write_csv",
    "write_table",
]


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV: numbers to nine digits, which tell every float32 apart."""
    table.to_csv(path, index=False, float_format="%.9g")


def write_table(path: Path, table: pd.DataFrame, record: Mapping | None = None) -> None:
    """Write a table as CSV, and beside it its record: its SHA-256, and where it came from."""
    path = Path(path)
    with atomic_write(path) as temporary:
        write_csv(temporary, table)
        # The record first: a table that is there without the one that it needs would be refused.
        write_record(record_path(path), {**(record or {}), "sha256": digest_file(temporary)})


def read_table(path: Path) -> pd.DataFrame:
    """Read a table whose bytes are those on record.

    Raises:
        NetdynError: naming the file, when it is missing, damaged, without a record or without rows.
    """
    return read_checked(path)[0]


def read_checked(path: Path) -> tuple[pd.DataFrame, dict]:
    """Read a table and its record (see `records.sealed`); raises NetdynError as `read_table`."""
    path = Path(path)
    try:
        content = path.read_bytes()
        record = check(path, content)
        table = pd.read_csv(io.BytesIO(content))
    except FileNotFoundError as error:
        raise NetdynError(f"table {path} is missing: make it with the workflow first") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise NetdynError(f"table {path} is damaged ({why}): delete it and run again") from error
    if table.empty:
        raise NetdynError(f"table {path} has no rows: delete it and run again")
    return table, record


def tabulate(
    parts: Sequence[Mapping], order: Sequence[Mapping] = ()
) -> tuple[pd.DataFrame, list[dict]]:
    """Put parts together into one table, each row with the run that it is from.

    Args:
        parts: mappings with `file`, a table. Where there is `identity` (run, swept settings, seed),
            it is put in front as columns; where there is `rows`, a list of identities, only the
            rows that carry one of them are taken.
        order: identities in the order in which their rows are to stand; empty leaves them as they
            come.

    Returns:
        The table, and the record of each part.
    """
    tables, records = [], []
    for part in parts:
        table, record = read_checked(Path(part["file"]))
        if "identity" in part:
            table = identified(table, part["identity"])
        if "rows" in part:
            table = rows_of_runs(table, part["rows"])
            chosen = [run for run in record.get("runs", ()) if run["identity"] in part["rows"]]
            record["runs"] = chosen
        tables.append(table)
        records.append({"file": str(part["file"]), **record})
    table = pd.concat(tables, ignore_index=True)
    if order:
        table = rows_of_runs(table, order)
    return table, records


def identified(table: pd.DataFrame, identity: Mapping) -> pd.DataFrame:
    """Return the table with an identity (run, swept settings, seed) as its first columns."""
    return pd.concat(
        [
            pd.DataFrame({k: [v] * len(table) for k, v in identity.items()}, index=table.index),
            table,
        ],
        axis=1,
    )


def rows_of_runs(table: pd.DataFrame, identities: Iterable[Mapping]) -> pd.DataFrame:
    """Return the rows of some runs, run by run (see `rows_of`)."""
    return pd.concat([rows_of(table, identity) for identity in identities], ignore_index=True)


def rows_of(table: pd.DataFrame, identity: Mapping) -> pd.DataFrame:
    """Return the rows of one run: those whose columns hold every value of its identity."""
    matches = pd.Series(True, index=table.index)
    for column, value in identity.items():
        if column not in table.columns:
            return table[:0]
        # A table keeps nine digits of a number.
        number = isinstance(value, float) and pd.api.types.is_numeric_dtype(table[column])
        matches &= np.isclose(table[column], value, 1e-8, 0) if number else table[column] == value
    return table[matches]
