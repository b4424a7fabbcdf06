"""The further criteria of claims: their file, and tables that pass and fail for each."""

import copy
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from basin_tables import architecture, batches, rates, shifted, twenty
from claim_judging import CLAIMS_FILE, CRITERIA, INF, NAN, ROWS, by_criterion, history_of, outcome
from claim_tables import altered, make_architecture, make_basins, make_deep10, make_deep23, one_seed
from grokking_tables import KEPT, noisy, sigmoid, weight_size
from grokking_tables import tables as grokking

from netdyn.claims.criteria.judges import JUDGES
from netdyn.claims.rows import load_criteria
from netdyn.claims.scorecard import JUDGES as FROZEN_JUDGES
from netdyn.claims.verdicts import FROZEN, NOT_REPRODUCED, PARTLY, REPRODUCED, NotTested
from netdyn.errors import NetdynError

# The file -------------------------------------------------------------------------------------


def test_every_criterion_has_a_judge_and_says_what_it_is_for():
    assert CRITERIA.keys() == JUDGES.keys()
    for (claim, name), criterion in CRITERIA.items():
        frozen = ROWS[claim]
        assert criterion.added == "2026-11-27"
        assert len(criterion.reason) > 40
        assert len(criterion.sees) > 20
        assert criterion.claim.criterion == name != FROZEN == frozen.criterion
        assert criterion.claim.test != frozen.test
        kept = ("id", "where", "claim", "modes", "tables", "paper_value")
        assert all(getattr(criterion.claim, key) == getattr(frozen, key) for key in kept)


GOOD = {
    "id": "stricter",
    "added": "2026-11-27",
    "reason": "why",
    "sees": "what",
    "test": "how",
    "thresholds": {"points": 0.5},
}


def written(tmp_path, criteria):
    """Return a claims' file whose first claim has these criteria, the others none."""
    content = copy.deepcopy(yaml.safe_load(CLAIMS_FILE.read_text()))
    for row in content["claims"]:
        row.pop("criteria", None)
    content["claims"][0]["criteria"] = criteria
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_criterion_has_the_thresholds_of_its_kind_and_its_own(tmp_path):
    (criterion,) = load_criteria(written(tmp_path, [{**GOOD, "kind": "order"}]))
    assert criterion.claim.id == "C01"
    assert criterion.claim.kind == "order"
    assert criterion.claim.thresholds == {"spreads": 2.0, "partly_share": 0.5, "points": 0.5}
    # Of the claim's own, "samples_at_most", it has none; its kind is the claim's.
    (criterion,) = load_criteria(written(tmp_path, [GOOD]))
    assert (criterion.claim.kind, criterion.claim.thresholds) == ("own", {"points": 0.5})


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({"stricter": GOOD}, "must be a list"),
        (5, "criteria 5 must be a list"),
        (["stricter"], "'stricter' is not a criterion; it must hold id, added, reason"),
        ([{"id": "stricter"}], "criterion stricter lacks added, reason, sees, test, thresholds"),
        ([{**GOOD, "threshold": {}}], "criterion stricter has an unknown key threshold"),
        ([{**GOOD, "modes": ["training"]}], "unknown key modes"),
        ([GOOD, GOOD], "has the criterion stricter twice"),
        ([{**GOOD, "id": FROZEN}], "its id must be a word of letters, digits and _, not frozen"),
        ([{**GOOD, "id": "more strict"}], "its id must be a word"),
        ([{**GOOD, "id": 7}], "id 7 must be a text"),
        ([{**GOOD, "added": "yesterday"}], "added 'yesterday' must be a date"),
        ([{**GOOD, "added": "2026-13-01"}], "added '2026-13-01' must be a date"),
        ([{**GOOD, "reason": ""}], "reason '' must be a text"),
        ([{**GOOD, "sees": None}], "sees None must be a text"),
        ([{**GOOD, "kind": "vague"}], "kind 'vague' is none of "),
        ([{**GOOD, "thresholds": {"points": "two"}}], "points 'two' must be a number"),
        ([{**GOOD, "thresholds": [1]}], "thresholds [1] must be keys and values"),
    ],
)
def test_a_wrong_criterion_is_an_error_that_says_what(tmp_path, criteria, message):
    path = written(tmp_path, criteria)
    with pytest.raises(NetdynError, match=re.escape(message)) as caught:
        load_criteria(path)
    assert str(caught.value).startswith(f"{path}: claim C01")
    assert "\n" not in str(caught.value)


