"""Constructed verdicts under readings, with every kind of cell, and settings of their figure."""

import pandas as pd

from netdyn.claims.verdicts import DIVERGED, NOT_REPRODUCED, NOT_TESTED, PARTLY, REPRODUCED, Claim

WORDS = {"+": REPRODUCED, "~": PARTLY, "-": NOT_REPRODUCED, "!": DIVERGED, ".": NOT_TESTED}
STRENGTHS = {"s": "strong", "f": "fair", "w": "weak"}
# Claims down, readings across, then further criteria; a cell is a verdict and a strength, "" none.
READINGS = ("frozen", "affine", "range", "clip", "pair", "waiting")
CELLS = {
    "C01": ("+s", "+f", "-w", "+s", "", ""),
    "C02": ("-s", "~f", "-s", "", "-w", "."),
    "C03": ("+w", "!s", "+f", ".", "~f", ""),
    "C04": ("~f", "", "", "-f", ".", "."),
    "C05": ("+s", "", "", "~w", "", "."),
    "C06": (".", "", "", "", "", ""),
}
CRITERIA = {"C01": ("+w",), "C03": ("-s", ".", "~f")}
CHOICES = {
    "affine": ("return of noisy samples", "affine"),
    "clip": ("step of comparison", "last"),
    "range": ("return of noisy samples", "own range"),
    "pair": ("region", "nearest centroid"),
    "waiting": ("weight decay", "coupled (L2)"),
}
WHERE = ("Fig. 3a, d", "Fig. 4c", "Sec. V.A", "Fig. 3b", "SM", "Fig. 7e-h")


def cell(claim, reading, criterion, code):
    """Return the row of a cell, "+s" for reproduced on strong evidence."""
    tested = code[0] != "."
    return {
        "claim": claim,
        "reading": reading,
        "criterion": criterion,
        "verdict": WORDS[code[0]],
        "measured": f"{claim} under {reading}" if tested else "",
        "strength": STRENGTHS[code[1]] if tested else "",
        "seen": "It was seen." if tested else "no table",
    }


def make_readings():
    """Return the table of all cells."""
    rows = [
        cell(claim, reading, "frozen", code)
        for claim, codes in CELLS.items()
        for reading, code in zip(READINGS, codes, strict=True)
        if code
    ]
    for claim, codes in CRITERIA.items():
        rows += [cell(claim, "frozen", f"{claim}_{i}", code) for i, code in enumerate(codes)]
    return pd.DataFrame(rows)


def make_claims():
    """Return the claims, of two sections of the paper."""
    return [
        Claim(
            id=claim,
            where=where,
            section="III" if claim < "C04" else "IV.A",
            claim=f"Claim {claim} says that a basin grows with the depth of a network. " * 2,
            paper_value=None,
            kind="own",
            thresholds={},
            modes=("evaluation",),
            test="",
            tables=(),
        )
        for claim, where in zip(CELLS, WHERE, strict=True)
    ]


def make_declared():
    """Return the readings as they are declared; their choices stand apart from their names."""
    return [
        {
            "name": name,
            "question": question,
            "choice": choice,
            "words": f"the words | of {name}",
            "section": "II.D",
            "added": "2026-11-27",
            "reason": f"The reason of {name}.",
        }
        for name, (question, choice) in CHOICES.items()
    ]


def make_settings():
    """Return the settings of the figure."""
    fields = ("id", "where", "section", "claim")
    return {
        "readings": [
            {key: reading[key] for key in ("name", "question", "choice")}
            for reading in make_declared()
        ],
        "claims": [{key: getattr(claim, key) for key in fields} for claim in make_claims()],
        "sections": {"III": "Shallow networks"},
        "title": "Under which reading does each claim hold?",
        "note": "scale demo",
    }
