"""How strong a verdict is: judged again without seeds and with moved thresholds, and its grade."""

import copy
import itertools

import pandas as pd
import pytest
import yaml
from claim_tables import CLAIMS_FILE, identities

from netdyn.claims.altered_tables import unmeasured, without_seed
from netdyn.claims.rows import load_claims
from netdyn.claims.strength import FAIR, STRONG, WEAK, Evidence, Strength, grade
from netdyn.claims.strength_rules import load_rules, read_rules
from netdyn.claims.tables import Tables, at_last_step, raise_if_diverged
from netdyn.claims.values import measured
from netdyn.claims.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTED,
    REPRODUCED,
    Claim,
    Diverged,
    NotTested,
    Options,
    Outcome,
    verdict,
)
from netdyn.errors import NetdynError

RULES = load_rules(CLAIMS_FILE)
BLOCK = yaml.safe_load(CLAIMS_FILE.read_text())["strength"]
NAN = float("nan")


def history(test=0.9, train=1.0, seeds=(0, 1, 2), widths=(8,), run="deep"):
    """Return a history; `test` and `train` are numbers, or functions of width and seed."""

    def of(value, width, seed):
        return value(width, seed) if callable(value) else value

    return pd.DataFrame(
        [
            {
                "run": run,
                "width": width,
                "seed": seed,
                "step": step,
                "train_loss": 0.1,
                "train_accuracy": of(train, width, seed) if step else 0.1,
                "test_accuracy": of(test, width, seed) if step else 0.1,
            }
            for width, seed, step in itertools.product(widths, seeds, (0, 10))
        ]
    )


def claim(tables=("deep_history",), **thresholds):
    return Claim(
        "C00", "Fig. 0", "0", "It is so.", None, "own", thresholds, ("evaluation",), "", tables,
        Options(),
    )  # fmt: skip


def final_mean(tables, row, mode):
    """Judge whether the mean final test accuracy is at least `bound`."""
    table = at_last_step(tables.history("deep_history", ["test_accuracy"]))
    raise_if_diverged(table)
    mean = measured(table["test_accuracy"]).mean()
    return Outcome(verdict(mean >= row.thresholds["bound"]), f"{mean}", None, "")


def graded(judge=final_mean, row=None, expected=None, rules=RULES, **frames):
    frames = frames or {"deep_history": history()}
    row = row or claim(tuple(frames), bound=0.5)
    tables = Tables(frames, identities(frames) if expected is None else expected)
    return grade(row, tables, "evaluation", judge, rules)


# Grades ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("accuracy", [0.9, 0.1])
def test_a_verdict_for_or_against_is_strong_where_nothing_moves_it(accuracy):
    evidence = Evidence(n=3, seeds=3, without_a_seed=1.0, moved_thresholds=1.0)
    assert graded(deep_history=history(accuracy)) == Strength(STRONG, (), evidence)


@pytest.mark.parametrize(
    ("seeds", "expected"), [((0,), WEAK), ((5,), WEAK), ((0, 1), FAIR), ((0, 1, 2), STRONG)]
)
def test_seeds(seeds, expected):
    strength = graded(deep_history=history(seeds=seeds))
    assert strength.grade == expected
    assert strength.evidence.seeds == len(seeds)
    assert strength.evidence.without_a_seed == (None if len(seeds) == 1 else 1.0)
    assert strength.reasons == {1: ("1 seed",), 2: ("2 seeds",)}.get(len(seeds), ())


@pytest.mark.parametrize(
    ("by_seed", "agreeing", "reason"),
    [
        ((0.9, 0.4, 0.4), 2 / 3, "without seed 0: not reproduced"),
        ((0.1, 0.6, 0.6), 2 / 3, "without seed 0: reproduced"),
        ((0.6, 0.6, 0.1), 2 / 3, "without seed 2: reproduced"),
    ],
)
def test_a_verdict_that_one_seed_decides_is_weak(by_seed, agreeing, reason):
    strength = graded(deep_history=history(lambda _, seed: by_seed[seed]))
    assert strength.grade == WEAK
    assert strength.evidence.without_a_seed == pytest.approx(agreeing)
    assert reason in strength.reasons


