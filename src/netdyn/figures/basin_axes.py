"""Attraction basins on axes, Fig. 4(a)–(g): accuracy under noise, and sizes with their errors."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from matplotlib.transforms import offset_copy

from netdyn.figures.style import required_rows, required_table
from netdyn.plots.contrast import darkened
from netdyn.plots.lines import over_seeds, plot_line
from netdyn.plots.noise_axes import ends_of
from netdyn.plots.style import COLOURS, WHITE, small_type

__all__ = [
    "SPACES",
    "average_basins",
    "depth_looks",
    "draw_basins",
    "draw_best_accuracy",
    "draw_widths",
    "mark_diverged",
    "sizes_over_seeds",
    "sweep_axis",
    "zoom_on_half",
]

SPACES = {
    "sample": {"color": COLOURS["blue"], "marker": "o"},
    "weight": {"color": COLOURS["orange"], "marker": "s"},
}
DEPTH_MAP = matplotlib.colormaps["viridis"]
DEPTH_MARKERS = "os^Dv<>pPX"
TOP = 0.96  # height of the arrows, as a fraction of the panel's
APART = 4.0  # points between the arrows of lines at the same place
CLOSE = 1.5  # curves whose basins differ by less than this factor are enlarged
ZOOM_AT = (0.1, 0.21, 0.42, 0.46)  # left, bottom, width, height, as fractions of the panel


def depth_looks(depths: Sequence[int]) -> dict[int, dict]:
    """Return colour and marker of the line of each depth, from the shallowest, dark, on."""
    shades = darkened(DEPTH_MAP(np.linspace(0, 0.88, len(depths))), together=True)
    return {
        depth: {"color": shade, "marker": DEPTH_MARKERS[i % len(DEPTH_MARKERS)]}
        for i, (depth, shade) in enumerate(zip(depths, shades, strict=True))
    }


def average_basins(
    tables: Mapping[str, pd.DataFrame], name: str, columns: Iterable[str]
) -> pd.DataFrame:
    """Return the rows of a table of basin sizes that are averages over all samples."""
    table = required_table(tables, name, [*columns, "seed", "of", "size", "size_error"])
    return required_rows(table, name, of="average")


def zoom_on_half(axes: Axes) -> None:
    """Enlarge, in the panel's empty corner, where curves that lie close fall to one half.

    Nothing is drawn where they lie apart, or where the corner is not empty.
    """
    curves = [line for line in axes.get_lines() if line.get_label()[:1] != "_"]
    ends = [end for line in curves for end in ends_of(line)[:1]]
    if len(ends) < 2 or max(ends) > CLOSE * min(ends):
        return
    place = axes.transAxes.inverted().transform(axes.transData.transform((min(ends), 0.5)))
    if place[0] < ZOOM_AT[0] + ZOOM_AT[2] + 0.1:
        return
    zoom = axes.inset_axes(ZOOM_AT)
    for line in curves:
        look = {"color": line.get_color(), "linewidth": 1.0}
        zoom.plot(*line.get_data(), label=f"_{line.get_label()}", **look)
    zoom.axhline(0.5, color=COLOURS["grey"], linewidth=0.6, linestyle=":", zorder=1)
    margin = 0.2 * (max(ends) - min(ends))
    zoom.set(xlim=(min(ends) - margin, max(ends) + margin), ylim=(0.45, 0.55))
    zoom.xaxis.set_major_locator(MaxNLocator(3))
    zoom.set_yticks([0.45, 0.5, 0.55], ["45", "50", "55"])
    zoom.spines[:].set_visible(True)
    zoom.set_title("near 50 %", fontsize=small_type(), loc="center", pad=2)


def sizes_over_seeds(table: pd.DataFrame, x: str) -> pd.DataFrame:
    """Return mean size and the ends of its bar, low and high, at every x.

    The bar reaches to the extremes over seeds; with one seed, it is the resampling error.
    Every x has a row, whatever its number of seeds. An infinite size makes mean and high infinite,
    an infinite error only high; low is at least 0.
    """
    groups = table.dropna(subset=["size"]).groupby(x)
    spread = groups["size"].agg(mean="mean", low="min", high="max", count="count").reset_index()
    error = groups["size_error"].first().fillna(0).to_numpy()
    single = (spread["count"] == 1) & np.isfinite(spread["mean"])
    spread["low"] = spread["low"].where(~single, spread["mean"] - error)
    spread.loc[~np.isfinite(spread["low"]) & single, "low"] = 0.0
    spread["high"] = spread["high"].where(~single, spread["mean"] + error)
    return spread.assign(low=spread["low"].clip(lower=0))


def draw_basins(
    axes: Axes, table: pd.DataFrame, x: str, label: str, place: float = 0.0, **look: object
) -> Line2D:
    """Draw basin sizes as a line with bars (see `sizes_over_seeds`).

    An infinite mean, a basin that noise never takes below 50 %, is an arrow at the upper edge; a
    bar without an upper end is a thin arrow to there.

    Args:
        table: seed, `x`, size and size_error, one row per x and seed.
        label: of the line; its arrows are labelled "…, infinite".
        place: sideways shift of the arrows, in widths of an arrow, so that those of lines differ.
    """
    spread = sizes_over_seeds(table, x)
    mean = spread["mean"].where(np.isfinite(spread["mean"]))
    (line,) = axes.plot(spread[x], mean, label=label, clip_on=False, **look)  # markers at 0
    colour = line.get_color()
    closed = spread[np.isfinite(spread["high"]) & (spread["high"] > spread["low"])]
    if len(closed):
        axes.errorbar(
            closed[x],
            closed["mean"],
            [closed["mean"] - closed["low"], closed["high"] - closed["mean"]],
            fmt="none",
            ecolor=colour,
            elinewidth=0.8,
            capsize=1.6,
            capthick=0.8,
            zorder=line.get_zorder(),
        )
    upper = axes.get_xaxis_transform()  # y in parts of the panel's height
    for row in spread[np.isinf(spread["high"]) & np.isfinite(spread["low"])].itertuples():
        start = row.low if np.isinf(row.mean) else row.mean
        arrow = {"arrowstyle": "->", "color": colour, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0}
        at = getattr(row, x)
        axes.annotate("", (at, TOP), (at, start), upper, "data", arrowprops=arrow)
    infinite = spread.loc[np.isinf(spread["mean"]), x]
    if len(infinite):
        axes.plot(
            infinite,
            np.full(len(infinite), TOP),
            marker="^",
            linestyle="none",
            markersize=4.5,
            color=colour,
            transform=offset_copy(upper, axes.get_figure(root=True), APART * place, units="points"),
            clip_on=False,
            zorder=4,
            label=f"{label}, infinite",
        )
    return line


def draw_widths(axes: Axes, table: pd.DataFrame, looks: Mapping[int, dict]) -> list[int]:
    """Draw basin sizes against width, a line for each depth; return depths that have infinite ones.

    Args:
        table: seed, width, depth, size and size_error, one row per network.
        looks: of `depth_looks`.
    """
    endless = sorted(table.loc[np.isinf(table["size"]), "depth"].unique())
    for depth, look in looks.items():
        rows = table[table["depth"] == depth]
        # Arrows of several depths stand side by side.
        place = endless.index(depth) - (len(endless) - 1) / 2 if depth in endless else 0
        style = {**look, "linewidth": 1.0, "markersize": 3}
        draw_basins(axes, rows, "width", f"{depth}", place, **style)
    return endless


def draw_best_accuracy(
    axes: Axes, history: pd.DataFrame, x: str, test_samples: int | None = None
) -> float:
    """Draw the best test accuracy of every run against x; return the x where its mean is highest.

    A run that diverged counts with what it reached before. Dashed is the training accuracy at the
    same steps, which says how far each network was trained.

    Args:
        test_samples: P; where given, bars show the standard error √(p(1 − p) / (P·seeds)) that the
            choice of test samples gives an accuracy p.
    """
    ordered = history.dropna(subset=["test_accuracy"]).sort_values("step")
    best = ordered.loc[ordered.groupby([x, "seed"])["test_accuracy"].idxmax()]
    grey = {"color": "0.45", "linestyle": (0, (3, 1.2)), "linewidth": 0.9, "zorder": 1.5}
    training = plot_line(axes, best, x, "train_accuracy", label="training accuracy", **grey)
    first = training.get_xydata()[0]
    text = {"fontsize": small_type(), "color": "0.45", "va": "top", "textcoords": "offset points"}
    axes.annotate("training", first, (0, -2), **text)
    look = {"color": COLOURS["black"], "marker": "D", "label": "test accuracy"}
    plot_line(axes, best, x, "test_accuracy", **look)
    means = over_seeds(best, x, "test_accuracy")
    if test_samples is not None:
        p = means["mean"]
        errors = np.sqrt(p * (1 - p) / (test_samples * means["count"]))
        bars = {"fmt": "none", "ecolor": COLOURS["black"], "elinewidth": 0.9, "capsize": 2}
        axes.errorbar(means[x], p, errors, label="_error", **bars)
    return float(means.loc[means["mean"].idxmax(), x])


def mark_diverged(panels: Sequence[Axes], history: pd.DataFrame, x: str) -> None:
    """Mark where runs diverged: a dotted line through panels that share x, and a note beside it.

    Args:
        panels: one above the other.
        history: with a row of missing `train_loss` at the step where a run diverged.

    The note gives the number of seeds unless all diverged. Nothing is drawn if none did.
    """
    diverged = history[history["train_loss"].isna()]
    seeds = history.groupby(x)["seed"].nunique()
    for place, count in diverged.groupby(x)["seed"].nunique().items():
        for axes in panels:
            axes.axvline(
                place, color=COLOURS["grey"], linewidth=0.8, linestyle=":", label="_diverged"
            )
        middle = panels[len(panels) // 2]
        note = middle.annotate(
            "diverged" if count == seeds[place] else f"{count} of {seeds[place]} diverged",
            (place, 0.5),
            (3, 0),
            xycoords=middle.get_xaxis_transform(),  # y in parts of the panel's height
            textcoords="offset points",
            rotation=90,
            va="center",
            fontsize=small_type(),
            color="0.3",
            bbox=WHITE,
            zorder=5,
        )
        note.set_in_layout(False)


def sweep_axis(axes: Axes, values: Iterable[float], label: str) -> None:
    """Make the x axis logarithmic, with the swept values as its ticks, all of them inside."""
    values = sorted(set(values))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values, [f"{value:,g}" for value in values])
    margin = (values[-1] / values[0]) ** 0.06 if len(values) > 1 else 2.0
    axes.set_xlim(values[0] / margin, values[-1] * margin)
    axes.set_xlabel(label)
