"""Tidy tables: written whole, put together from parts, and read back as they were."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from netdyn.errors import NetdynError
from netdyn.files import written_whole

__all__ = ["identified", "read_table", "rows_of", "tabulate", "write_table"]


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV: numbers to nine digits, which tell every float32 apart."""
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g")


def read_table(path: Path) -> pd.DataFrame:
    """Read a table.

    Raises:
        NetdynError: naming the file, when it is missing, damaged or holds no rows.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise NetdynError(f"table {path} is missing: make it with the workflow first") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise NetdynError(f"table {path} is damaged ({why}): delete it and run again") from error
    if table.empty:
        raise NetdynError(f"table {path} has no rows: delete it and run again")
    return table


def tabulate(parts: Sequence[Mapping], order: Sequence[Mapping] = ()) -> pd.DataFrame:
    """Put parts together into one table, each row told which run it is from.

    Args:
        parts: mappings with `file`, a table. Where there is `identity` (run, swept settings, seed),
            it is put in front as columns; where there is `rows`, a list of identities, only the
            rows that carry one of them are taken.
        order: identities in the order in which their rows are to stand; empty leaves them as they
            come.
    """
    tables = []
    for part in parts:
        table = read_table(Path(part["file"]))
        if "identity" in part:
            table = identified(table, part["identity"])
        if "rows" in part:
            table = pd.concat([rows_of(table, identity) for identity in part["rows"]])
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if order:
        table = pd.concat([rows_of(table, identity) for identity in order], ignore_index=True)
    return table


def identified(table: pd.DataFrame, identity: Mapping) -> pd.DataFrame:
    """Return the table with an identity (run, swept settings, seed) as its first columns."""
    return pd.concat(
        [
            pd.DataFrame({k: [v] * len(table) for k, v in identity.items()}, index=table.index),
            table,
        ],
        axis=1,
    )


def rows_of(table: pd.DataFrame, identity: Mapping) -> pd.DataFrame:
    """Return the rows of one run: those whose columns hold every value of its identity."""
    found = pd.Series(True, index=table.index)
    for column, value in identity.items():
        if column not in table.columns:
            return table[:0]
        # A table keeps nine digits of a number.
        number = isinstance(value, float) and pd.api.types.is_numeric_dtype(table[column])
        found &= np.isclose(table[column], value, 1e-8, 0) if number else table[column] == value
    return table[found]