# Networks of Fig. 3 ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep():
    return {**make_deep10(), **make_deep23()}


@pytest.fixture
def course():
    """Trainings in which g_1 of b is below, and its accuracy above, at all steps once learned."""
    tables = make_deep10()
    history, gradient = tables["deep10_history"], tables["deep10_gradient"]
    best = (history["run"] == "deep10_sgd_fast") & (history["step"] > 1)
    history.loc[best, "test_accuracy"] += 0.05
    first = (gradient["run"] == "deep10_sgd_fast") & (gradient["step"] > 1)
    gradient.loc[first, "gradient"] -= 0.3
    linear = (history["run"] == "deep10_sgd_linear") & (history["step"] == 5)
    history.loc[linear, "test_accuracy"] = 0.7
    return tables


def test_c18_compares_at_all_common_steps(course):
    assert by_criterion("C18", "common_steps", course).verdict == REPRODUCED
    assert by_criterion("C18", "common_steps", course).judged == 3  # of five steps, from 5 on
    one = by_criterion("C18", "common_steps", one_seed(course))
    assert one.verdict == PARTLY  # the spread is unknown
    # Before all have learned the orders do not count.
    early = altered(course, "deep10_gradient", "gradient", 9.0, run="deep10_sgd_fast", step=[0, 1])
    assert by_criterion("C18", "common_steps", early).verdict == REPRODUCED
    for steps, expected in (([20], PARTLY), ([20, 100], NOT_REPRODUCED)):
        for name, column, value in (
            ("deep10_gradient", "gradient", 9.0), ("deep10_history", "test_accuracy", 0.1),
        ):  # fmt: skip
            spoilt = altered(course, name, column, value, run="deep10_sgd_fast", step=steps)
            assert by_criterion("C18", "common_steps", spoilt).verdict == expected
    slow = altered(course, "deep10_history", "train_accuracy", 0.7, run="deep10_sgd_linear")
    with pytest.raises(NotTested, match=r"deep10_sgd_linear, seed 0, stays below 0\.8"):
        by_criterion("C18", "common_steps", slow)


def with_last_layers_apart(deep, count):
    """Return tables in which the g_l of the last layers of seven keep apart from the others'."""
    apart = deep
    for layer in range(8 - count, 8):
        apart = altered(
            apart,
            "deep23_gradient",
            "gradient",
            1.0 + layer,
            step=100,
            layer=layer,
            **{"class": -1},
        )
    return apart


def test_c20_may_leave_out_three_layers(deep):
    for count, expected in ((1, REPRODUCED), (3, REPRODUCED), (4, NOT_REPRODUCED)):
        tables = with_last_layers_apart(deep, count)
        assert by_criterion("C20", "all_but_three", tables).verdict == expected
    assert outcome(FROZEN_JUDGES, "C20", with_last_layers_apart(deep, 3)).verdict == NOT_REPRODUCED
    no_phase = altered(deep, "deep23_gradient", "gradient", 0.5, step=[1, 5], **{"class": -1})
    assert by_criterion("C20", "all_but_three", no_phase).verdict == NOT_REPRODUCED
    few = {**deep, "deep23_gradient": deep["deep23_gradient"].query("layer < 5")}
    with pytest.raises(NotTested, match="too few to leave out 3"):
        by_criterion("C20", "all_but_three", few)


