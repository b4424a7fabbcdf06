"""Panels of the supplement on the deep networks: their running statistics and their L-maps' signs.

Colours separate optimizers and depths, line styles the other settings.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from netdyn.figures.descriptions import shape_of, training_of
from netdyn.figures.marks import before_divergence, diverged_note, plain_log_axis
from netdyn.figures.pages import is_narrow
from netdyn.figures.phases import PANELS
from netdyn.figures.style import panel_title, required_rows, required_table
from netdyn.plots.lines import over_seeds, plot_line
from netdyn.plots.style import COLOURS, percent_axis, zero_log_axis
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw_first_batch", "draw_statistics_and_signs"]

REACHED = 0.9  # the accuracy whose first step is marked
LOOK = {
    "a": {"color": COLOURS["blue"], "linestyle": "-"},
    "b": {"color": COLOURS["blue"], "linestyle": "--"},
    "c": {"color": COLOURS["blue"], "linestyle": ":"},
    "d": {"color": COLOURS["red"], "linestyle": "-"},
    "e": {"color": COLOURS["red"], "linestyle": "--"},
    "f": {"color": COLOURS["red"], "linestyle": ":"},
    "g": {"color": COLOURS["black"], "linestyle": "-"},
}
MARKS = {
    "train_accuracy": {"marker": "o", "label": f"training accuracy first {100 * REACHED:.0f} %"},
    "test_accuracy": {
        "marker": "D",
        "markerfacecolor": "white",
        "label": f"test accuracy first {100 * REACHED:.0f} %",
    },
}
KEY = {"ncols": 4, "handlelength": 1.8, "columnspacing": 1.0}
MOMENTS = {"best": 1.6, "last": 0.6}  # line widths
ACCURACIES = {
    "train_accuracy": {
        "color": COLOURS["black"],
        "linestyle": "--",
        "linewidth": 1.0,
        "label": "training",
    },
    "test_accuracy": {"color": COLOURS["red"], "label": "test, running statistics from 0 and 1"},
    "test_accuracy_first_batch": {
        "color": COLOURS["blue"],
        "linestyle": "-.",
        "label": "test, from the first batch's",
    },
}


def draw_statistics_and_signs(
    panels: Mapping[str, Axes],
    key: FigureBase,
    tables: Mapping[str, pd.DataFrame],
    settings: DrawingSettings,
    letters: str,
    place: Mapping,
) -> None:
    """Draw three panels on the runs of Fig. 3(a)–(g) below one legend.

    First, how far the running statistics are from the current ones over steps, mean over layers;
    the first steps at which training and test accuracy reach 90 % are marked on each line. Then, by
    layer, the share of signs that the L-map and the mean Jacobian have in common, thick at each
    run's best step, thin at its last: of the runs (a)–(f), which are nearly alike, and of (g).

    Args:
        panels: by letter; all of the three or some.
        key: the part of the page for their legend.
        tables: `deep10_history`, `deep23_history`, and `sign_agreement` of two steps of each run,
            or of one where they are the same.
        settings: `runs`, optional: the settings of each run that labels describe.
        letters: of the three panels.
        place: where the legend stands in its part.
    """
    marks = _distances(panels[letters[0]], tables, letters[0]) if letters[0] in panels else []
    for letter, runs in zip(letters[1:], ("abcdef", "g"), strict=True):
        if letter in panels:
            shape = shape_of(settings, *(PANELS[run][1] for run in runs))
            panel_title(panels[letter], letter, f"L-map and Jacobian\n{shape}".rstrip())
            _agreement(panels[letter], tables, runs)
    runs = [
        Line2D([], [], label=f"3{letter} {training_of(settings, PANELS[letter][1])}", **look)
        for letter, look in LOOK.items()
    ]
    moments = [
        Line2D([], [], color="0.4", linewidth=width, label=f"{moment} step")
        for moment, width in MOMENTS.items()
    ]
    look = {**KEY, "ncols": 2} if is_narrow(key) else KEY
    key.legend(handles=[*runs, *moments, *marks], **place, **look)


def _distances(axes: Axes, tables: Mapping[str, pd.DataFrame], letter: str) -> list[Line2D]:
    """Draw distances over steps; return the legend's handles of the marks on them."""
    panel_title(axes, letter, "running against current statistics\nmean over layers")
    steps = []
    handles = [Line2D([], [], color="0.4", linestyle="none", **mark) for mark in MARKS.values()]
    for run_letter, look in LOOK.items():
        prefix, run = PANELS[run_letter]
        name = f"{prefix}_history"
        columns = ["run", "seed", "step", "train_loss", *MARKS, "statistics_distance_1"]
        history = required_rows(required_table(tables, name, columns), name, run=run)
        steps.append(history["step"])
        finite = before_divergence(history)
        distances = finite.filter(regex=r"^statistics_distance_\d+$")
        finite = finite.assign(distance=distances.mean(axis=1))
        line = plot_line(axes, finite, "step", "distance", label=f"3{run_letter}", **look)
        for column, mark in MARKS.items():
            spread = over_seeds(finite, "step", column)
            reached = spread.loc[spread["mean"] >= REACHED, "step"]
            if len(reached):
                height = np.interp(reached.iloc[0], line.get_xdata(), line.get_ydata())
                look_of_mark = {**mark, "label": f"_{mark['label']} 3{run_letter}"}
                axes.plot(reached.iloc[0], height, color=look["color"], zorder=5, **look_of_mark)
        diverged = history.loc[history["train_loss"].isna(), "step"]
        if len(diverged):
            label = f"3{run_letter} diverged at step {diverged.min():,}"
            cross = {"color": look["color"], "marker": "X", "linestyle": "none", "label": label}
            handles += axes.plot(line.get_xdata()[-1:], line.get_ydata()[-1:], zorder=5, **cross)
    zero_log_axis(axes, pd.concat(steps), "step")
    axes.set_ylabel("mean distance")
    plain_log_axis(axes)
    return handles


