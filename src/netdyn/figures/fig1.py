"""Fig. 1: the two transformation modes, and what they do to weight vectors, on toy neurons."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netdyn.figures.layout import SLIDE
from netdyn.figures.pages import Group, Page
from netdyn.figures.style import new_figure, panel_title, required_rows, required_table
from netdyn.plots.style import COLOURS, label_ends, small_type
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

NAME = "toy_neurons"
COLUMNS = ["panel", "quantity", "group", "index", "x", "y"]
SAMPLE_LOOK = {
    "A": {"color": COLOURS["red"], "marker": "o"},
    "B": {"color": COLOURS["sky"], "marker": "s"},
}
GROUPS = (
    Group("ab", row=1.95, columns=1),
    Group("cd", row=1.75, cells={letter: (letter, f"{letter}_rpd") for letter in "cd"}),
)
MOSAIC = [["a", "a", "b", "b"], ["c", "c_rpd", "d", "d_rpd"]]
TITLES = {
    "a": "OPT: one tanh neuron keeps the order",
    "b": "NPT: two tanh neurons fold it",
    "c": "OPT: a common direction",
    "d": "NPT: no common direction",
}
CIRCLE = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "linewidth": 0.6}


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 1 from the table `toy_neurons` (see `netdyn.quantities.toy_neurons`).

    Args:
        tables: holds `toy_neurons`.
        settings: `title`, `note`, `layout`, `panels`: optional.

    Raises:
        NetdynError: the table is missing or empty, or has no such column or rows of a panel.
    """
    table = required_table(tables, NAME, COLUMNS)
    page = Page(settings, {"double": 4.4, "slide": SLIDE}, GROUPS)
    with new_figure(settings, page) as figure:
        if page.flows:
            axes = page.lay(figure).axes
        else:
            axes = figure.subplot_mosaic(MOSAIC, width_ratios=[1.2, 1, 1.2, 1])
        for letter in page.letters:
            panel_title(axes[letter], letter, TITLES[letter])
            terms = _terms(axes[letter], table) if letter == "b" else []
            if letter in "ab":
                _neurons(axes[letter], table, letter)
            else:
                _directions(axes[letter], table, letter)
                _rank_probability(axes[f"{letter}_rpd"], table, letter)
            if terms:
                label_ends(axes[letter], *zip(*terms, strict=True))
        return figure


def _terms(axes: Axes, table: pd.DataFrame) -> list[tuple[float, str, str]]:
    """Draw the two neurons that (b) adds up; return height, text and colour of each end label."""
    total = required_rows(table, NAME, panel="b", quantity="curve")
    labels = [(total["y"].iloc[-1], "sum", COLOURS["blue"])]
    for term, look in (("1", "--"), ("2", "-.")):
        rows = required_rows(table, NAME, panel="b", quantity="neuron", group=f"h{term}")
        axes.plot(rows["x"], rows["y"], color=COLOURS["grey"], linestyle=look, linewidth=0.9)
        labels.append((rows["y"].iloc[-1], rf"$w_{term}\tanh h_{term}$", COLOURS["grey"]))
    return labels


def _neurons(axes: Axes, table: pd.DataFrame, letter: str) -> None:
    """Draw y(h), and each sample's number where its field and where its output lies."""
    curve = required_rows(table, NAME, panel=letter, quantity="curve")
    samples = required_rows(table, NAME, panel=letter, quantity="sample")
    axes.plot(curve["x"], curve["y"], color=COLOURS["blue"], zorder=2)
    low, high = axes.get_ylim()
    height, left, right = high - low, curve["x"].min(), curve["x"].max()
    bottom = low - 0.15 * height
    previous = -np.inf
    nearer = False
    for number, h, y in samples.sort_values("y")[["index", "x", "y"]].itertuples(index=False):
        # Numbers of nearly equal outputs stand side by side.
        nearer = not nearer and y - previous < 0.1 * height
        previous = y
        x = left - (0.12 if nearer else 0.46)
        axes.plot([h, h, x], [bottom, y, y], color=COLOURS["grey"], lw=0.6, ls=":", zorder=1)
        axes.plot(h, y, "o", color=COLOURS["blue"], zorder=3)
        for place in ((h, bottom), (x, y)):
            axes.text(
                *place, f"{number}", ha="center", va="center", fontsize=small_type(), bbox=CIRCLE
            )
    axes.set(
        xlim=(left - 0.7, right),
        ylim=(bottom - 0.1 * height, high),
        xlabel=r"local field $h$ of samples 1 – 5",
        ylabel="output",
    )


def _directions(axes: Axes, table: pd.DataFrame, letter: str) -> None:
    """Draw the samples and, from the origin, the unit weight vectors signed for class A."""
    weights = required_rows(table, NAME, panel=letter, quantity="weight")
    zeros = np.zeros(len(weights))
    axes.quiver(
        zeros,
        zeros,
        weights["x"],
        weights["y"],
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.006,
        headwidth=4,
        headlength=5,
        color=COLOURS["black"],
        alpha=0.55,
        zorder=3,
    )
    for group, look in SAMPLE_LOOK.items():
        rows = required_rows(table, NAME, panel=letter, quantity="sample", group=group)
        axes.plot(
            rows["x"],
            rows["y"],
            linestyle="none",
            markersize=2.6,
            markeredgewidth=0,
            label=group,
            **look,
        )
    samples = required_rows(table, NAME, panel=letter, quantity="sample")
    limit = 1.08 * max(1.0, samples[["x", "y"]].abs().to_numpy().max())
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(True)
    axes.legend(
        loc="upper left", handletextpad=0.1, borderpad=0.2, handlelength=1.4, markerscale=1.5
    )
    axes.set_xlabel(f"mean unit vector: length {_number(table, letter, 'resultant'):.2f}")


def _rank_probability(axes: Axes, table: pd.DataFrame, letter: str) -> None:
    """Draw the RPD of class A."""
    rows = required_rows(table, NAME, panel=letter, quantity="rpd")
    axes.axhline(1, color=COLOURS["grey"], lw=0.6, ls=":")
    axes.plot(rows["x"], rows["y"], color=SAMPLE_LOOK["A"]["color"], drawstyle="steps-mid")
    axes.set(xlim=(0, 1), ylim=(0, 2.8), xlabel="rank $r$ (0 = top)", ylabel="RPD of A")
    axes.set_box_aspect(1)
    axes.text(
        0.97,
        0.97,
        f"gradient {_number(table, letter, 'gradient'):.2f}\n".replace("-", "−")
        + f"accuracy {100 * _number(table, letter, 'accuracy'):.0f} %",
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=small_type(),
    )


def _number(table: pd.DataFrame, letter: str, quantity: str) -> float:
    return float(required_rows(table, NAME, panel=letter, quantity=quantity)["y"].iloc[0])
