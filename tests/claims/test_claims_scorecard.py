"""The claims' file, the scorecard made by it, and the page to read."""

import copy
import json
import math
import re
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from claim_tables import (
    CLAIMS,
    CLAIMS_FILE,
    JUDGES,
    altered,
    identities,
    make_architecture,
    make_basins,
    make_deep10,
    make_deep23,
    make_shallow,
    make_signs,
    one_seed,
    spoilt,
)
from dag import copy_repository

from netdyn.claims import page, scorecard
from netdyn.claims.kinds import DIVERGED, NOT_TESTED, PARTLY, REPRODUCED, VERDICTS
from netdyn.claims.scorecard import COLUMNS, evaluate, load_claims
from netdyn.claims.sections import SECTIONS
from netdyn.claims.tables import Tables
from netdyn.errors import NetdynError
from netdyn.plan.targets import Plan
from netdyn.results.tables import read_table, write_table

IDS = [f"C{i:02d}" for i in range(1, 55)]
BOTH_MODES = {"C14", "C15", "C20"}


@pytest.fixture(scope="module")
def frames():
    """The tables of Sec. III and IV.A, which hold all but those of C53."""
    deep = {**make_deep10(), **make_deep23(), **make_architecture(), **make_shallow()}
    return {**deep, "sign_agreement": make_signs()["sign_agreement"]}


def scored(frames, dataset="mnist", expected=None, claims=CLAIMS):
    """Return the scorecard of these claims; all 54 take a second."""
    tables = Tables(frames, identities(frames) if expected is None else expected)
    return evaluate([CLAIMS[name] for name in claims], tables, dataset, "cpu").set_index("id")


@pytest.fixture(scope="module")
def card(frames):
    """The scorecard of these tables; only looked at."""
    return scored(frames)


def of_digits(frames):
    """Return the tables as they are where the largest training set is that of the digits."""
    for name in ("shallow_history", "shallow_pruning", "shallow_gradient", "shallow_rpd"):
        frames = altered(frames, name, "samples", 1297, samples=60000)
    return frames


# The claims' file -----------------------------------------------------------------------------


def test_the_claims_are_54_with_their_thresholds_and_tables():
    claims = load_claims(CLAIMS_FILE)
    assert sorted(claim.id for claim in claims) == IDS
    assert {claim.id for claim in claims if len(claim.modes) == 2} == BOTH_MODES
    declared = yaml.safe_load((CLAIMS_FILE.parents[1] / "config.yaml").read_text())["measurements"]
    for claim in claims:
        assert claim.tables
        assert set(claim.tables) <= declared.keys()
        assert claim.section in SECTIONS
    assert set(scorecard.JUDGES) == set(IDS)


def test_a_claim_has_its_kinds_thresholds_and_its_own():
    content = yaml.safe_load(CLAIMS_FILE.read_text())
    assert CLAIMS["C02"].thresholds == {
        **content["kinds"]["order"],
        "samples": 60000,
        "gap_points": 2,
    }
    # What saturates is judged by a trend too.
    kinds = content["kinds"]
    assert CLAIMS["C25"].thresholds == {**kinds["trend"], **kinds["saturates"]}
    assert CLAIMS["C08"].paper_value == 97.14
    assert CLAIMS["C14"].modes == ("evaluation", "training")
    assert CLAIMS["C39"].modes == ("training",)