def test_c20_may_converge_over_steps(deep):
    # Of the kept steps those from 50 on are in the last half of the logarithmic axis to 2500.
    def stretched(deviation):
        tables = dict(deep)
        gradient = tables["deep23_gradient"]
        last = gradient[gradient["step"] == 100]
        late = [
            last.assign(step=step, gradient=last["gradient"] * (1 + sign * deviation))
            for step, sign in ((60, 1), (200, -1), (1000, 1), (2500, -1))
        ]
        tables["deep23_gradient"] = pd.concat([gradient, *late], ignore_index=True)
        return tables

    for deviation, expected in ((0.05, REPRODUCED), (0.2, PARTLY), (0.5, NOT_REPRODUCED)):
        found = by_criterion("C20", "over_steps", stretched(deviation))
        assert found.verdict == expected, found
    # Each layer may come to a value of its own; the last may do what it likes.
    own = stretched(0.0)
    gradient = own["deep23_gradient"]
    late = (gradient["step"] > 50) & (gradient["class"] == -1)
    gradient.loc[late, "gradient"] = gradient["layer"]
    gradient.loc[late & (gradient["layer"] == 7), "gradient"] = gradient["step"]
    assert by_criterion("C20", "over_steps", own).verdict == REPRODUCED
    assert outcome(FROZEN_JUDGES, "C20", own).verdict == NOT_REPRODUCED
    with pytest.raises(NotTested, match="too few to converge over"):
        by_criterion("C20", "over_steps", deep)


def test_c22_is_of_these_three_and_no_others(deep):
    found = by_criterion("C22", "no_others", deep)
    assert found.verdict == REPRODUCED
    assert found.judged == 21
    others = altered(deep, "deep10_history", "test_accuracy", 0.1, run="deep10_sgd_fast", step=5)
    assert by_criterion("C22", "no_others", others).verdict == PARTLY
    assert outcome(FROZEN_JUDGES, "C22", others).verdict == REPRODUCED
    none = altered(deep, "deep10_history", "test_accuracy", 0.9, step=5)
    none = altered(none, "deep23_history", "test_accuracy", 0.9, step=5)
    assert by_criterion("C22", "no_others", none).verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("claim", "name", "column", "noise"),
    [
        ("C24", "architecture_history", "test_accuracy", 0.02),
        ("C27", "architecture_gradient", "gradient", 0.5),
    ],
)
def test_an_extremum_must_stand_out_against_the_seeds(claim, name, column, noise):
    tables = make_architecture()
    found = by_criterion(claim, "pronounced", tables)
    assert (found.verdict, found.judged) == (REPRODUCED, 4)
    # With one seed nobody knows its spread.
    assert by_criterion(claim, "pronounced", one_seed(tables)).verdict == PARTLY
    # The means, and so the frozen verdict, are what they were; seeds lie far apart, one against.
    table = tables[name].copy()
    ends = table["depth"].isin([2, 12])
    table.loc[ends, column] += noise * (table.loc[ends, "seed"] - 1)
    blurred = {**tables, name: table}
    assert outcome(FROZEN_JUDGES, claim, blurred).verdict == REPRODUCED
    assert by_criterion(claim, "pronounced", blurred).verdict == PARTLY
    # If it stands out in three of four widths, that is most; in two it is not.
    for widths, expected in (([128], REPRODUCED), ([128, 256], PARTLY)):
        some = {**tables, name: tables[name].where(~tables[name]["width"].isin(widths), table)}
        assert by_criterion(claim, "pronounced", some).verdict == expected
    edge = altered(tables, name, column, 0.999 if claim == "C24" else 0.0, depth=2)
    assert by_criterion(claim, "pronounced", edge).verdict == NOT_REPRODUCED


# Basins ---------------------------------------------------------------------------------------
DEPTHS = np.array([2, 3, 4, 5, 6, 8, 10, 12])


