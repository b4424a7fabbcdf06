"""Pages of the report as self-contained HTML: the scorecard, and the provenance of every run."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from netdyn.records.files import atomic_write
from netdyn.results.tables import read_table

__all__ = ["claims_page", "runs_page"]

STYLE = """
body {font: 14px/1.45 sans-serif; margin: 2em; color: #222}
table {border-collapse: collapse}
th, td {border-bottom: 1px solid #ddd; padding: .35em .7em; text-align: left; vertical-align: top}
th {background: #f5f5f5; position: sticky; top: 0}
"""
SHOWN = ("id", "figure", "claim", "paper_value", "measured", "n", "seeds", "verdict", "seen")


def claims_page(scorecard: Path, output: Path) -> None:
    """Write the scorecard (CSV) as a page: every claim with its verdict and what was seen."""
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
            "minutes": round(record["seconds"] / 60, 1),
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
    hours = sum(record["seconds"] for record in provenance.values()) / 3600
    _write(output, f"{len(rows)} runs, {hours:.1f} hours of training", pd.DataFrame(rows))


def _write(output: Path, title: str, table: pd.DataFrame) -> None:
    body = table.to_html(index=False, na_rep="", border=0)
    with atomic_write(output) as temporary:
        temporary.write_text(
            f"<!doctype html>\n<meta charset='utf-8'>\n<title>{title}</title>\n"
            f"<style>{STYLE}</style>\n<h1>{title}</h1>\n{body}\n",
            encoding="utf-8",
        )
