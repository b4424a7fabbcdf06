"""Where everything of the multiverse stands, in points from the page's upper left corner."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from netdyn.figures.verdict_marks import SIDE
from netdyn.figures.wrapping import balanced, text_width, wrapped
from netdyn.records.figure_settings import MultiverseDrawing
from netdyn.results.verdicts import FROZEN

__all__ = [
    "ID",
    "LEGEND",
    "LINE",
    "MARGIN",
    "PAGE",
    "PITCH",
    "SIZE",
    "Column",
    "Layout",
    "Question",
    "Row",
]

PAGE = 210 / 25.4 * 72  # A4's width
MARGIN = 12.0
SIZE = 6.2  # of type
LINE = 7.2  # from a line to the next
PITCH = SIDE + 3.0  # from a column to the next
GAP = 5.0  # between questions
ID = 19.0  # of a claim's id
SHARE = 30.0  # of "k of m"
HEADING = 12.0  # of a section
TITLE = 18.0
LEGEND = 62.0  # of the signs; its sentences stand below


class Column(NamedTuple):
    """The column of a reading: its name, its choice, and the column's centre."""

    reading: str
    choice: str
    x: float


class Question(NamedTuple):
    """What neighbouring readings answer: the lines of its text, and from where to where it goes."""

    lines: Sequence[str]
    left: float
    right: float


class Row(NamedTuple):
    """The row of a claim: its id, the lines of its text, and from where to where it goes."""

    claim: str
    lines: Sequence[str]
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        """The height at which its marks stand."""
        return (self.top + self.bottom) / 2


class Layout:
    """The places of columns and rows.

    Attributes:
        columns: the frozen reading's first, then by question.
        questions: of the columns behind the frozen one.
        criteria: the centres of the further criteria's columns.
        share: the centre of "k of m".
        rows, headings: of the claims, and (bottom, text) of their sections.
        sentences: lines of the legend, which stands left of the labels.
        head, choices_end, body, bottom: top of the labels and of the choices, and of the rows their
            top and their end.
        height: of the page.
    """

    def __init__(
        self,
        settings: MultiverseDrawing,
        counted: Sequence[str],
        criteria: int,
        sentences: Sequence[str],
    ):
        """Lay out the claims and the readings `counted` of a figure's settings.

        Args:
            settings: of the figure.
            counted: names of the readings that are columns.
            criteria: the most further criteria of a claim.
            sentences: of the legend.
        """
        self.share = PAGE - MARGIN - SHARE / 2
        edge = PAGE - MARGIN - SHARE
        self.criteria = [edge - (criteria - i - 0.5) * PITCH for i in range(criteria)]
        edge -= criteria * PITCH + (GAP if criteria else 0)
        readings = [r for r in settings.get("readings", ()) if r["name"] in counted]
        self._place_columns(readings, edge)
        self._place_header(bool(settings.get("title")), sentences)
        self._place_rows(settings)
        height = self.bottom + MARGIN + (LINE if settings.get("note") else 0)
        # In sixteenths of an inch, which are exact in binary: nothing reaches beyond the page.
        self.height = math.ceil(height / 4.5) * 4.5

    def _place_columns(self, readings: Sequence[Mapping], edge: float) -> None:
        order = list(dict.fromkeys(reading["question"] for reading in readings))
        readings = sorted(readings, key=lambda reading: order.index(reading["question"]))
        # Questions with one answer have room for two lines, in the gap beside them.
        groups = [(q, list(g)) for q, g in groupby(readings, key=lambda r: r["question"])]
        wide = sum(len(group) * PITCH + GAP for _, group in groups) + PITCH + GAP
        x = edge - wide
        self.columns = [Column(FROZEN, FROZEN, x + PITCH / 2)]
        self.questions = []
        x += PITCH + 2 * GAP
        for question, group in groups:
            right = x + len(group) * PITCH
            most = int((right - x + GAP) // LINE)
            self.questions.append(Question(balanced(question, most, SIZE), x, right))
            for i, reading in enumerate(group):
                place = x + (i + 0.5) * PITCH
                self.columns.append(Column(reading["name"], str(reading["choice"]), place))
            x = right + GAP

    def _place_header(self, titled: bool, sentences: Sequence[str]) -> None:
        width = self.columns[0].x - PITCH / 2 - 3 * GAP - MARGIN
        self.sentences = [line for text in sentences for line in wrapped(text, width, SIZE)]
        self.head = MARGIN + (TITLE if titled else 0)
        choices = max(text_width(column.choice, SIZE, "bold") for column in self.columns)
        lines = [text_width(line, SIZE) for q in self.questions for line in q.lines]
        labels = choices + 6 + (max(lines) + 6 if lines else 0)
        self.body = self.head + max(labels, LEGEND + len(self.sentences) * LINE)
        self.choices_end = self.body - choices - 6

    def _place_rows(self, settings: MultiverseDrawing) -> None:
        self.rows, self.headings = [], []
        claims = settings["claims"]
        width = self.columns[0].x - PITCH / 2 - 1.5 * GAP - MARGIN - ID
        y = self.body
        for section in dict.fromkeys(claim["section"] for claim in claims):
            y += HEADING
            title = settings.get("sections", {}).get(section, "")
            self.headings.append((y, f"{section}  {title}".strip()))
            for claim in claims:
                if claim["section"] == section:
                    words = claim["claim"].replace(" %", "\N{NO-BREAK SPACE}%")
                    text = f"{words} {_figure(claim['where'])}".rstrip()
                    lines = wrapped(text, width, SIZE)
                    bottom = y + max(SIDE, len(lines) * LINE) + 1.2
                    self.rows.append(Row(claim["id"], lines, y, bottom))
                    y = bottom
        self.bottom = y


def _figure(where: str) -> str:
    """Return the paper's figure, "Fig. 3a, d", as [3a, d] on one line; "" for "SM" or "Sec. V.A".

    Those repeat the heading of the section.
    """
    numbers = where.removeprefix("Fig. ").replace(" ", "\N{NO-BREAK SPACE}")
    return f"[{numbers}]" if where.startswith("Fig. ") else ""