def curve(size, spread=0.0, seed=0):
    """Return tables of the basins of four widths and three seeds, with a relative seed spread."""
    generator = np.random.default_rng(seed)
    rows = pd.DataFrame(
        [
            ("architecture", width, depth, number, "average", size(depth) * np.log(width))
            for width in (128, 256, 512, 1024) for depth in DEPTHS for number in range(3)
        ],
        columns=["run", "width", "depth", "seed", "of", "size"],
    )  # fmt: skip
    rows["size"] *= 1 + spread * generator.standard_normal(len(rows))
    settings = {"width": [128, 256, 512, 1024], "depth": list(DEPTHS)}
    history = history_of("architecture", seeds=range(3), settings=settings, steps=(10,))
    return {
        "architecture_history": history,
        "architecture_sample_basin_cone": rows,
        "architecture_sample_basin": rows,
    }


def saturating(depth):
    """Grow by three quarters of the mean over depths, and level off."""
    return 0.5 + 0.75 * (1 - np.exp(-(depth - 2) / 2))


def straight(depth):
    return 0.6 + 0.75 * (depth - 2) / 10


def test_c28_pooled_sees_growth_that_levels_off():
    assert by_criterion("C28", "pooled", curve(saturating)).verdict == REPRODUCED
    assert by_criterion("C28", "pooled", curve(saturating)).judged == 96
    for size in (straight, lambda depth: 1.0, lambda depth: 2.0 - saturating(depth)):
        assert by_criterion("C28", "pooled", curve(size)).verdict == NOT_REPRODUCED
    with pytest.raises(NotTested, match="not finite"):
        by_criterion("C28", "pooled", curve(lambda depth: INF if depth == 12 else 1.0))


def test_c28_pooled_has_the_power_that_the_frozen_criterion_lacks():
    """With the seed spread seen at scale cpu, 20 % of the size at a growth of 75 % of it."""
    passed = {"saturating": 0, "straight": 0, "frozen": 0}
    times = 12
    for seed in range(times):
        levels = curve(saturating, 0.2, seed)
        passed["saturating"] += by_criterion("C28", "pooled", levels).verdict == REPRODUCED
        grows = curve(straight, 0.2, seed)
        passed["straight"] += by_criterion("C28", "pooled", grows).verdict == REPRODUCED
        if seed < 3:
            passed["frozen"] += outcome(FROZEN_JUDGES, "C28", levels).verdict == REPRODUCED
    assert passed["frozen"] == 0
    assert passed["saturating"] >= 0.75 * times
    assert passed["straight"] <= 0.25 * times


@pytest.mark.parametrize(("claim", "make"), [("C31", rates), ("C32", batches)])
def test_both_basins_have_grown_up_to_the_best_setting(claim, make):
    assert by_criterion(claim, "grown_up_to_best", make(weight=(1, 2, 3, 9))).verdict == REPRODUCED
    assert outcome(FROZEN_JUDGES, claim, make(weight=(1, 2, 3, 9))).verdict == NOT_REPRODUCED
    for shrunk in ({"weight": (5, 3, 4, 1)}, {"sample": (1, 2, 1.5, 3)}, {"sample": (1, 1, 1, 1)}):
        tables = make(**{"weight": (1, 2, 3, 4), **shrunk})
        assert by_criterion(claim, "grown_up_to_best", tables).verdict == NOT_REPRODUCED
    # What comes after the best does not count.
    with pytest.raises(NotTested, match="best at the first"):
        by_criterion(claim, "grown_up_to_best", make(accuracies=(0.99, 0.9, 0.8, 0.7)))


def at_each(overlaps):
    tables = shifted()
    table = tables["deep23_shift_overlap"]
    own = table["noise_return"] == "range"
    table.loc[own, "overlap"] = table["amplitude"].map(overlaps)
    return tables


