"""The kinds of test that claims share, on plain numbers, and the tables they are given."""

import math

import numpy as np
import pandas as pd
import pytest

from netdyn.claims import kinds
from netdyn.claims.kinds import (
    DIVERGED,
    NOT_REPRODUCED,
    NOT_TESTED,
    PARTLY,
    REPRODUCED,
    Diverged,
    NotTested,
)
from netdyn.claims.tables import Tables, at_last_step, best_accuracy, diverged, raise_if_diverged

NUMBER = {"reproduced_points": 0.3, "partly_points": 1.0}
ORDER = {"spreads": 2.0, "partly_share": 0.5}
TREND = {"rho": 0.7, "partly_rho": 0.5, "partly_share": 0.5}
SATURATES = {**TREND, "last_third_share": 1 / 3}
GROKKING = {"train_accuracy": 0.8, "test_at_most": 0.2, "none_at_least": 0.5}
SHARE = {"inside": 0.8, "outside": 0.5}
PHASES = {
    "mean_gradient": 0.1,
    "phase_1_rho": -0.7,
    "phase_2_rho": 0.7,
    "no_phase_1_rho": -0.5,
}
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([97.14], REPRODUCED),
        ([97.44], REPRODUCED),  # exactly 0.3 off, which binary numbers are not
        ([96.84], REPRODUCED),
        ([97.45], PARTLY),
        ([98.14], PARTLY),
        ([98.15], NOT_REPRODUCED),
        ([90.0, 104.28], REPRODUCED),  # the mean counts
    ],
)
def test_number_is_judged_by_the_distance_of_the_mean(values, verdict):
    result = kinds.number(values, 97.14, NUMBER)
    assert result.verdict == verdict
    assert f"{np.mean(values):.2f} %" in result.seen


def test_number_tells_mean_and_sample_deviation():
    result = kinds.number([97.0, 97.2, 97.4], 97.14, NUMBER)
    assert result.measured == "97.20 ± 0.20 %"
    assert result.spread == pytest.approx(np.std([97.0, 97.2, 97.4], ddof=1))
    assert "0.06 points above" in result.seen
    assert kinds.number([97.0], 97.14, NUMBER).spread is None


@pytest.mark.parametrize("bad", [NAN, INF])
def test_number_refuses_what_is_not_finite(bad):
    with pytest.raises(NotTested):
        kinds.number([97.0, bad], 97.14, NUMBER)


@pytest.mark.parametrize(
    ("pairs", "gap", "verdict"),
    [
        ([(5, 1), (6, 1), (7, 1)], 0, REPRODUCED),  # differences 4, 5, 6: 5 over 2 · 1
        ([(1, 0), (2, 0), (3, 0)], 0, PARTLY),  # 2 is not over 2 · 1
        ([(1.1, 0), (2.1, 0), (3.1, 0)], 0, REPRODUCED),
        ([(5, 1), (6, 1), (0, 1)], 0, PARTLY),  # two of three seeds
        ([(5, 1), (0, 1)], 0, NOT_REPRODUCED),  # half is not most
        ([(1, 1), (1, 1)], 0, NOT_REPRODUCED),  # equal is not larger
        ([(3, 1), (3, 1)], 2, REPRODUCED),  # the gap itself is enough
        ([(2.99, 1), (2.99, 1)], 2, NOT_REPRODUCED),
        ([(3.0, 1), (2.9, 1), (3.1, 1)], 2, PARTLY),
        ([(INF, 1), (INF, 2)], 0, REPRODUCED),
        ([(INF, INF), (INF, INF)], 0, NOT_REPRODUCED),
        ([(1, INF), (1, INF)], 0, NOT_REPRODUCED),
        ([(INF, 1), (3, 1)], 0, PARTLY),  # an infinite spread is no clear difference
    ],
)
def test_order(pairs, gap, verdict):
    assert kinds.order(pairs, ORDER, gap).verdict == verdict


def test_order_of_one_seed_is_at_most_partly():
    result = kinds.order([(100, 1)], ORDER)
    assert result.verdict == PARTLY
    assert result.spread is None
    assert "one seed" in result.seen
    assert kinds.order([(1, 100)], ORDER).verdict == NOT_REPRODUCED


@pytest.mark.parametrize("pairs", [[], [(NAN, 1), (2, 1)], [(1, NAN)]])
def test_order_without_measurement_is_not_tested(pairs):
    with pytest.raises(NotTested):
        kinds.order(pairs, ORDER)


def rising(rho):
    """Return five points whose Spearman's ρ, 1 − Σd²/20, is `rho`."""
    ranks = {1: [1, 2, 3, 4, 5], 0.9: [2, 1, 3, 4, 5], 0.7: [2, 3, 1, 4, 5]}
    ranks |= {0.6: [2, 1, 5, 3, 4], 0.5: [3, 2, 1, 5, 4], 0.4: [4, 1, 2, 3, 5]}
    ranks |= {-1: [5, 4, 3, 2, 1]}
    return ranks[rho]


