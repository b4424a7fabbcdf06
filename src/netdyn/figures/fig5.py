"""Fig. 5: basins of single samples, and the slight perturbations that flip the most fragile one."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy
from mpl_toolkits.mplot3d import proj3d

from netdyn.figures.cone_axes import amplitudes_of, read_cones
from netdyn.figures.descriptions import return_of, seeds_of
from netdyn.figures.fragile_axes import SAMPLES, TRAINING, draw_fragile, read_fragile
from netdyn.figures.pages import Group, Page, is_narrow
from netdyn.figures.projection_axes import first_seed
from netdyn.figures.style import new_figure, panel_title, required_table
from netdyn.plots.style import CLASS_COLOURS, small_type
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

HEIGHTS = (3.6, 2.0, 1.9)  # inches of (a), (b), and the samples that (b) is one of
APEX = 8.0  # points, the size of a sample's marker
VIEW = {"elev": 22, "azim": -65}  # degrees: the same view of every table
POINT_SIZES = (16.0, 4.0)  # square points, at the smallest and at the largest amplitude
NARROW_HEIGHTS = (2.6, 1.9)
# Of the samples of one digit.
MARKERS = {"first sample": "o", "second sample": "s", "third sample": "D", "fourth sample": "h"}
COORDINATES = ["c1", "c2", "c3"]
GROUPS = (Group("a", row=3.3, columns=1, free=True), Group("b", row=4.5, columns=1, free=True))


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 5: basins of single samples among the data, and the sample of smallest basin.

    Args:
        tables: `deep23_cone`, `deep23_fragile` and `deep23_adversarial`; of several seeds the
            smallest is drawn.
        settings: `title`, `note`, `layout`, `panels`; `noise_return`, how the noisy
            samples of a table return to the data's range; all optional.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    points, data = read_cones(tables, "deep23_cone", COORDINATES)
    images, numbers, seed = read_fragile(tables)
    samples = first_seed(required_table(tables, "deep23_adversarial", SAMPLES))
    page = Page(settings, {"double": sum(HEIGHTS)}, GROUPS)
    with new_figure(settings, page) as figure:
        if page.flows:
            parts = page.lay(figure).free
        else:
            above, *below = figure.subfigures(3, 1, height_ratios=HEIGHTS)
            parts = {"a": above}
        if "a" in parts:
            noise = f"noise {return_of(settings, 'deep23_cone')}, {seeds_of(points)}"
            _cones(parts["a"], points, data, noise)
        if "b" in parts:
            below = parts["b"].subfigures(2, 1, height_ratios=NARROW_HEIGHTS)
        if "b" in page.letters:
            brief = page.layout == "slide" and is_narrow(below[0])
            draw_fragile(*below, images, numbers, samples, seed, brief)
        return figure


def _cones(part: FigureBase, points: pd.DataFrame, data: pd.DataFrame, noise: str) -> None:
    """Draw (a), its key on the right, or below where the page is narrow."""
    narrow = is_narrow(part)
    host = part.add_axes((0.01, 0, 0.98, 0.86 if narrow else 0.9))
    host.axis("off")
    words = "perturbed points that keep their sample's prediction"
    panel_title(host, "a", f"{words}{';' if not narrow else chr(10)} {noise}")
    # By hand: a box in perspective is wider than the square that it is laid out in.
    place = (0.08, 0.26, 0.66, 0.6) if narrow else (0.1, 0, 0.6, 0.93)
    axes = part.add_axes(place, projection="3d", computed_zorder=False)
    _basins(axes, points, data)
    _key(host, points, narrow)


def _sizes(points: pd.DataFrame) -> dict[float, float]:
    """Return the size of the points of each amplitude: the slighter, the larger."""
    amplitudes = amplitudes_of(points)
    return dict(zip(amplitudes, np.geomspace(*POINT_SIZES, len(amplitudes)), strict=True))


def _basins(axes: Axes, points: pd.DataFrame, data: pd.DataFrame) -> None:
    """Draw each sample, the path of its perturbed points' mean, and points of equal prediction.

    Grey: training samples, the middle 98 % of each coordinate where they spread wider than the
    cones.
    """
    training = data[data["kind"] == "train"]
    low, high = _extent(points, training)
    inside = training[COORDINATES].ge(low).all(axis=1) & training[COORDINATES].le(high).all(axis=1)
    plain = {"depthshade": False, "linewidths": 0, "clip_on": False}
    look = {"s": 1.0, "rasterized": True, "label": "_training", **TRAINING}
    axes.scatter(*_places(training[inside]), **look, **plain)
    apexes = []
    for sample, cone in points.groupby("sample"):
        digit = int(cone["digit"].iloc[0])
        siblings = sorted(points.loc[points["digit"] == digit, "sample"].unique())
        colour = CLASS_COLOURS[digit % len(CLASS_COLOURS)]
        marker = list(MARKERS.values())[siblings.index(sample) % len(MARKERS)]
        way = cone.groupby("amplitude", as_index=False)[COORDINATES].mean()
        axes.plot(
            *_places(way),
            color=colour,
            linewidth=0.6,
            label=f"_way {sample:g}",
            zorder=2,
            clip_on=False,
        )
        for amplitude, size in _sizes(points).items():
            unchanged = cone[(cone["amplitude"] == amplitude) & (cone["kept"] == 1)]
            label = f"_{sample:g}, {amplitude:g}"
            axes.scatter(
                *_places(unchanged),
                color=colour,
                marker=marker,
                label=label,
                zorder=3,
                s=size,
                **plain,
            )
        apexes.append((cone[cone["amplitude"] == 0], digit, colour, marker))
    _box(axes, low, high)
    _name_apexes(axes, apexes)


def _name_apexes(axes: Axes, apexes: Sequence[tuple[pd.DataFrame, int, str, str]]) -> None:
    """Draw each sample as a marker with its digit; a leader joins a moved marker to its place."""
    axes.apply_aspect()
    places = np.concatenate([np.stack(_places(apex), axis=1) for apex, *_ in apexes])
    places = np.stack(proj3d.proj_transform(*places.T, axes.get_proj())[:2], axis=1)  # (S, 2)
    points = axes.transData.transform(places) * 72 / axes.get_figure(root=True).dpi
    away = _apart(points) - points
    for order, (place, move, (_, digit, colour, marker)) in enumerate(
        zip(places, away, apexes, strict=True)
    ):
        moved = offset_copy(axes.transData, axes.get_figure(root=True), *move, units="points")
        look = {"color": colour, "marker": marker, "clip_on": False, "label": "_sample"}
        extra = {"markersize": APEX, "markerfacecolor": "white", "markeredgewidth": 1.3}
        axes.add_artist(
            Line2D(*place[:, None], transform=moved, zorder=10 + order, **look, **extra)
        )
        text = {
            "ha": "center",
            "va": "center_baseline",
            "fontsize": small_type(),
            "zorder": 10.5 + order,
        }
        leader = None
        if np.hypot(*move) > APEX / 2:
            leader = {"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkB": 0}
            leader["shrinkA"] = APEX / 2
            extra = {"markersize": 2.5, "zorder": 9}
            axes.add_artist(Line2D(*place[:, None], transform=axes.transData, **look, **extra))
        text |= {"arrowprops": leader, "annotation_clip": False}
        axes.annotate(f"{digit}", place, move, textcoords="offset points", **text)


def _apart(points: np.ndarray) -> np.ndarray:
    """Return points, (S, 2), pushed away from each other until no two markers meet."""
    points = points + 1e-3 * np.arange(len(points))[:, None]  # also where two are the same
    for _ in range(200):
        gaps = points[:, None] - points
        distances = np.hypot(*gaps.T) + np.diag(np.full(len(points), np.inf))
        push = np.clip(1.25 * APEX - distances, 0, None) / 2
        if not push.any():
            break
        points = points + (gaps * (push / distances)[..., None]).sum(axis=1)
    return points


def _extent(points: pd.DataFrame, training: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the ends of each coordinate that hold all perturbed points and most of the data."""
    places = [points[COORDINATES], training[COORDINATES].quantile([0.01, 0.99])]
    places = pd.concat(places)
    return places.min(), places.max()


