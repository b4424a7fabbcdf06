"""RPD gradients over depth and over steps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from netdyn.errors import NetdynError
from netdyn.plots.lines import draw_errors, over_seeds, plot_line
from netdyn.plots.style import CLASS_COLOURS, COLOURS, label_ends, layer_colours, zero_log_axis
from netdyn.plots.tables import axes_or_new, checked, mean_rows, site_labels

__all__ = ["gradients", "gradients_over_steps", "site_lines"]

CLASSES = 20  # more lines of classes are a grey surface


def gradients(table: pd.DataFrame, ax: Axes | None = None, *, classes: bool = True) -> Axes:
    """Draw the RPD gradient g of every site, with its standard error, from input to output.

    Args:
        table: of `netdyn.read(...).gradients(...)`: site, class, g and error.
        ax: axes to draw on; None for a new figure.
        classes: whether each class is a thin line, too, where there are at most 20.

    Returns:
        The axes.

    Raises:
        NetdynError: the table has other columns, or no rows.
    """
    table = checked(table, ["site", "class", "g", "error"], "gradients()")
    mean = mean_rows(table)
    ax = axes_or_new(ax)
    ax.axhline(0, color=COLOURS["grey"], linewidth=0.6, linestyle=":")
    numbers = sorted(set(table["class"]) - {-1})
    if classes and len(numbers) <= CLASSES:
        for k in numbers:
            rows = table[table["class"] == k]
            look = {"color": CLASS_COLOURS[k % len(CLASS_COLOURS)], "linewidth": 0.7}
            ax.plot(rows["site"], rows["g"], label=f"_class {k}", alpha=0.8, **look)
    look = {"color": COLOURS["black"], "marker": "o", "elinewidth": 0.9, "capsize": 2}
    ax.errorbar(mean["site"], mean["g"], mean["error"], label="mean over classes", **look)
    if classes and 1 < len(numbers) <= CLASSES:
        handles = [*ax.get_legend_handles_labels()[0]]
        handles.append(Line2D([], [], color=CLASS_COLOURS[0], linewidth=0.7, label="each class"))
        ax.legend(handles=handles, loc="best")
    site_labels(ax, mean["site"])
    ax.set_ylabel("RPD gradient g")
    return ax


def gradients_over_steps(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the RPD gradient g of every site over the steps of a training, with its error.

    Args:
        table: of a monitor: step, quantity, site, value and error; of its quantities
            `rpd_gradient` is drawn. Of several trainings, told apart by a column `seed`, the mean
            is drawn, with a band to the extremes.
        ax: axes to draw on; None for a new figure.

    Returns:
        The axes. Colours go from the first site, dark, to the last, light.

    Raises:
        NetdynError: the table has other columns, or no rows of this quantity.
    """
    source = "a monitor's table"
    table = checked(table, ["step", "quantity", "site", "value", "error"], source)
    rows = table[table["quantity"] == "rpd_gradient"]
    if rows.empty:
        raise NetdynError("the table has no rows of rpd_gradient: let the monitor measure it")
    ax = axes_or_new(ax)
    site_lines(ax, rows)
    zero_log_axis(ax, rows["step"], "step")
    _name_outer_sites(ax, rows)
    return ax


def site_lines(ax: Axes, rows: pd.DataFrame, name: str = "site") -> list[Line2D]:
    """Draw a line of value over step for each site, from the first, dark, to the last, light.

    Args:
        rows: site, step and value. Of several `seed`s the mean is drawn, with a band to the
            extremes; of one a band of one standard `error`, where the table has it, and thin lines
            at the mean ± the root mean square of the errors of several.
        name: of a site in the lines' labels.
    """
    ax.axhline(0, color=COLOURS["grey"], linewidth=0.6, linestyle=":")
    lines = []
    sites = sorted(rows["site"].unique())
    for site, colour in zip(sites, layer_colours(len(sites)), strict=True):
        one = rows[rows["site"] == site].sort_values("step", kind="stable")
        width = 1.5 if site in (sites[0], sites[-1]) else 0.9
        look = {"color": colour, "linewidth": width, "label": f"{name} {site}"}
        lines.append(plot_line(ax, one, "step", "value", **look))
        if "error" not in one.columns or not np.isfinite(one["error"]).any():
            continue
        if "seed" in one.columns and len(set(one["seed"])) > 1:
            draw_errors(ax, one, "step", over_seeds(one, "step", "value"), lines[-1])
        else:
            low, high = one["value"] - one["error"], one["value"] + one["error"]
            ax.fill_between(one["step"], low, high, color=colour, alpha=0.2, linewidth=0)
    ax.set_ylabel("RPD gradient g")
    return lines


def _name_outer_sites(ax: Axes, rows: pd.DataFrame) -> None:
    """Write the first and the last site's number beside the ends of their lines."""
    sites = sorted(rows["site"].unique())
    outer = sorted({0, len(sites) - 1})
    ordered = rows.sort_values("step")
    ends = [ordered.loc[ordered["site"] == sites[place], "value"].iloc[-1] for place in outer]
    if np.isfinite(ends).all():
        colours = [layer_colours(len(sites))[place] for place in outer]
        label_ends(ax, ends, [f"{sites[place]}" for place in outer], colours)
