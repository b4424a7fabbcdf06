"""Shared by all figures: matplotlib settings, checks of tables, lines and axes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from netdyn.errors import NetdynError
from netdyn.figures.layout import LAYOUTS, SteadyLayout, layout_of
from netdyn.figures.rounding import RoundedFigure
from netdyn.records.figure_settings import PageTexts

__all__ = [
    "CLASS_COLOURS",
    "COLOURS",
    "at_last_step",
    "label_ends",
    "new_figure",
    "over_seeds",
    "panel_title",
    "percent_axis",
    "plot_line",
    "required_rows",
    "required_table",
    "rows_where",
    "zero_log_axis",
]

# Okabe and Ito's palette, distinguishable under all common colour deficiencies.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "grey": "#767676",
    "black": "#000000",
}
# Tol's muted palette, its light sand an orange that is seen on white: ten classes need more colours
# than Okabe and Ito's palette has.
CLASS_COLOURS = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#E69F00",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#777777",
)
RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs everywhere
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "figure.dpi": 300,  # of what is rasterised in a PDF
}
# In one column, no type smaller than 6 points.
SINGLE = {
    "font.size": 6.5,
    "axes.titlesize": 7,
    "axes.labelsize": 6.5,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6,
}


@contextmanager
def new_figure(settings: PageTexts, height: float | Mapping[str, float]) -> Iterator[Figure]:
    """Yield a Figure of the layout's width and of `height` in the common style.

    Args:
        settings: `title` stands above the panels, `note` in small grey type below; `layout` is
            "double" unless given; all optional.
        height: inches; by layout, if there are others than double.

    Raises:
        NetdynError: the figure has no such layout.
    """
    heights = height if isinstance(height, Mapping) else {"double": height}
    layout = layout_of(settings, heights)
    width, height = LAYOUTS[layout], heights[layout]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC | SINGLE if layout == "single" else RC)
        engine = SteadyLayout(w_pad=0.05, h_pad=0.05, wspace=0.03, hspace=0.04)
        figure = RoundedFigure(figsize=(width, height), layout=engine)
        FigureCanvasAgg(figure)
        if settings.get("title"):
            figure.suptitle(settings["title"], fontsize=9)
        if settings.get("note"):
            strip = 0.18 / height  # kept free below the panels
            figure.get_layout_engine().set(rect=(0, strip, 1, 1 - strip))
            figure.text(0.99, 0.05 / height, settings["note"], ha="right", fontsize=7, color="0.4")
        yield figure


def required_table(
    tables: Mapping[str, pd.DataFrame], name: str, columns: Iterable[str]
) -> pd.DataFrame:
    """Return the table `name`, which must have rows and all of `columns`.

    Raises:
        NetdynError: the table or a column is missing, or the table is empty.
    """
    if name not in tables:
        raise NetdynError(f"table {name!r} is missing: list it under the figure's tables")
    table = tables[name]
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise NetdynError(
            f"table {name!r} has no column {', '.join(missing)}: measure it again, it has only "
            f"{', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise NetdynError(f"table {name!r} has no row: measure it again")
    return table


def rows_where(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows of `table` in which every column equals the value given; possibly none."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def required_rows(table: pd.DataFrame, name: str, **values: object) -> pd.DataFrame:
    """Return the rows of `table` as `rows_where` does; at least one must match.

    Raises:
        NetdynError: no row matches; the message names the table and the values.
    """
    chosen = rows_where(table, **values)
    if chosen.empty:
        filters = ", ".join(f"{column} = {value}" for column, value in values.items())
        raise NetdynError(f"table {name!r} has no row with {filters}: measure it, or draw another")
    return chosen


def over_seeds(table: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Return mean, low and high (the extremes over seeds) and count of y at every x.

    An x that fewer seeds have than others, such as the best step of one seed, is excluded: the mean
    over other seeds than at its neighbours would be a jag in the line. Missing values of y are
    ignored. An infinite value makes the mean infinite.
    """
    seeds = table.groupby(x)["seed"].transform("nunique")
    groups = table[seeds == seeds.max()].groupby(x)[y]
    spread = groups.agg(mean="mean", low="min", high="max", count="count").reset_index()
    return spread.dropna(subset=["mean"]).reset_index(drop=True)


