"""Pages of one file: panels with interactive figures, their data as CSV and as a text table.

A page holds all that it needs, plotly.js included, and asks no server for anything.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from netdyn.errors import NetdynError
from netdyn.explorer.bundle import asset, plotly_bundle
from netdyn.explorer.encoding import script_json
from netdyn.records.files import atomic_write

__all__ = ["Panel", "document", "write_page"]

# The browser refuses every request that a script might make.
_NO_NETWORK = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)


class Panel(NamedTuple):
    """One panel of a page.

    Attributes:
        title: its heading.
        description: what is seen, in plain sentences; screen readers read it for the figure.
        figure: a plotly figure as a dict, `data` and `layout`; arrays may be numpy's. None leaves
            the words alone, for what was not measured. The page sets fonts and the colours of
            text, axes and background, and lightens colours that are too dark on a dark page. A
            legend is shown where the layout has `showlegend`.
        table: the plotted numbers, downloaded as CSV and shown as text; None for neither.
        wide: whether the panel takes the page's whole width.
    """

    title: str
    description: str
    figure: Mapping[str, Any] | None = None
    table: pd.DataFrame | None = None
    wide: bool = False


def write_page(path: Path | str, panels: Sequence[Panel], *, title: str, summary: str) -> None:
    """Write one self-contained HTML page; a file of this name is replaced once it is whole.

    Args:
        path: the page.
        panels: in the order in which they are shown.
        title: the page's heading.
        summary: plain text below it; an empty line begins a paragraph.

    Raises:
        NetdynError: plotly is not installed, or a figure has no `data`.
    """
    for panel in panels:
        if panel.figure is not None and "data" not in panel.figure:
            raise NetdynError(f"panel {panel.title!r}: its figure has no data")
    body = "\n".join(_section(number, panel) for number, panel in enumerate(panels))
    data = [
        {
            "title": panel.title,
            "figure": panel.figure,
            "csv": None if panel.table is None else _csv(panel.table),
        }
        for panel in panels
    ]
    text = document(title, summary, f'<div class="panels">{body}</div>', data, ["static.js"])
    with atomic_write(Path(path)) as temporary:
        temporary.write_text(text, "utf-8")


def document(title: str, summary: str, body: str, data: Any, scripts: Iterable[str]) -> str:
    """Return a page as text.

    Args:
        title: the page's heading.
        summary: plain text below it.
        body: HTML of the main part.
        data: what the scripts draw, put into the page as JSON.
        scripts: names of the room's scripts that run after page.js.
    """
    blocks = (" ".join(block.split()) for block in summary.split("\n\n"))
    paragraphs = "".join(f"<p>{html.escape(block)}</p>" for block in blocks if block)
    code = "\n".join(asset(name) for name in ("page.js", *scripts))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_NO_NETWORK}">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{asset("page.css")}</style>
<script>{asset("theme.js")}</script>
</head>
<body>
<a class="skip" href="#main">Skip to the panels</a>
<header>
<div><h1>{html.escape(title)}</h1>{paragraphs}</div>
<button type="button" id="theme">Dark</button>
</header>
<main id="main" tabindex="-1">
{body}
</main>
<noscript><p>This page draws its figures by JavaScript, which is switched off.</p></noscript>
<script type="application/json" id="data">{script_json(data)}</script>
<script type="text/plain" id="plotly">{plotly_bundle()}</script>
<script>{code}</script>
</body>
</html>
"""


def _section(number: int, panel: Panel) -> str:
    title, description = html.escape(panel.title), html.escape(panel.description)
    parts = [f'<h2 id="title-{number}">{title}</h2>', f'<p id="words-{number}">{description}</p>']
    if panel.figure is not None:
        parts.append(
            f'<div class="plot" id="plot-{number}" role="img" aria-labelledby="title-{number}" '
            f'aria-describedby="words-{number}"></div>'
        )
    if panel.table is not None:
        parts.append(
            f'<div class="tools"><button type="button" class="download" data-panel="{number}" '
            f'aria-label="Download the data of {title} as CSV">CSV</button>'
            f'<details class="numbers" data-panel="{number}"><summary>Numbers</summary></details>'
            "</div>"
        )
    look = "panel wide" if panel.wide else "panel"
    return f'<section class="{look}" aria-labelledby="title-{number}">{"".join(parts)}</section>'


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
