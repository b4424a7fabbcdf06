"""Verdicts under readings: which cells there are, and by which rows they are judged."""

import pytest
from claim_tables import CLAIMS, CLAIMS_FILE, altered, identities_of, judge, make_deep10

from netdyn.claims import readings, scorecard
from netdyn.claims.strength import Evidence, Strength, grade
from netdyn.claims.strength_rules import load_rules
from netdyn.claims.tables import Tables
from netdyn.claims.verdicts import NOT_TESTED, PARTLY, REPRODUCED, Outcome
from netdyn.errors import NetdynError
from netdyn.results.tables import read_table, write_table

RULES = load_rules(CLAIMS_FILE)
HISTORY, GRADIENT = "deep10_history", "deep10_gradient"
OF_GRADIENT = ("C14", "C16")  # judges of both tables


@pytest.fixture(scope="module")
def frames():
    return make_deep10()


@pytest.fixture(autouse=True)
def graded(monkeypatch):
    """Grade nothing: every verdict would be judged again dozens of times. Return what was asked."""
    asked = []

    def grade(row, tables, mode, judge, rules):
        asked.append((row.id, mode, dict(row.options)))
        return Strength("fair", (f"{row.id} in {mode} mode",), Evidence(seeds=3))

    monkeypatch.setattr(readings, "grade", grade)
    return asked


def read_under(name, claims, tables, **more):
    """A reading's entry: the tables by name → key, and what it changes."""
    empty = {"changed": [], "options": {}, "mode": "evaluation"}
    return {"name": name, "claims": list(claims), "tables": dict(tables), **empty, **more}


def frozen(claims=OF_GRADIENT):
    return read_under("frozen", claims, {HISTORY: "h", GRADIENT: "g"})


def verdicts(entries, contents, expected=None):
    """Judge; return the verdicts of the frozen criteria by claim and reading, and their rows."""
    if expected is None:
        expected = {key: identities_of(table) for key, table in contents.items()}
    table = readings.judge(entries, list(CLAIMS.values()), [], contents, expected, RULES)
    cells = table[table["criterion"] == "frozen"].set_index(["claim", "reading"])
    assert cells.index.is_unique
    return cells["verdict"].to_dict(), cells


def keyed(frames):
    return {"h": frames[HISTORY], "g": frames[GRADIENT]}


def without_phase_1(frames):
    """The gradients of the networks that have a phase I, reversed at every step."""
    return altered(frames, GRADIENT, "layer", lambda layer: layer.max() + 1 - layer, run=[
        "deep10_sgd", "deep10_adam"
    ])[GRADIENT]  # fmt: skip


def test_the_frozen_reading_is_first_and_gives_the_verdicts_of_the_scorecard(frames):
    claims = ("C01", "C08", *OF_GRADIENT, "C18", "C19")
    found, table = verdicts([frozen(claims)], keyed(frames))
    assert [*table.index] == [(claim, "frozen") for claim in claims]
    for claim in claims[1:]:
        assert found[claim, "frozen"] == judge(claim, frames).verdict == REPRODUCED
    assert found["C01", "frozen"] == NOT_TESTED
    assert "shallow_history is missing" in table["seen"]["C01", "frozen"]


def test_a_reading_is_judged_by_its_own_table_and_the_others_by_theirs(frames):
    other = without_phase_1(frames)
    entry = read_under("other", OF_GRADIENT, {HISTORY: "h", GRADIENT: "other"}, changed=[GRADIENT])
    found, _ = verdicts([frozen(), entry], {**keyed(frames), "other": other})
    for claim in OF_GRADIENT:
        direct = judge(claim, {**frames, GRADIENT: other}).verdict
        assert found[claim, "other"] == direct
        assert found[claim, "frozen"] == judge(claim, frames).verdict
    assert found["C14", "other"] != found["C14", "frozen"]


