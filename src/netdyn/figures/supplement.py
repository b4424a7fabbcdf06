"""The supplement: weights before grokking, initial weights, translated samples, deep networks."""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from netdyn.figures.basin_axes import SPACES, average_basins, draw_basins, sizes_over_seeds
from netdyn.figures.batch_norm import draw_first_batch, draw_statistics_and_signs
from netdyn.figures.descriptions import listed, samples_of, shape_of
from netdyn.figures.marks import before_divergence, best_accuracy, diverged_note
from netdyn.figures.pages import Group, Page, is_narrow
from netdyn.figures.style import new_figure, panel_title, required_rows, required_table
from netdyn.plots.lines import over_seeds, plot_line
from netdyn.plots.style import COLOURS, percent_axis, zero_log_axis
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

MEMORISED, GROKKED = 0.99, 0.8  # training and test accuracy between which weights should fall
LAYER_LOOK = (
    {"color": COLOURS["blue"], "linestyle": "-"},
    {"color": COLOURS["red"], "linestyle": "--"},
    {"color": COLOURS["green"], "linestyle": "-."},
)
GROUPS = (
    Group("ab", row=1.75, columns=1, axes={"a": (("a", 1), ("a2", 1.5))}),
    Group("cde", row=1.5),
    Group("fgh", row=1.5, wide="f", key=(0.95, 0.6)),
    Group("ijklmn", row=1.25, key=(0.5, 0.22)),
)
KEY = {"loc": "center"}  # of legends in strips of their own
RECORD = ["seed", "step", "train_loss"]


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw the supplement's panels.

    Args:
        tables: `grokking_history`; `initial_scales_history`, `fixed_range_history`,
            `translations_history` and the `…_sample_basin` and `…_weight_basin` of these and of
            `architecture`; `deep10_history`, `deep10_first_batch`, `deep23_history` and
            `sign_agreement`.
        settings: `title`, `note`, `layout`, `panels`; `runs`, the settings of each run that labels
            describe; all optional.

    Lines are means over seeds, bands and bars reach to the extremes; a single seed's basins carry
    their resampling error. A run that diverged is drawn until it did.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    page = Page(settings, {"double": 9.4}, GROUPS)
    with new_figure(settings, page) as figure:
        if page.flows:
            axes, keys, _, left = page.lay(figure)
        else:
            heights = [2.1, 1.9, 2.5, 2.9]
            first, second, third, fourth = figure.subfigures(4, 1, height_ratios=heights)
            axes = first.subplot_mosaic([["a", "b"], ["a2", "b"]], height_ratios=[1, 1.5])
            axes |= dict(zip("cde", second.subplots(1, 3), strict=True))
            axes |= dict(zip("fgh", third.subplots(1, 3, width_ratios=[1.3, 1, 1]), strict=True))
            grid = fourth.subplots(2, 3, sharey=True)
            axes |= dict(zip("ijklmn", grid.flat, strict=True))
            keys, left = {"fgh": third, "ijklmn": fourth}, {"h": "g"}
        if "a" in axes:
            _weights(axes["a"], axes["a2"], tables)
        if "b" in axes:
            _initial_scales(axes["b"], tables, settings)
        for letter, space in (("c", "weight"), ("d", "sample")):
            if letter in axes:
                panel_title(axes[letter], letter, f"basin in {space} space")
                _fixed_range(axes[letter], tables, settings, space)
        if "e" in axes:
            _translations(axes["e"], tables)
        if "fgh" in keys:
            place = KEY if page.flows else {"loc": "outside upper center"}
            draw_statistics_and_signs(axes, keys["fgh"], tables, settings, "fgh", place)
            if left.get("h") == "g":
                axes["h"].set_ylabel("")
        if "ijklmn" in keys:
            place = KEY if page.flows else {"loc": "outside lower center"}
            draw_first_batch(axes, keys["ijklmn"], tables, settings, "ijklmn", place)
        for row in () if page.flows else grid:
            for other in row[1:]:
                other.set_ylabel("")
        for other in () if page.flows else grid[0]:
            other.set_xlabel("")
        return figure


def _weights(above: Axes, below: Axes, tables: Mapping[str, pd.DataFrame]) -> None:
    """Draw accuracies, and below them every layer's norm as a share of its first.

    Grey: from memorisation, training accuracy 99 %, to grokking, test accuracy 80 %.
    """
    name = "grokking_history"
    history = required_table(
        tables, name, [*RECORD, "train_accuracy", "test_accuracy", "weight_norm_1"]
    )
    finite = before_divergence(history)
    panel_title(above, "a", "shallow network: weights before grokking")
    for column, look in (
        ("train_accuracy", {"color": COLOURS["black"], "linestyle": "--", "label": "training"}),
        ("test_accuracy", {"color": COLOURS["red"], "label": "test"}),
    ):
        plot_line(above, finite, "step", column, **look)
    norms = [column for column in finite if column.startswith("weight_norm_")]
    for column, look in zip(norms, itertools.cycle(LAYER_LOOK), strict=False):
        start = finite.loc[finite["step"] == 0].set_index("seed")[column]
        share = finite.assign(share=finite[column] / finite["seed"].map(start))
        layer = column.rpartition("_")[2]
        plot_line(below, share, "step", "share", label=f"layer {layer}", **look)
    memorised = _first(finite, "train_accuracy", MEMORISED)
    grokked = _first(finite, "test_accuracy", GROKKED)
    for axes in (above, below):
        zero_log_axis(axes, history["step"], "step")
        end = min(grokked, axes.get_xlim()[1])
        if memorised < end:
            axes.axvspan(memorised, end, color="0.92", linewidth=0, zorder=0)
    above.set_xlabel("")
    above.tick_params(labelbottom=False)
    above.set_ylim(0, 1.04)
    above.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    percent_axis(above, "acc.")
    below.set_ylabel("weight norm\n/ initial")
    above.legend(loc="best")
    below.legend(loc="best")
    diverged_note(below, history)