def test_c34_is_judged_amplitude_by_amplitude():
    apart = {0.1: 0.0, 0.2: 0.05, 0.4: 0.1, 0.8: 0.0}
    found = by_criterion("C34", "each_amplitude", at_each(apart))
    assert (found.verdict, found.judged, found.unjudged) == (REPRODUCED, 8, 0)
    together = at_each({**apart, 0.8: 0.2})
    assert by_criterion("C34", "each_amplitude", together).verdict == NOT_REPRODUCED
    half = at_each({**apart, 0.4: NAN, 0.8: NAN})
    found = by_criterion("C34", "each_amplitude", half)
    assert (found.verdict, found.judged, found.unjudged) == (REPRODUCED, 4, 4)
    with pytest.raises(NotTested, match="at 2 of 8 amplitudes"):
        by_criterion("C34", "each_amplitude", at_each({0.1: 0.0}))
    disc = {
        **at_each(apart),
        "deep23_shift_shape": shifted(shape=lambda a: (a, 0.0))["deep23_shift_shape"],
    }
    assert by_criterion("C34", "each_amplitude", disc).verdict == NOT_REPRODUCED
    # Under another return it is that one's overlaps that count.
    affine = by_criterion("C34", "each_amplitude", at_each(apart), {"noise_return": "affine"})
    assert affine.verdict == NOT_REPRODUCED


def test_c35_counts_pairs_that_cannot_be_judged_as_not_distinct():
    tables = twenty(distinct=5)
    assert by_criterion("C35", "all_pairs", tables).verdict == REPRODUCED
    overlaps = tables["deep23_cone_overlap"]
    for sample, expected in ((0, REPRODUCED), (1, NOT_REPRODUCED)):  # four, then three of five
        lost = overlaps["amplitude"].isna() & (overlaps["sample_a"] == sample)
        overlaps.loc[lost, "overlap"] = NAN
        found = by_criterion("C35", "all_pairs", tables)
        assert (found.verdict, found.judged) == (expected, 10)
        assert outcome(FROZEN_JUDGES, "C35", tables).verdict == REPRODUCED


def alike_in(sweeps):
    """Return basins that rank networks independently, but alike within some sweeps."""
    tables = make_basins(lambda i, total: 29 * i % total)
    for name in sweeps:
        sample = "class_basin_affine" if name == "deep23" else "sample_basin"
        tables[f"{name}_weight_basin"] = tables[f"{name}_{sample}"].copy()
    return tables


def test_c53_is_judged_within_sweeps():
    independent = alike_in([])
    found = by_criterion("C53", "within_sweeps", independent)
    assert found.verdict == REPRODUCED
    assert (found.judged, found.unjudged) == (12, 39)  # one sweep has ten networks
    within = alike_in(["architecture"])
    assert outcome(FROZEN_JUDGES, "C53", within).verdict == REPRODUCED
    assert by_criterion("C53", "within_sweeps", within).verdict == NOT_REPRODUCED
    tables = make_basins(lambda i, total: i)
    assert by_criterion("C53", "within_sweeps", tables).verdict == NOT_REPRODUCED


def test_c53_may_hang_on_one_sweep():
    assert by_criterion("C53", "without_a_sweep", alike_in([])).verdict == REPRODUCED
    # Of 45 networks those of one sweep rank the other way round.
    hanging = make_basins(lambda i, total: -3 * total * (12 - i) if i < 12 else i)
    tables = {**hanging}
    reversed_ranks = make_basins(lambda i, total: 5 * total - i if i < 12 else i)
    tables["architecture_weight_basin"] = reversed_ranks["architecture_weight_basin"]
    frozen = outcome(FROZEN_JUDGES, "C53", tables)
    assert frozen.verdict == REPRODUCED, frozen
    found = by_criterion("C53", "without_a_sweep", tables)
    assert found.verdict in (PARTLY, NOT_REPRODUCED)
    assert "1.00 without architecture" in found.seen


# The shallow network that groks -----------------------------------------------------------------


