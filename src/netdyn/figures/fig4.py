"""Fig. 4: attraction basins in sample and weight space, from networks down to single samples."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from netdyn.errors import NetdynError
from netdyn.figures.basin_axes import (
    SPACES,
    depth_looks,
    draw_basins,
    draw_best_accuracy,
    draw_widths,
    mark_diverged,
    sweep_axis,
    zoom_on_half,
)
from netdyn.figures.cone_axes import draw_plane, plane_key, read_cones
from netdyn.figures.descriptions import (
    listed,
    optimizer_of,
    return_of,
    samples_of,
    seeds_of,
    shape_of,
)
from netdyn.figures.pages import Group, Page, is_narrow, panel_width
from netdyn.figures.style import new_figure, panel_title, required_rows, required_table
from netdyn.plots.noise import noise_curves
from netdyn.plots.noise_axes import mark_ends, name_curves
from netdyn.plots.style import CLASS_COLOURS, COLOURS, percent_axis, small_type
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

MOSAIC = [
    ["key", "key"],
    ["a", "b"],
    ["c", "d"],
    ["e", "f"],
    ["e_sample", "f_sample"],
    ["e_weight", "f_weight"],
]
SWEPT = (("", 2), ("_sample", 1.2), ("_weight", 1.2))  # axes of (e) and (f), and their heights
GROUPS = (
    Group("abcd", row=1.8, key=(0.5, 0.36)),
    Group(
        "ef",
        row=2.4,
        axes={letter: tuple((letter + part, height) for part, height in SWEPT) for letter in "ef"},
    ),
    Group("g", row=1.5, columns=1),
    Group("h", row=1.95, columns=1),
)
UNIT = {"sample": "pixel range 1", "weight": "std of each weight matrix"}
DASHES = ("-", (0, (4, 1.2)), (0, (1.2, 1)), (0, (5, 1, 1, 1)))
SWEEPS = {"e": ("learning_rates", "learning_rate"), "f": ("batch_sizes", "batch_size")}
NOISE = ["seed", "of", "amplitude", "accuracy"]
BASIN = ["seed", "of", "size", "size_error"]
HISTORY = ["seed", "step", "train_loss", "train_accuracy", "test_accuracy"]
COLUMNS = {  # of every table except that of the cones
    **{f"architecture_{space}_noise": ["width", "depth", *NOISE] for space in SPACES},
    **{f"architecture_{space}_basin": ["width", "depth", *BASIN] for space in SPACES},
    **{f"{sweep}_{space}_basin": [x, *BASIN] for sweep, x in SWEEPS.values() for space in SPACES},
    **{f"{sweep}_history": [x, *HISTORY] for sweep, x in SWEEPS.values()},
    "deep23_class_noise": ["index", *NOISE],
}


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 4: accuracy under noise and basin sizes, by depth, width, rate, batch and class.

    Args:
        tables: `architecture_sample_noise` and `architecture_weight_noise`, of one width;
            `architecture_sample_basin` and `architecture_weight_basin`; `…_history`,
            `…_sample_basin` and `…_weight_basin` of `learning_rates` and `batch_sizes`;
            `deep23_class_noise`; `deep23_shift_cone`, of several seeds the smallest.
        settings: `title`, `note`, `layout`, `panels`; `runs`, `noise_return`, the settings of each
            run that labels describe, and each table's return of noisy samples;
            `test_samples`, how many there are; all optional.

    Lines are means over seeds, bands and bars reach to the extremes; a single seed's sizes carry
    their resampling error, test accuracies the standard error over test samples. A basin that never
    ends is an arrow; a run that diverged is noted.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    points, data = read_cones(tables, "deep23_shift_cone", ["c1", "c2"])
    tables = {name: required_table(tables, name, columns) for name, columns in COLUMNS.items()}
    page = Page(settings, {"double": 9.3}, GROUPS)
    with new_figure(settings, page) as figure:
        if page.flows:
            panels, keys, *_ = page.lay(figure)
        else:
            above, below = figure.subfigures(2, 1, height_ratios=[2.2, 1])
            panels = above.subplot_mosaic(MOSAIC, height_ratios=[0.1, 2, 2, 0.8, 0.8, 0.8])
            g, h = below.subplots(1, 2, width_ratios=[1, 1.25])
            panels |= {"g": g, "h": h}
            panels["key"].axis("off")
            keys = {"abcd": panels["key"]}
        if "abcd" in keys:
            _depth_panels(panels, keys["abcd"], tables, settings, page.flows)
        for letter in filter(panels.__contains__, SWEEPS):
            _sweep(panels, letter, tables, settings)
        if "g" in panels:
            _classes(panels["g"], tables, settings)
        if "h" in panels:
            noise = f"noise {return_of(settings, 'deep23_shift_cone')}".rstrip()
            digit = f"a {points['digit'].iloc[0]:g} and its shifted copy, {seeds_of(points)}"
            panel_title(panels["h"], "h", f"{digit}\n{noise}")
            draw_plane(panels["h"], points, data)
            plane_key(panels["h"], points)
        return figure


def _depth_panels(
    panels: Mapping[str, Axes],
    key: Axes | FigureBase,
    tables: Mapping[str, pd.DataFrame],
    settings: DrawingSettings,
    flows: bool,
) -> None:
    """Draw (a)–(d), or some of them, with one key of depths for all four."""
    noise = {space: _averages(tables, _noise_of(space)) for space in SPACES}
    basins = {space: _averages(tables, f"architecture_{space}_basin") for space in SPACES}
    depths = sorted({*pd.concat([*noise.values(), *basins.values()])["depth"]})
    looks = depth_looks(depths)
    for letter, space in zip("ab", SPACES, strict=True):
        if letter not in panels:
            continue
        _noise_curves(panels[letter], letter, space, noise[space], looks, settings)
    for letter, space in zip("cd", SPACES, strict=True):
        if letter not in panels:
            continue
        _sizes_by_width(panels[letter], letter, space, basins[space], looks, settings)
    seeds = seeds_of(basins["sample"], ["width", "depth"])
    text = f"(a)–(d), {seeds}, depth L:"
    if not {"c", "d"} & panels.keys():
        looks = {depth: {**look, "marker": None} for depth, look in looks.items()}
    handles = [Line2D([], [], label=f"{depth}", **look) for depth, look in looks.items()]
    if flows:
        place = {"title": text, "title_fontsize": small_type()}
        columns = len(handles) if key.bbox.width > 3 * key.get_figure(root=True).dpi else 4
    else:
        handles.insert(0, Line2D([], [], linestyle="none", label=text))
        place, columns = {}, len(handles)
    key.legend(
        handles=handles,
        loc="center",
        ncols=columns,
        **place,
        handlelength=1.6,
        columnspacing=1.1,
        handletextpad=0.4,
    )


def _averages(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Return the rows of a table that are means over all samples."""
    return required_rows(tables[name], name, of="average")


