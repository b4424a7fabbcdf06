"""Fig. 4(c), 4(g) and 7(b) under two returns of noisy samples to the data's range, side by side."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FormatStrFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

from netdyn.figures.basin_axes import average_basins, depth_looks, draw_basins, draw_widths
from netdyn.figures.descriptions import listed, return_of, samples_of, seeds_of, shape_of
from netdyn.figures.pages import Group, Page
from netdyn.figures.style import new_figure, panel_title, required_rows, required_table
from netdyn.plots.lines import plot_line
from netdyn.plots.style import COLOURS, small_type, zero_log_axis
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

# Of each pair, the table of Fig. 4c, 4g or 7b, or what it was measured on, and its twin.
WIDTHS = {"a": "architecture_sample_basin", "b": "architecture_sample_basin_cone"}
CLASSES = ("deep23_class_basin_affine", "deep23_class_basin")
STEPS = ("grokking_sample_basin", "grokking_sample_basin_cone")
LOOKS = (
    {"color": COLOURS["blue"], "marker": "o"},
    {"color": COLOURS["red"], "marker": "D"},
)
SIZES = ["seed", "of", "size", "size_error"]
HEIGHTS = (0.34, 2.3, 0.26, 2.1)
GROUPS = (
    Group("ab", row=2.0, columns=1, key=(0.5, 0.36)),
    Group("cd", row=1.8, columns=1, key=(0.36, 0.3)),
)
UNIT = "basin size a"


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw basins in sample space under two returns of noisy samples.

    Args:
        tables: `architecture_sample_basin` and `architecture_sample_basin_cone`, by width and
            depth; `deep23_class_basin_affine` and `deep23_class_basin`, of each class;
            `grokking_sample_basin` and `grokking_sample_basin_cone`, over steps.
        settings: `title`, `note`, `layout`, `panels`; `runs`, `noise_return`, the settings of each
            run that labels describe, and each table's return of noisy samples; all optional.

    Lines are means over seeds, bars reach to the extremes; a single seed's carry their resampling
    error. A basin that never ends is an arrow at the upper edge. Basins over steps are drawn where
    they are finite and not 0.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    by_width = {
        letter: average_basins(tables, name, ["width", "depth"]) for letter, name in WIDTHS.items()
    }
    by_class = {name: _classes(tables, name) for name in CLASSES}
    by_step = {name: average_basins(tables, name, ["step"]) for name in STEPS}
    page = Page(settings, {"double": 5.0}, GROUPS)
    with new_figure(settings, page) as figure:
        if page.flows:
            panels, keys, *_ = page.lay(figure)
        else:
            depths, above, returns, below = figure.subfigures(4, 1, height_ratios=HEIGHTS)
            panels = above.subplot_mosaic([["a", "b"]]) | below.subplot_mosaic([["c", "d"]])
            keys = {"ab": depths, "cd": returns}
        if "ab" in keys:
            looks = depth_looks(sorted({*by_width["a"]["depth"], *by_width["b"]["depth"]}))
            seeds = seeds_of(by_width["a"], ["width", "depth"])
            _depth_key(keys["ab"], looks, f"(a), (b), {seeds}, depth L:")
            for letter in filter(panels.__contains__, WIDTHS):
                head = listed("average basin", samples_of(settings, "architecture"))
                text = f"{head}\n{_label(WIDTHS[letter], settings)}"
                panel_title(panels[letter], letter, text)
                _by_width(panels[letter], by_width[letter], looks)
        if "cd" in keys:
            _return_key(keys["cd"], settings)
        if "c" in panels:
            shape = listed(shape_of(settings, "deep23"), seeds_of(by_class[CLASSES[0]]))
            panel_title(panels["c"], "c", f"basin of each class\n{shape}")
            _by_class(panels["c"], by_class, settings)
        if "d" in panels:
            data = listed(samples_of(settings, "grokking"), seeds_of(by_step[STEPS[0]]))
            panel_title(panels["d"], "d", f"average basin, shallow network\n{data}")
            _by_step(panels["d"], by_step, settings)
        return figure


def _classes(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    table = required_table(tables, name, ["index", *SIZES])
    return required_rows(table, name, of="class")


def _depth_key(key: FigureBase, looks: Mapping[int, dict], text: str) -> None:
    handles = [Line2D([], [], label=f"{depth}", **look) for depth, look in looks.items()]
    wide = key.bbox.width > 3 * key.get_figure(root=True).dpi
    key.legend(
        handles=handles,
        loc="center",
        ncols=len(handles) if wide else 4,
        title=text,
        title_fontsize=small_type(),
        handlelength=1.6,
        columnspacing=1.1,
        handletextpad=0.4,
    )


def _return_key(key: FigureBase, settings: DrawingSettings) -> None:
    handles = [
        Line2D([], [], label=_label(name, settings), linewidth=1.0, markersize=3, **look)
        for name, look in zip(STEPS, LOOKS, strict=True)
    ]
    wide = key.bbox.width > 4 * key.get_figure(root=True).dpi
    key.legend(handles=handles, loc="center", ncols=2 if wide else 1)


def _by_width(axes: Axes, table: pd.DataFrame, looks: Mapping[int, dict]) -> None:
    endless = draw_widths(axes, table, looks)
    axes.set_ylim(0, (1.2 if endless else 1.04) * axes.get_ylim()[1])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(FixedLocator(sorted(table["width"].unique())))
    axes.set(xlabel="width", ylabel=UNIT)


def _by_class(axes: Axes, tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> None:
    _log_sizes(axes)
    for (name, table), look, place in zip(tables.items(), LOOKS, (-0.5, 0.5), strict=True):
        style = {**look, "linestyle": "none", "markersize": 3}
        draw_basins(axes, table, "index", _label(name, settings), place, **style)
    sizes = pd.concat(tables.values())["size"]
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]  # of single seeds too: arrows start at these
    if len(sizes):
        low, high = sizes.min(), sizes.max()
        axes.set_ylim(low / 1.4, 1.4 * high * (high / low) ** 0.15)  # room for arrows
    classes = sorted(pd.concat(tables.values())["index"].unique())
    axes.set_xticks(classes, [f"{k}" for k in classes])
    axes.set(xlabel="class", ylabel=UNIT)


def _by_step(axes: Axes, tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> None:
    _log_sizes(axes)
    for (name, table), look in zip(tables.items(), LOOKS, strict=True):
        drawn = table[np.isfinite(table["size"]) & (table["size"] > 0)]
        style = {**look, "markersize": 3, "linewidth": 1.0}
        plot_line(axes, drawn, "step", "size", label=_label(name, settings), **style)
    zero_log_axis(axes, pd.concat(tables.values())["step"], "step")
    axes.set_ylabel(UNIT)


def _label(name: str, settings: DrawingSettings) -> str:
    return f"noise {returned}" if (returned := return_of(settings, name)) else name


def _log_sizes(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=12))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
