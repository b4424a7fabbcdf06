"""Claims C08 to C27, C53 and C54 on tables in which they hold, and on such in which they do not."""

import math

import numpy as np
import pandas as pd
import pytest
from claim_tables import (
    BEST,
    CLAIMS,
    JUDGES,
    MODES,
    SEEDS,
    altered,
    identities,
    judge,
    make_architecture,
    make_basins,
    make_deep10,
    make_deep23,
    make_signs,
    one_seed,
    spoilt,
)

from netdyn.claims.kinds import NOT_REPRODUCED, PARTLY, REPRODUCED, Diverged, NotTested

DEEP10, DEEP23, SHAPES = "deep10_history", "deep23_history", "architecture_history"
NUMBERS = ["C08", "C09", "C10", "C11", "C12", "C13"]
DEEP = [*NUMBERS, "C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21", "C22", "C23"]
ALL = [*DEEP, "C24", "C25", "C26", "C27", "C53", "C54"]
LAST = {"step": 100}
LAYER = {"class": -1, "mode": "evaluation"}


@pytest.fixture(scope="module")
def tables():
    """All tables in which the claims hold; of those of C53 only the ones no other claim reads."""
    deep = {**make_deep10(), **make_deep23(), **make_architecture()}
    return {**deep, "sign_agreement": make_signs()["sign_agreement"]}


@pytest.fixture(scope="module")
def basins():
    return make_basins(lambda i, total: 29 * i % total)


def tables_of(claim, tables, basins):
    return basins if claim == "C53" else tables


@pytest.mark.parametrize("claim", ALL)
def test_the_papers_picture_is_reproduced(tables, basins, claim):
    for mode in CLAIMS[claim].modes:
        result = judge(claim, tables_of(claim, tables, basins), mode=mode)
        assert result.verdict == REPRODUCED, result
        assert result.measured
        assert any(digit.isdigit() for digit in result.seen)
        assert result.seen.endswith(".")
        assert not result.seen.endswith("..")


@pytest.mark.parametrize("claim", ALL)
def test_a_table_that_is_missing_or_partial_leaves_a_claim_untested(tables, basins, claim):
    complete = tables_of(claim, tables, basins)
    for name in CLAIMS[claim].tables[:4]:
        with pytest.raises(NotTested, match=name):
            judge(claim, {key: table for key, table in complete.items() if key != name})
        partial = {**complete, name: complete[name][complete[name]["seed"] != 1]}
        with pytest.raises(NotTested, match="seed 1"):
            judge(claim, partial, identities(complete))


@pytest.mark.parametrize("claim", [*ALL[:-2], "C54"])
def test_a_diverged_training_is_told(tables, claim):
    for name, run in ((DEEP10, "deep10"), (DEEP23, "deep23"), (SHAPES, "architecture")):
        if name in CLAIMS[claim].tables:
            lost = tables
            for run_name in tables[name]["run"].unique():
                lost = spoilt(lost, name, run_name)
            with pytest.raises(Diverged, match=f"{run}.* diverged at step 100"):
                judge(claim, lost)


def test_a_claim_on_one_training_does_not_need_the_others(tables):
    others = tables[DEEP10]["run"] == "deep10_sgd"
    alone = {DEEP10: tables[DEEP10][others]}
    assert judge("C08", alone, identities(tables)).verdict == REPRODUCED
    assert judge("C08", spoilt(tables, DEEP10, "deep10_adam")).verdict == REPRODUCED


@pytest.mark.parametrize(("claim", "run"), list(zip(NUMBERS, BEST, strict=True)))
def test_best_accuracies_are_compared_with_the_papers(tables, claim, run):
    paper = CLAIMS[claim].paper_value
    assert paper == pytest.approx(100 * BEST[run][0])
    result = judge(claim, tables)
    assert result.measured == f"{paper:.2f} ± 0.02 %"
    for points, verdict in ((0.29, REPRODUCED), (0.31, PARTLY), (1.01, NOT_REPRODUCED)):
        for sign in (1, -1):
            # Not at the last step: the best one counts.
            shifted = altered(tables, DEEP10, "test_accuracy", 0.1, run=run, step=100)
            for seed in SEEDS:
                best = (paper + sign * points) / 100
                shifted = altered(
                    shifted, DEEP10, "test_accuracy", best, run=run, seed=seed, step=20
                )
            assert judge(claim, shifted).verdict == verdict