def _first(history: pd.DataFrame, column: str, threshold: float) -> float:
    """Return the first step at which the mean over seeds reaches the threshold, or infinity."""
    spread = over_seeds(history, "step", column)
    reached = spread.loc[spread["mean"] >= threshold, "step"]
    return reached.min() if len(reached) else np.inf


def _initial_scales(
    axes: Axes, tables: Mapping[str, pd.DataFrame], settings: DrawingSettings
) -> None:
    name = "initial_scales"
    panel_title(axes, "b", "basins against the scale of initial weights")
    history = required_table(tables, f"{name}_history", ["initial_scale", *RECORD])
    for place, (space, look) in zip((-0.5, 0.5), SPACES.items(), strict=True):
        table = average_basins(tables, f"{name}_{space}_basin", ["initial_scale"])
        draw_basins(axes, table, "initial_scale", f"{space} space", place, **look)
    axes.set_xscale("log", base=2)
    scales = sorted(history["initial_scale"].unique())
    axes.set_xticks(scales, [f"{scale:g}" for scale in scales])
    axes.xaxis.set_minor_locator(NullLocator())
    network = listed(shape_of(settings, name), samples_of(settings, name))
    axes.set_xlabel(f"factor on initial weights; {network}".rstrip("; "))
    axes.set_ylabel("basin size")
    axes.set_ylim(0, None)
    axes.legend(loc="best")
    diverged_note(axes, history, x="initial_scale")


def _fixed_range(
    axes: Axes, tables: Mapping[str, pd.DataFrame], settings: DrawingSettings, space: str
) -> None:
    """Draw basins against width, for initial ranges that shrink with it and for a fixed one."""
    history = required_table(tables, "fixed_range_history", ["width", *RECORD, "weight_norm_1"])
    depth = max(
        int(column.rpartition("_")[2])
        for column in history.columns[history.notna().any()]
        if column.startswith("weight_norm_")
    )
    name = f"architecture_{space}_basin"
    default = required_rows(average_basins(tables, name, ["width", "depth"]), name, depth=depth)
    fixed = average_basins(tables, f"fixed_range_{space}_basin", ["width"])
    look = SPACES[space]
    draw_basins(axes, default, "width", r"range $1/\sqrt{\mathrm{width}}$", -0.5, **look)
    hollow = {**look, "linestyle": "--", "markerfacecolor": "white"}
    draw_basins(axes, fixed, "width", "fixed range", 0.5, **hollow)
    axes.set_ylim(0, None)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    samples = samples_of(settings, "fixed_range", "architecture")
    axes.set(xlabel=listed(f"width, {depth} layers", samples), ylabel="basin size")
    axes.legend(loc="best")
    diverged_note(axes, history, x="width")


def _translations(axes: Axes, tables: Mapping[str, pd.DataFrame]) -> None:
    """Draw both basins of the network trained on the original and on the translated set."""
    panel_title(axes, "e", "17 times larger set")
    history = required_table(
        tables, "translations_history", ["translated", *RECORD, "test_accuracy"]
    )
    key, sizes = [], {space: [] for space in SPACES}
    for translated, text in ((False, "original"), (True, "translated")):
        of_set = required_rows(history, "translations_history", translated=translated)
        for place, (space, look) in enumerate(SPACES.items()):
            name = f"translations_{space}_basin"
            table = average_basins(tables, name, ["translated"])
            table = required_rows(table, name, translated=translated).assign(
                place=_beside(place, translated)
            )
            face = "white" if translated else look["color"]
            marker = {**look, "linestyle": "none", "markerfacecolor": face}
            draw_basins(axes, table, "place", f"{space}, {text}", **marker)
            sizes[space].append(sizes_over_seeds(table, "place")["mean"].item())
        best = best_accuracy(of_set, ["seed"], "test_accuracy")["test_accuracy"].mean()
        look = {"color": COLOURS["grey"], "marker": "D", "linestyle": "none"}
        face = "white" if translated else COLOURS["grey"]
        label = f"{text}, test {100 * best:.1f} %"
        key.append(Line2D([], [], markerfacecolor=face, label=label, **look))
    names = [f"{space} space{_change(*pair)}" for space, pair in sizes.items()]
    axes.set_xticks([0, 1], names)
    axes.set(xlim=(-0.5, 1.5), ylabel="basin size")
    room = 2.0 if is_narrow(axes.get_figure(root=False)) else 1.5  # for the legend
    axes.set_ylim(0, room * axes.get_ylim()[1])
    axes.legend(handles=key, loc="upper left", handlelength=1)
    for translated in (False, True):
        of_set = history[history["translated"] == translated]
        outer = _beside(int(translated), translated)  # both basins are of the same run
        diverged_note(axes, of_set.assign(place=outer), x="place")


def _beside(place: int, translated: bool) -> float:
    """Return the position of a size: left of its space's tick for the original set, else right."""
    return place + (0.13 if translated else -0.13)


def _change(original: float, other: float) -> str:
    """Return the relative change in percent on a new line; "" where it is not defined."""
    if not 0 < original < np.inf or not np.isfinite(other):
        return ""
    return f"\n{100 * (other / original - 1):+.1f} %".replace("-", "−")