def test_a_verdict_that_cannot_be_given_without_a_seed_is_weak():
    def needs_two(tables, row, mode):
        if tables.get("deep_history")["seed"].nunique() < 2:
            raise NotTested("one seed")
        return final_mean(tables, row, mode)

    strength = graded(needs_two, deep_history=history(seeds=(0, 1)))
    assert strength.evidence.without_a_seed == 0
    assert strength.grade == WEAK
    assert f"without seed 1: {NOT_TESTED}" in strength.reasons[-1]


@pytest.mark.parametrize(
    ("accuracy", "share", "reason"),
    [
        (0.9, 1.0, None),
        (0.52, 0.5, "bound at 0.55: not reproduced"),
        (0.48, 0.5, "bound at 0.45: reproduced"),
        (0.3, 1.0, None),
    ],
)
def test_a_threshold_that_decides(accuracy, share, reason):
    strength = graded(deep_history=history(accuracy))
    assert strength.evidence.moved_thresholds == share
    assert strength.reasons == (() if reason is None else (reason,))
    assert strength.grade == (STRONG if share == 1 else WEAK)


def test_one_of_two_thresholds_that_decides_is_fair_and_others_are_not_moved():
    def both(tables, row, mode):
        row.thresholds["mean_gradient"]
        ends = final_mean(tables, row, mode)
        return ends if row.thresholds["second"] < 1 else ends._replace(verdict=NOT_REPRODUCED)

    row = claim(bound=0.87, second=-2.0, mean_gradient=0.1, never_looked_up=0.9)
    strength = graded(both, row)
    assert strength.evidence.moved_thresholds == 3 / 4
    assert strength.grade == FAIR


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("bound", 0.95, [0.855, 1.045]),
        ("accuracy", 0.95, [0.855, 1.0]),
        ("accuracy", 1.0, [0.9]),
        ("bound", -0.7, [-0.63, -0.77]),
        ("bound", 0.0, []),
        ("samples", 600, []),
        ("train_accuracy", 0.8, []),
    ],
)
def test_criteria_are_moved_by_a_tenth_of_themselves_and_selections_are_not(name, value, seen):
    asked = []

    def judge(tables, row, mode):
        tables.history("deep_history")
        asked.append(row.thresholds[name])
        return Outcome(REPRODUCED, "", None, "")

    graded(judge, claim(**{name: value}), deep_history=history(seeds=(0,)))
    assert asked == [value, *map(pytest.approx, seen)]


@pytest.mark.parametrize(
    ("judged", "unjudged", "expected", "reasons"),
    [
        (None, None, STRONG, ()),
        (0, 0, STRONG, ()),
        (90, 10, STRONG, ()),
        (89, 11, FAIR, ("11 of 100 not judged",)),
        (136, 54, FAIR, ("54 of 190 not judged",)),
        (69, 31, WEAK, ("31 of 100 not judged",)),
    ],
)
def test_what_could_not_be_judged(judged, unjudged, expected, reasons):
    def judge(tables, row, mode):
        return final_mean(tables, row, mode)._replace(judged=judged, unjudged=unjudged)

    strength = graded(judge)
    assert (strength.grade, strength.reasons) == (expected, reasons)


@pytest.mark.parametrize(("p", "expected"), [(0.001, STRONG), (0.03, FAIR), (0.2, WEAK)])
def test_a_p_value(p, expected):
    def judge(tables, row, mode):
        return final_mean(tables, row, mode)._replace(p_value=p)

    strength = graded(judge)
    assert strength.grade == expected
    assert strength.reasons == (() if expected == STRONG else (f"p = {p}",))


@pytest.mark.parametrize("error", [NotTested("no table"), Diverged("run deep diverged")])
def test_a_claim_without_a_verdict_has_no_grade(error):
    def judge(tables, row, mode):
        raise error

    assert graded(judge) == Strength("", (), Evidence())


# Training -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lowest", "points", "expected"),
    [(0.99, 1.0, STRONG), (0.95, 5.0, FAIR), (0.8, 20.0, WEAK)],
)
def test_networks_of_several_settings_are_to_be_trained_equally_far(lowest, points, expected):
    unequal = history(widths=(8, 16, 32), train=lambda width, _: lowest if width == 16 else 1.0)
    strength = graded(deep_history=unequal)
    assert strength.evidence.unequal_training == pytest.approx(points)
    assert strength.grade == expected
    assert strength.evidence.n == 9


