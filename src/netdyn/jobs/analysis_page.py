"""What `netdyn analyse` writes besides tables: figures as PDF and PNG, and one page."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from netdyn.explorer.bundle import plotly_bundle
from netdyn.explorer.page import write_page
from netdyn.jobs.analysis_panels import Outcome, panel
from netdyn.plots import plot
from netdyn.plots.style import house_style
from netdyn.records.files import atomic_write

__all__ = ["refuse_without_packages", "seconds_to_draw", "write"]

SIZE = (4.5, 3.0)  # inches
DPI = 200


def refuse_without_packages() -> None:
    """Raise NetdynError where the page could not be written at the end."""
    plotly_bundle()


def seconds_to_draw() -> float:
    """Return how long one figure takes, by the second of two, of a small table."""
    corners = pd.DataFrame({"coordinate_1": [0.0, 1.0], "coordinate_2": [0.0, 1.0]})
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "second"):
            started = time.perf_counter()
            _figure(Path(folder) / name, Outcome("projection", corners, ""))
            seconds = time.perf_counter() - started
    return seconds


def write(folder: Path, outcomes: Sequence[Outcome], summary: str, title: str) -> None:
    """Write a figure of each table, and `index.html` of all.

    Args:
        folder: where they go.
        outcomes: in the page's order.
        summary: what stands above the panels.
        title: the page's.
    """
    for outcome in outcomes:
        if outcome.table is not None:
            _figure(folder / "figures" / outcome.name, outcome)
    write_page(
        folder / "index.html", [panel(one) for one in outcomes], title=title, summary=summary
    )


def _figure(path: Path, outcome: Outcome) -> None:
    with house_style(), rc_context({"pdf.fonttype": 42}):
        figure = Figure(figsize=SIZE, layout="constrained")
        getattr(plot, outcome.name)(outcome.table, ax=figure.subplots())
        for ending, options in ((".pdf", {"metadata": {"CreationDate": None}}), (".png", {})):
            with atomic_write(path.with_suffix(ending)) as temporary:
                figure.savefig(temporary, format=ending[1:], dpi=DPI, **options)
