"""Accuracies and RPD gradients of every hidden layer over steps, Fig. 3(a)–(g), in either mode.

Also Fig. 3(j), the first layer's gradient against depth and width. `evaluation` mode uses the
running statistics of batch normalisation, `training` mode those of the batch itself.
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
    width_looks,
)
from netdyn.figures.pages import Group, is_narrow
from netdyn.figures.style import panel_title, plot_line, required_rows, required_table
from netdyn.plots.contrast import TEXT, darkened
from netdyn.plots.style import (
    COLOURS,
    label_ends,
    layer_colours,
    percent_axis,
    small_type,
    zero_log_axis,
)
from netdyn.records.figure_settings import DrawingSettings

__all__ = [
    "ACCURACY",
    "COURSES",
    "HEIGHTS",
    "PANELS",
    "PARTS",
    "deep_group",
    "deep_left",
    "deep_mosaic",
    "draw_by_width",
    "draw_courses",
    "draw_first_layer",
    "key_of_widths",
    "samples_and_seeds",
]

# The test accuracy that belongs to a mode.
ACCURACY = {"evaluation": "test_accuracy", "training": "test_accuracy_batch_statistics"}
# Panel: prefix of its tables, and the run.
PANELS = {
    "a": ("deep10", "deep10_sgd"),
    "b": ("deep10", "deep10_sgd_fast"),
    "c": ("deep10", "deep10_sgd_linear"),
    "d": ("deep10", "deep10_adam"),
    "e": ("deep10", "deep10_adam_batches"),
    "f": ("deep10", "deep10_adam_linear"),
    "g": ("deep23", "deep23"),
}
# Panels, accuracies above gradients, and their relative heights.
COURSES = [["a", "b", "c"], ["a2", "b2", "c2"], ["d", "e", "f"], ["d2", "e2", "f2"]]
PARTS = [1.0, 1.7]
HEIGHTS = [0.75, 4.3, 2.5]  # inches, of the key, (a)–(f), and (g) with what stands beside it
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


def beside_g(seeds: int) -> list[tuple[str, str]]:
    """Return the panels, accuracies and gradients, of every seed of (g) but the first."""
    return [(f"g, {number}", f"g2, {number}") for number in range(1, seeds)]


def deep_mosaic(tables: Mapping[str, pd.DataFrame], beside: str) -> tuple[list, list[float]]:
    """Return the panels of (g), of all its seeds, with those `beside`; and their widths."""
    others = beside_g(_deep_seeds(tables))
    above, below = ([pair[part] for pair in others] for part in (0, 1))
    widths = [1.0, *(0.55 for _ in others), 1.0 + 0.25 * len(others)]
    return [["g", *above, beside], ["g2", *below, beside]], widths


def deep_left(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the panels on the left of others on a page across two columns, (a)–(g)."""
    row = ["g", *(above for above, _ in beside_g(_deep_seeds(tables)))]
    return {"b": "a", "c": "b", "e": "d", "f": "e", **dict(zip(row[1:], row, strict=False))}


def deep_group(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Group:
    """Return (a)–(g) for a page whose panels flow: every seed of (g) is a panel, or the first.

    A slide has room for the first alone.
    """
    slide = settings.get("layout") == "slide"
    seeds = beside_g(1 if slide else _deep_seeds(tables))
    pairs = [*((letter, f"{letter}2") for letter in PANELS), *seeds]
    axes = {above: tuple(zip((above, below), PARTS, strict=True)) for above, below in pairs}
    cells = {"g": ("g", *(above for above, _ in seeds))}
    return Group("abcdefg", row=1.55, key=(1.25, HEIGHTS[0]), cells=cells, axes=axes)


def _deep_seeds(tables: Mapping[str, pd.DataFrame]) -> int:
    return required_table(tables, "deep23_history", ["seed"])["seed"].nunique()


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
    """Draw g_l of every hidden layer, from the first, dark, to the last, light."""
    colours = layer_colours(len(course.layers))
    axes.axhline(0, color=COLOURS["grey"], linewidth=0.6, linestyle=":")
    draw_initial_gradient(axes, course.gradient)
    for layer, colour in zip(course.layers, colours, strict=True):
        outer = layer in (course.layers[0], course.layers[-1])
        rows = course.gradient[course.gradient["layer"] == layer]
        look = {"color": colour, "linewidth": 1.5 if outer else 0.9}
        plot_line(axes, rows, "step", "gradient", label=f"layer {layer}", **look)
    zero_log_axis(axes, steps, "step")
    axes.set_ylabel("RPD gradient g")
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