def test_a_cell_is_blank_where_the_reading_changes_nothing_that_the_claim_reads(frames):
    tables = {HISTORY: "h", GRADIENT: "other"}
    entries = [
        frozen(),
        # C08 reads the history alone, C22 is not named.
        read_under("table", ["C08", "C16"], tables, changed=[GRADIENT]),
        read_under("option", ["C08", "C16"], tables, options={"colour": "red"}),
        read_under("nothing", ["C08", "C16"], tables),
    ]
    found, _ = verdicts(entries, {**keyed(frames), "other": frames[GRADIENT]})
    named = {cell for cell in found if cell[1] != "frozen"}
    assert named == {("C16", "table")}


@pytest.mark.parametrize("missing", [HISTORY, GRADIENT])
def test_a_missing_table_is_not_tested_though_the_scale_has_one_of_the_same_runs(frames, missing):
    tables = {HISTORY: "h", GRADIENT: "g", missing: "own"}
    entry = read_under("own", OF_GRADIENT, tables, changed=[missing])
    contents = keyed(frames)
    expected = {key: identities_of(table) for key, table in contents.items()}
    expected["own"] = identities_of(frames[missing])  # of the same names and seeds
    found, table = verdicts([frozen(), entry], contents, expected)
    for claim in OF_GRADIENT:
        assert found[claim, "own"] == NOT_TESTED
        assert table["seen"][claim, "own"] == f"table {missing} is missing"
        assert found[claim, "frozen"] == REPRODUCED


@pytest.mark.parametrize("run", ["deep10_sgd", "deep10_adam"])
def test_a_table_without_the_runs_that_a_reading_changes_is_not_tested(frames, run):
    whole = frames[GRADIENT]
    entry = read_under("own", ["C14"], {HISTORY: "h", GRADIENT: "own"}, changed=[GRADIENT])
    contents = {**keyed(frames), "own": whole[whole["run"] != run]}
    expected = {"h": identities_of(frames[HISTORY]), "g": identities_of(whole)}
    found, table = verdicts([entry], contents, {**expected, "own": identities_of(whole)})
    assert found == {("C14", "own"): NOT_TESTED}
    assert f"table {GRADIENT} has no rows of run {run}" in table["seen"]["C14", "own"]


def test_training_mode_is_another_judgement_where_the_frozen_one_is_not(frames):
    reversed_ = altered(frames, GRADIENT, "layer", lambda l: l.max() + 1 - l, mode="training")
    tables = {HISTORY: "h", GRADIENT: "g"}
    entry = read_under("training", ["C14", "C39"], tables, mode="training")
    found, _ = verdicts([frozen(["C14"]), entry], keyed(reversed_))
    assert found["C14", "training"] == judge("C14", reversed_, mode="training").verdict
    assert found["C14", "training"] != found["C14", "frozen"] == REPRODUCED
    # C39 is about training mode to begin with; what it lacks it says.
    assert found["C39", "training"] == NOT_TESTED


def test_an_option_counts_where_the_judge_looks_it_up(frames, monkeypatch):
    def by_option(tables, row, mode):
        tables.get(HISTORY)
        verdict = {"best": REPRODUCED, "last": PARTLY}[row.options.get("step", "best")]
        return Outcome(verdict, "", None, "")

    monkeypatch.setitem(scorecard.JUDGES, "C08", by_option)
    monkeypatch.setitem(
        scorecard.JUDGES, "C09", lambda tables, row, mode: Outcome(REPRODUCED, "", None, "")
    )
    entry = read_under("last", ["C08", "C09"], {HISTORY: "h"}, options={"step": "last"})
    found, _ = verdicts([frozen(["C08", "C09"]), entry], keyed(frames))
    assert found == {
        ("C08", "frozen"): REPRODUCED,
        ("C09", "frozen"): REPRODUCED,
        ("C08", "last"): PARTLY,
    }


