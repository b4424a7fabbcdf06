"""Fig. 3(a)–(g) and (j) with the batch's own statistics in place of the running ones."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from netdyn.figures.depth_and_width import draw_first_layer
from netdyn.figures.pages import Group, Page
from netdyn.figures.phases import draw_courses
from netdyn.figures.phases_page import (
    COURSES,
    HEIGHTS,
    PARTS,
    deep_group,
    deep_left,
    deep_mosaic,
)
from netdyn.figures.style import new_figure
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 3(a)–(g) and (j) in training mode: gradients and test accuracies with α = 1.

    Args:
        tables: `deep10_history`, `deep10_gradient`, `deep23_history`, `deep23_gradient`,
            `architecture_history` and `architecture_gradient`.
        settings: `title`, `note`, `layout`, `panels`; `runs`, the settings of each run that labels
            describe; all optional.

    Lines are means over seeds, bands reach to the extremes; (g) draws each seed by itself. A run
    that diverged is drawn until it did. Letters are those of Fig. 3.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    page = Page(settings, {"double": 7.5}, (deep_group(tables, settings), Group("j", row=1.7)))
    with new_figure(settings, page) as figure:
        if page.flows:
            panels, keys, _, left = page.lay(figure)
        else:
            strip, ten, deep = figure.subfigures(3, 1, height_ratios=HEIGHTS)
            panels = ten.subplot_mosaic(COURSES, height_ratios=PARTS * 2)
            mosaic, widths = deep_mosaic(tables, "j")
            panels |= deep.subplot_mosaic(mosaic, height_ratios=PARTS, width_ratios=widths)
            keys, left = {"abcdefg": strip}, deep_left(tables)
        if "abcdefg" in keys:
            draw_courses(panels, keys["abcdefg"], tables, settings, "training", left)
        if "j" in panels:
            draw_first_layer(panels["j"], tables, settings, "training")
        return figure
