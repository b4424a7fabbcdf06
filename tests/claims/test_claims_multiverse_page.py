"""The page of the multiverse: sentences, counts and lists, from constructed cells."""

import re

import pandas as pd
import pytest
from multiverse_tables import CELLS, cell, make_claims, make_declared, make_readings

from netdyn.claims.multiverse_page import markdown
from netdyn.errors import NetdynError

RULES = {
    "move": 0.1,
    "strong": {"seeds": 3, "unjudged": 0.1, "p_value": 0.01},
    "weak": {"seeds": 2, "unjudged": 0.3, "p_value": 0.05},
}
CRITERIA = [
    {
        "claim": claim,
        "id": criterion,
        "added": "2026-11-27",
        "reason": f"The reason of {criterion}.",
        "sees": "how deep the minimum is.",
    }
    for claim, criterion in (("C01", "C01_0"), ("C03", "C03_0"), ("C03", "C03_1"), ("C05", "new"))
]


def page(table=None, criteria=CRITERIA):
    table = make_readings() if table is None else table
    return markdown(table, make_claims(), make_declared(), criteria, RULES, "demo", "digits")


def sentences(text, claim):
    """Return the sentences on a claim: what stands behind the paper's words."""
    (line,) = re.findall(rf"^- .*(\*\*{claim} (?:.*))$", text, flags=re.MULTILINE)
    return line


def of_codes(codes, further=()):
    """Return cells of C01 with a code per reading; affine and range are columns by C02 to C04."""
    others = [
        cell(c, r, "frozen", "+s") for c in ("C02", "C03", "C04") for r in ("affine", "range")
    ]
    own = [cell("C01", reading, "frozen", code) for reading, code in codes.items()]
    own += [cell("C01", "frozen", name, code) for name, code in further]
    return pd.DataFrame(own + others)


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        (
            {"frozen": "+s", "affine": "+s", "range": "-w"},
            "**C01 holds under 2 of 3 readings, on strong evidence under all of them.** It holds "
            "under the frozen reading (C01 under frozen; strong evidence) and under *return of "
            "noisy samples: affine* (C01 under affine; strong evidence) and fails under *return of "
            "noisy samples: own range* (C01 under range; weak evidence).",
        ),
        (
            {"frozen": "+f", "affine": "+s", "range": "+w"},
            "**C01 holds under all 3 readings, on strong evidence under 1 of them.** It holds "
            "under the frozen reading (C01 under frozen; fair evidence), under *return of noisy "
            "samples: affine* (C01 under affine; strong evidence) and under *return of noisy "
            "samples: own range* (C01 under range; weak evidence).",
        ),
        (
            {"frozen": "~s", "affine": "-s"},
            "**C01 holds under none of 2 readings.** It fails under *return of noisy samples: "
            "affine* (C01 under affine; strong evidence) and holds in part under the frozen "
            "reading (C01 under frozen; strong evidence).",
        ),
        (
            {"frozen": "+f", "affine": "!w", "range": "."},
            "**C01 holds under 1 of 2 readings, on fair evidence.** It holds under the frozen "
            "reading (C01 under frozen; fair evidence) and meets a diverged training under *return "
            "of noisy samples: affine* (C01 under affine; weak evidence); it is not tested yet "
            "under 1 other.",
        ),
        (
            {"frozen": "-f"},
            "**C01 fails under the frozen reading, the only column that judges it.** The evidence "
            "is fair: C01 under frozen.",
        ),
        (
            {"frozen": ".", "affine": "+s"},
            "**C01 holds under *return of noisy samples: affine*, the only column that judges "
            "it.** The evidence is strong: C01 under affine; it is not tested yet under 1 "
            "other.",
        ),
        (
            {"frozen": "."},
            "**C01 is not tested under any reading.** What it needs is not trained or measured "
            "yet.",
        ),
        (
            {"frozen": "+s", "affine": "+s", "pair": "-w"},
            "**C01 holds under both readings, on strong evidence under all of them.** It holds "
            "under the frozen reading (C01 under frozen; strong evidence) and under *return of "
            "noisy samples: affine* (C01 under affine; strong evidence); under readings of too few "
            "claims to count, it fails under *region: nearest centroid* (C01 under pair; weak "
            "evidence).",
        ),
    ],
)
def test_two_sentences_say_under_what_a_claim_holds(codes, sentence):
    text = sentences(page(of_codes(codes)), "C01")
    assert text == sentence
    assert len(re.findall(r"\.(?:\*\*)?(?: [A-Z]|$)", text)) == 2


