"""The look that all figures share: colours, type and lines, and axes of shares and of steps."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from netdyn.plots.contrast import TEXT, darkened

__all__ = [
    "CLASS_COLOURS",
    "COLOURS",
    "RC",
    "SINGLE",
    "WHITE",
    "house_style",
    "label_ends",
    "layer_colours",
    "percent_axis",
    "small_type",
    "zero_log_axis",
]

# Okabe and Ito's palette, distinguishable under all common colour deficiencies; its orange and its
# sky blue are darker, so that their contrast on white is 3.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#C58800",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#4A9CCA",
    "grey": "#767676",
    "black": "#000000",
}
# Tol's muted palette, its light sand an orange, its cyan and teal darker, so that their contrast on
# white is 3: ten classes need more colours than Okabe and Ito's palette has.
CLASS_COLOURS = (
    "#332288",
    "#669BB5",
    "#41A393",
    "#117733",
    "#999933",
    "#C58800",
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
WHITE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}  # behind text
LAYER_MAP = matplotlib.colormaps["viridis"]
USED = 0.84  # part of the map: its last colours are too light on white


@contextmanager
def house_style(single: bool = False) -> Iterator[None]:
    """Draw in the look of the paper's figures, whatever the settings of matplotlib are.

    Args:
        single: whether the figure is for one column.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC | SINGLE if single else RC)
        yield


def layer_colours(count: int) -> np.ndarray:
    """Return one colour per hidden layer, (count, 4), from the first, dark, to the last, light.

    The first and the last colour do not depend on the count: colour is relative depth.
    """
    return darkened(LAYER_MAP(np.linspace(0, USED, max(count, 2))), together=True)[:count]


def small_type() -> float | str:
    """Return the size of notes beside lines: that of legends, 7 points or, in one column, 6."""
    return matplotlib.rcParams["legend.fontsize"]


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
        look = {"color": darkened(colour, TEXT), "fontsize": small_type(), "va": "center"}
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
