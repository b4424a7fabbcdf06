"""What the resolved settings of figures hold.

`netdyn.plan` makes them, `netdyn.figures` draws by them. They travel as JSON. Texts that are not
given are left out of a drawing.
"""

from typing import Any, NotRequired, TypedDict

__all__ = [
    "DrawingSettings",
    "FigureSettings",
    "MultiverseDrawing",
    "MultiverseFigure",
    "PageTexts",
    "ReadingTexts",
    "ShownClaim",
    "Training",
]


class PageTexts(TypedDict, total=False):
    """The texts of a page of figures, its size and its panels."""

    title: str  # above the panels
    note: str  # below them: scale, data set, number of seeds
    layout: str  # double (7 inches), single (85 mm) or slide (16:9); double unless given
    panels: list[str]  # letters of those that are drawn; all unless given


class Training(TypedDict, total=False):
    """What the trainings of a run's sweep have in common: those settings that are equal in all.

    The values are those of `netdyn.records.run_settings.RunSettings`.
    """

    activation: str
    batch_size: int | str
    depth: int
    learning_rate: float
    optimizer: str
    samples: int
    width: list[int]


class DrawingSettings(PageTexts, total=False):
    """What the drawing of a figure reads. The plan gives all but the numbers of samples."""

    runs: dict[str, Training]  # by declared run
    noise_return: dict[str, str]  # by table under noise in sample space: affine, clip or range
    test_samples: int  # behind test accuracies
    small_samples: int  # of Fig. 2: training samples of the run in panel c
    large_samples: int  # of Fig. 2: those in panels b, d and e; the most unless given


class FigureSettings(DrawingSettings):
    """A figure's whole block: what its drawing reads, and from which tables."""

    tables: list[str]  # names of measurements
    # By table that holds rows of other runs, too: the run, swept values and seed of those drawn.
    rows: NotRequired[dict[str, list[dict[str, Any]]]]


class ReadingTexts(TypedDict):
    """What pages and figures say of a reading of the paper; see workflow/readings.yaml."""

    name: str
    question: str  # what the paper leaves open
    choice: str
    words: str  # the paper's, quoted
    section: str  # where they stand
    added: str  # date, "2026-11-27"
    reason: str
    crosses: tuple[str, ...]  # readings that hold together under this one


class ShownClaim(TypedDict):
    """A claim as the figure of the multiverse names it; see `netdyn.claims.verdicts.Claim`."""

    id: str  # C01 … C54
    where: str  # figure or section of the paper
    section: str
    claim: str


class MultiverseDrawing(PageTexts, total=False):
    """What the drawing of the multiverse reads."""

    readings: list[ReadingTexts]  # without the frozen one
    claims: list[ShownClaim]  # in the paper's order
    sections: dict[str, str]  # titles by number: "IV.B" → "Attraction basins"


class MultiverseFigure(MultiverseDrawing):
    """The whole block of the figure of the multiverse."""

    tables: list[str]  # ["readings"], the verdicts