def test_points_have_the_correlation_they_are_named_for():
    x = np.arange(1, 6)
    for rho in (1, 0.9, 0.7, 0.6, 0.5, 0.4, -1):
        assert 1 - ((rising(rho) - x) ** 2).sum() / 20 == pytest.approx(rho)
        assert kinds.rank_correlation(x, rising(rho)) == pytest.approx(rho)


def series(*rhos):
    return {i: (np.arange(1, 6), rising(rho)) for i, rho in enumerate(rhos)}


@pytest.mark.parametrize(
    ("rhos", "verdict"),
    [
        ([1, 0.7], REPRODUCED),  # 0.7 itself is enough
        ([0.6, 0.5], PARTLY),  # all at least 0.5, which itself is enough
        ([0.6, 0.4], NOT_REPRODUCED),
        ([1, 0.9, 0.4], PARTLY),  # most
        ([1, 0.4], NOT_REPRODUCED),  # half is not most
        ([-1, -1], NOT_REPRODUCED),
    ],
)
def test_trend(rhos, verdict):
    assert kinds.trend(series(*rhos), 1, TREND).verdict == verdict
    falling = {label: (x, np.negative(y)) for label, (x, y) in series(*rhos).items()}
    assert kinds.trend(falling, -1, TREND).verdict == verdict


def test_trend_ranks_infinite_values_highest():
    assert kinds.trend({0: ([1, 2, 3, 4], [1, 2, 3, INF])}, 1, TREND).verdict == REPRODUCED
    assert kinds.trend({0: ([1, 2, 3, 4], [INF, 3, 2, 1])}, 1, TREND).verdict == NOT_REPRODUCED
    assert kinds.rank_correlation([1, 2, 3, 4], [INF] * 4) == 0


def test_trend_of_a_constant_is_none():
    assert kinds.trend({0: ([1, 2, 3], [4, 4, 4])}, 1, TREND).verdict == NOT_REPRODUCED


@pytest.mark.parametrize("test", [kinds.saturates, lambda s, t: kinds.trend(s, 1, t)])
@pytest.mark.parametrize("given", [{}, {0: ([1, 2], [1, 2])}, {0: ([1, 2, 3], [1, NAN, 3])}])
def test_trend_and_saturation_need_three_measured_points(test, given):
    with pytest.raises(NotTested):
        test(given, SATURATES)


def test_saturation_is_of_thirds_of_the_axis_by_value():
    x = [0, 1, 2, 3]
    assert kinds.saturates({0: (x, [0, 3, 4, 5])}, SATURATES).verdict == REPRODUCED  # 1 of 3
    assert kinds.saturates({0: (x, [0, 3, 4, 5.01])}, SATURATES).verdict == NOT_REPRODUCED
    assert kinds.saturates({0: (x, [0, -3, -4, -5])}, SATURATES).verdict == REPRODUCED
    # By value, not by index: on 0 … 9 the thirds end at 3 and at 6, between the points.
    unequal = [0, 1, 2, 9], [0, 3, 4, 4 + 7]
    assert kinds.saturates({0: unequal}, SATURATES).verdict == NOT_REPRODUCED  # 5, then 3
    assert "0.60" in kinds.saturates({0: unequal}, SATURATES).measured
    # A fall at the end is a change too.
    assert kinds.saturates({0: (x, [0, 3, 4, 2])}, SATURATES).verdict == NOT_REPRODUCED
    # The order of the points does not matter.
    assert kinds.saturates({0: ([3, 0, 2, 1], [5, 0, 4, 3])}, SATURATES).verdict == REPRODUCED


def test_saturation_of_constants_and_infinite_values():
    x = [0, 1, 2, 3]
    assert kinds.saturates({0: (x, [1, 1, 1, 1])}, SATURATES).verdict == REPRODUCED
    assert kinds.saturates({0: (x, [1, 1, 1, 2])}, SATURATES).verdict == NOT_REPRODUCED
    assert kinds.saturates({0: (x, [1, 2, INF, INF])}, SATURATES).verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("level", "verdict"), [(3, REPRODUCED), (2, PARTLY), (1, NOT_REPRODUCED), (0, NOT_REPRODUCED)]
)
def test_saturation_in_most_series_is_partly(level, verdict):
    x, flat, steep = [0, 1, 2, 3], [0, 3, 4, 4], [0, 1, 2, 3]
    given = {i: (x, flat if i < level else steep) for i in range(3)}
    assert kinds.saturates(given, SATURATES).verdict == verdict