def at_last_step(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of every run's last step."""
    return table[table["step"] == table.groupby("run")["step"].transform("max")]


def panel_title(axes: Axes, letter: str, text: str = "") -> None:
    """Set a panel's title: its letter, bold and in brackets, and a short text."""
    axes.set_title(rf"$\mathbf{{({letter})}}$  {text}".rstrip())


def plot_line(axes: Axes, table: pd.DataFrame, x: str, y: str, **look: object) -> Line2D:
    """Draw the mean of y over seeds as a line, with a band to the extremes if there are several."""
    spread = over_seeds(table, x, y)
    (line,) = axes.plot(spread[x], spread["mean"], **look)
    if spread["count"].max() > 1:
        axes.fill_between(
            spread[x],
            spread["low"],
            spread["high"],
            color=line.get_color(),
            alpha=0.2,
            linewidth=0,
            zorder=line.get_zorder() - 0.5,
        )
    return line


def percent_axis(axes: Axes, label: str) -> None:
    """Label the y axis of shares 0 … 1 in percent."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.6g}"))
    axes.set_ylabel(f"{label} (%)")


def zero_log_axis(axes: Axes, values: Iterable[float], label: str) -> None:
    """Make the x axis logarithmic from the smallest positive of `values` on, with 0 to its left."""
    values = np.unique(np.asarray(list(values), dtype=float))
    positive = values[values > 0]
    smallest, largest = (positive[0], positive[-1]) if len(positive) else (1.0, 10.0)
    axes.set_xscale("symlog", linthresh=smallest, linscale=0.4)
    first, last = int(np.ceil(np.log10(smallest) - 1e-9)), int(np.floor(np.log10(largest) + 1e-9))
    decades = 10.0 ** np.arange(first, last + 1)
    stride = 1 + len(decades) // 7
    zero = [0.0] if values[0] == 0 else []
    between = [m * 10.0**d for d in range(first - 1, last + 1) for m in range(2, 10)]
    between = [tick for tick in between if smallest <= tick <= largest]
    # An axis of less than two powers of ten would have hardly a number.
    labelled = decades[::stride] if len([*zero, *decades]) > 1 else [*decades, *between[::2]]
    axes.xaxis.set_major_locator(FixedLocator([*zero, *labelled]))
    axes.xaxis.set_minor_locator(
        FixedLocator([*between, *(d for d in decades if d not in labelled)])
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    left = -0.3 * smallest if zero else smallest * 0.9
    axes.set_xlim(left, largest * 1.05)
    axes.set_xlabel(label)


def _power(value: float) -> str:
    exponent = round(np.log10(value)) if value > 0 else 0
    if value == 0 or 0 <= exponent <= 2 or not np.isclose(value, 10.0**exponent):
        return f"{value:,.6g}"
    return rf"$10^{{{exponent}}}$"


def label_ends(
    axes: Axes, heights: Sequence[float], texts: Sequence[str], colours: Sequence
) -> None:
    """Write `texts` beside the right edge at the heights of their lines, moved apart to be legible.

    Where lines end together, the first text is the upper one. The y axis must have its limits.
    """
    low, high = axes.get_ylim()
    ends = (np.asarray(heights, dtype=float) - low) / (high - low)
    order = np.lexsort((-np.arange(len(ends)), np.round(200 * ends)))
    points = axes.get_window_extent().height * 72 / axes.get_figure(root=True).dpi
    gap = min(max(0.075, 10 / points), 1.0 / len(texts))  # the layout takes some of the height
    places = np.empty(len(ends))
    places[order] = _apart(ends[order], gap)
    # The further labels are moved, the longer their leaders, or they would run along the edge.
    length = np.clip(0.25 * np.abs(places - ends).max(), 0.03, 0.09)
    for end, place, text, colour in zip(ends, places, texts, colours, strict=True):
        axes.plot(
            [1.005, 1.005 + length],
            [end, place],
            color=colour,
            linewidth=0.6,
            transform=axes.transAxes,
            clip_on=False,
            label="_leader",
        )
        look = {"color": colour, "fontsize": 7, "va": "center"}
        axes.annotate(text, (1.015 + length, place), xycoords="axes fraction", **look)


def _apart(places: np.ndarray, gap: float) -> np.ndarray:
    """Return ascending places in 0 … 1 at least `gap` apart, with least squared displacement."""
    steps = gap * np.arange(len(places))
    groups: list[list[float]] = []  # of neighbours that touch, their places less the steps
    for place in places - steps:
        groups.append([place])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    moved = np.concatenate([np.full(len(group), np.mean(group)) for group in groups])
    return moved.clip(0, 1 - steps[-1]) + steps