def test_seeds_of_one_setting_may_be_trained_differently_far():
    strength = graded(deep_history=history(train=lambda _, seed: (1.0, 0.9, 0.8)[seed]))
    assert strength.evidence.unequal_training is None
    assert strength.grade == STRONG


@pytest.mark.parametrize("ignored", [8, 32])
def test_a_setting_that_is_read_and_not_judged_does_not_count(ignored):
    def narrow(tables, row, mode):
        table = at_last_step(tables.history("deep_history", ["test_accuracy"]))
        mean = measured(table.loc[table["width"] != ignored, "test_accuracy"]).mean()
        return Outcome(verdict(mean > row.thresholds["bound"]), f"{mean}", None, "")

    def accuracy(width, seed):
        return {8: 0.95, 16: 1.0, 32: 0.94}[width]

    strength = graded(narrow, deep_history=history(widths=(8, 16, 32), train=accuracy))
    assert strength.evidence.unequal_training == pytest.approx(6 if ignored == 8 else 5)

    only = graded(narrow, deep_history=history(widths=(16, ignored), train=accuracy))
    assert only.evidence.unequal_training is None


def test_a_setting_that_loses_is_judged_too():
    """The best is the best of all, though the outcome names it alone."""

    def best(tables, row, mode):
        table = at_last_step(tables.history("deep_history", ["test_accuracy"]))
        means = table.assign(x=measured(table["test_accuracy"])).groupby("width")["x"].mean()
        return Outcome(verdict(means.idxmax() >= row.thresholds["bound"]), "", None, "")

    trained = history(lambda w, _: w / 100, lambda w, _: 0.5 if w == 8 else 1.0, widths=(8, 16, 32))
    assert graded(best, deep_history=trained).evidence.unequal_training == pytest.approx(50)


def test_a_test_that_fails_without_a_setting_needs_it():
    def best_step(tables, row, mode):
        for _, rows in tables.history("deep_history", ["test_accuracy"]).groupby("width"):
            rows["test_accuracy"].idxmax()  # a ValueError where none was measured
        return Outcome(REPRODUCED, "", None, "")

    table = history(widths=(8, 16), train=lambda width, _: width / 16)
    strength = graded(best_step, deep_history=table)
    assert strength.evidence.unequal_training == pytest.approx(50)


def test_a_diverged_training_does_not_count():
    def finished(tables, row, mode):
        table = at_last_step(tables.history("deep_history", ["test_accuracy"]))
        mean = measured(table.loc[table["train_loss"].notna(), "test_accuracy"]).mean()
        return Outcome(verdict(mean > row.thresholds["bound"]), f"{mean}", None, "")

    table = history(widths=(8, 16, 32), train=lambda width, _: 0.1 if width == 32 else 1.0)
    table.loc[(table["width"] == 32) & (table["step"] == 10), "train_loss"] = NAN
    assert graded(finished, deep_history=table).evidence.unequal_training == 0


@pytest.mark.parametrize(("threshold", "trainings"), [("samples", 3), ("samples_at_most", 6)])
def test_runs_that_a_threshold_does_not_choose_do_not_count(threshold, trainings):
    def judge(tables, row, mode):
        tables.history("deep_history")
        row.thresholds[threshold]
        return Outcome(REPRODUCED, "", None, "")

    table = history(widths=(200, 600, 60000)).rename(columns={"width": "samples"})
    strength = graded(judge, claim(**{threshold: 600}), deep_history=table)
    assert strength.evidence.n == trainings


# Tables ---------------------------------------------------------------------------------------


def test_tables_remember_what_was_read():
    frames = {"deep_history": history(), "other": history(run="wide"), "third": history()}
    tables = Tables(frames, identities(frames))
    tables.history("deep_history")
    tables.get("other", runs=["wide"])
    with pytest.raises(NotTested):
        tables.get("third", ["no_such_column"])
    assert tables.read == {"deep_history": {"deep"}, "other": {"wide"}, "third": set()}
    assert tables.unread().read == {}
    assert tables.read


