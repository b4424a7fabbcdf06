"""Samples in the plane of the logits."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from netdyn.errors import NetdynError
from netdyn.plots.style import CLASS_COLOURS, COLOURS
from netdyn.plots.tables import axes_or_new, checked

__all__ = ["POINT", "plane_points", "projection"]

MARKERS = "o^sDv"
POINT = {
    "linestyle": "none",
    "markersize": 2.2,
    "markeredgewidth": 0,
    "alpha": 0.6,
    "rasterized": True,
}


def projection(
    table: pd.DataFrame, labels: Sequence[int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the samples in the plane of the logits, a colour and a marker for each class.

    Args:
        table: of `netdyn.read(...).projection(...)`: coordinate_1 and coordinate_2.
        labels: of the samples, (P,); None takes the table's column `label`, or one colour.
        ax: axes to draw on; None for a new figure.

    Returns:
        The axes.

    Raises:
        NetdynError: the table has other columns or no rows, or another number of labels.
    """
    table = checked(table, ["coordinate_1", "coordinate_2"], "projection()")
    if labels is None:
        labels = table["label"] if "label" in table.columns else np.zeros(len(table), dtype=int)
        named = "label" in table.columns
    else:
        named = True
    labels = np.asarray(labels)
    if labels.shape != (len(table),):
        raise NetdynError(f"labels of shape {labels.shape} for {len(table)} samples: give one each")
    ax = axes_or_new(ax)
    for k in sorted({*labels.tolist()}):
        rows = table[labels == k]
        colour = CLASS_COLOURS[int(k) % len(CLASS_COLOURS)] if named else COLOURS["blue"]
        look = {"color": colour, "marker": MARKERS[int(k) % len(MARKERS)]}
        plane_points(ax, rows[["coordinate_1", "coordinate_2"]], label=f"{k}", **look)
    if named:
        many = {"markerscale": 2, "handletextpad": 0.1, "handlelength": 1.2}
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="class", **many)
    return ax


def plane_points(ax: Axes, places: pd.DataFrame, **look: object) -> Line2D:
    """Draw samples at their places in the plane, and name its axes.

    Args:
        places: h_1 and h_2 of each, two columns.
        look: of the points, where it is not the usual one.
    """
    (points,) = ax.plot(places.iloc[:, 0], places.iloc[:, 1], **{**POINT, **look})
    ax.set(xlabel=r"$h_1$", ylabel=r"$h_2$")
    return points
