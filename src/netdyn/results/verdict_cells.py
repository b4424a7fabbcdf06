"""The cells of readings.csv: what they hold, and what may be counted in them.

A cell is the verdict on one claim under one reading of the paper by one criterion.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from netdyn.errors import NetdynError
from netdyn.results.verdicts import (
    DIVERGED,
    FEWEST_CLAIMS,
    FROZEN,
    NOT_TESTED,
    REPRODUCED,
    STRENGTHS,
    VERDICTS,
)

__all__ = ["Share", "checked_cells", "counted_readings", "judged", "share_held"]

IDENTITY = ["claim", "reading", "criterion"]
COLUMNS = [*IDENTITY, "verdict", "measured", "strength", "seen"]


class Share(NamedTuple):
    """Of the `judged` cells of a claim, the number that `holds`: only "reproduced" does."""

    holds: int
    judged: int


def checked_cells(
    readings: pd.DataFrame, claims: Collection[str], names: Collection[str]
) -> pd.DataFrame:
    """Return the cells of readings.csv with "" where a text is missing.

    Args:
        readings: one row per cell: claim, reading, criterion, verdict, measured, strength, seen.
        claims: ids that may occur.
        names: readings that may occur beside the frozen one.

    Raises:
        NetdynError: a column is missing, a cell is there twice, a claim or a reading is unknown, a
            verdict or a strength is none of its words, or a judged cell has no strength.
    """
    if missing := [column for column in COLUMNS if column not in readings.columns]:
        raise NetdynError(f"table 'readings' has no column {', '.join(missing)}: judge it again")
    cells = readings.copy()
    texts = [c for c in cells.columns if c in COLUMNS or c == "reasons"]
    cells[texts] = cells[texts].astype(object).where(cells[texts].notna(), "")
    words = {
        "claim": claims,
        "reading": [FROZEN, *names],
        "verdict": VERDICTS,
        "strength": [*STRENGTHS, ""],
    }
    for column, allowed in words.items():
        unknown = cells[~cells[column].isin(list(allowed))]
        if not unknown.empty:
            raise NetdynError(
                f"table 'readings' has the {column} {unknown[column].iloc[0]!r}, which is none of "
                f"{', '.join(filter(None, allowed))}: judge it again"
            )
    twice = cells[cells.duplicated(IDENTITY)]
    if not twice.empty:
        cell = " / ".join(twice[IDENTITY].iloc[0])
        raise NetdynError(f"table 'readings' has the cell {cell} twice: judge it again")
    bare = cells[(cells["strength"] == "") & ~cells["verdict"].isin([DIVERGED, NOT_TESTED])]
    if not bare.empty:
        cell = " / ".join(bare[IDENTITY].iloc[0])
        raise NetdynError(f"table 'readings' has no strength at {cell}: judge it again")
    return cells


def judged(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that were tested; a diverged run is a result too."""
    return cells[cells["verdict"] != NOT_TESTED]


def counted_readings(cells: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Return those readings of `names` under which the frozen criteria judge enough claims."""
    by_frozen = judged(cells[cells["criterion"] == FROZEN])
    counts = by_frozen["reading"].value_counts()
    return [name for name in names if counts.get(name, 0) >= FEWEST_CLAIMS]


def share_held(cells: pd.DataFrame, claim: str, readings: Sequence[str]) -> Share:
    """Return under how many of `readings` a claim was judged and holds, by its frozen criterion."""
    of_claim = cells[(cells["claim"] == claim) & (cells["criterion"] == FROZEN)]
    tested = judged(of_claim[of_claim["reading"].isin(list(readings))])
    return Share(int((tested["verdict"] == REPRODUCED).sum()), len(tested))
