"""Accuracies and RPD gradients of every hidden layer over steps, Fig. 3(a)–(g), in either mode.

`evaluation` mode uses the running statistics of batch normalisation, `training` mode those of the
batch itself.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from netdyn.figures.descriptions import listed, samples_of, seeds_of, shape_of, training_of
from netdyn.figures.marks import (
    INITIAL_GRADIENT,
    before_divergence,
    best_accuracy,
    diverged_note,
    draw_initial_gradient,
)
from netdyn.figures.pages import is_narrow
from netdyn.figures.phases_page import PANELS, beside_g
from netdyn.figures.style import panel_title, required_rows, required_table
from netdyn.plots.contrast import TEXT, darkened
from netdyn.plots.gradients import site_lines
from netdyn.plots.lines import plot_line
from netdyn.plots.style import (
    COLOURS,
    label_ends,
    layer_colours,
    percent_axis,
    small_type,
    zero_log_axis,
)
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["ACCURACY", "draw_courses"]

# The test accuracy that belongs to a mode.
ACCURACY = {"evaluation": "test_accuracy", "training": "test_accuracy_batch_statistics"}
CORNER = (0.3, 0.52)  # parts of a panel's width and height that the best accuracy takes up
LOOK = {
    "training": {"color": COLOURS["black"], "linestyle": (0, (3, 1.2)), "linewidth": 1.1},
    "test": {"color": COLOURS["red"], "linestyle": "-", "linewidth": 1.5},
}


class Course(NamedTuple):
    """One training: its history, and gradients of the mode, mean over classes."""

    history: pd.DataFrame
    gradient: pd.DataFrame

    def by_seed(self) -> dict[int, "Course"]:
        """Return the training of each seed, ascending."""
        return {
            seed: Course(history, self.gradient[self.gradient["seed"] == seed])
            for seed, history in self.history.groupby("seed")
        }

    @property
    def layers(self) -> list[int]:
        """The hidden layers with a gradient, ascending."""
        return sorted(self.gradient["layer"].unique())


def draw_courses(
    panels: Mapping[str, Axes],
    key: FigureBase,
    tables: Mapping[str, pd.DataFrame],
    settings: DrawingSettings,
    mode: str,
    left: Mapping[str, str],
) -> None:
    """Draw Fig. 3(a)–(g): accuracies of every training above the gradients of its layers.

    Args:
        panels: "a" … "g", or some of them, for accuracies, "a2" … "g2" below them for gradients,
            and those of `beside_g`.
        key: a strip for the legend of lines and colours.
        tables: `deep10_history`, `deep10_gradient`, `deep23_history` and `deep23_gradient`.
        settings: `runs`, optional: the settings of each run that labels describe.
        mode: evaluation or training, of gradients and test accuracy. The training accuracy is
            always measured with the batch's own statistics, as training itself sees it.
        left: by the name of a panel, that of the panel on its left, which may carry its numbers.

    Panels of a row share their steps, (a)–(f) their gradients' axis. (g) is the first seed, since
    phases of several seeds at different steps cancel in a mean; the others are in the panels of
    `beside_g`.
    """
    # Small panels have room for the number alone.
    best = " " if is_narrow(key) else "best test\n"
    courses = {letter: _course(tables, *PANELS[letter], mode) for letter in PANELS}
    deep = courses["g"].by_seed()
    (first, courses["g"]), *others = deep.items()
    for row in ("abc", "def", "g"):
        every = [courses[letter] for letter in row] if row != "g" else deep.values()
        steps = pd.concat([course.history["step"] for course in every])
        for letter in filter(panels.__contains__, row):
            text = training_of(settings, PANELS[letter][1])
            if letter == "g":
                layers = f"{len(courses[letter].layers) + 1} layers"
                text = f"{text}\n{layers}, seed {first}" if others else listed(text, layers)
            panel_title(panels[letter], letter, text)
            history = courses[letter].history
            _accuracies(panels[letter], history, ACCURACY[mode], steps, best)
            _gradients(panels[f"{letter}2"], courses[letter], steps)
    beside = [pair for pair in beside_g(len(deep)) if pair[0] in panels]
    for (seed, course), (above, below) in zip(others, beside, strict=False):
        panels[above].set_title(f"seed {seed}", fontsize=small_type())
        _accuracies(panels[above], course.history, ACCURACY[mode], steps)
        _gradients(panels[below], course, steps)
        panels[below].set_ylim(panels["g2"].get_ylim())
    ten = [panels[f"{letter}2"] for letter in "abcdef" if letter in panels]
    low = min((axes.get_ylim()[0] for axes in ten), default=0)
    high = max((axes.get_ylim()[1] for axes in ten), default=1)
    for axes in ten:
        axes.set_ylim(low, high)
    for letter in filter(panels.__contains__, courses):
        _name_outer_layers(panels[f"{letter}2"], courses[letter])
    below = {**{letter: f"{letter}2" for letter in PANELS}, **dict(beside)}
    for name, neighbour in left.items():
        # (a)–(f) have one axis of gradients, the seeds of (g) have another.
        if name in below and neighbour in below and (name[0] == "g") == (neighbour[0] == "g"):
            _only_inner(panels[name], panels[below[name]])
    _key(key, courses["a"].layers, courses["g"].layers, mode)
    _write_samples(key, courses, settings, len(deep))


def _only_inner(*panels: Axes) -> None:
    """Leave the numbers of the y axis to the panel on the left."""
    for axes in panels:
        axes.set_ylabel("")
        axes.tick_params(labelleft=False)


def _course(tables: Mapping[str, pd.DataFrame], prefix: str, run: str, mode: str) -> Course:
    names = f"{prefix}_history", f"{prefix}_gradient"
    columns = ["run", "seed", "step", "train_loss", "train_accuracy", ACCURACY[mode]]
    history = required_rows(required_table(tables, names[0], columns), names[0], run=run)
    columns = ["run", "seed", "step", "mode", "layer", "class", "gradient"]
    selection = {"run": run, "mode": mode, "class": -1}
    gradient = required_rows(required_table(tables, names[1], columns), names[1], **selection)
    return Course(history, gradient)


def _accuracies(
    axes: Axes, history: pd.DataFrame, test: str, steps: Iterable[float], best: str = ""
) -> None:
    """Draw training and test accuracy, and write the best of the latter behind `best`, if given."""
    finite = before_divergence(history)
    plot_line(
        axes, finite, "step", "train_accuracy", label="training", zorder=3, **LOOK["training"]
    )
    plot_line(axes, finite, "step", test, label="test", **LOOK["test"])
    zero_log_axis(axes, steps, "")
    axes.tick_params(labelbottom=False)
    axes.set_ylim(0, 1.04)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    percent_axis(axes, "acc.")
    if best:
        _write_best(axes, finite, test, best)


def _write_best(axes: Axes, finite: pd.DataFrame, test: str, words: str) -> None:
    best = best_accuracy(finite, ["run", "seed"], test)[test].mean()
    look = {"color": darkened(LOOK["test"]["color"], TEXT), "fontsize": small_type()}
    look["transform"] = axes.transAxes
    text = f"{words}{100 * best:.2f} %".lstrip()
    if _reaches_corner(axes):
        axes.text(0.02, 0.98, text, ha="left", va="top", **look)
    else:
        axes.text(0.99, 0.04, text, ha="right", va="bottom", **look)


def _reaches_corner(axes: Axes) -> bool:
    """Return whether a curve still rises in the lower right corner, below where most curves end."""
    for line in axes.get_lines():
        x, y = axes.transAxes.inverted().transform(axes.transData.transform(line.get_xydata())).T
        across = np.linspace(1 - CORNER[0], 1, 50)
        if len(x) and (np.interp(across, x, y, left=1.0, right=1.0) < CORNER[1]).any():
            return True
    return False


def _gradients(axes: Axes, course: Course, steps: Iterable[float]) -> None:
    """Draw g_l of every hidden layer, and how large g is at the initial weights."""
    site_lines(
        axes, course.gradient.rename(columns={"layer": "site", "gradient": "value"}), "layer"
    )
    draw_initial_gradient(axes, course.gradient)
    zero_log_axis(axes, steps, "step")
    diverged_note(axes, course.history)


def _name_outer_layers(axes: Axes, course: Course) -> None:
    """Write the first and the last layer's number beside the ends of their lines."""
    last = course.history["step"].max()
    ends, names, colours = [], [], []
    shades = layer_colours(len(course.layers))
    for index in sorted({0, len(course.layers) - 1}):
        name = course.layers[index]
        (line,) = [drawn for drawn in axes.get_lines() if drawn.get_label() == f"layer {name}"]
        if line.get_xdata()[-1] < last:
            return
        ends.append(line.get_ydata()[-1])
        names.append(f"{name}")
        colours.append(shades[index])
    label_ends(axes, ends, names, colours)


