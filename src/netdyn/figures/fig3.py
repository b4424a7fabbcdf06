"""Fig. 3: training dynamics of deep networks, layer by layer, and the part of depth and width."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netdyn.figures.depth_and_width import (
    draw_by_width,
    draw_first_layer,
    key_of_widths,
    samples_and_seeds,
)
from netdyn.figures.descriptions import listed, seeds_of
from netdyn.figures.marks import best_accuracy
from netdyn.figures.pages import Group, Page, panel_width
from netdyn.figures.phases import draw_courses
from netdyn.figures.phases_page import (
    COURSES,
    HEIGHTS,
    PARTS,
    deep_group,
    deep_left,
    deep_mosaic,
)
from netdyn.figures.style import new_figure, panel_title, required_rows, required_table
from netdyn.plots.lines import plot_line
from netdyn.plots.style import COLOURS, percent_axis
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

GROUPS = (Group("h", row=1.7), Group("ij", row=1.75, key=(0.2, 0.2)))
SPLITS = {
    "train": {"color": COLOURS["black"], "linestyle": "--", "marker": "s", "label": "training"},
    "test": {"color": COLOURS["red"], "linestyle": "-", "marker": "o", "label": "test"},
}


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 3: accuracies, RPD gradients and pruning of deep networks, in evaluation mode.

    Args:
        tables: `deep10_history`, `deep10_gradient`, `deep23_history`, `deep23_gradient`,
            `deep23_pruning`, `architecture_history` and `architecture_gradient`.
        settings: `title`, `note`, `layout`, `panels`; `runs`, the settings of each run that labels
            describe; all optional.

    Lines are means over seeds, bands reach to the extremes; (g) draws each seed by itself. A run
    that diverged is drawn until it did.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    page = Page(settings, {"double": 9.4}, (deep_group(tables, settings), *GROUPS))
    with new_figure(settings, page) as figure:
        if page.flows:
            panels, keys, _, left = page.lay(figure)
        else:
            strip, ten, deep, below = figure.subfigures(4, 1, height_ratios=[*HEIGHTS, 1.9])
            panels = ten.subplot_mosaic(COURSES, height_ratios=PARTS * 2)
            mosaic, widths = deep_mosaic(tables, "h")
            panels |= deep.subplot_mosaic(mosaic, height_ratios=PARTS, width_ratios=widths)
            panels |= dict(zip("ij", below.subplots(1, 2), strict=True))
            keys, left = {"abcdefg": strip}, deep_left(tables)
        if "abcdefg" in keys:
            draw_courses(panels, keys["abcdefg"], tables, settings, "evaluation", left)
        if "h" in panels:
            _pruning(panels["h"], tables)
        if "i" in panels:
            _depth(panels["i"], tables, settings)
        if "j" in panels:
            draw_first_layer(panels["j"], tables, settings, "evaluation", keys.get("ij"))
        elif "i" in panels:
            key_of_widths(keys["ij"], panels["i"])
        return figure


def _pruning(axes: Axes, tables: Mapping[str, pd.DataFrame]) -> None:
    """Draw the accuracy with all layers from s on replaced by their L-map, and the network's."""
    name = "deep23_pruning"
    columns = ["run", "seed", "split", "start_layer", "accuracy", "full_accuracy"]
    table = required_table(tables, name, columns)
    depth = table["start_layer"].max()
    panel_title(axes, "h", listed(f"L-map pruning, {depth} layers", seeds_of(table)))
    for split, look in SPLITS.items():
        rows = required_rows(table, name, split=split)
        plot_line(axes, rows, "start_layer", "accuracy", **look)
        full = {**look, "marker": None, "linewidth": 0.7, "zorder": 1}
        full["label"] = f"{look['label']}, full network"
        plot_line(axes, rows, "start_layer", "full_accuracy", **full)
    most = 12 if panel_width(axes) > 2.2 else 6
    axes.set_xticks(range(1, depth + 1, 1 + depth // most))
    axes.set_xlabel("pruned from layer")
    percent_axis(axes, "accuracy")
    axes.legend(loc="best")


def _depth(axes: Axes, tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> None:
    """Draw the best test accuracy of every depth and width."""
    columns = ["run", "width", "depth", "seed", "step", "train_loss", "test_accuracy"]
    history = required_table(tables, "architecture_history", columns)
    best = best_accuracy(history, ["width", "depth", "seed"], "test_accuracy")
    panel_title(axes, "i", f"best test accuracy\n{samples_and_seeds(best, settings)}")
    draw_by_width(axes, best, "test_accuracy", history)
    percent_axis(axes, "test accuracy")
