"""Fig. 2: learning dynamics of a shallow network with and without a nonlinearity."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from netdyn.errors import NetdynError
from netdyn.figures.layout import SLIDE
from netdyn.figures.marks import draw_initial_gradient
from netdyn.figures.pages import Group, Page
from netdyn.figures.style import (
    at_last_step,
    new_figure,
    panel_title,
    required_rows,
    required_table,
    rows_where,
)
from netdyn.plots.lines import plot_line
from netdyn.plots.style import CLASS_COLOURS, COLOURS, label_ends, percent_axis, zero_log_axis
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

RUN = ["run", "seed", "activation", "samples", "step"]
GROUPS = (Group("abcde", row=1.6, columns=1),)
LOOK = {
    "tanh": {"color": COLOURS["blue"], "linestyle": "-", "marker": "o", "label": "NN (tanh)"},
    "identity": {"color": COLOURS["orange"], "linestyle": "--", "marker": "s", "label": "LNN"},
    "lmap": {"color": COLOURS["green"], "linestyle": "-.", "marker": "^", "label": "L-map"},
}


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 2: accuracies, RPDs and RPD gradients of the shallow networks.

    Args:
        tables: `shallow_history`, `shallow_pruning`, `shallow_rpd` and `shallow_gradient`.
        settings: `small_samples`, the training-set size of (c); `large_samples`, that of (b), (d)
            and (e), by default the largest; `title`, `note`, `layout`, `panels`: optional.

    Lines are means over seeds, bands reach to the extremes.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    history = required_table(tables, "shallow_history", [*RUN, "epoch", "test_accuracy"])
    pruning = required_table(tables, "shallow_pruning", [*RUN, "start_layer", "split", "accuracy"])
    rpd = required_table(tables, "shallow_rpd", [*RUN, "layer", "class", "r", "density"])
    gradient = required_table(
        tables, "shallow_gradient", [*RUN, "layer", "class", "mode", "gradient"]
    )
    if "small_samples" not in settings:
        raise NetdynError("figure 2: set small_samples, the training-set size of panel (c)")
    small = int(settings["small_samples"])
    large = int(settings.get("large_samples", history["samples"].max()))
    lmap = required_rows(
        pruning, "shallow_pruning", activation="tanh", start_layer=1, split="test"
    ).rename(columns={"accuracy": "test_accuracy"})
    lmap = _with_epochs(lmap.assign(activation="lmap"), history)
    layer = required_rows(gradient, "shallow_gradient", layer=1, mode="evaluation")
    layer = _with_epochs(layer, history)

    page = Page(settings, {"double": 4.6, "slide": SLIDE}, GROUPS)
    with new_figure(settings, page) as figure:
        left = {"d": "c"}
        if page.flows:
            panels = page.lay(figure)
            axes, left = panels.axes, panels.left
        else:
            above, below = figure.subfigures(2, 1)
            row = *above.subplots(1, 2), *below.subplots(1, 3, width_ratios=[1, 1, 1.5])
            axes = dict(zip("abcde", row, strict=True))
        if "a" in axes:
            _accuracy_by_size(axes["a"], pd.concat([at_last_step(history), at_last_step(lmap)]))
        if "b" in axes:
            networks = required_rows(history, "shallow_history", samples=large)
            replaced = required_rows(lmap, "shallow_pruning", samples=large)
            _accuracy_by_epoch(axes["b"], pd.concat([networks, replaced]))
        densities = [axes[letter] for letter in "cd" if letter in axes]
        for letter, samples in (("c", small), ("d", large)):
            if letter in axes:
                panel_title(axes[letter], letter, f"RPD, n = {samples:,}")
                _rank_probability(axes[letter], rpd, layer, samples)
        highest = max((panel.get_ylim()[1] for panel in densities), default=0)
        for panel in densities:
            panel.set_ylim(0, 1.2 * highest)
        if left.get("d") == "c":
            axes["d"].set_ylabel("")
        if "e" in axes:
            rows = required_rows(layer, "shallow_gradient", activation="tanh", samples=large)
            _gradient_by_epoch(axes["e"], rows)
        return figure


def _with_epochs(table: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Add the epoch that the history has for each row's training-set size and step."""
    parts = []
    for samples, rows in table.groupby("samples"):
        steps = required_rows(history, "shallow_history", samples=samples).sort_values("step")
        parts.append(rows.assign(epoch=np.interp(rows["step"], steps["step"], steps["epoch"])))
    return pd.concat(parts)


