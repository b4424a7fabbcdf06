"""Pages whose panels flow: in one column, on a slide, or only those that are chosen.

A figure's page for two columns is its own, panel by panel. On all other pages the panels stand in
rows, in the order of their letters.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from netdyn.errors import NetdynError
from netdyn.figures.layout import LAYOUTS, LONGEST, SLIDE
from netdyn.records.figure_settings import PageTexts

__all__ = ["Group", "Page", "Panels", "is_narrow", "panel_width"]

EMPTY = "."
ALONE = 1.4  # columns that a group of one column is wide on a slide
MOST = 6  # panels of a slide
WIDER = 1.25  # rows across the whole width are higher by this factor
TEXTS = {"title": 0.22, "note": 0.18}  # inches
NARROW = 6.0  # inches: legends have fewer columns


class Group(NamedTuple):
    """Neighbouring panels that share a legend or a size.

    Attributes:
        letters: of the panels, in order.
        row: inches of a row in one column, with the words around its axes.
        columns: panels in a row there.
        wide: letters of panels that take a row there.
        key: inches above the panels for a legend, in one column and across the whole width.
        cells: by letter, the names of its panels where they are several, side by side.
        axes: by such a name, its axes from the top with their relative heights; one axes of that
            name if not given.
        free: whether the drawing places the axes of each panel itself.
    """

    letters: str
    row: float
    columns: int = 2
    wide: str = ""
    key: tuple[float, float] = (0.0, 0.0)
    cells: Mapping[str, Sequence[str]] = {}
    axes: Mapping[str, Sequence[tuple[str, float]]] = {}
    free: bool = False

    def cells_of(self, letters: str) -> list[str]:
        """Return the names of the panels of those letters, in order."""
        return [cell for letter in letters for cell in self.cells.get(letter, (letter,))]


class Panels(NamedTuple):
    """What a drawing draws on.

    Attributes:
        axes: by name.
        keys: by a group's letters, the strip for its legend.
        free: by letter, the part of the page of a panel that the drawing divides itself.
        left: by the name of a panel, that of the panel to its left in the row.
    """

    axes: dict[str, Axes]
    keys: dict[str, FigureBase]
    free: dict[str, FigureBase]
    left: dict[str, str]


class Rows(NamedTuple):
    """A group's chosen letters, its panels by row, and inches of its legend and of a row."""

    group: Group
    letters: str
    cells: list[list[str]]
    key: float
    row: float

    @property
    def height(self) -> float:
        return self.key + len(self.cells) * self.row


