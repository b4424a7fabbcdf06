"""Pages of the report as self-contained HTML: the scorecard, and the provenance of every run."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from netdyn.claims.verdicts import DIVERGED, NOT_REPRODUCED, PARTLY, REPRODUCED
from netdyn.records.files import atomic_write
from netdyn.results.tables import read_table

__all__ = ["claims_page", "duration", "runs_page"]

STYLE = """
body {font: 14px/1.45 sans-serif; margin: 2em; color: #222}
table {border-collapse: collapse}
th, td {border-bottom: 1px solid #ddd; padding: .35em .7em; text-align: left; vertical-align: top}
th {background: #f5f5f5; position: sticky; top: 0}
"""
# Background and type of a verdict: the colours of the figure of the multiverse, readable on them.
COLOURS = {
    REPRODUCED: ("#0072B2", "white"),
    PARTLY: ("#CC79A7", "black"),
    NOT_REPRODUCED: ("#D55E00", "black"),
    DIVERGED: ("black", "white"),
}
SHOWN = ("id", "figure", "claim", "paper_value", "measured", "n", "seeds", "verdict", "seen")


def claims_page(scorecard: Path, output: Path) -> None:
    """Write the scorecard (CSV) as a page: every claim with its verdict, coloured, and numbers."""
    table = read_table(scorecard)
    counts = table["verdict"].value_counts()
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    _write(output, f"Scorecard, scale {table['scale'].iloc[0]}: {summary}", table[list(SHOWN)])


def runs_page(provenance: Mapping[str, Mapping], output: Path) -> None:
    """Write a page with a row per run: when, how long, on what, by which code and data.

    Args:
        provenance: per run id, the record that its training wrote (see
            `netdyn.records.provenance`).
    """
    rows = [
        {
            "run": run,
            "started": record["started"],
            "took": duration(record["seconds"]),
            "device": record["device"],
            "processor": record["machine"]["processor"],
            "threads": record["threads"],
            "torch": record["packages"]["torch"],
            "commit": (record["commit"] or "")[:12],
            "code": record["code_sha256"][:12],
            "data": record["data_sha256"][:12],
        }
        for run, record in sorted(provenance.items())
    ]
    total = duration(sum(record["seconds"] for record in provenance.values()))
    _write(output, f"{len(rows)} runs, {total} of training", pd.DataFrame(rows))


def duration(seconds: float) -> str:
    """Return a time in the two units that fit it: "0.4 s", "12 s", "3 min 20 s", "2 h 24 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60} s"
    minutes = round(rounded / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def _write(output: Path, title: str, table: pd.DataFrame) -> None:
    body = table.to_html(index=False, na_rep="", border=0)
    for verdict, (background, ink) in COLOURS.items():
        style = f"background: {background}; color: {ink}"
        body = body.replace(f"<td>{verdict}</td>", f'<td style="{style}">{verdict}</td>')
    with atomic_write(output) as temporary:
        temporary.write_text(
            f"<!doctype html>\n<meta charset='utf-8'>\n<title>{title}</title>\n"
            f"<style>{STYLE}</style>\n<h1>{title}</h1>\n{body}\n",
            encoding="utf-8",
        )
