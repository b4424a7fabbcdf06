"""The sample of smallest basin, what flips it, and where it lies among others: Fig. 5(b)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from netdyn.errors import NetdynError
from netdyn.figures.descriptions import seeds_of
from netdyn.figures.pages import is_narrow
from netdyn.figures.projection_axes import first_seed
from netdyn.figures.style import panel_title, required_rows, required_table
from netdyn.figures.wrapping import wrapped
from netdyn.plots.style import COLOURS, small_type

__all__ = ["SAMPLES", "TRAINING", "draw_fragile", "read_fragile"]

TRAINING = {"color": "0.55"}  # samples behind others
SAMPLES = ["seed", "basin", "least_flip_distance"]
MOSAIC = ["original", "noise", "noisy", ".", "perturbation", "flipped"]
WIDTHS = [1, 1, 1, 0.3, 1, 1]
# Where the page is narrow, (b) stands in two rows, above its samples.
NARROW = [["original", "noise", "noisy"], [".", "perturbation", "flipped"]]
NOTE = 78.0  # points, the width of the words beside the samples there
# Each image: the sign in front of it, and the text in its place if the table has no such image.
IMAGES = {
    "original": ("", ""),
    "noise": ("+", ""),
    "noisy": ("=", "no amplitude\nflips most trials"),
    "perturbation": ("original +", ""),
    "flipped": ("=", "no flip found"),
}


def read_fragile(
    tables: Mapping[str, pd.DataFrame],
) -> tuple[dict[str, np.ndarray], dict[str, float], str]:
    """Return the measured square images by kind, the summary's numbers by name, and the seed."""
    name = "deep23_fragile"
    table = first_seed(required_table(tables, name, ["seed", "kind", "pixel", "value", "name"]))
    required_rows(table, name, kind="original")
    summary = required_rows(table, name, kind="summary")
    images = {}
    for kind, rows in table[table["kind"] != "summary"].groupby("kind"):
        side = math.isqrt(len(rows))
        if side**2 != len(rows):
            raise NetdynError(
                f"table {name!r}: {len(rows)} pixels of {kind!r} do not make a square image"
            )
        images[kind] = rows.sort_values("pixel")["value"].to_numpy().reshape(side, side)
    return images, dict(zip(summary["name"], summary["value"], strict=True)), seeds_of(table)


def draw_fragile(
    above: FigureBase,
    below: FigureBase,
    images: Mapping[str, np.ndarray],
    numbers: Mapping[str, float],
    samples: pd.DataFrame,
    seed: str,
    brief: bool,
) -> None:
    """Draw Fig. 5(b).

    Args:
        above: the part of the page for the images.
        below: that for the samples.
        images, numbers, seed: of `read_fragile`.
        samples: with the columns `SAMPLES`.
        brief: whether the legend has the numbers, in place of words beside the samples.
    """
    mosaic, widths = (NARROW, None) if is_narrow(above) else ([MOSAIC], WIDTHS)
    panels = above.subplot_mosaic(mosaic, width_ratios=widths)
    panel_title(panels["original"], "b", f"smallest basin: a {numbers['digit']:g}, {seed}")
    _flips(panels, images, numbers)
    _among_samples(below, samples, numbers, brief)


def _flips(
    panels: Mapping[str, Axes], images: Mapping[str, np.ndarray], numbers: Mapping[str, float]
) -> None:
    """Draw the sample, and for noise and for DeepFool the perturbation and the result."""
    texts = {
        "original": "predicted {prediction_original:g}\nbasin {basin:.2g}",
        "noise": "noise, a = {amplitude:.2g}",
        "noisy": "predicted {prediction_noisy:g}\n{flips:.3g} % of trials flip",
        "perturbation": r"DeepFool, $L_2$ = {flip_distance:.2g}",
        "flipped": "predicted {prediction_flipped:g}",
    }
    narrow = is_narrow(panels["original"].get_figure(root=False))
    if narrow:  # as many lines as beside it
        texts["noisy"] = texts["noisy"].replace("trials flip", "trials\nflip")
    numbers = {**numbers, "flips": 100 * numbers["held_out_flips"]}
    for kind, (sign, instead) in IMAGES.items():
        axes = panels[kind]
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        look = {"va": "center", "transform": axes.transAxes}
        mark = axes.text(-0.07, 0.5, sign, ha="right", **look)
        mark.set_in_layout(not narrow)  # in the room between the images
        if kind in images:
            difference = kind in ("noise", "perturbation")
            _image(axes, images[kind], difference, texts[kind].format(**numbers))
        else:
            axes.set_box_aspect(1)
            axes.text(0.5, 0.5, instead, ha="center", **look)