def without(rows, name):
    return [row for row in rows if row["id"] != name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: without(rows, "C17"), "missing: C17"),
        (lambda rows: [*rows, rows[4]], "duplicated: C05"),
        (lambda rows: [*without(rows, "C54"), {**rows[-1], "id": "C55"}], "C54; unknown: C55"),
        (lambda rows: [{**rows[0], "kind": "vague"}, *rows[1:]], "C01: kind 'vague'"),
        (
            lambda rows: [{**rows[0], "threshold": {}}, *rows[1:]],
            "C01 has an unknown key threshold",
        ),
        (lambda rows: [{**rows[0], "modes": ["test"]}, *rows[1:]], "C01: modes"),
        (lambda rows: [{"id": "C01", "where": "x"}, *rows[1:]], "C01 lacks section, claim"),
        (lambda rows: ["C01", *rows[1:]], "'C01' is not a claim"),
        (lambda rows: [{**rows[0], "kind": ["own"]}, *rows[1:]], "C01: kind ['own'] is none of"),
        (lambda rows: [{**rows[0], "modes": 5}, *rows[1:]], "C01: modes 5 must be a list"),
        (lambda rows: [{**rows[0], "tables": "a"}, *rows[1:]], "C01: tables 'a' must be a list"),
        (lambda rows: [{**rows[0], "thresholds": 5}, *rows[1:]], "C01: thresholds 5 must be keys"),
        (
            lambda rows: [{**rows[0], "thresholds": {"points": "two"}}, *rows[1:]],
            "C01: points 'two' must be a number",
        ),
        (
            lambda rows: [{**row, "paper_value": "97 %"} for row in rows],
            "C01: paper_value '97 %' must be a number",
        ),
        (
            lambda rows: [{k: row[k] for k in row if k != "paper_value"} for row in rows],
            "C08 lacks paper_value",
        ),
    ],
)
def test_a_wrong_claims_file_is_an_error_that_says_what(tmp_path, change, message):
    content = copy.deepcopy(yaml.safe_load(CLAIMS_FILE.read_text()))
    content["claims"] = change(content["claims"])
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(NetdynError, match=re.escape(message)):
        load_claims(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "gap_points: 2.0",
            "gap_point: 2.0",
            "claim C02 needs the threshold 'gap_points'; there are spreads, partly_share, samples, "
            "gap_point: correct its name, or add it",
        ),
        (
            "partly_points: 1.0",
            "",
            "claim C08 needs the threshold 'partly_points'; there are reproduced_points: correct",
        ),
    ],
)
def test_a_missing_threshold_is_named(tmp_path, frames, old, new, message):
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS_FILE.read_text().replace(old, new, 1))
    for given, dataset in ((frames, "mnist"), (of_digits(frames), "digits")):
        with pytest.raises(NetdynError) as caught:
            evaluate(load_claims(path), Tables(given, identities(given)), dataset, "cpu")
        assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("text", ["claims: 5", "kinds: {}\nclaims: {}", "- 1", ""])
def test_a_file_without_claims_is_an_error(tmp_path, text):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(NetdynError, match=r"claims\.yaml"):
        load_claims(path)
    with pytest.raises(NetdynError, match="missing"):
        load_claims(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["claims: 5", "kinds: {}\nclaims: [{id: C01}]"])
def test_a_wrong_claims_file_is_named_before_any_job_runs(tmp_path, text):
    folder = copy_repository(tmp_path)
    (folder / "workflow/claims.yaml").write_text(text)
    with pytest.raises(NetdynError, match=r"claims\.yaml"):
        Plan(folder, {}, "demo").claim_tables()


# The scorecard --------------------------------------------------------------------------------


def test_every_claim_has_a_row_whatever_was_measured(frames):
    for given in ({}, frames):
        table = evaluate(list(CLAIMS.values()), Tables(given), "mnist", "cpu")
        assert list(table.columns) == COLUMNS
        assert sorted(table["id"]) == IDS
        assert list(table["id"]) == list(CLAIMS)
        assert set(table["verdict"]) <= set(VERDICTS)
        assert (table["seen"] != "").all()
        assert (table["scale"] == "cpu").all()


def test_without_tables_nothing_is_tested_and_the_reason_is_told():
    table = scored({}, expected={})
    assert set(table["verdict"]) == {NOT_TESTED}
    assert table.loc["C01", "seen"] == "Table shallow_history is missing."
    # In both modes it is the same that is missing, and said once.
    assert table.loc["C14", "seen"].count("missing") == 1
    assert (table["measured"] == "").all()
    assert table["spread"].isna().all()