class Page:
    """The page that a figure's settings ask for.

    Attributes:
        layout: double, single or slide.
        letters: of the panels that are drawn.
        flows: whether `lay` places them; else the figure does, on a page of its own.
        width, height: inches.
    """

    def __init__(self, settings: PageTexts, own: Mapping[str, float], groups: Sequence[Group] = ()):
        """Choose panels and size.

        Args:
            settings: `layout` and `panels`, both optional; `title`, `note`.
            own: by layout that is the figure's own, inches of its height.
            groups: of all panels; none for a figure that has only its own layouts.

        Raises:
            NetdynError: there is no such layout or panel, or they do not fit on the page.
        """
        self.layout = settings.get("layout", "double")
        layouts = [*own, *(LAYOUTS if groups else ())]
        if self.layout not in layouts:
            known = ", ".join(dict.fromkeys(layouts))
            raise NetdynError(f"layout: this figure has no {self.layout!r}: choose one of {known}")
        self._texts = sum(inches for text, inches in TEXTS.items() if settings.get(text))
        self._groups = groups
        every = "".join(group.letters for group in groups)
        self.letters = _chosen(settings, every) if "panels" in settings else every
        self.flows = "panels" in settings or self.layout not in own
        self.width = LAYOUTS[self.layout]
        if not self.flows:
            self.height = own[self.layout]
            return
        self._rows = list(self._arranged(self.letters))
        self.height = SLIDE if self.layout == "slide" else self._height(self._rows)
        self._check_size()

    def lay(self, figure: Figure) -> Panels:
        """Place the axes of all panels on a page that flows."""
        panels = Panels({}, {}, {}, {})
        if self.layout == "slide":  # groups stand side by side
            widths = [max(ALONE, *map(len, rows.cells)) for rows in self._rows]
            parts = figure.subfigures(1, len(widths), width_ratios=widths, squeeze=False)
        else:
            heights = [rows.height for rows in self._rows]
            parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
        for part, rows in zip(parts.flat, self._rows, strict=True):
            body = part
            if rows.key:
                height = SLIDE - self._texts if self.layout == "slide" else rows.height
                strip, body = part.subfigures(2, 1, height_ratios=[rows.key, height - rows.key])
                panels.keys[rows.group.letters] = strip
            _fill(body, rows, panels)
        return panels

    def _arranged(self, letters: str) -> Iterator[Rows]:
        """Yield the rows of each group that has some of the letters."""
        groups = [(g, "".join(k for k in g.letters if k in letters)) for g in self._groups]
        groups = [(group, own) for group, own in groups if own]
        count = sum(len(group.cells_of(own)) for group, own in groups)
        # Beside another group, panels of several axes stay high in one row.
        stacked = any(cell in group.axes for group, own in groups for cell in group.cells_of(own))
        tall = len(groups) > 1 and stacked
        for group, own in groups:
            cells, wide, factor = group.cells_of(own), "", 1.0
            if self.layout == "single":
                columns, wide = group.columns, group.cells_of(group.wide)
            elif self.layout == "slide":
                columns = -(-len(cells) // (1 if count <= 3 + tall else 2))
            else:
                columns, factor = min(2 * group.columns - (group.columns > 1), 4), WIDER
            beside = self.layout == "slide" and len(groups) > 1
            key = group.key[not (beside or self.layout == "single")]
            yield Rows(group, own, list(_rows(cells, columns, wide)), key, factor * group.row)

    def _height(self, rows: Sequence[Rows]) -> float:
        return self._texts + sum(part.height for part in rows)

    def _fits(self, rows: Sequence[Rows]) -> bool:
        if self.layout == "slide":
            cells = [cell for part in rows for row in part.cells for cell in row if cell != EMPTY]
            return len(cells) <= MOST
        return self._height(rows) <= LONGEST

    def _check_size(self) -> None:
        if self._fits(self._rows):
            return
        starts = (self.letters[:count] for count in range(len(self.letters) - 1, 1, -1))
        fitting = next((s for s in starts if self._fits(list(self._arranged(s)))), self.letters[0])
        much = f"a slide holds {MOST} panels"
        if self.layout != "slide":
            much = f"they take {25.4 * self.height:.0f} mm, a page has {25.4 * LONGEST:.0f} mm"
        raise NetdynError(
            f"layout: the panels {', '.join(self.letters)} do not fit on one page, {much}: choose "
            f"some, such as panels: [{', '.join(fitting)}]"
        )


def _chosen(settings: PageTexts, every: str) -> str:
    """Return the letters of the panels that settings choose, in the figure's order."""
    chosen = settings["panels"]
    unknown = [letter for letter in chosen if letter not in list(every)]
    if unknown:
        known = ", ".join(every) or "none to choose"
        raise NetdynError(f"panels: this figure has no {unknown[0]!r}: it has {known}")
    if not chosen:
        raise NetdynError(f"panels: choose at least one of {', '.join(every)}")
    return "".join(letter for letter in every if letter in chosen)


def _rows(cells: Sequence[str], columns: int, wide: Sequence[str]) -> Iterator[list[str]]:
    row: list[str] = []
    for cell in cells:
        if row and (cell in wide or len(row) == columns):
            yield row
            row = []
        row.append(cell)
        if cell in wide:
            yield row
            row = []
    if row:
        # Panels of one letter are compared: none of them is wider.
        further = sum(len(cell) > 1 for cell in row)
        yield [*row, *[EMPTY] * (columns - len(row) if further else 0)]


def _fill(body: FigureBase, rows: Rows, panels: Panels) -> None:
    """Add the axes of a group's rows to the panels, those of a column aligned."""
    for row in rows.cells:
        panels.left.update(zip(row[1:], row, strict=False))
    if rows.group.free:
        parts = body.subfigures(len(rows.cells), max(map(len, rows.cells)), squeeze=False)
        panels.free.update(zip(rows.group.cells_of(rows.letters), parts.flat, strict=False))
        return
    units = math.lcm(*map(len, rows.cells))
    mosaic, ratios = [], []
    for row in rows.cells:
        parts = [rows.group.axes.get(cell, ((cell, 1),)) for cell in row]
        ends = [
            list(itertools.accumulate(share / sum(s for _, s in part) for _, share in part))
            for part in parts
        ]
        lines = sorted({round(end, 6) for of_cell in ends for end in of_cell})
        ratios += np.diff([0, *lines]).tolist()
        for line in lines:
            across = []
            for part, of_cell in zip(parts, ends, strict=True):
                name = next(
                    n for (n, _), end in zip(part, of_cell, strict=True) if line < end + 1e-3
                )
                across += [name] * (units // len(row))
            mosaic.append(across)
    panels.axes.update(body.subplot_mosaic(mosaic, height_ratios=ratios))


def panel_width(axes: Axes) -> float:
    """Return how many inches of the page a panel has, with the numbers and labels beside it."""
    place, part = axes.get_subplotspec(), axes.get_figure(root=False)
    ratios = place.get_gridspec().get_width_ratios()
    share = sum(ratios[column] for column in place.colspan) / sum(ratios)
    return share * part.bbox.width / part.get_figure(root=True).dpi


def is_narrow(part: FigureBase) -> bool:
    """Return whether a part of the page has no room for legends of many columns."""
    return part.bbox.width / part.get_figure(root=True).dpi < NARROW
