"""The page on strength lists the grades of the committed verdicts."""

import re
from pathlib import Path

import pandas as pd

from netdyn.results.verdicts import FROZEN, STRENGTHS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "strength.md").read_text(encoding="utf-8")


def test_the_page_lists_the_grades_of_the_committed_verdicts():
    cells = pd.read_csv(ROOT / "results/cpu/reference/readings.csv")
    frozen = cells[(cells["reading"] == FROZEN) & (cells["criterion"] == FROZEN)]
    rows = {
        row[0]: row[1:] for row in re.findall(r"^\| (\w+) \| (.*) \| (.*) \| (.*) \|$", PAGE, re.M)
    }
    for strength in STRENGTHS:
        for verdict, listed in zip(
            ("reproduced", "partly", "not reproduced"), rows[strength], strict=True
        ):
            graded = frozen[(frozen["strength"] == strength) & (frozen["verdict"] == verdict)]
            in_evaluation = re.findall(r"C\d\d(?! \(training)", listed)
            assert in_evaluation == list(graded["claim"]), (strength, verdict)