def test_claims_are_judged_where_their_tables_are_whole(card):
    here = [name for name in JUDGES if name != "C53"]
    assert set(card.loc[here, "verdict"]) == {REPRODUCED}
    assert set(card.loc[["C28", "C41", "C51", "C53"], "verdict"]) == {NOT_TESTED}
    assert card.loc["C08", "measured"] == "97.14 ± 0.02 %"
    assert card.loc["C08", "spread"] == pytest.approx(0.02, abs=1e-6)
    assert card.loc["C08", "paper_value"] == 97.14
    assert card.loc["C08", "mode"] == "evaluation"
    assert card.loc["C08", ["n", "seeds"]].tolist() == ["60000", "3"]
    assert card.loc["C01", "n"] == "200–60000"


def test_training_mode_has_a_verdict_where_a_claim_is_judged_in_both(frames):
    flat = altered(frames, "deep10_gradient", "gradient", 0.5, mode="training", **{"class": -1})
    table = scored(flat)
    assert set(table.index[table["verdict_training"] != ""]) == BOTH_MODES
    assert table.loc["C14", ["verdict", "verdict_training"]].tolist() == [
        REPRODUCED,
        "not reproduced",
    ]
    assert "In training mode: a (seed 0): no early phase I" in table.loc["C14", "seen"]
    assert "; in training mode: " in table.loc["C14", "measured"]
    assert table.loc["C14", "mode"] == "evaluation, training"


def test_seeds_and_samples_are_a_range_where_networks_differ(frames):
    expected = identities(frames)
    for name, seeds in (("deep23_history", (0, 1, 2)), ("deep23_first_batch", (0, 1))):
        expected[name] = [{"run": "deep23", "seed": seed, "samples": 6000} for seed in seeds]
    row = scored(frames, expected=expected, claims=["C22"]).loc["C22"]
    assert row[["n", "seeds"]].tolist() == ["6000–60000", "2–3"]  # a seed counts in every table


def test_divergence_is_a_verdict(frames):
    row = scored(spoilt(frames, "deep10_history", "deep10_sgd"), claims=["C08"]).loc["C08"]
    assert row["verdict"] == DIVERGED
    assert row["seen"] == "Run deep10_sgd, seed 2 diverged at step 100."


def test_one_seed_of_an_order_is_partly(frames):
    row = scored(one_seed(frames), claims=["C05"]).loc["C05"]
    assert row["verdict"] == PARTLY
    assert math.isnan(row["spread"])
    assert row["seeds"] == "1"


@pytest.mark.parametrize(
    ("dataset", "words"), [("digits", "On the digits: "), ("kmnist", "On kmnist: ")]
)
def test_other_data_test_nothing_but_are_measured(frames, card, dataset, words):
    table = scored(frames, dataset)
    assert set(table["verdict"]) == {NOT_TESTED}
    assert set(table.loc[list(BOTH_MODES), "verdict_training"]) == {NOT_TESTED}
    assert table["seen"].str.startswith(words).all()
    here = [name for name in JUDGES if name != "C53"]
    assert (table.loc[here, "measured"] == card.loc[here, "measured"]).all()


def test_the_digits_stand_in_with_their_largest_training_set(frames):
    small = of_digits(frames)
    assert "97.80" in scored(small, "digits", claims=["C02"]).loc["C02", "seen"]
    # On MNIST a smaller set is no test of a claim on the full one.
    assert scored(small, claims=["C02"]).loc["C02", "seen"] == "No row with samples 60000."


def test_importing_the_scorecard_imports_no_torch():
    code = "import sys, netdyn.claims.scorecard; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Files ----------------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path, frames):
    """Return a function that writes the scorecard of some tables: both files' contents."""

    def write(given, missing=()):
        settings = {"scale": "cpu", "dataset": "mnist", "tables": {}}
        for name, frame in given.items():
            if name not in missing:
                write_table(tmp_path / "tables" / f"{name}.csv", frame)
            settings["tables"][name] = {"runs": identities({name: frame})[name]}
        settings = json.loads(json.dumps(settings))
        csv, markdown = tmp_path / "out" / "claims.csv", tmp_path / "out" / "claims.md"
        scorecard.write(settings, CLAIMS_FILE, tmp_path / "tables", csv, markdown)
        return read_table(csv).set_index("id"), markdown.read_text()

    return write