def _box(axes: Axes, low: pd.Series, high: pd.Series) -> None:
    axes.view_init(**VIEW)
    axes.patch.set_visible(False)
    axes.set_box_aspect((1.7, 1.1, 0.9), zoom=1.38)
    for coordinate, side in zip(COORDINATES, "xyz", strict=True):
        getattr(axes, f"set_{side}lim")(low[coordinate], high[coordinate])
        axis = getattr(axes, f"{side}axis")
        axis.set_major_locator(MaxNLocator(5, integer=True))
        axis.set_label_text(f"PC {coordinate[1:]}")
        axis.set_pane_color((0.97, 0.97, 0.97))
        axis.set_tick_params(pad=-2)
        axis.labelpad = -5


def _places(rows: pd.DataFrame) -> list[np.ndarray]:
    return [rows[coordinate].to_numpy() for coordinate in COORDINATES]


def _key(axes: Axes, points: pd.DataFrame, below: bool) -> None:
    """Draw the legend of shapes and sizes at an edge, right or lower; samples show their digits."""
    most = points[["digit", "sample"]].drop_duplicates().groupby("digit").size().max()
    entries = [
        _mark(label, marker=marker, markersize=7, markerfacecolor="white")
        for label, marker in itertools.islice(MARKERS.items(), most)
    ]
    for amplitude, size in _sizes(points).items():
        style = {"markersize": math.sqrt(size), "markeredgewidth": 0}
        entries.append(_mark(f"a = {amplitude:g}", marker="o", **style))
    entries.append(Line2D([], [], color="0.3", linewidth=0.6, label="mean of all points"))
    samples = {"marker": "o", "markersize": 2.5, "markeredgewidth": 0, **TRAINING}
    entries.append(_mark("training samples", **samples))
    place = {"loc": "lower center", "ncols": 3} if below else {"loc": "center right"}
    axes.legend(handles=entries, handlelength=1.2, **place)


def _mark(label: str, **look: object) -> Line2D:
    return Line2D([], [], linestyle="none", label=label, **{"color": "0.2", **look})
