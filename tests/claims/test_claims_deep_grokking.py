"""Claims C37 to C40 and C52, from tables built to agree with the paper, and tables built not to.

Also the share of points inside regions, which C47 counts too.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from claim_judging import (
    NAN,
    SEEDS,
    assert_diverges,
    assert_reads_its_tables,
    crossed,
    history_of,
    outcome,
    verdict_of,
)
from region_tables import DIGITS, inside_before_after

from netdyn.claims.deep_grokking import CLAIMS
from netdyn.claims.panels import PANELS
from netdyn.claims.regions import share_inside
from netdyn.claims.verdicts import NOT_REPRODUCED, NOT_TESTED, PARTLY, REPRODUCED, NotTested
from netdyn.measures.projections import inside_region, region

STEPS = [0, 1, 2, 5, 10, 20, 50, 100]
TRAIN = [0.1, 0.2, 0.5, 0.7, 0.85, 0.95, 0.98, 0.99]
LATE_TEST = [0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.9, 0.95]
EARLY_TEST = [0.1, 0.2, 0.5, 0.7, 0.84, 0.93, 0.94, 0.95]
PARTING = [9.0, 1.0, 1.5, 2.0, 3.0, 2.5, 0.5, 0.1]  # falls most steeply between 20 and 50
STEADY = [9.0, 0.8, 0.5, 0.3, 0.2, 0.1, 0.1, 0.1]


def trainings(**changed):
    """Return the histories of all panels; those with a transition grok, the others do not.

    Args:
        changed: per panel's letter, columns that differ.
    """
    tables = {"deep10": [], "deep23": []}
    for letter, run in PANELS.items():
        groks = letter in "adg"
        columns = {
            "train_accuracy": TRAIN,
            "test_accuracy": LATE_TEST if groks else EARLY_TEST,
            "test_accuracy_batch_statistics": EARLY_TEST,
            "statistics_distance_1": PARTING if groks else STEADY,
            "statistics_distance_2": PARTING if groks else STEADY,
        } | changed.get(letter, {})
        tables["deep23" if letter == "g" else "deep10"].append(
            history_of(run, steps=STEPS, **columns)
        )
    return {f"{key}_history": pd.concat(parts, ignore_index=True) for key, parts in tables.items()}


def apart(distance):
    return {"statistics_distance_1": distance, "statistics_distance_2": distance}


def shares_inside(share=0.9, **of_letter):
    """Return the shares inside of ten digits; so small before the training accuracy counts.

    Args:
        of_letter: per panel's letter, share(step, digit) that differs.
    """
    parts = []
    for letter in "bcef":
        rows = crossed(PANELS[letter], step=[0, 1, 5, 20, 100], digit=range(10))
        share_of = of_letter.get(letter, lambda step, digit: share)
        rows["share"] = [
            share_of(row.step, row.digit) if row.step > 2 else 0.0 for row in rows.itertuples()
        ]
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(split="test", mode="evaluation", points=100)
    return {**trainings(), "deep10_region_share": table}


def passing():
    return {
        "C37": inside_before_after(0.3, 0.9),
        "C38": inside_before_after(0.9, 0.95, "training"),
        "C39": trainings(),
        "C40": shares_inside(),
        "C52": trainings(),
    }


OTHERS = [
    ("C37", inside_before_after(0.9, 0.9), NOT_REPRODUCED),
    ("C37", inside_before_after(0.3, 0.4), NOT_REPRODUCED),
    ("C37", inside_before_after(0.9, 0.3), NOT_REPRODUCED),
    ("C37", inside_before_after(0.6, 0.9), PARTLY),
    ("C37", inside_before_after(0.3, 0.7), PARTLY),
    ("C37", inside_before_after(0.6, 0.4), NOT_REPRODUCED),
    ("C37", inside_before_after(0.5, 0.8), REPRODUCED),  # the bounds themselves
    ("C38", inside_before_after(0.3, 0.9, "training"), NOT_REPRODUCED),
    ("C38", inside_before_after(0.9, 0.3, "training"), NOT_REPRODUCED),
    ("C38", inside_before_after(0.9, 0.6, "training"), PARTLY),
    (
        "C39",
        trainings(**{x: {"test_accuracy_batch_statistics": LATE_TEST} for x in "adg"}),
        NOT_REPRODUCED,
    ),
    ("C39", trainings(d={"test_accuracy_batch_statistics": LATE_TEST}), PARTLY),
    ("C39", trainings(b={"test_accuracy_batch_statistics": LATE_TEST}), REPRODUCED),
    ("C40", shares_inside(0.4), NOT_REPRODUCED),
    ("C40", shares_inside(0.7), PARTLY),
    ("C40", shares_inside(b=lambda step, digit: 0.4), PARTLY),
    ("C40", shares_inside(b=lambda step, digit: 0.9 if step != 20 else 0.7), PARTLY),
    # All digits together count: one may lie outside.
    ("C40", shares_inside(b=lambda step, digit: 0.3 if digit == 1 else 1.0), REPRODUCED),
    ("C52", trainings(**{x: apart(PARTING) for x in "bcef"}), NOT_REPRODUCED),
    ("C52", trainings(c=apart([9, 4, 4, 4, 3, 1, 0.1, 0.1])), NOT_REPRODUCED),
    # At step 0 and once the training accuracy is reached the distance does not count.
    ("C52", trainings(c=apart([99, 0.8, 0.5, 0.3, 0.2, 9, 9, 9])), REPRODUCED),
    (
        "C52",
        trainings(**{x: apart([9, 1, 2, 3, 4, 5, 5, 0.1]) for x in "adg"}),
        NOT_REPRODUCED,
    ),  # falls after the rise
    ("C52", trainings(a=apart([9, 1, 2, 3, 4, 5, 5, 0.1])), PARTLY),
    ("C52", trainings(a=apart([9, 1, 2, 3, 4, 5, 6, 7])), PARTLY),  # never falls
    # A fall before the largest distance is none.
    ("C52", trainings(a=apart([9, 4, 0.1, 2, 4, 4.5, 5, 3])), PARTLY),
]


@pytest.mark.parametrize("name", CLAIMS)
def test_reproduced_where_tables_show_what_the_paper_says(name):
    result = outcome(CLAIMS, name, passing()[name])
    assert result.verdict == REPRODUCED
    assert result.measured
    assert result.seen.endswith(".")
    assert "nan" not in result.measured + result.seen


@pytest.mark.parametrize("name", CLAIMS)
def test_one_seed_has_no_spread(name):
    one = {key: table[table["seed"] == 0] for key, table in passing()[name].items()}
    result = outcome(CLAIMS, name, one)
    assert result.spread is None
    assert result.verdict == REPRODUCED


@pytest.mark.parametrize(("name", "tables", "verdict"), OTHERS)
def test_verdict_where_they_show_less(name, tables, verdict):
    assert outcome(CLAIMS, name, tables).verdict == verdict


@pytest.mark.parametrize("name", CLAIMS)
def test_not_tested_unless_all_tables_are_whole(name):
    assert_reads_its_tables(CLAIMS, name, passing()[name])


@pytest.mark.parametrize("name", ["C39", "C40", "C52"])
def test_not_tested_without_one_of_the_runs(name):
    complete = passing()[name]
    for key, table in complete.items():
        for run in table["run"].unique():
            used = run in CLAIM_RUNS[name]
            less = {**complete, key: table[table["run"] != run]}
            if less[key].empty:
                continue
            expected = NOT_TESTED if used else REPRODUCED
            assert verdict_of(CLAIMS, name, less, complete) == expected, (key, run)


CLAIM_RUNS = {
    "C39": {PANELS[letter] for letter in "adg"},
    "C40": {PANELS[letter] for letter in "bcef"},
    "C52": set(PANELS.values()),
}


@pytest.mark.parametrize("name", ["C37", "C38", "C52"])
def test_a_diverged_run_is_told_as_such(name):
    assert_diverges(CLAIMS, name, passing()[name])


@pytest.mark.parametrize("name", ["C39", "C40"])
def test_a_run_that_diverged_elsewhere_does_not_matter(name):
    tables = passing()[name]
    for letter, run in PANELS.items():
        key = "deep23_history" if letter == "g" else "deep10_history"
        history = tables[key].copy()
        ends = (history["run"] == run) & (history["step"] == STEPS[-1])
        history.loc[ends, "train_loss"] = NAN
        expected = "diverged" if run in CLAIM_RUNS[name] else REPRODUCED
        assert verdict_of(CLAIMS, name, {**tables, key: history}) == expected


def test_the_shares_inside_are_told():
    result = outcome(CLAIMS, "C37", inside_before_after(0.3, 0.9))
    assert result.measured == "30 ± 0 % → 90 ± 0 %"


def test_seeds_that_disagree_make_a_claim_partly_reproduced():
    tables = inside_before_after(0.3, 0.9)
    points = tables["deep23_projection"]
    points.loc[points["seed"] == 1, "h1"] += 5.0
    assert outcome(CLAIMS, "C37", tables).verdict == PARTLY


def test_an_untrained_network_leaves_the_claims_untested():
    low = [0.1, 0.2, 0.3, 0.3, 0.4, 0.4, 0.4, 0.4]
    tables = trainings(**{letter: {"train_accuracy": low} for letter in PANELS})
    assert verdict_of(CLAIMS, "C39", tables) == NOT_TESTED
    shares = shares_inside()["deep10_region_share"]
    assert verdict_of(CLAIMS, "C40", {**tables, "deep10_region_share": shares}) == NOT_TESTED


def test_trained_from_the_first_step_on_there_is_nothing_early():
    at_once = {"train_accuracy": [0.1, 0.95, *TRAIN[2:]]}
    assert verdict_of(CLAIMS, "C52", trainings(b=at_once)) == NOT_TESTED


def test_early_ends_where_the_training_accuracy_is_first_reached():
    wavering = {"train_accuracy": [0.1, 0.2, 0.5, 0.95, 0.85, 0.95, 0.98, 0.99]}
    late_peak = apart([9, 0.8, 0.5, 0.3, 99, 0.1, 0.1, 0.1])
    assert outcome(CLAIMS, "C52", trainings(b=wavering | late_peak)).verdict == REPRODUCED


def test_distances_of_layers_are_averaged():
    # Networks of fewer layers do not have the columns of the others.
    one_layer = {"statistics_distance_1": [3 * d for d in PARTING]}
    one_layer["statistics_distance_2"] = [NAN] * len(STEPS)
    result = outcome(CLAIMS, "C52", trainings(g=one_layer))
    assert result.verdict == REPRODUCED
    mean = 3 * np.mean(PARTING[1:5])
    assert f"g {mean:.2f}" in result.seen


def test_c52_judges_the_seeds_that_every_panel_was_trained_with():
    tables = trainings(a=apart([9, 4, 0.1, 2, 4, 4.5, 5, 3]))
    history = tables["deep10_history"]
    tables["deep10_history"] = history[history["seed"] == 0]
    result = outcome(CLAIMS, "C52", tables)
    assert result.verdict == PARTLY
    assert result.spread is None
    deep = tables["deep23_history"]
    tables["deep23_history"] = deep[deep["seed"] != 0]
    assert verdict_of(CLAIMS, "C52", tables) == NOT_TESTED


def test_shares_are_told_by_digit():
    tables = inside_before_after(0.3, 0.9)
    points = tables["deep23_projection"]
    of_two = (points["digit"] == 2) & (points["moment"] == "before")
    points.loc[of_two, "h1"] = 20.0  # the centre of its region
    seen = outcome(CLAIMS, "C37", tables).seen
    assert "By digit: before 30 % (0), 100 % (2), 30 % (5); after 90 % (0)" in seen


def test_share_inside_agrees_with_the_regions_of_the_measurement():
    stream = torch.Generator().manual_seed(0)
    mixed = torch.tensor([[2.0, 0.0], [1.5, 0.3]])
    rows, regions, expected = [], [], []
    for digit in DIGITS:
        training = torch.randn(400, 2, generator=stream) @ mixed + digit
        points = 1.5 * torch.randn(150, 2, generator=stream) @ mixed + digit
        mean, covariance, radius = region(training, 95)
        columns = ["mean_h1", "mean_h2", "cov_11", "cov_12", "cov_22", "radius"]
        (a, b), (_, c) = covariance.tolist()
        regions.append(dict(zip(columns, [*mean.tolist(), a, b, c, radius], strict=True)))
        regions[-1]["digit"] = digit
        rows.append(pd.DataFrame(points, columns=["h1", "h2"]).assign(digit=digit))
        expected.append(inside_region(points, training, 95).double().mean().item())
    assert 0.5 < np.mean(expected) < 0.9
    share = share_inside(pd.concat(rows), pd.DataFrame(regions))
    assert share == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize(
    "changed",
    [
        {"cov_11": 0.0, "radius": np.inf},
        {"cov_11": 0.0},
        {"cov_22": NAN},
        {"radius": NAN},
        {"digit": 7},
    ],
)
def test_a_region_that_is_none_leaves_the_claim_untested(changed):
    tables = inside_before_after(0.3, 0.9)
    points = tables["deep23_projection"].query("moment == 'before' and seed == 0")
    regions = tables["deep23_regions"].query("moment == 'before' and seed == 0")
    assert 0 < share_inside(points, regions) < 1
    with pytest.raises(NotTested):
        share_inside(points, regions.assign(**changed))
    with pytest.raises(NotTested):
        share_inside(points, pd.concat([regions, regions]))
    with pytest.raises(NotTested):
        share_inside(points.assign(h1=NAN), regions)


def test_all_seeds_have_their_own_regions():
    tables = inside_before_after(0.3, 0.9)
    points, regions = tables["deep23_projection"], tables["deep23_regions"]
    for seed in SEEDS:  # the plane of each network is its own
        points.loc[points["seed"] == seed, "h2"] += 100 * seed
        regions.loc[regions["seed"] == seed, "mean_h2"] += 100 * seed
    assert outcome(CLAIMS, "C37", tables).verdict == REPRODUCED
