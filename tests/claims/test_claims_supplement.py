"""Claims C48 to C51, from tables built to agree with the paper, and tables built not to."""

import numpy as np
import pytest
from claim_judging import (
    INF,
    NAN,
    ROWS,
    assert_diverges,
    assert_reads_its_tables,
    crossed,
    history_of,
    outcome,
    verdict_of,
)

from netdyn.claims.supplement import CLAIMS
from netdyn.claims.verdicts import NOT_REPRODUCED, NOT_TESTED, PARTLY, REPRODUCED

STEPS = [0, 10, 100, 300, 1000, 3000, 10_000]
TRAIN = [0.1, 0.5, 0.99, 1.0, 1.0, 1.0, 1.0]
TEST = [0.1, 0.1, 0.2, 0.3, 0.4, 0.8, 0.9]
# They may rise before memorisation (step 100) and after onset (step 3000).
FIRST = [8.0, 9.0, 7.0, 6.0, 5.0, 4.0, 6.0]
SECOND = [2.0, 3.0, 2.5, 2.4, 2.3, 2.2, 2.4]
SCALES = [0.125, 0.5, 1.0, 2.0, 8.0]
WIDTHS = [128, 256, 512, 1024]


def weights(first=FIRST, second=SECOND, train=TRAIN, test=TEST):
    columns = {"train_accuracy": train, "test_accuracy": test}
    norms = {"weight_norm_1": first, "weight_norm_2": second}
    return {"grokking_history": history_of("grokking", steps=STEPS, **columns, **norms)}


def averages(run, settings, size):
    """Return average basins of size(row), and of classes ones that no claim may read."""
    table = crossed(run, settings=settings, of=["average", "class"])
    sizes = [size(row) if row.of == "average" else NAN for row in table.itertuples()]
    return table.assign(size=sizes)


def scales(sample=lambda row: row.initial_scale, weight=lambda row: 1 / row.initial_scale):
    settings = {"initial_scale": SCALES}
    return {
        "initial_scales_history": history_of("initial_scales", settings=settings),
        "initial_scales_sample_basin": averages("initial_scales", settings, sample),
        "initial_scales_weight_basin": averages("initial_scales", settings, weight),
    }


def widths(fixed=lambda row: 1.0, sample=lambda row: row.width, weight=lambda row: row.width):
    fixed_range, both = {"width": WIDTHS}, {"width": WIDTHS, "depth": [2, 6]}
    return {
        "fixed_range_history": history_of("fixed_range", settings=fixed_range),
        "fixed_range_weight_basin": averages("fixed_range", fixed_range, fixed),
        "architecture_history": history_of("architecture", settings=both),
        "architecture_sample_basin": averages("architecture", both, sample),
        "architecture_weight_basin": averages("architecture", both, weight),
    }


def translated(original=(0.5, 0.6), larger=(0.52, 0.58)):
    settings = {"translated": [False, True]}
    numbers = {False: original, True: larger}
    return {
        "translations_history": history_of("translations", settings=settings),
        "translations_sample_basin": averages(
            "translations", settings, lambda row: numbers[row.translated][row.seed]
        ),
    }


PASSING = {"C48": weights(), "C49": scales(), "C50": widths(), "C51": translated()}


def places(*sizes):
    """Return sizes by the width's place."""
    return lambda row: sizes[WIDTHS.index(row.width)]