def test_further_criteria_stand_beside_the_count_and_do_not_change_it():
    codes = {"frozen": "+s", "affine": "-f"}
    with_criteria = sentences(page(of_codes(codes, [("a", "-w"), ("b", "+s")])), "C01")
    assert with_criteria.startswith("**C01 holds under 1 of 2 readings, on strong evidence.**")
    assert with_criteria.endswith(
        "; by further criteria, it holds by `b` (C01 under frozen; strong evidence) and fails by "
        "`a` (C01 under frozen; weak evidence)."
    )
    assert sentences(page(of_codes(codes)), "C01") == with_criteria.split("; by further")[0] + "."


def test_counts_are_those_of_the_cells_in_columns():
    text = page()
    assert "| columns | 4: the frozen reading and 3 of 5 others |" in text
    # frozen 5 and a dot, affine 3, range 3, clip 3 and a dot
    assert "| cells | 14 judged, 2 not tested yet |" in text
    several = "| claims judged under several readings | 5: 0 hold under all, 3 under some, 2 under"
    assert f"{several} none |" in text
    assert "| claims judged under one reading | 0: 0 hold |" in text
    assert "| claims not tested | 1 |" in text
    assert "| reproduced | 6 | 3 | 2 | 1 |" in text
    assert "| diverged | 1 | 1 | 0 | 0 |" in text


def test_a_claim_that_holds_under_all_is_counted():
    table = make_readings()
    table.loc[table["claim"] == "C01", "verdict"] = "reproduced"
    assert "5: 1 hold under all, 2 under some, 2 under none" in page(table)


def test_readings_are_listed_with_words_date_and_reason_by_what_they_judge():
    text = page().split("## The readings")[1].split("## Further criteria")[0]
    columns, few, waiting = re.split(r"### Fewer than 3.*|### Not tested yet", text)
    for name, part in {"affine": columns, "clip": columns, "pair": few, "waiting": waiting}.items():
        (line,) = [line for line in part.splitlines() if f"(`{name}`" in line]
        assert "declared 2026-11-27" in line
        assert rf"“the words \| of {name}” (Sec. II.D)" in line
        assert f"The reason of {name}." in line
    assert "3 claims judged: 1 reproduced, 1 partly, 1 diverged." in columns
    assert "not tested yet: C03" in columns
    assert "C02 fails (C02 under pair; weak evidence), C03 holds in part (C03 under pair" in few
    assert "0 claims judged; not tested yet: C02, C04, C05." in waiting


@pytest.mark.parametrize(
    ("criterion", "verdict"),
    [
        ("C01, `C01_0`", "**reproduced** (C01 under frozen; weak evidence)"),
        ("C03, `C03_1`", "**not tested at this scale**"),
        ("C05, `new`", "**not tested at this scale**"),
    ],
)
def test_criteria_are_listed_with_what_they_see(criterion, verdict):
    (line,) = [line for line in page().splitlines() if f"**{criterion}**" in line]
    assert "(added 2026-11-27). The reason of" in line
    assert "does not: how deep the minimum is. Under the frozen reading:" in line
    assert line.endswith(f"{verdict}.")


def test_rules_of_strength_are_given_with_their_bounds():
    rules = page().split("## Strength")[1]
    assert "up and down by 10 % of themselves" in rules
    assert "| seeds, of the setting with the fewest: at least | 3 | 2 |" in rules
    assert "| p-value, where the test has one: at most | 0.01 | 0.05 |" in rules


def test_equal_cells_give_an_equal_page_and_every_claim_stands_in_it_once():
    text = page()
    assert page(make_readings().replace("", float("nan"))) == text
    for claim in CELLS:
        assert len(re.findall(rf"\*\*{claim} (holds|fails|is|meets)", text)) == 1
    assert "## Further criteria" not in page(criteria=[])


@pytest.mark.parametrize(("column", "value"), [("claim", "C99"), ("reading", "odd")])
def test_an_unknown_name_is_refused(column, value):
    table = make_readings()
    table.loc[0, column] = value
    with pytest.raises(NetdynError, match=f"{column} '{value}'"):
        page(table)