def _agreement(axes: Axes, tables: Mapping[str, pd.DataFrame], letters: str) -> None:
    name = "sign_agreement"
    table = required_table(tables, name, ["run", "seed", "step", "layer", "agreement"])
    of_run = table.groupby(["run", "seed"])["step"]
    steps = {"best": of_run.transform("min"), "last": of_run.transform("max")}
    for run_letter in letters:
        for moment, width in MOMENTS.items():
            rows = table[(table["run"] == PANELS[run_letter][1]) & (table["step"] == steps[moment])]
            if len(rows):
                look = {**LOOK[run_letter], "linewidth": width, "markersize": 2 + width}
                plot_line(
                    axes, rows, "layer", "agreement", label=f"3{run_letter}, {moment}", **look
                )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer")
    percent_axis(axes, "equal signs")


def draw_first_batch(
    panels: Mapping[str, Axes],
    key: FigureBase,
    tables: Mapping[str, pd.DataFrame],
    settings: DrawingSettings,
    letters: str,
    place: Mapping,
) -> None:
    """Draw the test accuracy had the running statistics started from the first batch's.

    Args:
        panels: by letter; all of the six, one for each run of Fig. 3(a)–(f), or some.
        key: the part of the page for their legend.
        tables: `deep10_history` for the training accuracy and `deep10_first_batch`.
        settings: `runs`, optional: the settings of each run that labels describe.
        letters: of the six panels.
        place: where the legend stands in its part.
    """
    columns = ["run", "seed", "step"]
    history = required_table(tables, "deep10_history", [*columns, "train_loss", "train_accuracy"])
    name = "deep10_first_batch"
    tests = [column for column in ACCURACIES if column != "train_accuracy"]
    restarted = required_table(tables, name, [*columns, *tests])
    steps = {
        row: history.loc[history["run"].isin([PANELS[part][1] for part in row]), "step"]
        for row in ("abc", "def")
    }
    for letter, run_letter in zip(letters, "abcdef", strict=True):
        if letter not in panels:
            continue
        axes = panels[letter]
        _, run = PANELS[run_letter]
        panel_title(axes, letter, f"run of Fig. 3{run_letter}\n{training_of(settings, run)}")
        of_run = required_rows(history, "deep10_history", run=run)
        accuracies = dict.fromkeys(tests, required_rows(restarted, name, run=run))
        accuracies["train_accuracy"] = before_divergence(of_run)
        for column, look in ACCURACIES.items():
            plot_line(axes, accuracies[column], "step", column, **look)
        zero_log_axis(axes, steps["abc" if run_letter in "abc" else "def"], "step")
        axes.set_ylim(0, 1.04)
        axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
        percent_axis(axes, "accuracy")
        diverged_note(axes, of_run)
        handles = axes.get_lines()[: len(ACCURACIES)]
    key.legend(handles=handles, **place, ncols=1 if is_narrow(key) else 3)