def _noise_curves(
    axes: Axes,
    letter: str,
    space: str,
    table: pd.DataFrame,
    looks: Mapping[int, dict],
    settings: DrawingSettings,
) -> None:
    """Draw the accuracy of training samples against the noise on them or on the weights."""
    widths = sorted(map(int, table["width"].unique()))
    if len(widths) > 1:
        name = _noise_of(space)
        raise NetdynError(f"table {name!r} has the widths {widths}: name one under its `where`")
    samples = samples_of(settings, "architecture")
    panel_title(axes, letter, listed(f"noise on {space}s, width {widths[0]:,}", samples))
    curves = [
        (rows, {**look, "marker": None, "linewidth": 1.1, "label": f"{depth}"})
        for depth, look in looks.items()
        if len(rows := table[table["depth"] == depth])
    ]
    label = _noise_label(space, settings, _noise_of(space))
    noise_curves(axes, curves, label, "training accuracy")
    if not is_narrow(axes.get_figure(root=False)):
        zoom_on_half(axes)


def _noise_of(space: str) -> str:
    return f"architecture_{space}_noise"


def _noise_label(space: str, settings: DrawingSettings, name: str, before_return: str = " ") -> str:
    """Return the label of an axis of amplitudes: their unit, and how noisy samples return."""
    returned = return_of(settings, name) if space == "sample" else ""
    return f"noise a ({UNIT[space]}{f';{before_return}{returned}' if returned else ''})"


