"""Marks of verdicts: sign and colour for the verdict, the filling for the evidence behind it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Circle, FancyBboxPatch

from netdyn.figures.wrapping import ink_centre
from netdyn.plots.style import COLOURS
from netdyn.results.verdicts import DIVERGED, NOT_REPRODUCED, NOT_TESTED, PARTLY, REPRODUCED

__all__ = ["SIDE", "SIGNS", "draw_mark", "mark_colours"]

SIDE = 8.6  # points, of a square mark
SIGNS = {REPRODUCED: "✓", PARTLY: "~", NOT_REPRODUCED: "✗", DIVERGED: "–", NOT_TESTED: "•"}
# Colours that stand at least 3:1 against white, in which orange does not.
HUES = {
    REPRODUCED: COLOURS["blue"],
    PARTLY: COLOURS["purple"],
    NOT_REPRODUCED: COLOURS["red"],
    DIVERGED: COLOURS["black"],
    NOT_TESTED: COLOURS["grey"],
}
TINT, SHADE = 0.3, 0.55  # of the colour in the filling and in the sign of fair evidence
SIZE = 7.2  # points, of a sign


def mark_colours(verdict: str, strength: str) -> tuple[str, str, str]:
    """Return the colours of a mark's filling, edge and sign.

    Strong evidence fills the mark, fair evidence tints it, weak evidence leaves its outline. What
    was not tested has a dot alone, without filling and edge.
    """
    hue = HUES[verdict]
    if verdict == NOT_TESTED:
        return "none", "none", hue
    if strength == "strong":
        return hue, hue, "#ffffff"
    if strength == "fair":
        colour = np.array(to_rgb(hue))
        return to_hex(1 - TINT * (1 - colour)), hue, to_hex(SHADE * colour)
    return "#ffffff", hue, hue


def draw_mark(
    axes: Axes,
    x: float,
    y: float,
    verdict: str,
    strength: str,
    name: str = "",
    round_mark: bool = False,
) -> None:
    """Draw a mark around (x, y) of axes in points whose y axis points down.

    Args:
        verdict: one of `results.verdicts.VERDICTS`.
        strength: "strong", "fair" or "weak"; "" counts as weak.
        name: the group id of its artists, by which they are found.
        round_mark: a circle in place of a square.
    """
    fill, edge, ink = mark_colours(verdict, strength)
    if verdict != NOT_TESTED:
        look = {"facecolor": fill, "edgecolor": edge, "linewidth": 0.9, "gid": name}
        half = (SIDE - 0.9) / 2
        if round_mark:
            axes.add_patch(Circle((x, y), half + 0.3, **look))
        else:
            corner = (x - half, y - half)
            axes.add_patch(
                FancyBboxPatch(
                    corner, 2 * half, 2 * half, boxstyle="round,pad=0,rounding_size=1.2", **look
                )
            )
    sign, size = SIGNS[verdict], 6.0 if verdict == NOT_TESTED else SIZE
    right, up = ink_centre(sign, size, "bold")
    look = {"fontsize": size, "fontweight": "bold", "color": ink, "gid": name}
    axes.text(x - right, y + up, sign, ha="left", va="baseline", **look)
