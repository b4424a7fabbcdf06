"""Panels against depth, a line for each width: Fig. 3(i) and (j)."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from netdyn.figures.descriptions import listed, samples_of, seeds_of
from netdyn.figures.marks import diverged_note, width_looks
from netdyn.figures.style import panel_title, required_rows, required_table
from netdyn.plots.lines import plot_line
from netdyn.plots.style import small_type
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw_by_width", "draw_first_layer", "key_of_widths", "samples_and_seeds"]


def draw_first_layer(
    axes: Axes,
    tables: Mapping[str, pd.DataFrame],
    settings: DrawingSettings,
    mode: str,
    key: FigureBase | None = None,
) -> None:
    """Draw Fig. 3(j): the first layer's gradient at the best step against depth, by width.

    Args:
        tables: `architecture_gradient`, at the steps of best test accuracy; `architecture_history`
            for runs that diverged.
        settings: `runs`, optional: the settings of `architecture` that labels describe.
        key: strip for the legend of widths; None puts it beside the panel.
    """
    name = "architecture_gradient"
    columns = ["width", "depth", "seed", "mode", "layer", "class", "gradient"]
    table = required_rows(
        required_table(tables, name, columns), name, mode=mode, layer=1, **{"class": -1}
    )
    columns = ["width", "depth", "seed", "step", "train_loss"]
    history = required_table(tables, "architecture_history", columns)
    data = samples_and_seeds(table, settings)
    panel_title(axes, "j", f"first layer's gradient at the best step\n{data}")
    draw_by_width(axes, table, "gradient", history)
    axes.set_ylabel("RPD gradient g")
    if key is None:
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
        axes.legend(title="width", title_fontsize=small_type(), **place)
    else:
        key_of_widths(key, axes)


def key_of_widths(key: FigureBase, axes: Axes) -> None:
    """Draw the legend of a panel's widths in one row of a strip."""
    handles, labels = axes.get_legend_handles_labels()
    handles, labels = [Line2D([], [], linestyle="none"), *handles], ["width", *labels]
    key.legend(handles, labels, loc="center", ncols=len(handles), handlelength=1.8, columnspacing=1)


def samples_and_seeds(table: pd.DataFrame, settings: DrawingSettings) -> str:
    """Return the numbers of samples and seeds of a panel of depths and widths, as text."""
    samples = samples_of(settings, "architecture")
    return listed(samples, seeds_of(table, ["width", "depth"]))


def draw_by_width(axes: Axes, table: pd.DataFrame, y: str, history: pd.DataFrame) -> None:
    """Draw y against depth, a line for each width, and mark the runs that diverged."""
    for width, look in width_looks(sorted(table["width"].unique())).items():
        plot_line(axes, table[table["width"] == width], "depth", y, **look)
    axes.xaxis.set_major_locator(FixedLocator(sorted(table["depth"].unique())))
    axes.set_xlabel("depth L (layers)")
    diverged_note(axes, history, x="depth")
