"""The claims that a run decides, with their verdicts under every reading."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from netdyn.explorer.sources import Run
from netdyn.results.verdicts import FROZEN, NOT_TESTED

__all__ = ["claims_of", "places"]

# Where the paper shows a run; the panels of Fig. 3(a)–(f) are a run each.
SHOWN = {
    "shallow": ("2",),
    "deep10_sgd": ("3a", "V.A"),
    "deep10_sgd_fast": ("3b", "V.A"),
    "deep10_sgd_linear": ("3c", "V.A"),
    "deep10_adam": ("3d", "V.A"),
    "deep10_adam_batches": ("3e", "V.A"),
    "deep10_adam_linear": ("3f", "V.A"),
    "deep23": ("3g", "3h", "4g", "4h", "5", "6", "V.A"),
    "grokking": ("7", "V.B"),
}


def places(where: str) -> list[str]:
    """Return the panels and sections that a claim's place names.

    >>> places("Fig. 3a, d"), places("Fig. 6a-d"), places("Sec. V.A"), places("Fig. 3")
    (['3a', '3d'], ['6a', '6b', '6c', '6d'], ['V.A'], ['3'])
    """
    kind, _, rest = where.partition(" ")
    figure = re.match(r"\d", rest)
    if kind != "Fig." or not figure:
        return [rest or kind]
    panels = []
    for part in rest[1:].replace(" ", "").split(","):
        first, _, last = part.partition("-")
        panels += [chr(code) for code in range(ord(first), ord(last or first) + 1)] if first else []
    return [figure[0] + panel for panel in panels] or [figure[0]]


def claims_of(
    run: Run, tables: Mapping[str, pd.DataFrame], words: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return the claims that a run decides, in the scorecard's order.

    Args:
        tables: the scorecard `claims`, and `readings`, the verdicts under every reading; none or
            one may be missing.
        words: what the readings are called, by name.

    Returns:
        Of each its id, place, words, verdict, what was measured, asked and seen, and `readings`,
        its row of the multiverse: of each reading under which its frozen criterion was judged, the
        frozen one first, name, verdict, strength of the evidence and what was measured.
    """
    if "claims" not in tables or run.group not in SHOWN:
        return []
    claims = tables["claims"].astype(object).where(tables["claims"].notna(), "")
    readings = tables.get("readings")
    return [
        {
            "id": row["id"],
            "where": row["figure"],
            "claim": row["claim"],
            "verdict": row["verdict"],
            "measured": row.get("measured", ""),
            "asked": row.get("test", ""),
            "seen": row.get("seen", ""),
            "readings": [] if readings is None else _judged(readings, row["id"], words or {}),
        }
        for row in claims.to_dict("records")
        if _decides(SHOWN[run.group], places(row["figure"]))
    ]


def _decides(shown: tuple[str, ...], named: list[str]) -> bool:
    return any(a.startswith(b) or b.startswith(a) for a in shown for b in named)


def _judged(readings: pd.DataFrame, claim: str, words: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = readings[(readings["claim"] == claim) & (readings["criterion"] == FROZEN)]
    rows = rows[rows["verdict"] != NOT_TESTED].fillna("")
    return [
        {
            "name": words.get(row["reading"], row["reading"].replace("_", " ")),
            "verdict": row["verdict"],
            "strength": row.get("strength", ""),
            "measured": row.get("measured", ""),
        }
        for row in rows.to_dict("records")
    ]
