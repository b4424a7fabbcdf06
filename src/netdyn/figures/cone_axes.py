"""Perturbed points of single samples in a projection, Fig. 4(h) and 5(a)."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from netdyn.figures.projection_axes import first_seed
from netdyn.figures.style import required_rows, required_table
from netdyn.plots.contrast import darkened
from netdyn.plots.style import COLOURS

__all__ = ["amplitude_colours", "amplitudes_of", "draw_plane", "plane_key", "read_cones"]

COLUMNS = ["seed", "kind", "sample", "digit", "shift", "amplitude", "kept"]
AMPLITUDE_MAP = matplotlib.colormaps["plasma"]
DATA = {
    "train": {"color": "0.58", "marker": "o", "label": "training samples"},
    "test": {"color": COLOURS["sky"], "marker": "o", "label": "test samples"},
}
# Of the sample and its shifted copy: prediction kept, filled; lost, hollow.
SHAPES = "o^"
WAY = {"color": "black", "linewidth": 0.7}  # the path of the points' mean, from the apex on


def read_cones(
    tables: Mapping[str, pd.DataFrame], name: str, coordinates: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the perturbed points and the data's points of a table of cones, of its first seed."""
    table = first_seed(required_table(tables, name, [*COLUMNS, *coordinates]))
    return required_rows(table, name, kind="point"), table[table["kind"] != "point"]


def amplitude_colours(amplitudes: Sequence[float]) -> dict[float, np.ndarray]:
    """Return a colour for each noise amplitude, from the smallest, dark, on."""
    shades = darkened(AMPLITUDE_MAP(np.linspace(0, 0.88, len(amplitudes))), together=True)
    return dict(zip(amplitudes, shades, strict=True))


def draw_plane(axes: Axes, points: pd.DataFrame, data: pd.DataFrame) -> None:
    """Draw the data of a digit and the cones of a sample and of its shifted copy, Fig. 4(h)."""
    for kind, look in DATA.items():
        rows = data[data["kind"] == kind]
        style = {**look, "markersize": 2.4 if kind == "train" else 1.0, "markeredgewidth": 0}
        axes.plot(rows["c1"], rows["c2"], linestyle="none", rasterized=True, zorder=1, **style)
    colours = amplitude_colours(amplitudes_of(points))
    for shift, marker in zip(_shifts(points), SHAPES, strict=False):
        cone = points[points["shift"] == shift]
        for amplitude, colour in colours.items():
            for kept in (0, 1):
                rows = cone[(cone["amplitude"] == amplitude) & (cone["kept"] == kept)]
                axes.plot(
                    rows["c1"],
                    rows["c2"],
                    linestyle="none",
                    marker=marker,
                    markersize=3,
                    markeredgecolor=colour,
                    markerfacecolor=colour if kept else "white",
                    markeredgewidth=0.6,
                    zorder=2 + kept,
                    label=f"_{shift}, {amplitude:g}, {kept}",
                )
        way = cone.groupby("amplitude")[["c1", "c2"]].mean()
        axes.plot(way["c1"], way["c2"], zorder=4, label=f"_{shift}, way", **WAY)
        apex = cone[cone["amplitude"] == 0]
        axes.plot(
            apex["c1"],
            apex["c2"],
            linestyle="none",
            marker=marker,
            markersize=6,
            markerfacecolor="white",
            markeredgecolor="black",
            markeredgewidth=1.1,
            zorder=5,
            label=f"_{shift}, apex",
        )
    axes.set(xlabel="sum of the first 392 pixels", ylabel="sum of the last 392 pixels")


def plane_key(axes: Axes, points: pd.DataFrame) -> None:
    """Draw the legend of shapes and colours beside a panel of `draw_plane`."""
    entries = [_dot(label=look["label"], marker="o", color=look["color"]) for look in DATA.values()]
    for shift, marker in zip(_shifts(points), SHAPES, strict=False):
        text = f"shifted by {shift} px" if shift else "original sample"
        entries.append(_dot(label=text, marker=marker, color="black", markerfacecolor="white"))
    entries.append(_dot(label="prediction kept", marker="o", color="0.3"))
    entries.append(_dot(label="prediction lost", marker="o", color="0.3", markerfacecolor="white"))
    entries.append(Line2D([], [], label="mean of all points", **WAY))
    for amplitude, colour in amplitude_colours(amplitudes_of(points)).items():
        entries.append(_dot(label=f"a = {amplitude:g}", marker="o", color=colour))
    axes.legend(
        handles=entries,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        handlelength=1.0,
        labelspacing=0.3,
    )


def _dot(**look: object) -> Line2D:
    return Line2D([], [], linestyle="none", markersize=4, markeredgewidth=0.8, **look)


def amplitudes_of(points: pd.DataFrame) -> list[float]:
    """Return the amplitudes above 0, ascending; at 0 a cone is its apex."""
    return sorted(points.loc[points["amplitude"] > 0, "amplitude"].unique())


def _shifts(points: pd.DataFrame) -> list[int]:
    return sorted(points["shift"].astype(int).unique())
