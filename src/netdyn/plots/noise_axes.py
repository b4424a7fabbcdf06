"""Axes of accuracies under noise: the scale of amplitudes, names of curves, ends of basins."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from netdyn.plots.contrast import TEXT, darkened
from netdyn.plots.style import COLOURS, WHITE, small_type, zero_log_axis

__all__ = [
    "ends_of",
    "mark_ends",
    "name_curves",
    "noise_axes",
]

NAME_PARTS = (0.9, 0.76, 0.63, 0.36, 0.2)  # neighbouring curves are labelled at different heights
NOISE_TICKS = [float(f"{digit}e{power}") for power in range(-4, 3) for digit in (1, 3)]


def noise_axes(axes: Axes, amplitudes: Iterable[float], label: str) -> None:
    """Set the axis of noise amplitudes of a panel of accuracies, and mark the 50 % of a basin."""
    axes.axhline(0.5, color=COLOURS["grey"], linewidth=0.6, linestyle=":", zorder=1)
    amplitudes = np.unique(list(amplitudes))
    zero_log_axis(axes, amplitudes, label)
    smallest, largest = amplitudes[amplitudes > 0][[0, -1]] * (1 - 1e-6, 1 + 1e-6)
    ticks = [tick for tick in NOISE_TICKS if smallest <= tick <= largest]
    if len(ticks) > 5:
        ticks = [tick for tick in ticks if f"{tick:e}".startswith("1")]
    ticks = [0.0, *ticks]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(0, 1.04)


def name_curves(axes: Axes, lines: Sequence[Line2D]) -> None:
    """Write every line's label on it, where it has fallen to one of the shares `NAME_PARTS`."""
    halves = [_fallen(line, 0.5) for line in lines]
    for rank, index in enumerate(np.argsort(halves, kind="stable")):
        line = lines[index]
        place = _fallen(line, NAME_PARTS[rank % len(NAME_PARTS)])
        axes.text(
            line.get_xdata()[place],
            line.get_ydata()[place],
            line.get_label(),
            color=darkened(line.get_color(), TEXT),
            fontsize=small_type(),
            fontweight="bold",
            ha="center",
            va="center",
            bbox={**WHITE, "alpha": 0.9, "pad": 0.6},
            zorder=5,
        )


def _fallen(line: Line2D, part: float) -> int:
    """Return the index of the first point below `part` of the first height; else of the last."""
    heights = np.asarray(line.get_ydata())
    below = np.flatnonzero(heights < part * heights[0])
    return int(below[0]) if len(below) else len(heights) - 1


def ends_of(line: Line2D) -> np.ndarray:
    """Return the amplitudes at which a line falls below one half, in the order of amplitudes."""
    a, accuracy = (np.asarray(values, dtype=float) for values in line.get_data())
    (before,) = np.nonzero((accuracy[:-1] >= 0.5) & (accuracy[1:] < 0.5))
    share = (accuracy[before] - 0.5) / (accuracy[before] - accuracy[before + 1])
    return a[before] + share * (a[before + 1] - a[before])


def mark_ends(axes: Axes, lines: Sequence[Line2D]) -> list[Line2D]:
    """Mark where each line first falls below one half; return the legend's handles of the marks.

    The mark is hollow where the line later rises above one half again.
    """
    common = {"marker": "o", "markersize": 3.2, "linestyle": "none", "zorder": 6}
    texts = {}
    for line in lines:
        ends = ends_of(line)
        if not len(ends):
            continue
        again = (line.get_ydata()[line.get_xdata() > ends[0]] > 0.5).any()
        face = "white" if again else line.get_color()
        label = f"_end {line.get_label()}"
        mark = {"color": line.get_color(), "markerfacecolor": face, "label": label}
        axes.plot(ends[0], 0.5, **mark, **common)
        texts["rises again" if again else "basin ends"] = "white" if again else "0.2"
    return [
        Line2D([], [], color="0.2", markerfacecolor=face, label=text, **common)
        for text, face in sorted(texts.items())
    ]