def test_what_is_read_is_ones_own():
    tables = Tables({"deep_history": history()})
    table = tables.get("deep_history")
    table["test_accuracy"] = 7.0
    assert (tables.get("deep_history")["test_accuracy"] < 1).all()


def test_a_seed_is_left_out_where_it_occurs():
    frames = {
        "deep_history": history(seeds=(0, 1, 2)),
        "wide_history": history(seeds=(0,), run="wide"),
        "mixed": pd.concat([history(seeds=(0,), widths=(4,)), history(seeds=(0, 1), widths=(8,))]),
    }
    tables = Tables(frames, identities(frames))
    found = without_seed(tables, frames, 0)
    assert set(found.get("deep_history")["seed"]) == {1, 2}
    assert set(found.get("wide_history")["seed"]) == {0}
    mixed = found.get("mixed").groupby("width")["seed"].unique()
    assert [list(seeds) for seeds in mixed] == [[0], [1]]
    assert set(without_seed(tables, frames, 7).get("deep_history")["seed"]) == {0, 1, 2}
    assert set(tables.get("deep_history")["seed"]) == {0, 1, 2}


def test_seeds_are_those_that_all_tables_have():
    frames = {"deep_history": history(), "projection": history(seeds=(0,))}

    def judge(tables, row, mode):
        tables.get("projection")
        return final_mean(tables, row, mode)

    strength = graded(judge, **frames)
    assert (strength.evidence.seeds, strength.evidence.without_a_seed) == (1, None)
    assert strength.grade == WEAK


def test_the_setting_with_the_fewest_seeds_counts_and_the_others_are_left_out_in_turn():
    table = pd.concat([history(seeds=(0,), widths=(4,)), history(widths=(8,))])
    strength = graded(deep_history=table)
    assert strength.evidence.seeds == 1
    assert strength.evidence.without_a_seed == 1.0
    assert strength.grade == WEAK


def test_unmeasured_keeps_what_identifies_a_row_and_whether_it_diverged():
    frames = {"deep_history": history(widths=(8, 16)), "other": history(run="wide")}
    blank = unmeasured(Tables(frames), frames, {"run": "deep", "width": 16})
    table = blank.get("deep_history")
    missing = table["test_accuracy"].isna()
    assert set(table.loc[missing, "width"]) == {16}
    assert set(table.loc[~missing, "width"]) == {8}
    assert table[["run", "width", "seed", "step", "train_loss"]].notna().all(axis=None)
    assert blank.get("other").notna().all(axis=None)


# Rules ----------------------------------------------------------------------------------------


def changed(*path, value):
    block = copy.deepcopy(BLOCK)
    *outer, last = path
    inner = block
    for key in outer:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return block


@pytest.mark.parametrize(
    ("block", "named"),
    [
        (None, "must hold move"),
        ([], "must hold move"),
        (changed("move", value=None), "lacks move"),
        (changed("move", value=0), "between 0 and 1"),
        (changed("move", value="much"), "'much' must be a number"),
        (changed("stronk", value=1), "unknown key stronk"),
        (changed("strong", "seeds", value=None), "strong lacks seeds"),
        (changed("weak", "seed", value=1), "weak has an unknown key seed"),
        (changed("weak", "p_value", value=True), "weak: p_value True must be a number"),
        (changed("weak", "seeds", value=4), "seeds is strong at 3 and weak at 4"),
        (changed("weak", "unjudged", value=0.05), "unjudged is strong at 0.1 and weak at 0.05"),
        (changed("moments", value="samples"), "moments 'samples' must be a list"),
        (changed("runs", value=["samples"]), "runs ['samples'] must be"),
        (changed("runs", "samples", value=["samples", "above"]), "runs: samples"),
        (changed("runs", "samples", value="samples"), "runs: samples"),
    ],
)
def test_rules_that_are_wrong_are_refused_by_name(block, named):
    with pytest.raises(NetdynError, match="strength") as caught:
        read_rules(block)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_named_selection_is_a_threshold_of_a_claim():
    used = {key for row in load_claims(CLAIMS_FILE) for key in row.thresholds}
    assert {*RULES.runs, *RULES.moments, *RULES.ends_at_one} <= used
