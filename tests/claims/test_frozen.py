"""The frozen criteria are what they were when the runs were judged, and so are their verdicts."""

from pathlib import Path

import pandas as pd

from netdyn.claims.rows import load_claims
from netdyn.records.files import digest

ROOT = Path(__file__).parents[2]
# Of every claim's id, words, kind, test, thresholds, modes and tables. It changes with any of them,
# and none of them changes: a new thought is a further criterion.
CRITERIA = "af8e50bd0667d50698a8539c1a319de49b5b8d8f294284590370c5c2cb57aa76"
VERDICTS = {
    "reproduced": (
        "C01 C02 C03 C04 C05 C06 C07 C10 C11 C12 C13 C14 "
        "C21 C22 C24 C25 C27 C29 C30 C33 C34 C35 C38 C39 "
        "C41 C42 C48 C51 C53"
    ),
    "partly": ("C08 C09 C15 C16 C17 C23 C26 C37 C40 C50"),
    "not reproduced": ("C18 C19 C20 C28 C31 C32 C36 C43 C44 C45 C46 C47 C49 C52 C54"),
}


def test_ids_words_tests_and_thresholds_are_frozen():
    rows = [
        {**claim._asdict(), "thresholds": dict(claim.thresholds), "options": None}
        for claim in load_claims(ROOT / "workflow" / "claims.yaml")
    ]
    assert digest(rows) == CRITERIA


def test_verdicts_of_scale_cpu_are_those_that_were_given():
    card = pd.read_csv(ROOT / "results/cpu/reference/claims.csv")
    given = {verdict: " ".join(rows["id"]) for verdict, rows in card.groupby("verdict")}
    assert given == VERDICTS