def _accuracy_by_size(axes: Axes, last: pd.DataFrame) -> None:
    panel_title(axes, "a", "after training")
    for activation, look in LOOK.items():
        rows = required_rows(last, "shallow_history", activation=activation)
        plot_line(axes, rows, "samples", "test_accuracy", **look)
    axes.set_xscale("log")
    sizes = np.unique(last["samples"])
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, [_short(size) for size in sizes])
    axes.set_xlabel("training samples n")
    percent_axis(axes, "test accuracy")
    axes.legend(loc="best")


def _short(count: int) -> str:
    return f"{count // 1000}k" if count % 1000 == 0 else f"{count:,}"


def _accuracy_by_epoch(axes: Axes, rows: pd.DataFrame) -> None:
    panel_title(axes, "b", f"during training, n = {rows['samples'].iloc[0]:,}")
    for activation, look in LOOK.items():
        chosen = required_rows(rows, "shallow_history", activation=activation)
        plot_line(axes, chosen, "epoch", "test_accuracy", **{**look, "marker": None})
    zero_log_axis(axes, rows["epoch"], "epoch")
    percent_axis(axes, "test accuracy")
    axes.legend(loc="best")


def _rank_probability(axes: Axes, rpd: pd.DataFrame, gradient: pd.DataFrame, samples: int) -> None:
    """Draw the layer's RPD of both networks after training, with its gradient in the key."""
    last = at_last_step(rpd)
    slopes = at_last_step(gradient)
    axes.axhline(1, color=COLOURS["grey"], lw=0.6, ls=":")
    for activation in ("tanh", "identity"):
        selection = {"activation": activation, "samples": samples, "layer": 1, "class": -1}
        slope = rows_where(slopes, **selection)["gradient"]
        look = {**LOOK[activation], "marker": None}
        if len(slope):
            look["label"] += f", g = {slope.mean():.2f}"
        plot_line(axes, required_rows(last, "shallow_rpd", **selection), "r", "density", **look)
    axes.set(xlim=(0, 1), xlabel="rank r (0 = top)", ylabel="probability density")
    axes.legend(loc="upper right", handlelength=1.8)


def _gradient_by_epoch(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the RPD gradients of the ten classes, thin, and their mean, thick."""
    panel_title(axes, "e", f"RPD gradient of the NN, n = {rows['samples'].iloc[0]:,}")
    classes = sorted(rows.loc[rows["class"] >= 0, "class"].unique())
    ends = []
    for k in classes:
        line = plot_line(
            axes,
            rows[rows["class"] == k],
            "epoch",
            "gradient",
            color=CLASS_COLOURS[k % len(CLASS_COLOURS)],
            linewidth=0.7,
            label=f"class {k}",
        )
        ends.append(line.get_ydata()[-1])
    mean = plot_line(
        axes,
        required_rows(rows, "shallow_gradient", **{"class": -1}),
        "epoch",
        "gradient",
        color=COLOURS["black"],
        linewidth=2.2,
        label="mean",
        zorder=4,
    )
    axes.axhline(0, color=COLOURS["grey"], lw=0.6, ls=":")
    draw_initial_gradient(axes, rows[rows["class"] >= 0])
    zero_log_axis(axes, rows["epoch"], "epoch")
    axes.set_ylabel("g of each digit, and mean")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.12 * (high - low))  # room for the legend
    axes.legend(handles=axes.patches, loc="upper left")
    label_ends(
        axes,
        [*ends, mean.get_ydata()[-1]],
        [*map(str, classes), "mean"],
        [*(CLASS_COLOURS[k % len(CLASS_COLOURS)] for k in classes), COLOURS["black"]],
    )
