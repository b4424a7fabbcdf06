"""The multiverse: the verdict on every claim under every reading of the paper, in one picture."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from netdyn.errors import NetdynError
from netdyn.figures.multiverse_layout import (
    ID,
    LEGEND,
    LINE,
    MARGIN,
    PAGE,
    PITCH,
    SIZE,
    Layout,
    Row,
)
from netdyn.figures.pages import Page
from netdyn.figures.style import new_figure, required_table
from netdyn.figures.verdict_marks import SIDE, draw_mark
from netdyn.records.figure_settings import MultiverseDrawing
from netdyn.results.verdict_cells import checked_cells, counted_readings, share_held
from netdyn.results.verdicts import FROZEN, NOT_TESTED, REPRODUCED, STRENGTHS, VERDICTS

__all__ = ["draw"]

BASE = 0.36 * SIZE  # from the middle of capitals to their base line
WORDS = {NOT_TESTED: "not tested yet"}
SENTENCES = (
    "In brackets: panels of the paper's figures.",
    "Framed: the reading by which the claims were judged first.",
    "Blank: the reading changes nothing that the claim reads.",
    "Holds under: reproduced, of the readings under which it is judged.",
    "Round: a further criterion, under the frozen reading.",
)


def draw(tables: Mapping[str, pd.DataFrame], settings: MultiverseDrawing) -> Figure:
    """Draw the multiverse: claims down, readings across, further criteria and counts at the right.

    A reading is a column where it judges at least three claims. Counts are over the columns, by
    the frozen criteria.

    Args:
        tables: `readings`, the cells (see `netdyn.results.verdict_cells`).
        settings: `readings`: [{name, question, choice}], without the frozen one; `claims`: [{id,
            where, section, claim}] in the paper's order; `sections`, optional: section → its
            title; `title`, `note`: optional strings.

    Raises:
        NetdynError: there are no claims; the table is missing, empty or incomplete, or has an
            unknown claim, reading or word.
    """
    names = [reading["name"] for reading in settings.get("readings", ())]
    claims = [claim["id"] for claim in settings.get("claims", ())]
    if not claims:
        raise NetdynError("the multiverse has no claims: list them in the figure's settings")
    cells = checked_cells(required_table(tables, "readings", ["claim"]), claims, names)
    further = cells[(cells["criterion"] != FROZEN) & (cells["reading"] == FROZEN)]
    counted = counted_readings(cells, names)
    most = further["claim"].value_counts().max() if len(further) else 0
    layout = Layout(settings, counted, int(most), SENTENCES if most else SENTENCES[:-1])
    by_frozen = cells[cells["criterion"] == FROZEN].set_index(["claim", "reading"], drop=False)
    with new_figure(settings, Page(settings, {"double": layout.height / 72})) as figure:
        axes = _page(figure, layout, settings.get("title"))
        _draw_header(axes, layout)
        for y, title in layout.headings:
            axes.text(MARGIN, y - 3, title, fontsize=7, fontweight="bold")
            _line(axes, y, "0.4")
        for row in layout.rows:
            _draw_claim(axes, row)
            for column in layout.columns:
                if (row.claim, column.reading) in by_frozen.index:
                    cell = by_frozen.loc[(row.claim, column.reading)]
                    _draw_cell(axes, cell, column.x, row)
            of_claim = further[further["claim"] == row.claim]
            for x, (_, cell) in zip(layout.criteria, of_claim.iterrows(), strict=False):
                _draw_cell(axes, cell, x, row, round_mark=True)
            share = share_held(cells, row.claim, [FROZEN, *counted])
            if share.judged:
                count = f"{share.holds} of {share.judged}"
                look = {"fontsize": SIZE, "ha": "center", "gid": f"{row.claim} share"}
                colour = "0.4" if share.judged == 1 else "black"
                axes.text(layout.share, row.middle + BASE, count, color=colour, **look)
        _draw_legend(axes, layout)
        return figure


def _page(figure: Figure, layout: Layout, title: str | None) -> Axes:
    """Return axes over the whole page, in points, whose y axis points down."""
    figure.set_layout_engine("none")
    figure.set_size_inches(PAGE / 72, layout.height / 72)
    if title:
        place = {"x": MARGIN / PAGE, "y": 1 - MARGIN / layout.height}
        figure.suptitle(title, ha="left", va="top", fontsize=9, **place)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, PAGE), ylim=(layout.height, 0))
    axes.set_axis_off()
    return axes


def _draw_header(axes: Axes, layout: Layout) -> None:
    """Write the questions and, below them, the choices upwards, and frame the frozen column."""
    upwards = {"rotation": 90, "ha": "center", "va": "bottom", "fontsize": SIZE}
    for question in layout.questions:
        middle = (question.left + question.right) / 2
        for i, line in enumerate(question.lines):
            x = middle + (i - (len(question.lines) - 1) / 2) * LINE
            axes.text(x, layout.choices_end - 5, line, color="0.3", **upwards)
        ends = [question.left + 1, question.right - 1]
        axes.plot(ends, [layout.choices_end - 2] * 2, color="0.3", linewidth=0.6)
    for column in layout.columns:
        weight = "bold" if column.reading == FROZEN else "normal"
        axes.text(column.x, layout.body - 3, column.choice, fontweight=weight, **upwards)
    if layout.criteria:
        middle = (layout.criteria[0] + layout.criteria[-1]) / 2
        axes.text(middle, layout.body - 3, "further criteria", **upwards)
    below = {"fontsize": SIZE, "ha": "center", "va": "bottom", "linespacing": 1.15}
    axes.text(layout.share, layout.body - 3, "holds\nunder", **below)
    frozen = layout.columns[0].x
    axes.add_patch(
        Rectangle(
            (frozen - PITCH / 2 - 1, layout.choices_end),
            PITCH + 2,
            layout.bottom - layout.choices_end + 2,
            facecolor="none",
            edgecolor="black",
            linewidth=1.0,
            gid="frame",
        )
    )


def _draw_claim(axes: Axes, row: Row) -> None:
    first = row.middle - (len(row.lines) - 1) / 2 * LINE + BASE
    axes.text(MARGIN, first, row.claim, fontsize=SIZE, fontweight="bold")
    for i, line in enumerate(row.lines):
        axes.text(MARGIN + ID, first + i * LINE, line, fontsize=SIZE, parse_math=False)
    _line(axes, row.bottom, "0.87")


def _draw_cell(axes: Axes, cell: Mapping, x: float, row: Row, round_mark: bool = False) -> None:
    name = f"{cell['claim']} {cell['reading']} {cell['criterion']}"
    draw_mark(axes, x, row.middle, cell["verdict"], cell["strength"], name, round_mark)


def _draw_legend(axes: Axes, layout: Layout) -> None:
    """Draw the legend left of the labels: the signs, the filling, and sentences."""
    verdicts = [(verdict, "strong", WORDS.get(verdict, verdict)) for verdict in VERDICTS]
    strengths = [(REPRODUCED, strength, f"{strength} evidence") for strength in STRENGTHS]
    for x, keys in ((MARGIN, verdicts), (MARGIN + 80, strengths)):
        for i, (verdict, strength, text) in enumerate(keys):
            y = layout.head + 6 + i * (SIDE + 2)
            draw_mark(axes, x + SIDE / 2, y, verdict, strength, "legend")
            axes.text(x + SIDE + 3, y + BASE, text, fontsize=SIZE)
    for i, line in enumerate(layout.sentences):
        axes.text(MARGIN, layout.head + LEGEND + i * LINE, line, fontsize=SIZE)


def _line(axes: Axes, y: float, shade: str) -> None:
    axes.plot([MARGIN, PAGE - MARGIN], [y, y], color=shade, linewidth=0.4, zorder=0.5)
