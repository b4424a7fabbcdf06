"""What every function of the room does first: axes to draw on, and a table with its columns."""

from collections.abc import Iterable

import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes

from netdyn.errors import NetdynError
from netdyn.plots.style import house_style

__all__ = ["axes_or_new", "checked", "mean_rows", "site_labels"]

SIZE = (3.5, 2.5)  # inches, of a figure of one panel


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the axes, or those of a new figure of pyplot in the house's style."""
    if ax is not None:
        return ax
    with house_style():
        return pyplot.subplots(figsize=SIZE, layout="constrained")[1]


def checked(table: object, columns: Iterable[str], source: str) -> pd.DataFrame:
    """Return a table that has rows and all columns.

    Args:
        source: what returns such tables, for messages.

    Raises:
        NetdynError: naming what is missing.
    """
    if not isinstance(table, pd.DataFrame):
        raise NetdynError(f"the table is a {type(table).__name__}: give what {source} returns")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise NetdynError(f"the table has no column {missing[0]!r}: give what {source} returns")
    if table.empty:
        raise NetdynError(f"the table has no rows: {source} measured nothing")
    return table


def mean_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of class −1, the mean over the classes, of a table that has them."""
    rows = table[table["class"] == -1]
    if rows.empty:
        raise NetdynError("the table has no rows of class −1, the mean over the classes: keep them")
    return rows


def site_labels(ax: Axes, sites: Iterable[int]) -> None:
    """Set the x axis of sites: whole numbers, not more than fit."""
    sites = sorted({*sites})
    stride = 1 + len(sites) // 13
    ax.set_xticks(sites[::stride])
    ax.set_xlabel("site (activation)")