def _sizes_by_width(
    axes: Axes,
    letter: str,
    space: str,
    table: pd.DataFrame,
    looks: Mapping[int, dict],
    settings: DrawingSettings,
) -> None:
    samples = samples_of(settings, "architecture")
    panel_title(axes, letter, listed(f"average basin in {space} space", samples))
    endless = draw_widths(axes, table, looks)
    low, high = axes.get_ylim()
    # An axis from 0 would draw nearly equal sizes on top of each other.
    low = low if low > 0.5 * high else 0
    axes.set_ylim(low, low + (1.2 if endless else 1.04) * (high - low))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(FixedLocator(sorted(table["width"].unique())))
    if panel_width(axes) < 2:
        axes.tick_params(axis="x", rotation=45)
    axes.set(xlabel="width", ylabel="basin size a")


def _sweep(
    panels: Mapping[str, Axes],
    letter: str,
    tables: Mapping[str, pd.DataFrame],
    settings: DrawingSettings,
) -> None:
    """Draw, one above the other, test accuracy and both basins against a swept setting."""
    name, column = SWEEPS[letter]
    history = tables[f"{name}_history"]
    above, *below = (panels[key] for key in (letter, f"{letter}_sample", f"{letter}_weight"))
    network = optimizer_of(settings, name), shape_of(settings, name)
    data = samples_of(settings, name), seeds_of(history, [column])
    panel_title(above, letter, listed(*network, *data))
    best = draw_best_accuracy(above, history, column, settings.get("test_samples"))
    percent_axis(above, "test\nacc.")
    for axes, (space, look) in zip(below, SPACES.items(), strict=True):
        table = _averages(tables, f"{name}_{space}_basin")
        draw_basins(axes, table, column, f"{space} space", **look)
        axes.set_ylim(0, 1.2 * axes.get_ylim()[1])
        axes.set_ylabel(f"{space}\nbasin")
    above.margins(y=0.15)
    label = column.replace("_", " ")
    for axes in (above, *below):
        sweep_axis(axes, history[column], label if axes is below[-1] else "")
        axes.tick_params(labelbottom=axes is below[-1])
        if panel_width(axes) < 2:
            axes.tick_params(axis="x", rotation=45)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.axvline(best, color="0.88", linewidth=5, zorder=0, label="_best accuracy")
    mark_diverged([above, *below], history, column)


def _classes(axes: Axes, tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> None:
    """Draw the accuracy of each class of noisy training samples, and of all, against the noise.

    Each curve carries its class, and a mark where its basin ends: hollow if it rises again above
    50 %, so that the basin's size says little.
    """
    name = "deep23_class_noise"
    classes = required_rows(tables[name], name, of="class")
    depth = settings.get("runs", {}).get("deep23", {}).get("depth")
    words = "each class under noise" if depth is None else f"{depth} layers: each class under noise"
    panel_title(axes, "g", f"{words}\n{listed(samples_of(settings, 'deep23'), seeds_of(classes))}")
    curves = []
    for k in sorted(classes["index"].unique()):
        look = {"color": CLASS_COLOURS[k % len(CLASS_COLOURS)], "linestyle": DASHES[k % 4]}
        rows = classes[classes["index"] == k]
        curves.append((rows, {**look, "linewidth": 1.1, "label": f"{k}"}))
    look = {"color": COLOURS["black"], "linewidth": 2.0, "zorder": 4, "label": "all classes"}
    curves.append((_averages(tables, name), look))
    label = _noise_label("sample", settings, name, "\n")
    *of_classes, of_all = noise_curves(axes, curves, label, "training accuracy")
    name_curves(axes, of_classes)
    marks = mark_ends(axes, of_classes)
    axes.legend(handles=[of_all, *marks], loc="best", handlelength=1.4)
