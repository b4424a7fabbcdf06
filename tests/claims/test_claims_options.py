"""What judges compute under the options of a reading, and that the frozen values change nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from basin_tables import adversarial, architecture, levelling, rates, shifted, twenty
from claim_judging import INF, NAN, ROWS, expecting, history_of, outcome
from claim_tables import altered, make_architecture, make_basins, make_deep10, make_deep23
from grokking_tables import sigmoid
from grokking_tables import tables as grokking
from region_tables import DIGITS, inside_before_after

from netdyn.claims.fitted import FITTED
from netdyn.claims.options import OPTIONS, chosen, claims_reading
from netdyn.claims.regions import share_inside, share_nearest, trimmed
from netdyn.claims.scorecard import JUDGES, outcome_of
from netdyn.claims.verdicts import NOT_REPRODUCED, REPRODUCED, VERDICTS, NotTested, Options
from netdyn.errors import NetdynError
from netdyn.results.tables import read_table

COMMITTED = Path(__file__).parents[2] / "results" / "cpu" / "reference"


def as_read(name, tables, **options):
    return outcome(JUDGES, name, tables, options=options)


# The table of options -------------------------------------------------------------------------


def test_frozen_values_change_nothing_and_claims_read_the_options_listed_for_them():
    """The committed verdicts, with every option given by its frozen value."""
    tables = expecting({path.stem: read_table(path) for path in COMMITTED.glob("tables/*.csv")})
    scorecard = read_table(COMMITTED / "claims.csv").set_index("id")
    looked_up = {name: set() for name in OPTIONS}
    for row in ROWS.values():
        options = Options({name: option.frozen for name, option in OPTIONS.items()})
        read_so = row._replace(options=options)
        found = outcome_of(JUDGES[row.id], read_so, tables, row.modes[0])
        committed = scorecard.loc[row.id]
        assert found.verdict == committed["verdict"], row.id
        # A claim that is judged in both modes has the numbers of the other after these.
        assert committed["measured"].startswith(found.measured), row.id
        assert committed["seen"].lower().startswith(found.seen.rstrip(".").lower()), row.id
        assert (found.judged is None) == (found.unjudged is None)
        for name in options.read:
            looked_up[name].add(row.id)
    assert looked_up == {name: set(claims_reading(name)) for name in OPTIONS}


@pytest.mark.parametrize(
    ("claim", "name", "value", "message"),
    [
        ("C38", "region", "circle", "must be one of ellipse, trimmed, centroid"),
        ("C36", "flip", "most", "must be one of deepfool, least"),
        ("C08", "step", "common", "cannot be common for claim C08; it can be for C17, C18, C19"),
    ],
)
def test_a_value_that_a_claim_does_not_know_is_refused_with_those_it_does(
    claim, name, value, message
):
    with pytest.raises(NetdynError, match=f"option {name} .*{message}"):
        chosen(ROWS[claim]._replace(options=Options({name: value})), name)
    with pytest.raises(NetdynError, match="option noise_return of claim C34 is 'sideways'"):
        as_read("C34", shifted(), noise_return="sideways")


def test_an_option_is_known_as_read_only_by_the_claim_that_looks_it_up():
    options = Options({"flip": "least", "region": "trimmed"})
    JUDGES["C36"](expecting(adversarial()), ROWS["C36"]._replace(options=options), "evaluation")
    assert options.read == {"flip"}


# Regions --------------------------------------------------------------------------------------
CENTRES = {0: (0.0, 0.0), 2: (6.0, 0.0), 5: (0.0, 6.0)}
SPOT = (25.0, 25.0)  # far from all digits


def planes(before, after, outliers=0.05, mode="evaluation"):
    """Return projections of three digits; of a share of training samples far away, at `SPOT`.

    Test samples lie around their digit's centre ("own"), or all in the one spot.
    """
    generator = np.random.default_rng(0)
    points, regions = [], []
    for moment, where in (("before", before), ("after", after)):
        for digit, centre in CENTRES.items():
            train = np.array(centre) + generator.standard_normal((200, 2))
            train[: round(200 * outliers)] = np.array(SPOT) + 0.5 * generator.standard_normal(
                (round(200 * outliers), 2)
            )
            at, spread = (centre, 0.3) if where == "own" else (SPOT, 0.05)
            test = np.array(at) + spread * generator.standard_normal((50, 2))
            for split, of, at in (("train", "training", train), ("test", mode, test)):
                rows = pd.DataFrame(at, columns=["h1", "h2"])
                points.append(rows.assign(moment=moment, split=split, mode=of, digit=digit))
            covariance = np.cov(train.T)
            apart = train - train.mean(axis=0)
            distances = np.sqrt(np.sum(apart @ np.linalg.inv(covariance) * apart, axis=1))
            regions.append(
                {
                    "moment": moment, "digit": digit, "mean_h1": train[:, 0].mean(),
                    "mean_h2": train[:, 1].mean(), "cov_11": covariance[0, 0],
                    "cov_12": covariance[0, 1], "cov_22": covariance[1, 1],
                    "radius": np.percentile(distances, 99),
                }
            )  # fmt: skip
    whole = {"run": "deep23", "seed": 0}
    points = pd.concat(points, ignore_index=True).assign(step=10)
    columns = [*whole, "moment", "step", "split", "mode", "digit", "h1", "h2"]
    regions = pd.DataFrame(regions).assign(step=10, split="train", mode="training")
    return {
        "deep23_history": history_of("deep23", seeds=(0,)),
        "deep23_projection": points.assign(**whole)[columns],
        "deep23_regions": regions.assign(**whole)[
            [*whole, *(column for column in regions.columns if column not in whole)]
        ],
    }


def test_outliers_blind_the_ellipse_and_not_the_other_regions():
    foreign = planes("spot", "own")
    assert as_read("C37", foreign).verdict == NOT_REPRODUCED  # inside all three at once
    for region in ("trimmed", "centroid"):
        assert as_read("C37", foreign, region=region).verdict == REPRODUCED
        for alike in (planes("spot", "spot"), planes("own", "own")):
            assert as_read("C37", alike, region=region).verdict == NOT_REPRODUCED


def test_c38_and_c47_are_judged_by_the_region_of_the_reading():
    for region in ("trimmed", "centroid"):
        inside = planes("own", "own", mode="training")
        assert as_read("C38", inside, region=region).verdict == REPRODUCED
        spot = planes("spot", "own", mode="training")
        assert as_read("C38", spot, region=region).verdict == NOT_REPRODUCED
        assert as_read("C38", spot).verdict == REPRODUCED  # blind
    tables = {
        f"grokking_{name.removeprefix('deep23_')}": table.assign(run="grokking")
        for name, table in planes("spot", "own").items()
    }
    tables["grokking_history"] = grokking()["grokking_history"]
    for name in ("projection", "regions"):
        own = tables[f"grokking_{name}"]["split"] == "train"
        tables[f"grokking_{name}"].loc[own, "mode"] = "evaluation"
    assert as_read("C47", tables).verdict == NOT_REPRODUCED
    assert as_read("C47", tables, region="trimmed").verdict == REPRODUCED


def test_a_trimmed_region_does_not_depend_on_the_planes_axes():
    projection = planes("own", "own", outliers=0)["deep23_projection"]
    train, test = (projection[projection["split"] == split] for split in ("train", "test"))
    axes = np.array([[3.0, 1.0], [-0.5, 0.2]])
    sheared = [
        rows.assign(**dict(zip(("h1", "h2"), axes @ rows[["h1", "h2"]].to_numpy().T, strict=True)))
        for rows in (train, test)
    ]
    before = train["moment"] == "before"
    shares = []
    for of_train, of_test in ((train, test), sheared):
        regions = trimmed(of_train[before])
        shares += [share_inside(of_test, regions), share_inside(of_train[before], regions)]
    assert shares[:2] == pytest.approx(shares[2:])
    assert shares[1] == pytest.approx(0.99 * 0.9, abs=0.02)
    assert shares[0] > 0.95  # test samples keep closer to the centre


def test_the_nearest_centroid_is_that_of_euclid():
    regions = pd.DataFrame({"digit": [0, 2], "mean_h1": [0.0, 4.0], "mean_h2": [0.0, 0.0]})
    points = pd.DataFrame({"h1": [1.9, 2.1, 2.1, 9.0], "h2": [5.0, 0.0, 0.0, 1.0]})
    assert share_nearest(points.assign(digit=[0, 0, 2, 2]), regions) == 0.75
    with pytest.raises(NotTested, match="digit 5 has 0 regions"):
        share_nearest(points.assign(digit=5), regions)


def test_training_samples_on_a_line_have_no_trimmed_region():
    with pytest.raises(NotTested, match="has no area"):
        as_read("C37", inside_before_after(0.3, 0.9), region="trimmed")
    assert as_read("C37", inside_before_after(0.3, 0.9)).judged == 2 * 2 * len(DIGITS) * 20


# Step -----------------------------------------------------------------------------------------


def test_numbers_may_be_those_of_the_last_step():
    tables = make_deep10()
    assert as_read("C08", tables).verdict == REPRODUCED
    fallen = altered(tables, "deep10_history", "test_accuracy", 0.99, step=20, run="deep10_sgd")
    assert as_read("C08", fallen).verdict == NOT_REPRODUCED
    assert as_read("C08", fallen, step="last").verdict == REPRODUCED


def test_depths_may_be_compared_at_the_last_step():
    tables = make_architecture()
    for claim in ("C24", "C25"):
        assert as_read(claim, tables, step="last").verdict == REPRODUCED
        flat = altered(tables, "architecture_history", "test_accuracy", 0.5, step=100)
        assert as_read(claim, flat).verdict == REPRODUCED
        assert as_read(claim, flat, step="last").verdict == NOT_REPRODUCED


def test_panels_are_compared_at_the_last_step_that_all_of_them_have():
    tables = {name: table[table["seed"] < 2] for name, table in make_deep10().items()}
    # At step 20 all layers begin at g = 1: no order of g_1. One training ends there.
    short = dict(tables)
    for name in ("deep10_history", "deep10_gradient"):
        longer = (tables[name]["run"] == "deep10_sgd_linear") & (tables[name]["step"] > 20)
        short[name] = tables[name][~longer]
    assert as_read("C18", tables, step="common").verdict == REPRODUCED
    found = as_read("C18", short, step="common")
    assert found.verdict == NOT_REPRODUCED
    assert "a g_1 1.00 ± 0.00 at 89.99" in found.seen
    at_end = as_read("C18", short, step="last")
    assert "c g_1 1.00" in at_end.seen
    assert "a g_1 0.66" in at_end.seen
    # Accuracies go with the gradients: at the last step, not at their best.
    peaked = altered(tables, "deep10_history", "test_accuracy", 0.99, step=20)
    for claim, step in (("C17", "common"), ("C18", "last"), ("C19", "common")):
        assert as_read(claim, peaked, step=step).verdict == REPRODUCED
        assert as_read(claim, peaked).verdict == NOT_REPRODUCED


# Statistics, sizes, returns, flips --------------------------------------------------------------


def test_grokking_may_be_judged_by_statistics_from_the_first_batch():
    tables = {**make_deep10(), **make_deep23()}
    for claim in ("C22", "C23"):
        assert as_read(claim, tables, statistics="first_batch").verdict == REPRODUCED
    # By the first batch's none groks; a, d and g still do by 0 and 1.
    none = dict(tables)
    for name in ("deep10_first_batch", "deep23_first_batch"):
        none = altered(none, name, "test_accuracy_first_batch", 0.9)
    assert as_read("C22", none).verdict == REPRODUCED
    assert as_read("C22", none, statistics="first_batch").verdict == NOT_REPRODUCED
    # By 0 and 1 all of b, c, e, f grok.
    running = altered(tables, "deep10_history", "test_accuracy", 0.1, step=5)
    assert as_read("C23", running).verdict == NOT_REPRODUCED
    assert as_read("C23", running, statistics="first_batch").verdict == REPRODUCED


def exponential(row):
    """Fall by the same factor from depth to depth: a line on the logarithmic axis."""
    return 10 * np.exp(-row.depth / 3) * (1 + 0.001 * row.seed)


def test_what_levels_off_may_do_so_on_the_logarithmic_axis():
    falling = architecture(weight=exponential)
    assert as_read("C29", falling).verdict == REPRODUCED
    assert as_read("C29", falling, size="logarithmic").verdict == NOT_REPRODUCED
    to_a_level = architecture(weight=lambda row: 20 + exponential(row))
    assert as_read("C29", to_a_level, size="logarithmic").verdict == REPRODUCED
    # Its logarithm levels off, it does not.
    growing = architecture(cone=lambda row: np.exp(5 - exponential(row) / 2))
    assert as_read("C28", growing).verdict == NOT_REPRODUCED
    assert as_read("C28", growing, size="logarithmic").verdict == REPRODUCED
    # No size at all has no logarithm: its growth is the steepest of all.
    from_nothing = architecture(cone=lambda row: 0.0 if row.depth == 2 else levelling(row))
    assert as_read("C28", from_nothing, size="logarithmic").verdict == NOT_REPRODUCED


def test_growth_at_the_onset_may_be_that_of_the_logarithm():
    # By 20,000 the basin has grown a hundredfold, from there on by what it then is.
    def late(step):
        return 0.01 + 0.3 * sigmoid(step, 20_000, 12) + 2.0 * sigmoid(step, 250_000, 12)

    tables = grokking(cone=late)
    assert as_read("C43", tables).verdict == NOT_REPRODUCED
    assert as_read("C43", tables, size="logarithmic").verdict == REPRODUCED
    early = grokking(
        cone=lambda step: 0.01 * (1e-4 + sigmoid(step, 600, 30)) + 0.5 * sigmoid(step, 20_000)
    )
    assert as_read("C43", early, size="logarithmic").verdict == NOT_REPRODUCED


@pytest.mark.parametrize(("claim", "make"), [("C34", shifted), ("C35", twenty)])
def test_single_basins_are_judged_under_the_return_of_the_reading(claim, make):
    names = {"range": "affine", "affine": "clip", "clip": "range"}
    tables = make()
    assert as_read(claim, tables).verdict == REPRODUCED
    assert as_read(claim, tables, noise_return="affine").verdict == NOT_REPRODUCED
    renamed = {
        name: table.assign(noise_return=table["noise_return"].map(names))
        if "noise_return" in table
        else table
        for name, table in tables.items()
    }
    found = as_read(claim, renamed, noise_return="affine")
    assert found.verdict == REPRODUCED
    assert "(clip)" in found.seen  # the other is told
    with pytest.raises(NotTested):
        as_read(claim, tables, noise_return="clip")  # not measured


def test_pairs_and_amplitudes_without_an_overlap_are_counted_as_unjudged():
    tables = shifted()
    overlaps = tables["deep23_shift_overlap"]
    overlaps.loc[overlaps["amplitude"] > 0.1, "overlap"] = NAN
    found = as_read("C34", tables)
    assert (found.judged, found.unjudged) == (2, 6)  # two seeds, one of four amplitudes each
    tables = twenty(distinct=4)
    overlaps = tables["deep23_cone_overlap"]
    overlaps.loc[overlaps["overlap"] == 0.6, "overlap"] = NAN
    found = as_read("C35", tables)
    assert (found.judged, found.unjudged) == (8, 2)
    found = as_read("C36", adversarial())
    assert (found.judged, found.unjudged) == (10, 2)


def test_flips_may_be_the_least():
    tables = adversarial()
    table = tables["deep23_adversarial"]
    assert as_read("C36", tables, flip="least").verdict == REPRODUCED
    against = {**tables, "deep23_adversarial": table.assign(least_flip_distance=-table["basin"])}
    against["deep23_adversarial"]["least_flip_distance"] = 1 / table["flip_distance"]
    assert as_read("C36", against).verdict == REPRODUCED
    assert as_read("C36", against, flip="least").verdict == NOT_REPRODUCED


# Networks that fit ------------------------------------------------------------------------------


def trained(tables, name, accuracy=1.0, **which):
    """Return the tables with training accuracies: 1, and another where columns have values."""
    history = tables[name].assign(train_accuracy=1.0)
    return altered({**tables, name: history}, name, "train_accuracy", accuracy, **which)


def test_rates_that_do_not_fit_are_left_out():
    tables = rates(weight=(4, 5, 4.5, 9))  # the largest where training fails
    assert as_read("C31", tables).verdict == NOT_REPRODUCED
    tables = trained(tables, "learning_rates_history", 0.9, learning_rate=1.0)
    assert as_read("C31", tables).verdict == NOT_REPRODUCED
    found = as_read("C31", tables, compared="fitted")
    assert found.verdict == REPRODUCED
    assert (found.judged, found.unjudged) == (3, 1)
    assert "left out, not fitted: 1" in found.seen
    # The bound itself fits.
    tables = trained(tables, "learning_rates_history", FITTED, learning_rate=1.0)
    assert as_read("C31", tables, compared="fitted").verdict == NOT_REPRODUCED
    with pytest.raises(NotTested, match="train_accuracy"):
        as_read("C31", rates(), compared="fitted")
    none = trained(rates(), "learning_rates_history", 0.5, learning_rate=[0.03, 0.1, 0.3])
    with pytest.raises(NotTested, match="1 is left"):
        as_read("C31", none, compared="fitted")


def test_the_last_training_accuracy_counts():
    tables = trained(rates(weight=(4, 5, 4.5, 9)), "learning_rates_history", 0.5, step=0)
    assert as_read("C31", tables, compared="fitted").verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("claim", "tables", "name"),
    [
        # The narrowest networks, wrong in every claim, are those that do not fit.
        (
            "C28",
            architecture(cone=lambda row: INF if row.width == 128 else levelling(row)),
            "basin",
        ),
        (
            "C30",
            architecture(sample=lambda row: 9 if row.width == 128 else levelling(row)),
            "basin",
        ),
        ("C25", make_architecture(), "test_accuracy"),
        ("C26", make_architecture(), "gradient"),
    ],
)
def test_networks_that_do_not_fit_are_left_out_of_curves(claim, tables, name):
    if name == "test_accuracy":
        tables = altered(tables, "architecture_history", name, 0.999, width=128, step=50)
    elif name == "gradient":
        tables = altered(tables, "architecture_gradient", name, 0.0, width=128)
    unfit = trained(tables, "architecture_history", 0.98, width=128)
    of_all = as_read(claim, unfit)
    found = as_read(claim, unfit, compared="fitted")
    assert VERDICTS.index(found.verdict) < VERDICTS.index(of_all.verdict)
    assert "with a training accuracy below 0.99 at the last step, are left out" in found.seen
    fit = trained(tables, "architecture_history", 1.0, width=128)
    assert as_read(claim, fit, compared="fitted") == as_read(claim, fit)


def test_a_curve_of_too_few_networks_is_not_judged():
    tables = trained(architecture(), "architecture_history", 0.5, width=[128, 256], depth=2)
    found = as_read("C30", tables, compared="fitted")
    assert found.verdict == REPRODUCED
    assert (found.judged, found.unjudged) == (6, 2)  # in two seeds three of four depths
    none = trained(architecture(), "architecture_history", 0.5)
    with pytest.raises(NotTested, match="no network reaches"):
        as_read("C30", none, compared="fitted")


def test_all_trained_networks_are_those_that_fit():
    tables = make_basins(lambda i, total: 29 * i % total)
    # Where they do not fit both basins are alike.
    for name in [name for name in tables if name.endswith("_history")]:
        tables = trained(tables, name)
    assert as_read("C53", tables, compared="fitted") == as_read("C53", tables)
    alike = make_basins(lambda i, total: i)
    for name in [name for name in alike if name.endswith("_history")]:
        alike = trained(alike, name, 0.9 if name.startswith("arch") else 1.0)
    found = as_read("C53", alike, compared="fitted")
    assert found.unjudged == 12
    assert "12 that did not fit are left out" in found.seen
    assert found.judged == as_read("C53", alike).judged - 12
