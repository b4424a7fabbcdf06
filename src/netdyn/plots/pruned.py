"""Accuracies of networks that are pruned by the L-map."""

import pandas as pd
from matplotlib.axes import Axes

from netdyn.plots.style import COLOURS, percent_axis
from netdyn.plots.tables import axes_or_new, checked, site_labels

__all__ = ["pruning"]


def pruning(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the accuracy with the activations of sites s … S the identity, against s.

    Args:
        table: of `netdyn.read(...).pruning(...)`: start, accuracy and error; the last start is the
            network itself, which is drawn as a line across.
        ax: axes to draw on; None for a new figure.

    Returns:
        The axes; bars are standard errors over samples.

    Raises:
        NetdynError: the table has other columns, or no rows.
    """
    table = checked(table, ["start", "accuracy", "error"], "pruning()").sort_values("start")
    ax = axes_or_new(ax)
    rows, full = table.iloc[:-1], table.iloc[-1]
    look = {"color": COLOURS["red"], "marker": "o", "elinewidth": 0.9, "capsize": 2}
    ax.errorbar(rows["start"], rows["accuracy"], rows["error"], label="pruned", **look)
    look = {"color": COLOURS["black"], "linewidth": 0.9, "linestyle": "--"}
    ax.axhline(full["accuracy"], label="the network itself", **look)
    site_labels(ax, rows["start"])
    ax.set_xlabel("pruned from site")
    ax.set_ylim(0, 1.04)
    percent_axis(ax, "accuracy")
    ax.legend(loc="best")
    return ax
