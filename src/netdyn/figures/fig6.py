"""Fig. 6: where training and test samples lie in the 23-layer network before and after grokking.

The projection panels are also those of Fig. 7(e)–(h).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from netdyn.figures.style import COLOURS, new_figure, only, panel, read

__all__ = ["draw", "draw_key", "draw_projection", "first_seed", "share_limits"]

POINTS = 1000  # at most, per panel and digit
LOOK = (
    {"color": COLOURS["blue"], "marker": "o"},
    {"color": COLOURS["red"], "marker": "^"},
    {"color": COLOURS["green"], "marker": "s"},
)
PROJECTION_COLUMNS = ["seed", "moment", "step", "split", "mode", "digit", "h1", "h2"]
REGION_COLUMNS = [
    "seed", "moment", "digit", "mean_h1", "mean_h2", "cov_11", "cov_12", "cov_22", "radius",
]  # fmt: skip
# Once the points of one panel spread this many times wider than the training samples.
TOO_WIDE = 6.0
# Parts of a panel's width and height within which its points can't be told apart.
HIDDEN = 0.03
WHITE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}  # behind text
ROWS = (
    ("train", "training", "train_accuracy", "training samples, training mode"),
    ("test", "evaluation", "test_accuracy", "test samples, evaluation mode"),
    ("test", "training", "test_accuracy_batch_statistics", "test samples, training mode"),
)


def draw(tables: Mapping[str, pd.DataFrame], settings: Mapping) -> Figure:
    """Draw Fig. 6: projections before (left) and after (right) grokking.

    Args:
        tables: `deep23_history` (the accuracies), `deep23_projection` and `deep23_regions`; of
            several seeds the smallest is drawn.
        settings: `title`, `note`: optional strings.

    Raises:
        NetdynError: naming the table that is missing, empty, or lacks a column or rows.
    """
    name = "deep23_projection"
    accuracies = [row[2] for row in ROWS]
    points = first_seed(read(tables, name, PROJECTION_COLUMNS))
    regions = first_seed(read(tables, "deep23_regions", REGION_COLUMNS))
    history = read(tables, "deep23_history", ["seed", "step", *accuracies])
    history = only(history, "deep23_history", seed=points["seed"].iloc[0])
    digits = sorted(points["digit"].unique())
    with new_figure(settings, height=6.6) as figure:
        columns = figure.subfigures(1, 2)
        for moment, letters, column in zip(
            ("before", "after"), ("ace", "bdf"), columns, strict=True
        ):
            at_moment = only(points, name, moment=moment)
            region = only(regions, "deep23_regions", moment=moment)
            step = at_moment["step"].iloc[0]
            record = only(history, "deep23_history", step=step).iloc[0]
            column.suptitle(f"{moment} grokking, step {step:,}", fontsize=8)
            drawn = []
            for axes, letter, row in zip(column.subplots(3, 1), letters, ROWS, strict=True):
                split, mode, accuracy, text = row
                rows = only(at_moment, name, split=split, mode=mode)
                panel(axes, letter, f"{text}, acc. {100 * record[accuracy]:.1f} %")
                draw_projection(axes, rows, region, digits)
                drawn.append((axes, rows))
            for axes, _ in drawn[:-1]:
                axes.set_xlabel("")
            share_limits(drawn, only(at_moment, name, split="train"), region)
        draw_key(figure, digits)
        return figure


def first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the smallest seed: projections of two networks have no common axes."""
    return table[table["seed"] == table["seed"].min()]


def draw_projection(
    axes: Axes, points: pd.DataFrame, regions: pd.DataFrame, digits: Sequence[int]
) -> None:
    """Draw samples at (h1, h2), a colour and marker per digit, and the digits' training regions."""
    for digit, look in zip(digits, LOOK, strict=False):
        rows = points[points["digit"] == digit].head(POINTS)
        axes.plot(
            rows["h1"],
            rows["h2"],
            linestyle="none",
            markersize=2.2,
            markeredgewidth=0,
            alpha=0.5,
            rasterized=True,
            label=str(digit),
            **look,
        )
        for region in regions[regions["digit"] == digit].itertuples():
            outline = _outline(region)
            if np.isfinite(outline).all():
                axes.add_patch(
                    Polygon(outline, fill=False, edgecolor=look["color"], linewidth=1.1, zorder=3)
                )
    axes.set(xlabel=r"$h_1$", ylabel=r"$h_2$")


def _outline(region) -> np.ndarray:
    """Return 200 points, (200, 2), at the region's Mahalanobis radius from its centre."""
    covariance = np.array([[region.cov_11, region.cov_12], [region.cov_12, region.cov_22]])
    if not np.isfinite(covariance).all():
        return np.full((200, 2), np.nan)
    variances, directions = np.linalg.eigh(covariance)
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (200, 2)
    semi_axes = region.radius * np.sqrt(variances.clip(min=0))
    return (circle * semi_axes) @ directions.T + [region.mean_h1, region.mean_h2]


