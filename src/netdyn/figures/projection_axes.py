"""Samples in the plane of two singular vectors, Fig. 6 and 7(e)–(h)."""

import contextlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from netdyn.errors import NetdynError
from netdyn.figures.enlarging import enlarge, point_out
from netdyn.figures.pages import is_narrow
from netdyn.figures.region_outlines import ellipse, outline
from netdyn.measures.regions import INNER_SHARE, Region, mahalanobis, trimmed_region
from netdyn.plots.contrast import TEXT, darkened
from netdyn.plots.plane import POINT, plane_points
from netdyn.plots.style import COLOURS

__all__ = [
    "PROJECTION_COLUMNS",
    "REGION_COLUMNS",
    "draw_key",
    "draw_projection",
    "first_seed",
    "headings",
    "share_limits",
    "with_trimmed",
    "write_shares",
]

POINTS = 1000  # at most, per panel and digit
# Dark enough for points that let those below show through.
LOOK = tuple(
    {"color": to_hex(darkened(COLOURS[name], TEXT)), "marker": marker, "alpha": 0.75}
    for name, marker in (("blue", "o"), ("red", "^"), ("green", "s"))
)
PROJECTION_COLUMNS = ["seed", "moment", "step", "split", "mode", "digit", "h1", "h2"]
PLACES = ["mean_h1", "mean_h2", "cov_11", "cov_12", "cov_22", "radius"]
REGION_COLUMNS = ["seed", "moment", "digit", *PLACES]
# Of the later test accuracy: a network that has more when it has learned does not grok.
GROKS_BELOW = 0.8
# Axes are logarithmic where a panel's points spread this many times wider than the training data.
TOO_WIDE = 20.0


def first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the smallest seed: projections of two networks have no common axes."""
    return table[table["seed"] == table["seed"].min()]


def headings(points: pd.DataFrame, history: pd.DataFrame) -> dict[str, str]:
    """Return what stands above the panels of each moment, "before" and "after".

    A network whose test accuracy is not far behind when the training samples are learned does not
    grok, and is not said to.

    Args:
        points: projections of one seed, with its two moments.
        history: that seed's, with `step` and `test_accuracy`.
    """
    steps = points.groupby("moment")["step"].first()
    accuracy = history.groupby("step")["test_accuracy"].first().reindex(steps).set_axis(steps.index)
    words = {moment: f"{moment} grokking" for moment in steps.index}
    if {"before", "after"} <= words.keys() and accuracy["before"] > GROKS_BELOW * accuracy["after"]:
        words = {
            "before": "training samples learned; no grokking",
            "after": "best test accuracy",
        }
    seed = f"seed {points['seed'].iloc[0]}"
    return {moment: f"{words[moment]}, step {step:,}, {seed}" for moment, step in steps.items()}


def draw_projection(
    axes: Axes, points: pd.DataFrame, regions: pd.DataFrame, digits: Sequence[int]
) -> None:
    """Draw samples at (h1, h2), a colour and marker per digit, and the digits' training regions.

    Args:
        regions: with a column `trimmed`: those are drawn dashed (see `with_trimmed`).
    """
    for digit, look in zip(digits, LOOK, strict=False):
        rows = points[points["digit"] == digit].head(POINTS)
        plane_points(axes, rows[["h1", "h2"]], label=str(digit), **look)
        for region in regions[regions["digit"] == digit].itertuples():
            border = outline(region)
            if np.isfinite(border).all():
                axes.add_patch(ellipse(border, look["color"], region.trimmed))


def with_trimmed(regions: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Return the regions, and after them those that a few far training samples do not widen.

    Args:
        regions: of each digit, at one moment.
        training: the projected training samples of that moment, (h1, h2).

    Returns:
        the columns of `regions` that place them, and `trimmed`. A digit whose training samples
        have no area has no trimmed region.
    """
    rows = []
    for digit, points in training.groupby("digit"):
        with contextlib.suppress(NetdynError):
            region = trimmed_region(points[["h1", "h2"]].dropna().to_numpy())
            numbers = *region.mean, *region.covariance[[0, 0, 1], [0, 1, 1]], region.radius
            rows.append(dict(zip(["digit", *PLACES], [digit, *numbers], strict=True)))
    every = regions[["digit", *PLACES]].assign(trimmed=False)
    return pd.concat([every, pd.DataFrame(rows, columns=every.columns[:-1]).assign(trimmed=True)])


def write_shares(
    axes: Axes, points: pd.DataFrame, regions: pd.DataFrame, brief: bool = False
) -> None:
    """Write below a panel the share of its points inside their own digit's region, of each kind.

    Args:
        brief: whether there is little room.
    """
    shares = []
    for trimmed, name in ((False, "in region" if brief else "in their region"), (True, "trimmed")):
        inside = []
        for region in regions[regions["trimmed"] == trimmed].itertuples():
            places = points.loc[points["digit"] == region.digit, ["h1", "h2"]].to_numpy()
            covariance = np.array([[region.cov_11, region.cov_12], [region.cov_12, region.cov_22]])
            if not np.isfinite(covariance).all() or np.linalg.matrix_rank(covariance) < 2:
                return
            ellipse = Region(np.array([region.mean_h1, region.mean_h2]), covariance, region.radius)
            inside.append(mahalanobis(places, ellipse) <= region.radius * (1 + 1e-9))
        if inside:
            shares.append(f"{name} {100 * np.concatenate(inside).mean():.0f} %")
    axes.set_xlabel(f"{axes.get_xlabel()}\n{', '.join(shares)}")


def share_limits(
    panels: Sequence[tuple[Axes, pd.DataFrame]], training: pd.DataFrame, regions: pd.DataFrame
) -> None:
    """Set common limits in all panels, so that a shift between them is visible.

    The axes hold the middle 98 % of every panel's points; regions may reach beyond. Where that is
    far wider than the training samples, they are logarithmic outside the extent of these. Points
    beyond the axes are counted below the panel. Points that cover little of the panel are enlarged
    in a corner; a digit whose points hide each other is labelled.
    """
    beyond = [np.zeros(len(points), dtype=bool) for _, points in panels]
    for index, side in enumerate("xy"):
        coordinate = f"h{index + 1}"
        inner = training[coordinate].quantile([0.01, 0.99]).to_numpy()
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
    for (axes, points), outside in zip(panels, beyond, strict=True):
        if count := int(outside.sum()):
            words = f"{count} point{'s' * (count > 1)} beyond the axes"
            axes.set_xlabel(f"{axes.get_xlabel()} ({words})")
        if not enlarge(axes, points, regions):
            point_out(axes, points)


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
        Line2D([], [], label=f"digit {digit}", **{**POINT, **look, "markersize": 4})
        for digit, look in zip(digits, LOOK, strict=False)
    ]
    outline = {"color": "0.3", "linewidth": 1.1}
    entries.append(Line2D([], [], label="99 % of training samples", **outline))
    label = f"of the inner {100 * INNER_SHARE:.0f} %"
    entries.append(Line2D([], [], linestyle=(0, (3, 1.5)), label=label, **outline))
    # A legend is not part of the layout, so its strip is subtracted from the panels' part.
    layout = figure.get_layout_engine()
    low = layout.get()["rect"][1]
    lines = 2 if is_narrow(figure) else 1
    strip = low + (0.08 + 0.14 * lines) / figure.get_figheight()
    layout.set(rect=(0, strip, 1, 1 - strip))
    figure.legend(
        handles=entries,
        loc="lower center",
        bbox_to_anchor=(0.5, low),
        ncols=-(-len(entries) // lines),
    )