def gradients(tables, run, change, table="deep10_gradient", **where):
    return altered(tables, table, "gradient", change, run=run, **{"class": -1}, **where)


def reverse(g):
    return g.to_numpy()[::-1]


SPOILT = {
    "C14, no phase I in d": (
        "C14", PARTLY, "deep10_gradient", "gradient", 0.05,
        {"run": "deep10_adam", "step": [1, 5]} | LAYER,
    ),
    "C14, no phase I": (
        "C14", NOT_REPRODUCED, "deep10_gradient", "gradient", 0.05, {"step": [1, 5]} | LAYER,
    ),
    "C14, phase I too faint": (
        "C14", NOT_REPRODUCED, "deep10_gradient", "gradient", lambda g: 0.1 * g,
        {"step": [1, 5]} | LAYER,
    ),
    "C14, no phase II at the end": (
        "C14", NOT_REPRODUCED, "deep10_gradient", "gradient", 0.9, LAST | LAYER,
    ),
    "C16, no rise in b": (
        "C16", PARTLY, "deep10_gradient", "gradient", 9.0,
        {"run": "deep10_sgd_fast", "step": 0} | LAYER,
    ),
    "C16, no rise": (
        "C16", NOT_REPRODUCED, "deep10_gradient", "gradient", 9.0, {"step": 0} | LAYER,
    ),
    "C17, g_l a fifth apart": (
        "C17", PARTLY, "deep10_gradient", "gradient", lambda g: 1.2 * g,
        {"run": "deep10_sgd_linear"} | LAST | LAYER,
    ),
    "C17, g_l far apart": (
        "C17", NOT_REPRODUCED, "deep10_gradient", "gradient", lambda g: 2 * g,
        {"run": "deep10_sgd_linear"} | LAST | LAYER,
    ),
    "C17, equal accuracies": (
        "C17", NOT_REPRODUCED, DEEP10, "test_accuracy", 0.95, {"run": "deep10_sgd_linear"} | LAST,
    ),
    "C18, g_1 of b above that of a": (
        "C18", NOT_REPRODUCED, "deep10_gradient", "gradient", 0.67,
        {"run": "deep10_sgd_fast", "layer": 1} | LAST | LAYER,
    ),
    "C18, in one of three seeds": (
        "C18", PARTLY, "deep10_gradient", "gradient", 0.67,
        {"run": "deep10_sgd_fast", "layer": 1, "seed": 1} | LAST | LAYER,
    ),
    "C18, accuracy of b below that of a": (
        "C18", NOT_REPRODUCED, DEEP10, "test_accuracy", 0.95, {"run": "deep10_sgd_fast"} | LAST,
    ),
    "C19, Adam's g_1 above in one pair": (
        "C19", NOT_REPRODUCED, "deep10_gradient", "gradient", 0.47,
        {"run": "deep10_adam_batches", "layer": 1} | LAST | LAYER,
    ),
    "C19, Adam's accuracy below in one pair": (
        "C19", NOT_REPRODUCED, DEEP10, "test_accuracy", 0.92, {"run": "deep10_adam_linear"} | LAST,
    ),
    "C20, no phase I": (
        "C20", NOT_REPRODUCED, "deep23_gradient", "gradient", 0.5, {"step": [1, 5]} | LAYER,
    ),
    "C20, no phase II": (
        "C20", NOT_REPRODUCED, "deep23_gradient", "gradient", 0.5, {"step": [20, 100]} | LAYER,
    ),
    "C20, no convergence": (
        "C20", NOT_REPRODUCED, "deep23_gradient", "gradient", 2.0, {"layer": 2} | LAST | LAYER,
    ),
    "C20, not in one seed": (
        "C20", PARTLY, "deep23_gradient", "gradient", 2.0, {"layer": 2, "seed": 1} | LAST | LAYER,
    ),
    "C21, only the last two layers": (
        "C21", NOT_REPRODUCED, "deep23_pruning", "accuracy", 0.9,
        {"split": "test", "start_layer": 6},
    ),
    "C21, from the first layer on": (
        "C21", NOT_REPRODUCED, "deep23_pruning", "accuracy", 0.976, {"split": "test"},
    ),
    "C21, falling": (
        "C21", NOT_REPRODUCED, "deep23_pruning", "accuracy", reverse,
        {"split": "test", "start_layer": [1, 2, 3, 4]},
    ),
    "C22, one does not": (
        "C22", PARTLY, DEEP10, "test_accuracy", 0.7, {"run": "deep10_sgd", "step": 5},
    ),
    "C22, in part": ("C22", PARTLY, DEEP23, "test_accuracy", 0.4, {"step": 5}),
    "C23, one does": (
        "C23", PARTLY, DEEP10, "test_accuracy", 0.1, {"run": "deep10_sgd_fast", "step": 5},
    ),
    "C23, one does with the first batch's statistics": (
        "C23", PARTLY, "deep10_first_batch", "test_accuracy_first_batch", 0.1,
        {"run": "deep10_adam_linear", "step": 5},
    ),
    "C23, all do": ("C23", NOT_REPRODUCED, DEEP10, "test_accuracy", 0.1, {"step": 5}),
    "C23, all do with the first batch's statistics": (
        "C23", NOT_REPRODUCED, "deep10_first_batch", "test_accuracy_first_batch", 0.1, {"step": 5},
    ),
    "C24, deepest is best": (
        "C24", NOT_REPRODUCED, SHAPES, "test_accuracy", 0.99, {"depth": 12, "step": 50},
    ),
    "C24, wide networks fall steeper": (
        "C24", NOT_REPRODUCED, SHAPES, "test_accuracy", lambda a: a - np.linspace(0, 0.9, len(a)),
        {"depth": 12},
    ),
    "C25, falling": (
        "C25", NOT_REPRODUCED, SHAPES, "test_accuracy", reverse, {"step": 50},
    ),
    "C25, still rising": (
        "C25", NOT_REPRODUCED, SHAPES, "test_accuracy", 0.999, {"width": 1024, "step": 50},
    ),
    "C27, least at the edge": (
        "C27", NOT_REPRODUCED, "architecture_gradient", "gradient", 0.1, {"depth": 2} | LAYER,
    ),
    "C27, least at 4 layers": (
        "C27", NOT_REPRODUCED, "architecture_gradient", "gradient", 0.1, {"depth": 4} | LAYER,
    ),
    "C27, so in half of the widths": (
        "C27", NOT_REPRODUCED, "architecture_gradient", "gradient", 0.1,
        {"depth": 4, "width": [128, 512]} | LAYER,
    ),
    "C27, not so in one of four widths": (
        "C27", REPRODUCED, "architecture_gradient", "gradient", 0.1,
        {"depth": 4, "width": 256} | LAYER,
    ),
    "C54, one layer at 0.8": (
        "C54", PARTLY, "sign_agreement", "agreement", 0.8, {"run": "deep23", "layer": 2} | LAST,
    ),
    "C54, one layer at 0.7": (
        "C54", NOT_REPRODUCED, "sign_agreement", "agreement", 0.7,
        {"run": "deep23", "layer": 2} | LAST,
    ),
    "C54, in one of three seeds": (
        "C54", PARTLY, "sign_agreement", "agreement", 0.6, {"layer": 2, "seed": 1} | LAST,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_what_is_otherwise_is_not_reproduced(tables, case):
    claim, verdict, name, column, change, where = SPOILT[case]
    result = judge(claim, altered(tables, name, column, change, **where))
    assert result.verdict == verdict, result


def test_every_claim_has_a_case_of_its_own():
    judged = {case[0] for case in SPOILT.values()} | {*NUMBERS, "C15", "C26", "C53"}
    assert judged == set(ALL)
    assert set(ALL) | {f"C0{i}" for i in range(1, 8)} == set(JUDGES)


@pytest.mark.parametrize("mode", MODES)
def test_phases_are_judged_in_the_mode_asked_for(tables, mode):
    (other,) = set(MODES) - {mode}
    flat = altered(tables, "deep10_gradient", "gradient", 0.5, mode=mode, **{"class": -1})
    flat = altered(flat, "deep23_gradient", "gradient", 0.5, mode=mode, **{"class": -1})
    for claim in ("C14", "C20"):
        assert judge(claim, flat, mode=mode).verdict == NOT_REPRODUCED
        assert judge(claim, flat, mode=other).verdict == REPRODUCED


def test_c14_tells_when_the_phases_begin(tables):
    seen = judge("C14", tables).seen
    assert "a (seed 0): early phase I from step 1, phase II from step 20, ρ(l, g_l) = 1.00" in seen
    late = gradients(tables, "deep10_sgd", reverse, seed=0, mode="evaluation", step=[1, 5])
    assert judge("C14", late).verdict == PARTLY


def test_c15_is_against_a_phase_one_at_any_step_that_counts(tables):
    down = [0.5, 0.4, 0.3, 0.2, 0.1]
    runs = [run for run in BEST if run not in ("deep10_sgd", "deep10_adam")]
    spoilt_once = gradients(
        tables, "deep10_sgd_fast", np.array(down * len(SEEDS)), step=5, mode="evaluation"
    )
    result = judge("C15", spoilt_once)
    assert result.verdict == PARTLY
    assert result.measured == "lowest ρ(l, g_l) −1.00"
    assert "b (seed 1) −1.00 at step 5" in result.seen
    assert judge("C15", spoilt_once, mode="training").verdict == REPRODUCED
    everywhere = gradients(
        tables, runs, np.array(down * len(SEEDS) * len(runs)), step=100, mode="evaluation"
    )
    assert judge("C15", everywhere).verdict == NOT_REPRODUCED
    faint = gradients(tables, runs, lambda g: 0.01 * g, mode="evaluation")
    with pytest.raises(NotTested, match="stays below"):
        judge("C15", faint)


def test_c16_compares_with_the_first_maximum_and_not_with_a_later_one(tables):
    # 0.5, then a first maximum of 0.3, then growth without one.
    course = {0: 0.5, 1: 0.1, 5: 0.3, 20: 0.2, 100: 3.0}
    low = tables
    for step, value in course.items():
        low = gradients(low, list(BEST), value, step=step)
    assert judge("C16", low).verdict == NOT_REPRODUCED
    # The first of two maxima.
    for step, value in {0: 0.5, 1: 0.9, 5: 0.1, 20: 0.3, 100: 0.2}.items():
        low = gradients(low, list(BEST), value, step=step)
    assert judge("C16", low).verdict == REPRODUCED
    # Without a maximum in between, the largest value is the end's.
    for step, value in {0: 0.1, 1: 0.2, 5: 0.3, 20: 0.4, 100: 0.5}.items():
        low = gradients(low, list(BEST), value, step=step)
    assert judge("C16", low).verdict == REPRODUCED


def test_c17_measures_the_mean_relative_difference(tables):
    equal = tables
    for run, value in (("deep10_sgd", 0.9), ("deep10_sgd_linear", 1.1)):
        equal = gradients(equal, run, value, mode="evaluation", step=100)
    result = judge("C17", equal)
    assert result.measured == "g_l differ by 20 ± 0 %, accuracies by 4.77 ± 0.00 points"
    assert result.verdict == PARTLY


def test_c17_compares_layer_by_layer(tables):
    table = tables["deep10_gradient"]
    shallower = table[(table["run"] != "deep10_sgd_linear") | (table["layer"] < 5)]
    with pytest.raises(NotTested):
        judge("C17", {**tables, "deep10_gradient": shallower})


def test_c22_tells_what_is_with_the_first_batch_and_does_not_judge_it(tables):
    where = {"run": "deep10_sgd", "step": 5}
    restarted = altered(tables, "deep10_first_batch", "test_accuracy_first_batch", 0.83, **where)
    result = judge("C22", restarted)
    assert result.verdict == REPRODUCED
    assert "9 of 9 trainings, 6 with statistics from the first batch" in result.measured
    assert "from the first batch: a (seed 0) 83.0 % at step 5" in result.seen


def test_c19_correlates_means_over_seeds(tables):
    # ρ of the six: g_1 falls as 0.68 0.67 0.66 0.46 0.40 0.38 while accuracy rises throughout.
    assert judge("C19", tables).measured == "ρ(g_1, accuracy) = −1.00"
    result = judge("C19", gradients(tables, list(BEST), 0.5, layer=1, mode="evaluation", step=100))
    assert result.measured == "ρ(g_1, accuracy) = 0.00"
    assert result.verdict == NOT_REPRODUCED


def test_c20_compares_with_the_spread_in_phase_two(tables):
    # Without the last layer: 0.28 in phase II, 0.16 at the end. In phase I it was larger.
    third = [0.4, 0.4, 0.4, 0.6, 0.6, 0.8, 1.4] * len(SEEDS)
    frames = altered(tables, "deep23_gradient", "gradient", np.array(third), step=100, **LAYER)
    frames = altered(frames, "deep23_gradient", "gradient", lambda g: 9 * g, step=5, **LAYER)
    result = judge("C20", frames)
    assert "0.28 in phase II, 0.15 at last" in result.seen
    assert result.verdict == NOT_REPRODUCED


def test_c21_needs_something_that_rises(tables):
    within = altered(
        tables, "deep23_pruning", "accuracy", lambda a: 0.976 - 0.005 * (0.976 - a), split="test"
    )
    assert judge("C21", within).measured == "s* = 1 of 8 layers"
    assert judge("C21", within).verdict == NOT_REPRODUCED


def test_c21_reports_the_critical_layer(tables):
    result = judge("C21", tables)
    assert result.measured == "s* = 5 of 8 layers"
    assert result.spread == 0
    other = altered(tables, "deep23_pruning", "accuracy", 0.9, split="test", start_layer=5, seed=0)
    assert judge("C21", other).measured == "s* = 5 … 6 of 8 layers"
    assert judge("C21", other).verdict == REPRODUCED  # 6 = L − 2


@pytest.mark.parametrize(
    ("claim", "verdict"), [("C16", PARTLY), ("C18", PARTLY), ("C14", REPRODUCED)]
)
def test_an_order_in_one_seed_is_at_most_partly(tables, claim, verdict):
    result = judge(claim, one_seed(tables))
    assert result.verdict == verdict
    assert result.spread is None


def test_c22_needs_a_trained_network_that_generalises(tables):
    untrained = altered(tables, DEEP23, "train_accuracy", 0.7, step=[5, 20, 100])
    with pytest.raises(NotTested, match=r"Fig\. 3g \(seed 0\): the training accuracy stays below"):
        judge("C22", untrained)
    never = altered(tables, DEEP10, "test_accuracy", 0.1)
    never = altered(never, DEEP23, "test_accuracy", 0.1)
    assert judge("C22", never).verdict == PARTLY


def test_c24_needs_widths_that_fall_from_their_maximum(tables):
    # At 8 layers, the deepest left, two of four widths are best: nothing to fall.
    cut = {SHAPES: tables[SHAPES][tables[SHAPES]["depth"] <= 8]}
    cut = altered(cut, SHAPES, "test_accuracy", 0.999, width=[128, 256], depth=8, step=50)
    with pytest.raises(NotTested, match="2 widths"):
        judge("C24", cut)


def test_c24_takes_the_slope_from_the_maximum_on(tables):
    # 6 … 12 layers lose 0.4 exp(−w/150) points a layer.
    slopes = -0.4 * np.exp(-np.array([128, 256, 512]) / 150)
    seen = judge("C24", tables).seen
    for slope in slopes:
        assert f"{slope:.2f}".replace("-", "−") in seen


def test_c26_needs_both_a_fall_and_a_saturation(tables):
    def changed(change):
        frames = dict(tables)
        for width, value in change.items():
            where = {"width": width, "layer": 1} | LAYER
            frames = altered(frames, "architecture_gradient", "gradient", value, **where)
        return judge("C26", frames).verdict

    assert changed({128: 0.9, 256: 0.6, 512: 0.5, 1024: 0.49}) == REPRODUCED
    assert changed({128: 0.49, 256: 0.5, 512: 0.6, 1024: 0.9}) == NOT_REPRODUCED
    assert changed({128: 0.9, 256: 0.8, 512: 0.6, 1024: 0.2}) == NOT_REPRODUCED


def test_c27_is_of_a_minimum_within_the_range(tables):
    table = tables["architecture_gradient"]
    deeper = {**tables, "architecture_gradient": table[table["depth"] >= 6]}
    assert "6 (width 128)" in judge("C27", deeper).seen
    assert judge("C27", deeper).verdict == NOT_REPRODUCED


def test_c53_is_of_ranks_at_the_best_step(basins):
    result = judge("C53", basins)
    total = sum(len(basins[name].query("of == 'average' and step == 50")) for name in basins
                if name.endswith("weight_basin"))  # fmt: skip
    ranks = np.arange(total)
    rho = np.corrcoef(ranks, 29 * ranks % total)[0, 1]
    assert result.measured == f"ρ = {rho:.2f} over {total} networks".replace("-", "−")
    for rank in (lambda i, n: i, lambda i, n: n - i, lambda i, n: math.inf if i > 9 else i):
        assert judge("C53", make_basins(rank)).verdict == NOT_REPRODUCED


def test_c53_leaves_out_what_diverged(basins):
    lost = spoilt(basins, "learning_rates_history", "learning_rates")
    result = judge("C53", lost)
    assert result.verdict == REPRODUCED
    assert "3 that diverged are left out" in result.seen
    gone = {**basins, "grokking_weight_basin": basins["grokking_weight_basin"].query("step != 50")}
    with pytest.raises(NotTested, match="grokking"):
        judge("C53", gone)


def test_c54_judges_the_mean_over_seeds_at_their_best_steps(tables):
    # Step 50 is the best of seed 0 alone.
    one = {"run": "deep10_sgd", "layer": 3, "step": 50}
    result = judge("C54", altered(tables, "sign_agreement", "agreement", 0.5, **one))
    assert result.verdict == PARTLY
    assert result.measured.startswith(f"lowest {(0.5 + 0.99 + 0.99) / 3:.2f} ± 0.28")
    assert "layer 3 of deep10_sgd" in result.seen


@pytest.mark.parametrize(
    ("claim", "name", "column"),
    [
        ("C08", DEEP10, "test_accuracy"),
        ("C14", "deep10_gradient", "gradient"),
        ("C16", "deep10_gradient", "gradient"),
        ("C17", "deep10_gradient", "gradient"),
        ("C19", "deep10_gradient", "gradient"),
        ("C20", "deep23_gradient", "gradient"),
        ("C21", "deep23_pruning", "accuracy"),
        ("C22", DEEP10, "test_accuracy"),
        ("C23", "deep10_first_batch", "test_accuracy_first_batch"),
        ("C25", SHAPES, "test_accuracy"),
        ("C26", "architecture_gradient", "gradient"),
        ("C27", "architecture_gradient", "gradient"),
        ("C54", "sign_agreement", "agreement"),
    ],
)
def test_a_number_that_is_missing_leaves_a_claim_untested(tables, claim, name, column):
    with pytest.raises(NotTested):
        judge(claim, altered(tables, name, column, math.nan, seed=0))


def test_claims_read_the_tables_that_their_rows_name(tables, basins):
    for claim in ALL:
        complete = tables_of(claim, tables, basins)
        named = {name: complete[name] for name in CLAIMS[claim].tables}
        assert isinstance(next(iter(named.values())), pd.DataFrame)
        assert judge(claim, named).verdict == REPRODUCED
