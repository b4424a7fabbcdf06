"""Fig. 6: where training and test samples lie in the 23-layer network before and after grokking."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netdyn.figures.layout import SLIDE
from netdyn.figures.pages import Group, Page
from netdyn.figures.projection_axes import (
    PROJECTION_COLUMNS,
    REGION_COLUMNS,
    draw_key,
    draw_projection,
    first_seed,
    headings,
    share_limits,
    with_trimmed,
    write_shares,
)
from netdyn.figures.style import new_figure, panel_title, required_rows, required_table
from netdyn.figures.wrapping import wrapped
from netdyn.records.figure_settings import DrawingSettings

__all__ = ["draw"]

HEAD = 90.0  # points, the longest line beside a row of a slide
MOMENTS = {"before": "ace", "after": "bdf"}
ROWS = (
    ("train", "training", "train_accuracy", "training samples, training mode"),
    ("test", "evaluation", "test_accuracy", "test samples, evaluation mode"),
    ("test", "training", "test_accuracy_batch_statistics", "test samples, training mode"),
)


def draw(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Figure:
    """Draw Fig. 6: projections before (left) and after (right) grokking.

    Args:
        tables: `deep23_history` (the accuracies), `deep23_projection` and `deep23_regions`; of
            several seeds the smallest is drawn.
        settings: `title`, `note`, `layout`, `panels`, optional.

    Raises:
        NetdynError: a table is missing or empty, or has no such column or rows; it is named.
    """
    name = "deep23_projection"
    accuracies = [row[2] for row in ROWS]
    points = first_seed(required_table(tables, name, PROJECTION_COLUMNS))
    regions = first_seed(required_table(tables, "deep23_regions", REGION_COLUMNS))
    history = required_table(tables, "deep23_history", ["seed", "step", *accuracies])
    history = required_rows(history, "deep23_history", seed=points["seed"].iloc[0])
    digits = sorted(points["digit"].unique())
    heads = headings(points, history)
    page = Page(settings, {"double": 6.8, "slide": SLIDE}, (Group("abcdef", row=2.3),))
    with new_figure(settings, page) as figure:
        on_slide = page.layout == "slide" and not page.flows
        panels = page.lay(figure).axes if page.flows else _by_moment(figure, heads, on_slide)
        for moment, letters in MOMENTS.items():
            at_moment = required_rows(points, name, moment=moment)
            training = required_rows(at_moment, name, split="train")
            region = required_rows(regions, "deep23_regions", moment=moment)
            region = with_trimmed(region, training)
            step = at_moment["step"].iloc[0]
            record = required_rows(history, "deep23_history", step=step).iloc[0]
            drawn = []
            for letter, (split, mode, accuracy, text) in zip(letters, ROWS, strict=True):
                if letter not in panels:
                    continue
                rows = required_rows(at_moment, name, split=split, mode=mode)
                head = f"{heads[moment]}\n" if page.flows else ""
                if on_slide:
                    text = text.replace(", ", ",\n")
                text = f"{head}{text}, acc. {100 * record[accuracy]:.1f} %"
                panel_title(panels[letter], letter, text)
                draw_projection(panels[letter], rows, region, digits)
                drawn.append((panels[letter], rows))
            share_limits(drawn, training, region)
            for axes, rows in drawn:
                write_shares(axes, rows, region, brief=on_slide)
        draw_key(figure, digits)
        return figure


def _by_moment(figure: Figure, heads: Mapping[str, str], on_slide: bool) -> dict[str, Axes]:
    """Return the panels, those of a moment in one column, or in one row of a slide."""
    shape, grid = ((2, 1), (1, 3)) if on_slide else ((1, 2), (3, 1))
    panels = {}
    for (moment, letters), part in zip(MOMENTS.items(), figure.subfigures(*shape), strict=True):
        panels |= dict(zip(letters, part.subplots(*grid), strict=True))
        if on_slide:
            words, *where = heads[moment].partition(", step")
            lines = [*wrapped(f"{words},", HEAD, 8), "".join(where).lstrip(", ")]
            part.supylabel("\n".join(lines), fontsize=8)
        else:
            part.suptitle(heads[moment], fontsize=8)
    return panels
