"""Tidy tables: written whole, put together from parts, and read back as they were."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from netdyn.errors import NetdynError
from netdyn.files import written_whole

__all__ = ["read_table", "tabulate", "write_table"]


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


def tabulate(parts: Sequence[Mapping]) -> pd.DataFrame:
    """Put the tables of single runs together, each row told which run it is from.

    Args:
        parts: mappings with `file`, a table, and `identity`, columns that say where it is from
            (run, swept settings, seed); they come first.
    """
    tables = []
    for part in parts:
        table = read_table(Path(part["file"]))
        for place, (column, value) in enumerate(part["identity"].items()):
            said = "x".join(map(str, value)) if isinstance(value, list) else value
            table.insert(place, column, said)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
