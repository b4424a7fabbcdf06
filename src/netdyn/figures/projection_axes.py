"""Samples in the plane of two singular vectors, Fig. 6 and 7(e)–(h)."""

import contextlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from netdyn.errors import NetdynError
from netdyn.figures.pages import is_narrow, panel_width
from netdyn.measures.regions import INNER_SHARE, Region, mahalanobis, trimmed_region
from netdyn.plots.contrast import TEXT, darkened
from netdyn.plots.style import COLOURS, WHITE, small_type

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
    {"color": to_hex(darkened(COLOURS[name], TEXT)), "marker": marker}
    for name, marker in (("blue", "o"), ("red", "^"), ("green", "s"))
)
POINT = {
    "linestyle": "none",
    "markersize": 2.2,
    "markeredgewidth": 0,
    "alpha": 0.75,
    "rasterized": True,
}
PROJECTION_COLUMNS = ["seed", "moment", "step", "split", "mode", "digit", "h1", "h2"]
PLACES = ["mean_h1", "mean_h2", "cov_11", "cov_12", "cov_22", "radius"]
REGION_COLUMNS = ["seed", "moment", "digit", *PLACES]
# Of the later test accuracy: a network that has more when it has learned does not grok.
GROKS_BELOW = 0.8
# Axes are logarithmic where a panel's points spread this many times wider than the training data.
TOO_WIDE = 20.0
# Parts of a panel's width and height: a panel's points within less are enlarged, a digit's points
# within less cannot be distinguished.
SMALL, HIDDEN = 0.25, 0.03
# Where points are enlarged: left, bottom, width and height of each corner, in parts of the panel.
CORNERS = [(left, bottom, 0.28, 0.34) for left in (0.62, 0.14) for bottom in (0.52, 0.14)]
# Where a digit's name may stand beside its points, in parts of the panel.
BESIDE = np.array([(across, up) for across in (0.2, -0.2, 0) for up in (0.25, -0.25)])


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
        axes.plot(rows["h1"], rows["h2"], label=str(digit), **look, **POINT)
        for region in regions[regions["digit"] == digit].itertuples():
            outline = _outline(region)
            if np.isfinite(outline).all():
                axes.add_patch(_ellipse(outline, look["color"], region.trimmed))
    axes.set(xlabel=r"$h_1$", ylabel=r"$h_2$")


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


def write_shares(axes: Axes, points: pd.DataFrame, regions: pd.DataFrame) -> None:
    """Write below a panel the share of its points inside their own digit's region, of each kind."""
    shares = []
    for trimmed, name in ((False, "in their region"), (True, "trimmed")):
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


def _ellipse(outline: np.ndarray, colour, trimmed: bool) -> Polygon:
    dashes = (0, (3, 1.5)) if trimmed else "-"
    look = {"fill": False, "linewidth": 1.1, "zorder": 3, "linestyle": dashes}
    return Polygon(outline, edgecolor=colour, **look)


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
        if not _enlarge(axes, points, regions):
            _point_out(axes, points)


def _spread(axes: Axes, points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ends and the middle of most points, (2,) each, in parts of the panel."""
    places = _in_panel(axes, points[["h1", "h2"]].to_numpy())
    return tuple(np.quantile(places, [0.01, 0.5, 0.99], axis=0))


def _in_panel(axes: Axes, places: np.ndarray) -> np.ndarray:
    return axes.transAxes.inverted().transform(axes.transData.transform(places))


def _enlarge(axes: Axes, points: pd.DataFrame, regions: pd.DataFrame) -> bool:
    """Enlarge points that cover little of their panel in its emptiest corner; return if done."""
    low, _, high = _spread(axes, points)
    if not (high - low).max() < SMALL:  # nor where a diverged network leaves no numbers
        return False
    outlines = np.concatenate([_outline(region) for region in regions.itertuples()])
    drawn = _in_panel(axes, np.concatenate([points[["h1", "h2"]].to_numpy(), outlines]))

    def hidden(corner: tuple[float, ...]) -> int:
        start, size = np.array(corner).reshape(2, 2)
        # The numbers on its axes stand between it and the panel's edges.
        low = np.where(start > 0.5, start - 0.03, 0)
        high = np.where(start > 0.5, 1, start + size + 0.03)
        return ((drawn >= low) & (drawn <= high)).all(axis=1).sum()

    corner = min(CORNERS, key=hidden)
    zoom = axes.inset_axes(corner)
    for line in axes.get_lines():
        look = {"color": line.get_color(), "marker": line.get_marker()}
        zoom.plot(*line.get_data(), **look, **POINT)
    for patch in axes.patches:
        dashed = patch.get_linestyle() not in ("-", "solid")
        zoom.add_patch(_ellipse(patch.get_xy(), patch.get_edgecolor(), dashed))
    for index, side in enumerate("xy"):
        ends = points[f"h{index + 1}"].quantile([0.01, 0.99])
        margin = max(0.15 * np.ptp(ends), 1e-6 * np.ptp(getattr(axes, f"get_{side}lim")()))
        getattr(zoom, f"set_{side}lim")(ends.min() - margin, ends.max() + margin)
        getattr(zoom, f"{side}axis").set_major_locator(
            MaxNLocator(2 if panel_width(axes) > 2 else 1)
        )
    zoom.spines[:].set_visible(True)
    # Numbers on the outer sides, since the lines from the enlarged part end at the inner ones.
    zoom.yaxis.set_ticks_position("right" if corner[0] > 0.5 else "left")
    zoom.xaxis.set_ticks_position("top" if corner[1] > 0.5 else "bottom")
    axes.indicate_inset_zoom(zoom, edgecolor="0.3", alpha=1, linewidth=0.7)
    return True


def _point_out(axes: Axes, points: pd.DataFrame) -> None:
    """Name the digits whose points lie so close that they hide each other."""
    spreads = {digit: _spread(axes, rows) for digit, rows in points.groupby("digit")}
    occupied = [middle for _, middle, _ in spreads.values()]
    lines = {line.get_label(): line for line in axes.get_lines()}
    for digit, (low, middle, high) in spreads.items():
        if not (high - low).max() < HIDDEN:
            continue
        places = (middle + BESIDE).clip((0.2, 0.1), (0.8, 0.9))
        room = np.linalg.norm(places[:, None] - np.array(occupied), axis=2).min(axis=1)
        occupied.append(places[room.argmax()])
        axes.annotate(
            f"{(points['digit'] == digit).sum():,} of digit {digit}",
            middle,
            occupied[-1],
            xycoords="axes fraction",
            fontsize=small_type(),
            color=lines[str(digit)].get_color(),
            ha="center",
            va="center",
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
        Line2D([], [], label=f"digit {digit}", **look, **{**POINT, "markersize": 4})
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