OTHERS = [
    # Once up is not steadily down, in either layer.
    ("C48", weights(first=[8.0, 9.0, 7.0, 6.0, 6.1, 4.0, 3.0]), NOT_REPRODUCED),
    ("C48", weights(second=[2.0, 3.0, 2.5, 2.4, 2.3, 2.4, 2.2]), NOT_REPRODUCED),
    ("C48", weights(second=[2.0, 3.0, 2.5, 2.5, 2.5, 2.5, 2.5]), NOT_REPRODUCED),
    ("C48", weights(test=[0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), NOT_TESTED),  # never groks
    ("C48", weights(train=[0.1, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]), NOT_TESTED),  # never learns
    ("C48", weights(test=[0.1, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9]), NOT_TESTED),  # at once
    ("C49", scales(sample=lambda row: 1 / row.initial_scale), NOT_REPRODUCED),
    ("C49", scales(weight=lambda row: row.initial_scale), NOT_REPRODUCED),
    ("C49", scales(weight=lambda row: 1.0), NOT_REPRODUCED),
    # Never below 50 % at the smallest initial weights: the largest of all.
    ("C49", scales(weight=lambda row: INF if row.initial_scale < 1 else 1.0), REPRODUCED),
    ("C49", scales(weight=lambda row: INF if row.initial_scale > 1 else 1.0), NOT_REPRODUCED),
    # ρ = −0.6 in both seeds.
    ("C49", scales(weight=lambda row: [4, 5, 1, 3, 2][SCALES.index(row.initial_scale)]), PARTLY),
    ("C50", widths(fixed=places(4, 3, 2, 1)), REPRODUCED),  # shrinks, so does not grow
    ("C50", widths(fixed=places(1, 2, 3, 4)), NOT_REPRODUCED),
    ("C50", widths(fixed=places(1, 3, 2, INF)), NOT_REPRODUCED),
    ("C50", widths(fixed=places(2, 4, 1, 3)), REPRODUCED),  # ρ = 0
    ("C50", widths(fixed=places(2, 1, 4, 3)), NOT_REPRODUCED),  # ρ = 0.6
    ("C50", widths(weight=lambda row: 1.0), NOT_REPRODUCED),  # C30 does not hold
    ("C50", widths(sample=lambda row: 1.0), NOT_REPRODUCED),
    ("C50", widths(weight=places(2, 1, 4, 3)), PARTLY),  # C30 holds in part
    ("C51", translated(larger=(0.55, 0.66)), REPRODUCED),  # 10 %
    ("C51", translated(larger=(0.56, 0.67)), PARTLY),
    ("C51", translated(larger=(0.44, 0.44)), PARTLY),  # 20 % less
    ("C51", translated(larger=(0.6, 0.75)), NOT_REPRODUCED),
    ("C51", translated(larger=(0.3, 0.4)), NOT_REPRODUCED),
    ("C51", translated((INF, INF), (INF, INF)), REPRODUCED),
    ("C51", translated(larger=(INF, INF)), NOT_REPRODUCED),
    ("C51", translated((INF, INF)), NOT_REPRODUCED),
    ("C51", translated((0.0, 0.0)), NOT_REPRODUCED),
    ("C51", translated(larger=(NAN, 0.5)), NOT_TESTED),
]


@pytest.mark.parametrize("name", CLAIMS)
def test_reproduced_where_tables_show_what_the_paper_says(name):
    result = outcome(CLAIMS, name, PASSING[name])
    assert result.verdict == REPRODUCED
    assert result.measured
    assert result.seen.endswith(".")
    assert "nan" not in result.measured + result.seen
    assert result.spread is not None


@pytest.mark.parametrize("name", CLAIMS)
def test_one_seed_has_no_spread(name):
    one = {key: table[table["seed"] == 0] for key, table in PASSING[name].items()}
    result = outcome(CLAIMS, name, one)
    assert result.spread is None
    assert result.verdict == REPRODUCED


@pytest.mark.parametrize(("name", "tables", "verdict"), OTHERS)
def test_verdict_where_they_show_something_else(name, tables, verdict):
    assert verdict_of(CLAIMS, name, tables) == verdict


@pytest.mark.parametrize("name", CLAIMS)
def test_not_tested_unless_all_tables_are_whole(name):
    assert_reads_its_tables(CLAIMS, name, PASSING[name])


@pytest.mark.parametrize("name", CLAIMS)
def test_a_diverged_run_is_told_as_such(name):
    assert_diverges(CLAIMS, name, PASSING[name])


def test_norms_of_all_layers_are_told():
    result = outcome(CLAIMS, "C48", weights())
    start, end = np.hypot(7.0, 2.5), np.hypot(4.0, 2.2)
    assert f"from {start:.1f} to {end:.1f} between steps 100 and 3,000" in result.seen
    assert result.measured == f"norm falls by {100 * (1 - end / start):.0f} ± 0 %"


def test_norms_that_were_not_recorded_leave_the_claim_untested():
    table = weights()["grokking_history"].drop(columns=["weight_norm_1", "weight_norm_2"])
    assert verdict_of(CLAIMS, "C48", {"grokking_history": table}) == NOT_TESTED


def test_seeds_that_disagree_make_a_claim_partly_reproduced():
    table = weights()["grokking_history"]
    table.loc[(table["seed"] == 1) & (table["step"] == 1000), "weight_norm_1"] = 6.5
    assert verdict_of(CLAIMS, "C48", {"grokking_history": table}) == PARTLY


@pytest.mark.parametrize(("growing", "verdict"), [(1, PARTLY), (2, NOT_REPRODUCED)])
def test_absent_growth_counts_seeds(growing, verdict):
    seeds, settings = (0, 1, 2), {"width": WIDTHS}
    fixed = crossed("fixed_range", seeds, settings, of=["average"])
    rising = places(1, 2, 3, 4)
    fixed["size"] = [rising(row) if row.seed < growing else 1.0 for row in fixed.itertuples()]
    tables = {
        **widths(),
        "fixed_range_weight_basin": fixed,
        "fixed_range_history": history_of("fixed_range", seeds, settings),
    }
    assert verdict_of(CLAIMS, "C50", tables) == verdict


def test_the_difference_is_that_of_the_means_over_seeds():
    # One seed 30 % more, the other 30 % less.
    result = outcome(CLAIMS, "C51", translated((0.5, 0.5), (0.65, 0.35)))
    assert result.verdict == REPRODUCED
    assert result.measured == "relative difference 0.0 %"
    assert result.spread == pytest.approx(100 * 0.6 / np.sqrt(2))


def test_c50_judges_c30_by_the_same_thresholds():
    assert ROWS["C50"].thresholds.items() >= ROWS["C30"].thresholds.items()