def test_c42_needs_a_decline():
    def declining(step, amplitude):
        late = max(0.0, np.log10(max(step, 1) / 100_000))
        return noisy(step, amplitude) - (0.1 * late if amplitude == 0.3 else 0.0)

    assert by_criterion("C42", "declines", grokking(noisy=declining)).verdict == REPRODUCED
    # Never learned is not declined, though the frozen test takes it for that.
    never = grokking(noisy=lambda step, a: noisy(step, min(a, 0.05)) * (0.8 if a > 0.05 else 1))
    assert outcome(FROZEN_JUDGES, "C42", never).verdict == REPRODUCED
    assert by_criterion("C42", "declines", never).verdict == NOT_REPRODUCED
    nothing = grokking(noisy=lambda step, a: 0.5 * noisy(step, a))
    assert by_criterion("C42", "declines", nothing).verdict == NOT_REPRODUCED
    with pytest.raises(NotTested, match=r"no amplitude above 0\.3"):
        by_criterion("C42", "declines", grokking(noisy=lambda step, a: noisy(step, 0.0)))
    # One seed declines by far more than the other: the spread is as large as the decline.
    tables = grokking(noisy=declining)
    noise = tables["grokking_noise"]
    last = (noise["step"] == KEPT[-1]) & (noise["seed"] == 1) & (noise["of"] == "average")
    noise.loc[last, "accuracy"] = 0.0
    assert by_criterion("C42", "declines", tables).verdict == PARTLY
    noise.loc[last, "accuracy"] = 1.0  # none at all in one of two seeds
    assert by_criterion("C42", "declines", tables).verdict == NOT_REPRODUCED
    one = {name: table[table["seed"] == 0] for name, table in grokking(noisy=declining).items()}
    assert by_criterion("C42", "declines", one).verdict == PARTLY


def test_c43_sees_a_jump_whatever_the_sizes():
    def jumping(step):
        return 5e-4 * (1 + 30 * sigmoid(step, 20_000, 12))

    jumps = grokking(cone=jumping, weight=lambda step: 100 * jumping(step))
    assert outcome(FROZEN_JUDGES, "C43", jumps).verdict == NOT_REPRODUCED  # too small
    assert by_criterion("C43", "jump", jumps).verdict == REPRODUCED
    # Basins that form from nothing while the set is learned do not count.
    formed = grokking(
        cone=lambda step: jumping(step) * (1e-6 + sigmoid(step, 300, 30)), weight=jumping
    )
    assert by_criterion("C43", "jump", formed).verdict == REPRODUCED
    for late in (
        {"cone": lambda step: 0.01 + sigmoid(step, 200_000, 12)},
        {"weight": lambda step: 1.0},
    ):
        tables = grokking(**{"cone": jumping, "weight": jumping, **late})
        assert by_criterion("C43", "jump", tables).verdict == NOT_REPRODUCED


def test_c46_is_judged_from_the_largest_weight_basin_on():
    def weight(step):
        """Grow smoothly to 150,000, then shrink to and fro."""
        return weight_size(step) if step > 150_000 else 0.05 + 1.2 * sigmoid(step, 20_000)

    tables = grokking(weight=weight)
    assert by_criterion("C46", "from_the_maximum", tables).verdict == REPRODUCED
    growing = grokking(weight=weight, affine=lambda step: 1 / (1 + step))
    assert by_criterion("C46", "from_the_maximum", growing).verdict == NOT_REPRODUCED
    smooth = grokking(
        weight=lambda step: weight(step) if step < 100_000 else 1.3 - 0.2 * np.log10(step / 100_000)
    )
    assert by_criterion("C46", "from_the_maximum", smooth).verdict == NOT_REPRODUCED
    with pytest.raises(NotTested, match="too few for a fluctuation"):
        by_criterion("C46", "from_the_maximum", grokking(weight=lambda step: 0.01 + step))


def test_tables_that_are_missing_leave_a_criterion_untested():
    for (claim, criterion), tables in {
        ("C28", "pooled"): architecture(),
        ("C34", "each_amplitude"): shifted(),
        ("C43", "jump"): grokking(),
        ("C46", "from_the_maximum"): grokking(),
    }.items():
        for name in [
            name for name in ROWS[claim].tables if "sample_basin" in name or "shift" in name
        ][:1]:
            rest = {other: tables[other] for other in tables if other != name}
            with pytest.raises(NotTested, match=f"table {name} is missing"):
                by_criterion(claim, criterion, rest)
