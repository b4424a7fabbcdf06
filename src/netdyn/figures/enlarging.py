"""Points of a projection that lie close: enlarged in a corner, or named."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from netdyn.figures.pages import panel_width
from netdyn.figures.region_outlines import ellipse, outline
from netdyn.plots.plane import POINT
from netdyn.plots.style import WHITE, small_type

__all__ = ["enlarge", "point_out"]

# Parts of a panel's width and height: a panel's points within less are enlarged, a digit's points
# within less cannot be distinguished.
SMALL, HIDDEN = 0.25, 0.03
# Where points are enlarged: left, bottom, width and height of each corner, in parts of the panel.
CORNERS = [(left, bottom, 0.28, 0.34) for left in (0.62, 0.14) for bottom in (0.52, 0.14)]
# Where a digit's name may stand beside its points, in parts of the panel.
BESIDE = np.array([(across, up) for across in (0.2, -0.2, 0) for up in (0.25, -0.25)])


def _spread(axes: Axes, points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ends and the middle of most points, (2,) each, in parts of the panel."""
    places = _in_panel(axes, points[["h1", "h2"]].to_numpy())
    return tuple(np.quantile(places, [0.01, 0.5, 0.99], axis=0))


def _in_panel(axes: Axes, places: np.ndarray) -> np.ndarray:
    return axes.transAxes.inverted().transform(axes.transData.transform(places))


def enlarge(axes: Axes, points: pd.DataFrame, regions: pd.DataFrame) -> bool:
    """Enlarge points that cover little of their panel in its emptiest corner; return if done."""
    low, _, high = _spread(axes, points)
    if not (high - low).max() < SMALL:  # nor where a diverged network leaves no numbers
        return False
    outlines = np.concatenate([outline(region) for region in regions.itertuples()])
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
        zoom.plot(*line.get_data(), **{**POINT, **look, "alpha": line.get_alpha()})
    for patch in axes.patches:
        dashed = patch.get_linestyle() not in ("-", "solid")
        zoom.add_patch(ellipse(patch.get_xy(), patch.get_edgecolor(), dashed))
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


def point_out(axes: Axes, points: pd.DataFrame) -> None:
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