def share_limits(
    panels: Sequence[tuple[Axes, pd.DataFrame]], training: pd.DataFrame, regions: pd.DataFrame
) -> None:
    """Give all panels one pair of axes, so that a shift between them is seen as a shift.

    The axes hold the middle 98 % of every panel's points and the regions. Where that is far wider
    than the training samples and regions, they are logarithmic outside the extent of these. Points
    beyond the axes are counted in the panel, and points that hide each other are pointed out.
    """
    outlines = np.concatenate([_outline(region) for region in regions.itertuples()])
    outlines = outlines[np.isfinite(outlines).all(axis=1)]
    beyond = [np.zeros(len(points), dtype=bool) for _, points in panels]
    for index, side in enumerate("xy"):
        coordinate = f"h{index + 1}"
        inner = np.concatenate([training[coordinate].quantile([0.01, 0.99]), outlines[:, index]])
        middles = [points[coordinate].quantile([0.01, 0.99]) for _, points in panels]
        extent = np.concatenate([inner, *middles])
        low, high = np.nanmin(extent), np.nanmax(extent)
        wide = high - low > TOO_WIDE * max(np.ptp(inner), 1e-12)
        for (axes, points), outside in zip(panels, beyond, strict=True):
            if wide:
                _bend(axes, side, float(np.abs(inner).max()), float(np.abs(extent).max()))
                ends = low - 0.3 * abs(low), high + 0.3 * abs(high)
            else:
                margin = 0.08 * max(high - low, 1e-12)
                ends = low - margin, high + margin
            getattr(axes, f"set_{side}lim")(*ends)
            outside |= ~points[coordinate].between(*ends).to_numpy()
    for (axes, _), outside in zip(panels, beyond, strict=True):
        if outside.any():
            text = f"{outside.sum()} beyond the axes"
            look = {"ha": "right", "fontsize": 7, "color": "0.3", "bbox": WHITE}
            axes.text(0.99, 0.045, text, transform=axes.transAxes, **look)
    for axes, points in panels:
        _point_out(axes, points)


def _point_out(axes: Axes, points: pd.DataFrame) -> None:
    """Put an arrow at a panel's points where they lie so close that they hide each other."""
    pixels = axes.transData.transform(points[["h1", "h2"]])
    places = axes.transAxes.inverted().transform(pixels)  # (P, 2), in parts of the panel
    low, middle, high = np.quantile(places, [0.01, 0.5, 0.99], axis=0)
    if (high - low).max() < HIDDEN:
        axes.annotate(
            f"all {len(points):,} samples",
            middle,
            middle + np.where(middle < 0.5, 0.2, -0.2),
            xycoords="axes fraction",
            fontsize=7,
            ha="center",
            bbox=WHITE,
            arrowprops={"arrowstyle": "->", "linewidth": 0.7, "shrinkB": 4},
        )


def _bend(axes: Axes, side: str, threshold: float, largest: float) -> None:
    """Make an axis linear up to ± a threshold of one digit and logarithmic beyond."""
    unit = 10.0 ** np.floor(np.log10(threshold))
    threshold = unit * np.ceil(threshold / unit)
    getattr(axes, f"set_{side}scale")("symlog", linthresh=threshold, linscale=2)
    first = int(np.floor(np.log10(threshold))) + 1
    decades = 10.0 ** np.arange(first, int(np.ceil(np.log10(largest))) + 1)
    ticks = [threshold, *decades[decades > 3 * threshold]]
    getattr(axes, f"{side}axis").set_major_locator(
        FixedLocator([*(-tick for tick in ticks[::-1]), 0.0, *ticks])
    )
    getattr(axes, f"{side}axis").set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−"))
    )
    getattr(axes, f"{side}axis").set_minor_locator(NullLocator())


def draw_key(figure: Figure, digits: Sequence[int]) -> None:
    """Put a legend of the digits' markers and of the regions' outlines below all panels."""
    entries = [
        Line2D([], [], linestyle="none", markersize=4, label=f"digit {digit}", **look)
        for digit, look in zip(digits, LOOK, strict=False)
    ]
    entries.append(Line2D([], [], color="0.3", linewidth=1.1, label="99 % of training samples"))
    # A legend is no part of the layout: the strip it stands in is taken off the panels' part.
    layout = figure.get_layout_engine()
    low = layout.get()["rect"][1]
    strip = low + 0.22 / figure.get_figheight()
    layout.set(rect=(0, strip, 1, 1 - strip))
    figure.legend(
        handles=entries, loc="lower center", bbox_to_anchor=(0.5, low), ncols=len(entries)
    )
