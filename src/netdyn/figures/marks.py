"""Marks that figures share: colours of layers and widths, and notes on diverged runs."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from netdyn.plots.contrast import darkened
from netdyn.plots.style import COLOURS, WHITE, small_type

__all__ = [
    "INITIAL_GRADIENT",
    "before_divergence",
    "best_accuracy",
    "diverged_note",
    "draw_initial_gradient",
    "plain_log_axis",
    "width_looks",
]

INITIAL_GRADIENT = {
    "label": "± rms of g at the initial weights",
    "color": COLOURS["grey"],
    "alpha": 0.25,
    "linewidth": 0,
    "zorder": 0,
}
WIDTH_MAP = matplotlib.colormaps["plasma"]
WIDTH_MARKERS = "osD^vPX*"


def width_looks(widths: Sequence[int]) -> dict[int, dict]:
    """Return colour, marker and label of the line of each width, narrow to wide."""
    shades = darkened(WIDTH_MAP(np.linspace(0, 0.85, len(widths))), together=True)
    return {
        width: {
            "color": shade,
            "marker": WIDTH_MARKERS[i % len(WIDTH_MARKERS)],
            "label": f"{width}",
        }
        for i, (width, shade) in enumerate(zip(widths, shades, strict=True))
    }


def before_divergence(history: pd.DataFrame) -> pd.DataFrame:
    """Return the history without the rows of missing loss, which end diverged runs."""
    return history[history["train_loss"].notna()]


def draw_initial_gradient(axes: Axes, gradient: pd.DataFrame) -> None:
    """Draw the band ±√(mean g²) of the initial weights, over all rows of step 0; none without.

    Nothing is aligned there but by chance: within the band, g tells nothing of what was learned.
    """
    initial = gradient.loc[gradient["step"] == 0, "gradient"]
    if len(initial):
        size = float(np.sqrt((initial**2).mean()))
        axes.axhspan(-size, size, **INITIAL_GRADIENT)


def best_accuracy(history: pd.DataFrame, identity: Sequence[str], column: str) -> pd.DataFrame:
    """Return the best `column` of every run, identified by the columns `identity`."""
    return history.groupby(list(identity), as_index=False)[column].max()


def diverged_note(axes: Axes, history: pd.DataFrame, x: str = "step") -> None:
    """Mark where runs diverged: a dotted line and "diverged at step s" beside it.

    Args:
        history: of the panel's runs, with a row of missing `train_loss` at the step where one
            diverged.
        x: "step" marks the first step of divergence; a swept setting marks each of its values that
            has a diverged run.

    With several runs the note says how many diverged. Nothing is drawn if none did.
    """
    diverged = history[history["train_loss"].isna()]
    if diverged.empty:
        return
    places = [diverged["step"].min()] if x == "step" else sorted(diverged[x].unique())
    for place in places:
        ended = diverged if x == "step" else diverged[diverged[x] == place]
        runs = history if x == "step" else history[history[x] == place]
        count = (runs["step"] == 0).sum()  # every run records its step 0
        of = f"{len(ended)} of {count} " if count > 1 else ""
        steps = sorted(set(ended["step"]))
        since = "at" if len(steps) == 1 else "from"
        axes.axvline(place, color=COLOURS["grey"], linewidth=0.8, linestyle=":", label="_diverged")
        _beside(axes, place, f"{of}diverged", f"{since} step {steps[0]:,}", x)


def _beside(axes: Axes, place: float, above: str, below: str, x: str) -> None:
    """Write a note of two lines on the free side of a vertical line; along it if x is swept."""
    look = {"fontsize": small_type(), "color": "0.3", "bbox": WHITE, "va": "center", "zorder": 5}
    if x != "step":
        look["rotation"] = 90
    pixels = axes.transData.transform((place, axes.get_ylim()[0]))
    side = 1 if axes.transAxes.inverted().transform(pixels)[0] < 0.6 else -1
    note = axes.annotate(
        f"{above}\n{below}",
        (place, 0.5),
        (3 * side, 0),
        xycoords=axes.get_xaxis_transform(),  # y in parts of the panel's height
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        **look,
    )
    note.set_in_layout(False)  # the layout leaves no room for notes


def plain_log_axis(axes: Axes) -> None:
    """Make the y axis logarithmic, with plain numbers; call it once everything is drawn."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    digits = (1, 2, 5) if high < 200 * low else (1,)  # of each power of ten
    axes.yaxis.set_major_locator(LogLocator(subs=digits, numticks=99))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