@pytest.mark.parametrize(
    ("train", "test", "result"),
    [
        ([0.1, 0.8, 1.0], [0.1, 0.2, 0.9], "grokking"),  # both thresholds themselves
        ([0.1, 0.79, 1.0], [0.1, 0.2, 0.9], "none"),  # 0.9 when training accuracy is there
        ([0.1, 0.9, 1.0], [0.1, 0.5, 0.9], "none"),
        ([0.1, 0.9, 1.0], [0.1, 0.49, 0.9], "partly"),
        ([0.1, 0.9, 1.0], [0.1, 0.21, 0.9], "partly"),
        ([0.1, 0.9, 1.0], [0.1, 0.1, 0.3], "partly"),  # it never comes
        ([0.9, 0.1, 1.0], [0.1, 0.9, 0.9], "grokking"),  # the first time counts
    ],
)
def test_grokking(train, test, result):
    assert kinds.grokking(train, test, GROKKING) == result


@pytest.mark.parametrize("train", [[0.1, 0.2], [0.1, NAN]])
def test_grokking_without_a_trained_network_is_not_tested(train):
    with pytest.raises(NotTested):
        kinds.grokking(train, [0.1, 0.9], GROKKING)


UP, DOWN, FLAT = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.2, 0.2, 0.2, 0.2]


@pytest.mark.parametrize(
    ("course", "first", "second", "final"),
    [
        ([FLAT, DOWN, FLAT, UP], 1, 3, 1),
        ([DOWN, UP, UP, UP], 0, 1, 1),
        ([UP, DOWN, DOWN, UP], None, 0, 1),  # phase I after phase II is not early
        ([FLAT, DOWN, DOWN, DOWN], 1, None, -1),
        ([FLAT, FLAT, FLAT, UP], None, 3, 1),
        ([FLAT, np.multiply(0.3, DOWN), FLAT, UP], None, 3, 1),  # too small a gradient to count
        ([np.multiply(0.3, UP), DOWN, FLAT, UP], 1, 3, 1),
        ([FLAT, FLAT, DOWN, np.multiply(0.3, UP)], 2, None, 1),
    ],
)
def test_phases(course, first, second, final):
    result = kinds.phases(course, PHASES)
    assert (result.first, result.second) == (first, second)
    assert result.final == pytest.approx(final)
    small = np.mean(course, axis=1) <= 0.1
    np.testing.assert_array_equal(np.isnan(result.correlations), small)


def test_phases_at_their_thresholds():
    exact = {**PHASES, "phase_2_rho": 0.8, "phase_1_rho": -0.8, "mean_gradient": 0.1}
    swapped = [0.1, 0.2, 0.4, 0.3]  # ρ = 0.8
    result = kinds.phases([swapped[::-1], swapped], exact)
    assert (result.first, result.second) == (0, 1)
    at_the_mean = {**exact, "mean_gradient": 0.25}  # has to be above
    assert kinds.phases([swapped[::-1], swapped], at_the_mean)[1:3] == (None, None)


def test_phases_of_nan_are_not_tested():
    with pytest.raises(NotTested):
        kinds.phases([UP, [0.1, NAN, 0.2, 0.3]], PHASES)


@pytest.mark.parametrize(
    ("share", "result"),
    [(1, "inside"), (0.8, "inside"), (0.79, "between"), (0.51, "between"), (0.5, "outside")],
)
def test_inside(share, result):
    assert kinds.inside(share, SHARE) == result


def test_inside_of_nan_is_not_tested():
    with pytest.raises(NotTested):
        kinds.inside(NAN, SHARE)


def test_verdicts_together():
    assert kinds.worst(REPRODUCED, PARTLY) == PARTLY
    assert kinds.worst(PARTLY, NOT_REPRODUCED, REPRODUCED) == NOT_REPRODUCED
    assert kinds.worst(REPRODUCED, DIVERGED) == DIVERGED
    assert kinds.worst(DIVERGED, NOT_TESTED) == NOT_TESTED
    assert kinds.each(REPRODUCED, REPRODUCED) == REPRODUCED
    assert kinds.each(NOT_REPRODUCED, NOT_REPRODUCED) == NOT_REPRODUCED
    assert kinds.each(REPRODUCED, NOT_REPRODUCED) == PARTLY
    assert kinds.each(PARTLY, NOT_REPRODUCED) == PARTLY
    with pytest.raises(NotTested):
        kinds.each()