def _image(axes: Axes, image: np.ndarray, difference: bool, text: str) -> None:
    """Draw an image from white, 0, to black, 1; a difference in greys around 0."""
    low, high = 0.0, 1.0
    unchanged = "unchanged" if is_narrow(axes.get_figure(root=False)) else "pixel unchanged"
    if difference:
        high = np.abs(image).max() or 1.0
        low = -high
        text += f"\ngrey: {unchanged}\nblack: raised by {high:.2g}"
    axes.imshow(image, cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
    axes.set_xlabel(text)


def _among_samples(
    strip: FigureBase, samples: pd.DataFrame, numbers: Mapping[str, float], brief: bool
) -> None:
    """Draw the basin and the least flip distance of every sample, and say which is shown above."""
    narrow = is_narrow(strip)
    if brief:
        axes = strip.subplots()
    else:
        axes, text = strip.subplots(1, 2, width_ratios=(1.3 if narrow else 1.5, 1))
        text.axis("off")
    drawn = samples[np.isfinite(samples["basin"]) & samples["least_flip_distance"].notna()]
    look = {"linestyle": "none", "marker": "o", "markeredgewidth": 0}
    axes.plot(
        *drawn[["basin", "least_flip_distance"]].to_numpy().T,
        **look, **TRAINING, markersize=2, rasterized=True, label="_sample",
    )  # fmt: skip
    shown = numbers["basin"], numbers["flip_distance"]
    middle = samples["basin"].median(), samples["least_flip_distance"].median()
    for place, name, colour in ((shown, "shown above", "red"), (middle, "median", "black")):
        if np.isfinite(place).all():
            label = f"{name}: {place[0]:.2g}, {place[1]:.2g}" if brief else name
            axes.plot(*place, **look, color=COLOURS[colour], markersize=5, label=label)
    axes.set(xscale="log", yscale="log", xlabel="basin size a", ylabel=r"least flip distance $L_2$")
    place = {"loc": "lower right"}
    if narrow:  # between title and panel
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2, "borderaxespad": 0.2}
    if brief:
        place |= {"handlelength": 1.0, "handletextpad": 0.3, "columnspacing": 1.0}
    axes.legend(fontsize=small_type(), **place)
    look = {"fontsize": 8, "pad": (18 if brief else 14) if narrow else None}
    axes.set_title(f"{len(samples):,} training samples, {seeds_of(samples)}", **look)
    if not brief:
        _write_note(text, samples, shown, middle)


def _write_note(
    text: Axes, samples: pd.DataFrame, shown: Sequence[float], middle: Sequence[float]
) -> None:
    """Write what is seen of the samples.

    Args:
        shown, middle: basin and flip distance of the sample of smallest basin, and their medians.
    """
    narrow = is_narrow(text.get_figure(root=False))
    flips = "No flip of it was found"
    if np.isfinite(shown[1]):
        flips = f"It flips at $L_2$ = {shown[1]:.2g}"
    lines = [
        "The sample shown above is an outlier.",
        f"Its basin is the smallest, {shown[0]:.2g};",
        f"the median is {middle[0]:.2g}.",
        f"{flips};",
        f"the median is {middle[1]:.2g}.",
    ]
    if endless := int(np.isinf(samples["basin"]).sum()):
        lines.append(f"{endless} basins do not end.")
    size = small_type() if narrow else 8
    if narrow:
        lines = [part for line in lines for part in wrapped(line, NOTE, size)]
    text.text(0, 0.9, "\n".join(lines), va="top", fontsize=size, transform=text.transAxes)