def test_every_verdict_is_graded_as_it_was_judged(frames, graded, monkeypatch):
    entry = read_under("last", ["C14", "C39"], {HISTORY: "h", GRADIENT: "g"}, mode="training",
                       options={"step": "last"})  # fmt: skip
    _, table = verdicts([frozen(["C14"]), entry], keyed(frames))
    assert [*table["reasons"]] == [f"{id} in {mode} mode" for id, mode, _ in graded]
    assert graded[:2] == [("C14", "evaluation", {}), ("C14", "training", {"step": "last"})]
    monkeypatch.undo()
    _, table = verdicts([frozen(["C08"])], keyed(frames))
    tables = Tables(frames, {name: identities_of(table) for name, table in frames.items()})
    strength = grade(CLAIMS["C08"], tables, "evaluation", scorecard.JUDGES["C08"], RULES)
    assert table["strength"]["C08", "frozen"] == strength.grade
    assert table["without_a_seed"]["C08", "frozen"] == strength.evidence.without_a_seed


def test_on_other_data_than_mnist_nothing_is_tested(frames):
    expected = {key: identities_of(table) for key, table in keyed(frames).items()}
    table = readings.judge(
        [frozen(["C08", "C16"])], [*CLAIMS.values()], [], keyed(frames), expected, RULES, "digits"
    )
    assert table["claim"].tolist() == ["C08", "C16"]
    assert set(table["verdict"]) == {NOT_TESTED}
    assert table["strength"].isna().all()


# Files --------------------------------------------------------------------------------------------


@pytest.fixture
def on_disk(frames, tmp_path):
    """The settings of a job whose reading has but the runs of Adam, from the scale's own file."""
    for name in (HISTORY, GRADIENT):
        write_table(tmp_path / f"{name}.csv", frames[name])
    whole = {
        name: {
            "parts": [{"file": str(tmp_path / f"{name}.csv")}],
            "runs": identities_of(frames[name]),
        }
        for name in (HISTORY, GRADIENT)
    }
    rows = [
        {"run": run["run"], "seed": run["seed"]}
        for run in identities_of(frames[HISTORY]) if "adam" in run["run"]
    ]  # fmt: skip
    entry = {"h": whole[HISTORY], "g": whole[GRADIENT], "own": dict(whole[HISTORY])}
    entry["own"]["parts"] = [{**whole[HISTORY]["parts"][0], "rows": rows}]
    words = ("question", "choice", "words", "section", "added", "reason")
    tables = {HISTORY: "own", GRADIENT: "g"}
    reading = read_under(
        "own", ["C08", "C11"], tables, changed=[HISTORY], crosses=(), **dict.fromkeys(words, "text")
    )
    return {
        "scale": "cpu",
        "dataset": "mnist",
        "readings": [frozen(["C08", "C11"]), reading],
        "tables": entry,
    }


def written(settings, folder):
    readings.write(settings, CLAIMS_FILE, folder / "readings.csv", folder / "readings.md")
    table = read_table(folder / "readings.csv")
    return table[table["criterion"] == "frozen"].set_index(["claim", "reading"])["verdict"]


def test_rows_of_a_file_that_are_not_named_are_not_taken(on_disk, tmp_path):
    found = written(on_disk, tmp_path)
    # The file has rows of SGD by the same names; this reading's are others, which nobody trained.
    assert found["C08", "own"] == NOT_TESTED
    assert found["C08", "frozen"] == REPRODUCED


def test_missing_files_are_not_tested_and_damaged_ones_are_named(on_disk, tmp_path):
    (part,) = on_disk["tables"]["own"]["parts"]
    part["file"] = str(tmp_path / "never.csv")
    found = written(on_disk, tmp_path)
    assert (found["C08", "own"], found["C11", "own"]) == (NOT_TESTED, NOT_TESTED)
    assert found["C11", "frozen"] == REPRODUCED
    on_disk["tables"]["own"]["parts"] = []
    assert written(on_disk, tmp_path)["C11", "own"] == NOT_TESTED
    history = tmp_path / f"{HISTORY}.csv"
    history.write_text(history.read_text() + "x")
    with pytest.raises(NetdynError, match=HISTORY):
        written(on_disk, tmp_path)