def test_mean_and_spread():
    assert kinds.mean_spread([1, 2, 3]) == (2, 1)
    assert kinds.mean_spread([1]) == (1, None)
    assert kinds.mean_spread([INF, INF]) == (INF, 0)
    assert kinds.mean_spread([INF, 1]) == (INF, INF)
    assert kinds.format_mean([INF, 1], " %") == "∞ ± ∞ %"
    assert kinds.format_mean([-0.5, -1.5], " points") == "−1.00 ± 0.71 points"
    assert kinds.format_mean([-0.001]) == "0.00"
    for nothing in ([], [NAN, 1]):
        with pytest.raises(NotTested):
            kinds.mean_spread(nothing)


def history(losses=(2.0, 1.0, 0.5), run="a", seed=0, **swept):
    steps = [0, 10, 100]
    columns = {"step": steps, "train_loss": losses, "test_accuracy": [0.1, 0.9, 0.8]}
    return pd.DataFrame({"run": run, **swept, "seed": seed, **columns})


def identities_of(table):
    names = list(table.columns[: list(table.columns).index("seed") + 1])
    return [{"samples": 7, **i} for i in table[names].drop_duplicates().to_dict("records")]


def test_tables_give_what_is_whole_in_the_expected_order():
    complete = pd.concat([history(seed=1), history(seed=0), history(run="b"), history(seed=9)])
    expected = [{"run": "a", "seed": s, "samples": 60} for s in (0, 1)]
    expected.append({"run": "b", "seed": 0, "samples": 60})
    tables = Tables({"t": complete}, {"t": expected})
    result = tables.get("t", ["step"])
    # Seed 9 was not asked for by the configuration.
    assert list(result[["run", "seed"]].drop_duplicates().itertuples(index=False, name=None)) == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
    ]
    assert set(tables.get("t", runs=["b"])["run"]) == {"b"}
    assert "t" in tables
    assert tables.expected("other") == []


@pytest.mark.parametrize(
    ("name", "columns", "runs", "message"),
    [
        ("missing", [], None, "table missing is missing"),
        ("t", ["g"], None, "no column g"),
        ("t", [], None, "no rows of run a, seed 1"),
        ("t", [], ["a"], "no rows of run a, seed 1"),
        ("t", [], ["c"], "no rows of run c"),
        ("empty", [], None, "no rows"),
        ("free", [], ["a", "z"], "no rows of run z"),
    ],
)
def test_tables_that_are_not_whole_say_what_is_missing(name, columns, runs, message):
    expected = [{"run": "a", "seed": s} for s in (0, 1)] + [{"run": "b", "seed": 0}]
    tables = Tables(
        {"t": pd.concat([history(), history(run="b")]), "empty": history()[:0], "free": history()},
        {"t": expected},
    )
    with pytest.raises(NotTested, match=message):
        tables.get(name, columns, runs)
    # The complete part of a partial table is returned.
    assert len(tables.get("t", runs=["b"])) == 3


def test_swept_samples_are_a_runs_identity_and_other_samples_are_not():
    swept = pd.concat([history(samples=600), history(samples=6000)])
    assert len(Tables({"t": swept}, {"t": identities_of(swept)}).get("t")) == 6
    with pytest.raises(NotTested, match="samples 60"):
        Tables({"t": swept}, {"t": [{"run": "a", "samples": 60, "seed": 0}]}).get("t")
    # A quantity's own column of that name says nothing of the run.
    own = history().assign(samples=892)
    assert len(Tables({"t": own}, {"t": [{"run": "a", "seed": 0, "samples": 1000}]}).get("t")) == 3


def test_swept_values_are_found_as_nine_digits():
    table = history(learning_rate=round(1 / 3, 9))
    expected = [{"run": "a", "learning_rate": 1 / 3, "seed": 0, "samples": 5}]
    assert len(Tables({"t": table}, {"t": expected}).get("t")) == 3


def test_history_is_by_step_and_says_who_diverged_when():
    table = pd.concat([history(), history([2.0, 1.0, NAN], width=3, seed=4)]).iloc[::-1]
    table = table[["run", "width", "seed", "step", "train_loss", "test_accuracy"]]
    result = Tables({"h": table}).history("h", ["test_accuracy"])
    assert result.groupby("seed")["step"].is_monotonic_increasing.all()
    ((identity, step),) = diverged(result)
    assert (identity["seed"], identity["width"], step) == (4, 3, 100)
    with pytest.raises(Diverged, match=r"run a, width 3.*, seed 4 diverged at step 100"):
        raise_if_diverged(result)
    raise_if_diverged(result, runs=["other"])
    with pytest.raises(Diverged):
        raise_if_diverged(result, runs=["a"])


def test_last_rows_and_best_accuracies_are_per_run():
    longer = pd.concat([history(), history(seed=1)[:2]])
    assert at_last_step(longer)[["seed", "step"]].to_numpy().tolist() == [[0, 100], [1, 10]]
    assert best_accuracy(longer)["test_accuracy"].tolist() == [0.9, 0.9]
