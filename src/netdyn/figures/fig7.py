"""Fig. 7: grokking in a shallow network that starts from large weights."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from netdyn.errors import NetdynError
from netdyn.figures.descriptions import listed, return_of, samples_of, seeds_of
from netdyn.figures.marks import draw_initial_gradient
from netdyn.figures.pages import Group, Page, is_narrow
from netdyn.figures.projection_axes import (
    PROJECTION_COLUMNS,
    REGION_COLUMNS,
    draw_key,
    draw_projection,
    first_seed,
    headings,
    share_limits,
    with_trimmed,
    write_shares,
)
from netdyn.figures.style import new_figure, panel_title, required_rows, required_table, rows_where
from netdyn.plots.contrast import darkened
from netdyn.plots.lines import over_seeds, plot_line
from netdyn.plots.style import COLOURS, label_ends, percent_axis, small_type, zero_log_axis
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

FORMED = 0.9  # training accuracy from which basins are drawn
LATE = 0.1  # how far below its best the test accuracy may be in (d)
LAYER_LOOK = (
    {"color": COLOURS["blue"], "linestyle": "-"},
    {"color": COLOURS["red"], "linestyle": "--"},
    {"color": COLOURS["green"], "linestyle": "-."},
)
SPACE_LOOK = {
    "sample": {"color": COLOURS["blue"], "marker": "o", "label": "sample space"},
    "weight": {"color": COLOURS["orange"], "marker": "s", "label": "weight space"},
}
GROUPS = (
    Group("abcd", row=1.55, columns=1, axes={"d": (("d", 1), ("d2", 1))}),
    Group("efgh", row=2.3),
)
MOMENTS = {"before": "eg", "after": "fh"}
MOSAIC = [["a", "b"], ["c", "d"], ["c", "d2"]]
SPLITS = {
    "train": ("train_accuracy", "training samples"),
    "test": ("test_accuracy", "test samples"),
}


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 7: accuracies, basins, RPD gradients and projections of the shallow network.

    Args:
        tables: `grokking_history`, `grokking_noise`, `grokking_sample_basin`,
            `grokking_weight_basin`, `grokking_gradient`, `grokking_projection` and
            `grokking_regions`.
        settings: `title`, `note`, `layout`, `panels`; `runs`, `noise_return`, the settings of each
            run that labels describe, and each table's return of noisy samples; all
            optional.

    Lines are means over seeds, bands reach to the extremes; projections are those of the smallest
    seed.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    run = ["seed", "step"]
    history = required_table(tables, "grokking_history", [*run, "train_accuracy", "test_accuracy"])
    noise = required_table(tables, "grokking_noise", [*run, "of", "amplitude", "accuracy"])
    sizes = [*run, "of", "size", "size_error"]
    basins = {
        space: required_table(tables, f"grokking_{space}_basin", sizes) for space in SPACE_LOOK
    }
    gradient = required_table(
        tables, "grokking_gradient", [*run, "layer", "class", "mode", "gradient"]
    )
    gradient = required_rows(gradient, "grokking_gradient", mode="evaluation", **{"class": -1})
    points = first_seed(required_table(tables, "grokking_projection", PROJECTION_COLUMNS))
    regions = first_seed(required_table(tables, "grokking_regions", REGION_COLUMNS))

    heads = headings(points, rows_where(history, seed=points["seed"].iloc[0]))
    page = Page(settings, {"double": 9.0}, GROUPS)
    with new_figure(settings, page) as figure:
        if page.flows:
            axes = page.lay(figure).axes
        else:
            above, below = figure.subfigures(2, 1, height_ratios=[4.7, 4.3])
            axes = above.subplot_mosaic(MOSAIC, height_ratios=[2, 1, 1])
            for (moment, letters), column in zip(
                MOMENTS.items(), below.subfigures(1, 2), strict=True
            ):
                column.suptitle(heads[moment], fontsize=8)
                axes |= dict(zip(letters, column.subplots(2, 1), strict=True))
        if "a" in axes:
            returned = f"noise {return_of(settings, 'grokking_noise')}".rstrip()
            data = listed(samples_of(settings, "grokking"), seeds_of(history))
            text = f"accuracy; thin: training samples + noise a\n{returned}; {data}"
            panel_title(axes["a"], "a", text)
            _accuracies(axes["a"], history, required_rows(noise, "grokking_noise", of="average"))
        if "b" in axes:
            _basins(axes["b"], history, basins)
        if "c" in axes:
            panel_title(axes["c"], "c", "RPD gradients of the hidden layers")
            draw_initial_gradient(axes["c"], gradient)
            _gradients(axes["c"], gradient)
            zero_log_axis(axes["c"], history["step"], "step")
            axes["c"].legend(loc="upper left")
        if "d" in axes:
            _late(axes["d"], axes["d2"], history, gradient)
        for moment, letters in MOMENTS.items():
            at_moment = required_rows(points, "grokking_projection", moment=moment)
            region = required_rows(regions, "grokking_regions", moment=moment)
            head = f"{heads[moment]}\n" if page.flows else ""
            _projections(axes, letters, at_moment, region, history, head)
        if any(letter in axes for letters in MOMENTS.values() for letter in letters):
            draw_key(figure, sorted(points["digit"].unique()))
        return figure


def _accuracies(axes: Axes, history: pd.DataFrame, noise: pd.DataFrame) -> None:
    """Draw training and test accuracy, and that of training samples under noise."""
    # Without noise it is the training accuracy again.
    amplitudes = sorted(amplitude for amplitude in noise["amplitude"].unique() if amplitude > 0)
    shades = matplotlib.colormaps["viridis"](np.linspace(0.05, 0.85, len(amplitudes)))
    shades = darkened(shades, together=True)
    ends = []
    for amplitude, shade in zip(amplitudes, shades, strict=True):
        line = plot_line(
            axes,
            noise[noise["amplitude"] == amplitude],
            "step",
            "accuracy",
            color=shade,
            linewidth=0.8,
            label=f"noise {amplitude:g}",
        )
        ends.append(line.get_ydata()[-1])
    for column, look in (
        ("train_accuracy", {"color": COLOURS["black"], "linestyle": "--", "label": "training"}),
        ("test_accuracy", {"color": COLOURS["red"], "linewidth": 1.8, "label": "test"}),
    ):
        plot_line(axes, history, "step", column, zorder=4, **look)
    zero_log_axis(axes, history["step"], "step")
    axes.set_ylim(0, 1.04)
    percent_axis(axes, "accuracy")
    label_ends(axes, ends, [f"a = {amplitude:g}" for amplitude in amplitudes], shades)
    axes.legend(handles=axes.get_lines()[len(amplitudes) : len(amplitudes) + 2], loc="upper left")


def _basins(axes: Axes, history: pd.DataFrame, basins: Mapping[str, pd.DataFrame]) -> None:
    """Draw both basin sizes from the step on at which the training accuracy reaches 90 %."""
    panel_title(axes, "b", "size of the attraction basins")
    training = over_seeds(history, "step", "train_accuracy")
    learned = training.loc[training["mean"] >= FORMED, "step"].min()
    for space, look in SPACE_LOOK.items():
        table = basins[space]
        formed = rows_where(table[table["step"] >= learned], of="average")
        if formed.empty:
            raise NetdynError(
                f"table 'grokking_{space}_basin' has no average basin at a step where the training "
                f"accuracy of 'grokking_history' has reached {100 * FORMED:.0f} %: train longer"
            )
        _sizes(axes, formed, linestyle="-", markersize=3, **look)
    zero_log_axis(axes, history["step"], "step")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("basin size (noise amplitude)")
    left = axes.get_xlim()[0]
    axes.axvspan(left, learned, color="0.93", linewidth=0)
    words = f"not formed:\ntraining accuracy < {100 * FORMED:.0f} %"
    look = {"ha": "center", "va": "center", "fontsize": small_type(), "color": "0.3"}
    middle = axes.transData.inverted().transform(
        axes.transData.transform([(left, 1), (learned, 1)]).mean(axis=0)
    )[0]
    height = 0.25 if is_narrow(axes.get_figure(root=False)) else 0.4  # below the legend
    axes.text(middle, height, words, transform=axes.get_xaxis_transform(), **look)
    axes.legend(loc="upper left")


def _sizes(axes: Axes, table: pd.DataFrame, label: str, **look: object) -> Line2D:
    """Draw basin sizes over steps: finite ones as `plot_line`, the others at the panel's edge.

    An infinite size is an arrow up at the upper edge; a size of 0, which a logarithmic axis does
    not have, an arrow down at the lower one. A single seed's band is its resampling error. Bands
    end at a third of the mean, or one that reaches zero would stretch the axis without end.
    """
    spread = over_seeds(table, "step", "size")
    mean = spread["mean"].where(np.isfinite(spread["mean"]) & (spread["mean"] > 0))
    (line,) = axes.plot(spread["step"], mean, label=label, **look)
    low, high = spread["low"], spread["high"]
    if spread["count"].max() == 1:
        error = table.groupby("step")["size_error"].first().reindex(spread["step"]).to_numpy()
        low, high = mean - error, mean + error
    low = low.where(mean.notna()).clip(lower=mean / 3)
    colour = line.get_color()
    axes.fill_between(
        spread["step"], low, high.where(mean.notna()), color=colour, alpha=0.2, linewidth=0
    )
    for size, name, height, marker in ((np.inf, "infinite", 0.97, "^"), (0.0, "zero", 0.03, "v")):
        steps = spread.loc[spread["mean"] == size, "step"]
        if len(steps):
            axes.plot(
                steps,
                np.full(len(steps), height),
                marker=marker,
                linestyle="none",
                markersize=4.5,
                color=colour,
                transform=axes.get_xaxis_transform(),  # y in parts of the panel's height
                clip_on=False,
                label=f"{label}, {name}",
            )
    return line


def _gradients(axes: Axes, gradient: pd.DataFrame) -> None:
    layers = sorted(gradient["layer"].unique())
    for layer, look in zip(layers, LAYER_LOOK, strict=False):
        rows = gradient[gradient["layer"] == layer]
        plot_line(axes, rows, "step", "gradient", label=f"layer {layer}", **look)
    axes.set_ylabel("RPD gradient g")


def _late(above: Axes, below: Axes, history: pd.DataFrame, gradient: pd.DataFrame) -> None:
    """Draw, one above the other, the end of the test accuracy's course and the gradients there."""
    panel_title(above, "d", "late training: test accuracy and gradients")
    test = over_seeds(history, "step", "test_accuracy")
    best = test["mean"].max()
    start = test.loc[test["mean"] >= best - LATE, "step"].min()
    plot_line(
        above,
        history[history["step"] >= start],
        "step",
        "test_accuracy",
        color=COLOURS["black"],
        label="test",
    )
    draw_initial_gradient(below, gradient)
    _gradients(below, gradient[gradient["step"] >= start])
    for axes in (above, below):
        zero_log_axis(axes, test.loc[test["step"] >= start, "step"], "step")
    above.set_xlabel("")
    above.tick_params(labelbottom=False)
    percent_axis(above, "test acc.")
    below.set_ylabel("g")


def _projections(
    panels: Mapping[str, Axes],
    letters: str,
    points: pd.DataFrame,
    regions: pd.DataFrame,
    history: pd.DataFrame,
    head: str,
) -> None:
    """Draw training samples and test samples of one moment, where they have a panel.

    Args:
        head: of both titles.
    """
    digits = sorted(points["digit"].unique())
    step, seed = points[["step", "seed"]].iloc[0]
    record = rows_where(history, step=step, seed=seed)
    drawn = []
    training = required_rows(points, "grokking_projection", split="train", mode="evaluation")
    regions = with_trimmed(regions, training)
    for letter, (split, (accuracy, words)) in zip(letters, SPLITS.items(), strict=True):
        if letter not in panels:
            continue
        axes = panels[letter]
        rows = required_rows(points, "grokking_projection", split=split, mode="evaluation")
        shares = [f"acc. {100 * share:.1f} %" for share in record[accuracy]]
        panel_title(axes, letter, head + listed(words, *shares))
        draw_projection(axes, rows, regions, digits)
        drawn.append((axes, rows))
    share_limits(drawn, training, regions)
    for axes, rows in drawn:
        write_shares(axes, rows, regions)