def test_the_scorecard_is_the_same_from_files(written, frames, card):
    table, _ = written(frames)
    for column in ("verdict", "measured", "seen"):
        assert (table[column].fillna("") == card[column]).all()
    # Values of nine digits: swept thirds are found again.
    result, _ = written(make_basins(lambda i, total: 29 * i % total))
    assert result.loc["C53", "verdict"] == REPRODUCED


def test_a_missing_file_leaves_its_claims_untested(written, frames):
    table, _ = written(frames, missing=["shallow_rpd"])
    assert table.loc["C04", "seen"] == "Table shallow_rpd is missing."
    assert table.loc["C05", "verdict"] == REPRODUCED


def test_a_table_may_lie_elsewhere_and_a_damaged_one_is_an_error(tmp_path, frames):
    path = tmp_path / "elsewhere.csv"
    write_table(path, frames["deep10_history"])
    runs = identities(frames)["deep10_history"]
    settings = {
        "scale": "cpu",
        "dataset": "mnist",
        "tables": {"deep10_history": {"file": str(path), "runs": runs}},
    }
    out = tmp_path / "claims.csv", tmp_path / "claims.md"
    scorecard.write(settings, CLAIMS_FILE, tmp_path, *out)
    assert read_table(out[0]).set_index("id").loc["C08", "verdict"] == REPRODUCED
    path.write_text("")
    with pytest.raises(NetdynError, match="damaged"):
        scorecard.write(settings, CLAIMS_FILE, tmp_path, *out)


# The page -------------------------------------------------------------------------------------


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_page_counts_verdicts_and_shows_every_claim_under_its_section(written, frames):
    _, text = written(spoilt(frames, "deep10_history", "deep10_sgd"))
    memory = scored(spoilt(frames, "deep10_history", "deep10_sgd"))
    assert text.startswith("# Scorecard: 54 claims of the paper, scale cpu, mnist\n")
    top, *sections = text.split("\n## ")
    counts = {row[0]: int(row[1]) for row in map(cells, top.splitlines()) if row[1:2] and
              row[1].isdigit()}  # fmt: skip
    assert counts == {v: int((memory["verdict"] == v).sum()) for v in VERDICTS}
    assert sum(counts.values()) == 54
    assert [part.split(":")[0] for part in sections] == list(SECTIONS)
    shown = {}
    for part in sections:
        header, rule, *rows = [cells(line) for line in part.splitlines() if line.startswith("|")]
        assert header[0] == "id"
        assert set(rule) == {"---"}
        for row in rows:
            assert len(row) == len(header)
            shown[row[0]] = dict(zip(header, row, strict=True))
            assert CLAIMS[row[0]].section == part.split(":")[0]
    assert sorted(shown) == IDS
    assert shown["C10"]["paper"] == "92.37"
    assert shown["C11"]["measured"] == "98.26 ± 0.02 %"
    assert shown["C08"]["verdict"] == f"**{DIVERGED}**"
    assert shown["C20"]["verdict"] == f"**{REPRODUCED}**; in training mode **{REPRODUCED}**"
    assert shown["C02"]["seen"].startswith("NN 97.80")


def test_the_page_tells_a_spread_once_and_keeps_its_tables_whole():
    row = dict.fromkeys(COLUMNS, "")
    row |= {"id": "C01", "section": "III", "claim": "|rho| < 1\nfor s*", "verdict": PARTLY}
    row |= {"measured": "ρ = 0.5", "spread": 0.125, "paper_value": math.nan, "seen": "a | b"}
    text = page.markdown(pd.DataFrame([row, {**row, "measured": "1 ± 2"}]), "mnist")
    one, two = [cells(line) for line in text.splitlines() if line.startswith("| C01")]
    assert one[2] == r"\|rho\| \< 1 for s\*"
    assert one[4] == "ρ = 0.5 (seed spread 0.12)"
    assert two[4] == "1 ± 2"
    assert one[-1] == r"a \| b"
