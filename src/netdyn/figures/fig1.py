"""Fig. 1: the two transformation modes, and what they do to weight vectors, on toy neurons."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netdyn.figures.style import new_figure, panel_title, required_rows, required_table
from netdyn.plots.style import COLOURS, label_ends
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

NAME = "toy_neurons"
COLUMNS = ["panel", "quantity", "group", "index", "x", "y"]
SAMPLE_LOOK = {
    "A": {"color": COLOURS["red"], "marker": "o"},
    "B": {"color": COLOURS["sky"], "marker": "s"},
}
CIRCLE = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "linewidth": 0.6}


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 1 from the table `toy_neurons` (see `netdyn.quantities.toy_neurons`).

    Args:
        tables: holds `toy_neurons`.
        settings: `title`, `note`, `layout`: optional strings.

    Raises:
        NetdynError: the table is missing or empty, or has no such column or rows of a panel.
    """
    table = required_table(tables, NAME, COLUMNS)
    with new_figure(settings, {"double": 4.4, "single": 7.4, "slide": 3.94}) as figure:
        axes = _panels(figure, stacked=settings.get("layout") == "single")
        panel_title(axes["a"], "a", "OPT: one tanh neuron keeps the order")
        panel_title(axes["b"], "b", "NPT: two tanh neurons fold it")
        panel_title(axes["c"], "c", "OPT: a common direction")
        panel_title(axes["d"], "d", "NPT: no common direction")
        terms = _terms(axes["b"], table)
        _neurons(axes["a"], table, "a")
        _neurons(axes["b"], table, "b")
        label_ends(axes["b"], *zip(*terms, strict=True))
        for letter in "cd":
            _directions(axes[letter], table, letter)
            _rank_probability(axes[f"{letter}_rpd"], table, letter)
        return figure


def _panels(figure: Figure, stacked: bool) -> dict[str, Axes]:
    """Return the panels by name: two columns, or one."""
    if not stacked:
        mosaic = [["a", "a", "b", "b"], ["c", "c_rpd", "d", "d_rpd"]]
        return figure.subplot_mosaic(mosaic, width_ratios=[1.2, 1, 1.2, 1])
    above, below = figure.subfigures(2, 1, height_ratios=[1.1, 1])
    panels = above.subplot_mosaic([["a"], ["b"]])
    mosaic = [["c", "c_rpd"], ["d", "d_rpd"]]
    return panels | below.subplot_mosaic(mosaic, width_ratios=[1.2, 1])


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
            axes.text(*place, f"{number}", ha="center", va="center", fontsize=7, bbox=CIRCLE)
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
            alpha=0.8,
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
        fontsize=7,
    )


def _number(table: pd.DataFrame, letter: str, quantity: str) -> float:
    return float(required_rows(table, NAME, panel=letter, quantity=quantity)["y"].iloc[0])
