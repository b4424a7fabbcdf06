"""Accuracy under noise, and the attraction basins that it measures."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from netdyn.plots.lines import plot_line
from netdyn.plots.noise_axes import mark_ends, noise_axes
from netdyn.plots.style import CLASS_COLOURS, COLOURS, percent_axis
from netdyn.plots.tables import axes_or_new, checked

__all__ = ["UNITS", "basins", "noise_accuracy", "noise_curves"]

UNITS = {"sample": "range of the samples", "weight": "std of each weight matrix"}
LOOKS = {
    "sample": {"color": COLOURS["blue"], "marker": "o"},
    "weight": {"color": COLOURS["orange"], "marker": "s"},
}
TOP = 0.93  # height of the arrow of a basin without an end, in parts of the panel's


def noise_accuracy(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the accuracy against the amplitude of the noise, and where each basin ends.

    Args:
        table: of `netdyn.read(...).noise_accuracy(...)`, or several put together: space, class,
            amplitude, accuracy. Class −1 is all samples; others are thin lines.
        ax: axes to draw on; None for a new figure.

    Returns:
        The axes. A mark where a curve falls below 50 % is the size of the basin; it is hollow where
        the curve rises above again.

    Raises:
        NetdynError: the table has other columns, or no rows.
    """
    columns = ["space", "class", "amplitude", "accuracy"]
    table = checked(table, columns, "noise_accuracy()")
    ax = axes_or_new(ax)
    curves = []
    for (space, k), rows in table.groupby(["space", "class"]):
        rows = rows.sort_values("amplitude", kind="stable")
        if k == -1:
            look = {"color": LOOKS[space]["color"], "linewidth": 1.8, "zorder": 4}
            look["label"] = f"noise on {space}s"
        else:
            look = {"color": CLASS_COLOURS[k % len(CLASS_COLOURS)], "linewidth": 0.7}
            look["label"] = f"_class {k}"
        curves.append((rows, look))
    spaces = sorted(table["space"].unique())
    unit = UNITS[spaces[0]] if len(spaces) == 1 else "unit of its space"
    drawn = noise_curves(ax, curves, f"noise a ({unit})", "accuracy")
    lines = [line for line in drawn if not line.get_label().startswith("_")]
    ax.legend(handles=[*lines, *mark_ends(ax, lines)], loc="best")
    return ax


def noise_curves(
    ax: Axes, curves: Iterable[tuple[pd.DataFrame, Mapping]], amplitude: str, accuracy: str
) -> list[Line2D]:
    """Draw accuracies against the amplitude of the noise, and a line at 50 %.

    Args:
        curves: for each curve a table, amplitude and accuracy in rising amplitudes, and its look.
            Of several `seed`s the mean is drawn, with a band to the extremes.
        amplitude, accuracy: labels of the axes.
    """
    curves = [*curves]
    lines = [plot_line(ax, rows, "amplitude", "accuracy", **look) for rows, look in curves]
    noise_axes(ax, pd.concat([rows["amplitude"] for rows, _ in curves]), amplitude)
    percent_axis(ax, accuracy)
    return lines


def basins(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the sizes of attraction basins of all samples and of each class, with errors.

    Args:
        table: of `netdyn.read(...).basins(...)`, of one space or of both put together: space,
            class, size and error.
        ax: axes to draw on; None for a new figure.

    Returns:
        The axes. A triangle at the top is a basin that no noise tried has an end of.

    Raises:
        NetdynError: the table has other columns, or no rows.
    """
    table = checked(table, ["space", "class", "size", "error"], "basins()")
    ax = axes_or_new(ax)
    classes = sorted(table["class"].unique())
    places = {k: place for place, k in enumerate(classes)}
    spaces = sorted(table["space"].unique())
    for number, space in enumerate(spaces):
        rows = table[table["space"] == space]
        x = rows["class"].map(places) + 0.16 * (number - (len(spaces) - 1) / 2)
        ends = np.isfinite(rows["size"])
        look = {**LOOKS[space], "linestyle": "none", "elinewidth": 0.9, "capsize": 2}
        error = rows["error"].where(np.isfinite(rows["error"]), 0)
        ax.errorbar(x[ends], rows["size"][ends], error[ends], label=f"{space} space", **look)
        if not ends.all():
            look = {"color": LOOKS[space]["color"], "linestyle": "none", "markersize": 4.5}
            height = np.full((~ends).sum(), TOP)
            upper = ax.get_xaxis_transform()
            label = f"_{space} space, without an end"
            ax.plot(x[~ends], height, marker="^", transform=upper, label=label, **look)
    ax.set_xticks([*places.values()], ["all" if k == -1 else f"{k}" for k in classes])
    ax.set_ylim(0, 1.15 * ax.get_ylim()[1])
    unit = UNITS[spaces[0]] if len(spaces) == 1 else "unit of its space"
    ax.set(xlabel="class", ylabel=f"basin size a ({unit})")
    ax.legend(loc="best")
    return ax