def _key(strip: FigureBase, shallow: list[int], deep: list[int], mode: str) -> None:
    """Draw the legend of lines, and of colours: layers of (a)–(f) and of (g) on one scale."""
    statistics = {"evaluation": "running statistics", "training": "the batch's own statistics"}
    texts = {"training": "training accuracy", "test": f"test accuracy, {statistics[mode]}"}
    handles = [Line2D([], [], label=texts[name], **look) for name, look in LOOK.items()]
    handles.append(Patch(**INITIAL_GRADIENT))
    if is_narrow(strip):
        handles[1].set_label(f"{texts['test']}; number: its best")
        strip.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1.06))
        bar = strip.add_axes((0.33, 0.42, 0.63, 0.08))
    else:
        strip.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.06, 1.08))
        bar = strip.add_axes((0.59, 0.62, 0.38, 0.13))
    bar.imshow(layer_colours(256)[None], aspect="auto", extent=(0, 1, 0, 1))
    bar.yaxis.set_major_locator(NullLocator())
    bar.spines[:].set_visible(False)
    upper = bar.secondary_xaxis("top")
    upper.spines[:].set_visible(False)
    sides = (
        (upper.xaxis, deep, 1.9, "hidden layer in (g)"),
        (bar.xaxis, shallow, -0.9, "in (a)–(f)"),
    )
    for axis, layers, height, text in sides:
        stride = 1 + len(layers) // 10
        places = np.linspace(0, 1, len(layers))
        axis.set_ticks(places[::stride], [f"{layer}" for layer in layers[::stride]])
        axis.set_tick_params(length=2, pad=1)
        look = {"ha": "right", "va": "center", "fontsize": small_type()}
        bar.text(-0.04, height, text, transform=bar.transAxes, **look)


def _write_samples(
    strip: FigureBase,
    courses: Mapping[str, Course],
    settings: DrawingSettings,
    deep_seeds: int,
) -> None:
    """Write the networks, samples and seeds of the panels, and the batch that is the default."""
    texts = []
    for panels, letters in (("(a)–(f)", "abcdef"), ("(g)", "g")):
        runs = [PANELS[letter][1] for letter in letters]
        seeds = seeds_of(pd.concat([courses[letter].history for letter in letters]), ["run"])
        if letters == "g" and deep_seeds > 1:
            seeds = f"{deep_seeds} seeds"
        data = listed(shape_of(settings, *runs), samples_of(settings, *runs), seeds)
        texts.append(f"{panels}: {data}")
    texts.append("full batch where no batch is given")
    if is_narrow(strip):
        strip.text(0.03, 0.0, ";\n".join(texts), fontsize=small_type(), va="bottom")
    else:
        strip.text(0.075, 0.0, "; ".join(texts), fontsize=small_type(), va="bottom")
