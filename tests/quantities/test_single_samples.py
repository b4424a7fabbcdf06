"""The tables of single samples: cones, their overlaps and shapes, and the flips of samples."""

import inspect
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from netdyn.data.translation import translate
from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.measures.basins.sizes import basin_size as size_of
from netdyn.measures.basins.sizes import sample_noise_correct
from netdyn.measures.cones import basin_overlaps, cones, perturbed_samples
from netdyn.measures.principal_components import principal_components
from netdyn.measures.projections import half_sums, inside_region
from netdyn.networks.reading import logits
from netdyn.quantities import (
    adversarial,
    apexes,
    basin_size,
    cone,
    cone_overlap,
    cone_shape,
    fragile_sample,
)
from netdyn.quantities.apexes import projection_of
from netdyn.quantities.subject import Subject
from netdyn.results import runs

SEED = 3
CONE = {
    "steps": "best",
    "projection": "half_sums",
    "digits": [0, 2],
    "samples_per_class": 3,
    "shift": 1,
    "amplitudes": [0.05, 0.3, 1.0],
    "trials": 40,
    "noise_return": "range",
    "points": 40,
    "percentile": 90,
}
LISTED = {**CONE, "noise_return": ["affine", "range"]}
BASIN = {
    "steps": "best",
    "samples": 30,
    "amplitudes": {"first": 0.1, "last": 3.0, "points": 6},
    "trials": 5,
    "noise_return": "affine",
}
FRAGILE = {**BASIN, "held_out_trials": 50, "held_out_seed": 1}
APEX = ["sample", "digit", "shift"]


@pytest.fixture(scope="module", autouse=True)
def everywhere():
    """Disable the choice by the region of the data: toy images moved by a pixel lie outside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apexes, "inside_region", lambda points, *_: torch.ones(len(points)) > 0)
        yield


@pytest.fixture(scope="module")
def subject(tmp_path_factory, run_settings, train_run, toy_data):
    """A tiny trained run."""
    settings = run_settings(
        samples=60, steps=40, snapshots={"every_step_until": 0, "per_decade": 1}, seed=SEED
    )
    run = train_run(tmp_path_factory.mktemp("run"), settings)
    return Subject.open(run, toy_data, "cpu")


@pytest.fixture(scope="module")
def model(subject):
    return runs.load_model(subject.run_folder, "best")


@pytest.fixture(scope="module")
def drawn(subject):
    """The cone table with every trial in it."""
    return cone.measure(subject, CONE)


def points_of(table):
    return table[table["kind"] == "point"]


def trials_of(table):
    """Per apex and amplitude, its perturbed points (T, D) and which are kept (T,)."""
    points = points_of(table)
    groups = points[points["amplitude"] > 0].groupby([*APEX, "amplitude"], sort=False)
    return {
        key: (rows[["c1", "c2"]].to_numpy(), rows["kept"].to_numpy() == 1) for key, rows in groups
    }


# Cones --------------------------------------------------------------------------------------------


def test_apexes_are_training_samples_that_are_classified_right(subject, model, drawn):
    x, y = subject.samples("train")
    apexes = drawn[drawn["amplitude"] == 0]
    assert apexes.groupby(["digit", "shift"]).size().tolist() == [3] * 4
    assert apexes["sample"].nunique() == 6
    for row in apexes.itertuples():
        image = x[row.sample : row.sample + 1]
        assert y[row.sample] == row.digit
        assert logits(model, image).argmax() == row.digit
        moved = translate(image, row.shift, row.shift)
        assert half_sums(moved)[0].tolist() == pytest.approx([row.c1, row.c2], abs=6e-4)
        assert row.kept == 1
    assert (set(apexes["step"]), set(apexes["kind"])) == ({model_step(subject)}, {"point"})


def model_step(subject):
    return runs.select_steps(subject.run_folder, "best")[0]


def test_samples_follow_an_order_of_the_seed_and_pass_over_mistakes(subject, drawn):
    few = cone.measure(subject, {**CONE, "samples_per_class": 1})
    first = points_of(drawn).groupby("digit")["sample"].first().tolist()
    assert points_of(few).groupby("digit")["sample"].unique().explode().tolist() == first
    # Each digit has its own order: the first sample of one is not the first of the other.
    y = subject.samples("train")[1]
    places = [(y[:sample] == y[sample]).sum().item() for sample in first]
    assert places[0] != places[1]
    # Another network makes other mistakes.
    untrained = {**CONE, "steps": 0, "samples_per_class": 60}
    model, (x, y) = subject.network(0), subject.samples("train")
    right = ((logits(model, x).argmax(dim=1) == y) & (y != 1)).nonzero().flatten()
    assert 0 < len(right) < 40
    result = points_of(cone.measure(subject, untrained))["sample"].unique()
    assert sorted(result) == right.tolist()
    assert result.tolist() != sorted(result)


def test_apexes_and_their_copies_lie_within_the_datas_region(subject, model, monkeypatch):
    x, y = subject.samples("train")
    data = half_sums(x).double()
    moved = half_sums(translate(x, 1, 1)).double()
    right = logits(model, x).argmax(dim=1) == y

    def chosen(**changed):
        settings = {**CONE, "digits": [0, 1, 2], "samples_per_class": 60, **changed}
        return sorted(points_of(cone.measure(subject, settings))["sample"].unique())

    monkeypatch.setattr(apexes, "inside_region", inside_region)
    expected = (right & inside_region(data, data, 60)).nonzero().flatten().tolist()
    assert 0 < len(expected) < right.sum()
    assert chosen(shift=0, percentile=60) == expected
    # Toy images moved by a pixel lie outside the region, so a half plane replaces it.
    edge = moved[:, 0].median()
    monkeypatch.setattr(apexes, "inside_region", lambda points, *_: points[:, 0] > edge)
    expected = (right & (data[:, 0] > edge) & (moved[:, 0] > edge)).nonzero().flatten().tolist()
    assert 0 < len(expected) < (right & (data[:, 0] > edge)).sum()
    assert chosen(shift=1) == expected


def test_without_a_sample_that_is_classified_right_there_is_no_cone(subject):
    x, y = subject.samples("train")
    wrong = set(range(3)) - set(y[logits(subject.network(0), x).argmax(dim=1) == y].tolist())
    assert wrong
    with pytest.raises(NetdynError, match=r"at step 0 classifies no .* choose another step"):
        cone.measure(subject, {**CONE, "steps": 0, "digits": sorted(wrong)})


def test_points_are_the_first_trials(subject, drawn):
    few = cone.measure(subject, {**CONE, "points": 7})
    sizes = points_of(few).groupby([*APEX, "amplitude"]).size()
    assert sizes.tolist() == [1, 7, 7, 7] * 12
    every = trials_of(drawn)
    for key, (points, kept) in trials_of(few).items():
        assert np.array_equal(points, every[key][0][:7])
        assert np.array_equal(kept, every[key][1][:7])


def test_without_a_shift_there_are_no_copies_and_noise_alone_makes_points(subject, drawn):
    table = points_of(cone.measure(subject, {**CONE, "shift": 0}))
    assert set(table["shift"]) == {0}
    assert set(table["sample"]) == set(points_of(drawn)["sample"])
    with_zero = {**CONE, "amplitudes": [0.0, *CONE["amplitudes"]]}
    pd.testing.assert_frame_equal(cone.measure(subject, with_zero), drawn)


def test_the_datas_points_are_samples_of_the_digits(subject, drawn, monkeypatch):
    for split in ("train", "test"):
        x, y = subject.samples(split)
        rows = drawn[drawn["kind"] == split]
        assert rows[["step", "sample", "shift", "amplitude", "kept"]].isna().all(axis=None)
        for digit in (0, 2):
            expected = half_sums(x[y == digit]).double().numpy().round(3)
            shown = rows.loc[rows["digit"] == digit, ["c1", "c2"]].to_numpy()
            assert sorted(map(tuple, shown)) == sorted(map(tuple, expected))
    few = cone.measure(subject, {**CONE, "points": 1})
    assert few.groupby(["kind", "digit"]).size()[["train", "test"]].tolist() == [10] * 4
    monkeypatch.setattr(cone, "DATA_POINTS", 12)
    least = cone.measure(subject, CONE)
    assert least.groupby(["kind", "digit"]).size()[["train", "test"]].tolist() == [3] * 4


def test_projections_are_half_sums_or_components_of_all_training_images(subject):
    x, _ = subject.samples("train")
    table = cone.measure(subject, {**CONE, "projection": "pca", "shift": 0})
    apexes = table[table["amplitude"] == 0]
    chosen = torch.tensor(apexes["sample"].tolist())
    expected = principal_components(x, 3).transform(x[chosen].double().numpy())
    assert apexes[["c1", "c2", "c3"]].to_numpy() == pytest.approx(expected, abs=6e-4)
    halves = cone.measure(subject, CONE)
    assert halves["c3"].isna().all()
    with pytest.raises(NetdynError, match="projection 'tsne' is unknown"):
        projection_of("tsne", x)


def test_the_three_quantities_see_the_same_noise(subject, drawn):
    """Shape and overlap, computed from the table of points."""
    data = half_sums(subject.samples("train")[0])
    trials = trials_of(drawn)
    shape = cone_shape.measure(subject, LISTED).query("noise_return == 'range'")
    apexes = drawn[drawn["amplitude"] == 0].set_index(APEX)[["c1", "c2"]]
    means = {key: points.mean(axis=0) for key, (points, _) in trials.items()}
    assert len(shape) == len(trials) == 12 * 3
    for row in shape.itertuples():
        key = row.sample, row.digit, row.shift, row.amplitude
        points, kept = trials[key]
        assert row.kept == pytest.approx(kept.mean())
        spread = np.trace(np.cov(points.T, bias=True)) ** 0.5
        assert row.spread == pytest.approx(spread, abs=2e-3)
        drift = np.linalg.norm(means[key] - apexes.loc[key[:3]].to_numpy())
        assert row.drift == pytest.approx(drift, abs=2e-3)
        common = np.mean([means[other] for other in means if other[3] == row.amplitude], axis=0)
        to_common = np.linalg.norm(means[key] - common)
        assert row.distance_to_common == pytest.approx(to_common, abs=2e-3)
    overlap = cone_overlap.measure(subject, LISTED).query("noise_return == 'range'")
    for row in overlap.itertuples():
        clouds = []
        for letter in "ab":
            apex = tuple(getattr(row, f"{name}_{letter}") for name in APEX)
            parts = [
                trials[key]
                for key in trials
                if key[:3] == apex and (key[3] == row.amplitude or math.isnan(row.amplitude))
            ]
            clouds.append([np.concatenate(column) for column in zip(*parts, strict=True)])
        counted = [
            points[kept & inside_region(points, data, 90).numpy()] for points, kept in clouds
        ]
        assert row.points == min(map(len, counted))
        if row.points < 3:
            assert math.isnan(row.overlap)
            continue
        shares = [
            inside_region(counted[one], clouds[other][0][clouds[other][1]], 90).double().mean()
            for one, other in ((0, 1), (1, 0))
        ]
        # Points in the table are rounded: one on the boundary of a region may cross it.
        assert row.overlap == pytest.approx(max(shares).item(), abs=0.05)


def test_overlaps_are_those_of_the_library(subject, model):
    table = cone_overlap.measure(subject, LISTED)
    x, _ = subject.samples("train")
    data = half_sums(x)
    shape = cone_shape.measure(subject, LISTED)
    apexes = shape[APEX].drop_duplicates().to_dict("records")
    assert len(apexes) == 12
    images = torch.cat([translate(x[[a["sample"]]], a["shift"], a["shift"]) for a in apexes])
    assert set(table["noise_return"]) == {"affine", "range"}
    for returned in ("affine", "range"):
        result = cones(
            model, images, half_sums, CONE["amplitudes"], 40, SEED, noise_return=returned
        )
        within = inside_region(result.points.flatten(0, 2), data, 90).view(12, 3, 40)
        rows = table[table["noise_return"] == returned]
        for a, amplitude in enumerate([*CONE["amplitudes"], None]):
            part = (slice(None), a) if amplitude else (slice(None),)
            parts = [t[part] for t in (result.points, result.kept, within)]
            if amplitude is None:
                parts = [t.flatten(1, 2) for t in parts]
            overlaps, counts = basin_overlaps(*parts, percentile=90)
            at = rows["amplitude"].eq(amplitude) if amplitude else rows["amplitude"].isna()
            at_amplitude = rows[at].reset_index(drop=True)
            pairs = list(itertools.combinations(range(12), 2))
            assert len(at_amplitude) == len(pairs)
            for row, (i, j) in zip(at_amplitude.itertuples(), pairs, strict=True):
                for letter, s in (("a", i), ("b", j)):
                    apex = {name: getattr(row, f"{name}_{letter}") for name in APEX}
                    assert apex == apexes[s]
                expected = round(overlaps[i, j].item(), 4)
                assert row.overlap == pytest.approx(expected, nan_ok=True)
                assert row.points == min(counts[i], counts[j])
    assert table["overlap"].nunique() > 10


# Flips --------------------------------------------------------------------------------------------


def test_flips_stand_beside_basins_of_samples_that_are_right(subject):
    settings = {**BASIN, "steps": 10}
    table, model = adversarial.measure(subject, settings), subject.network(10)
    x, y = subject.samples("train", 30)
    prediction = logits(model, x).argmax(dim=1)
    assert table["sample"].tolist() == (prediction == y).nonzero().flatten().tolist()
    assert 0 < len(table) < 30
    sizes = basin_size.measure(subject, {**settings, "space": "sample", "of": ["sample"]})
    sizes = sizes.set_index("index")["size"]
    flips = deepfool(model, x)
    for row in table.itertuples():
        assert row.digit == row.prediction == y[row.sample]
        assert row.basin == pytest.approx(sizes[row.sample])
        distance = flips.distance[row.sample].item()
        assert row.flip_distance == pytest.approx(distance, nan_ok=True)
        assert pd.isna(row.flip_class) == math.isnan(distance)
        if not math.isnan(distance):
            assert row.flip_class == flips.flipped_prediction[row.sample] != row.digit
            assert 0 < row.least_flip_distance <= row.flip_distance
    assert table["basin"].nunique() > 2
    assert (table["least_flip_distance"] < table["flip_distance"]).any()


def test_without_a_flip_its_columns_are_empty(subject, monkeypatch):
    def nothing_found(model, x, **how):
        flips = deepfool(model, x)
        return flips._replace(distance=torch.full_like(flips.distance, torch.nan))

    monkeypatch.setattr(adversarial, "deepfool", nothing_found)
    table = adversarial.measure(subject, BASIN)
    distances = ["flip_distance", "flip_class", "least_flip_distance"]
    assert table[distances].isna().all(axis=None)
    monkeypatch.setattr(fragile_sample, "deepfool", nothing_found)
    fragile = fragile_sample.measure(subject, FRAGILE)
    assert {*fragile["kind"]} == {"original", "noisy", "noise", "summary"}
    assert math.isnan(summary_of(fragile)["flip_distance"])
    assert math.isnan(summary_of(fragile)["prediction_flipped"])


def summary_of(table):
    rows = table[table["kind"] == "summary"]
    assert rows["pixel"].isna().all()
    return dict(zip(rows["name"], rows["value"], strict=True))


def images_of(table):
    """Each kind's image, (N_0,)."""
    pixels = table[table["kind"] != "summary"]
    assert pixels["name"].isna().all()
    images = {}
    for kind, rows in pixels.groupby("kind"):
        assert rows["pixel"].tolist() == list(range(16))
        images[kind] = torch.tensor(rows["value"].to_numpy())
    return images


@pytest.mark.parametrize(
    ("steps", "noise_return"), [("best", "affine"), ("best", "range"), (10, "affine")]
)
def test_the_fragile_sample_has_the_smallest_basin_and_what_flips_it_flips_it(
    subject, steps, noise_return
):
    settings = {**FRAGILE, "steps": steps, "noise_return": noise_return}
    table = fragile_sample.measure(subject, settings)
    summary, images = summary_of(table), images_of(table)
    (model,) = (model for _, model in subject.each_network(steps))
    x, y = subject.samples("train", 30)
    basins = adversarial.measure(subject, settings).set_index("sample")["basin"]
    sample = int(summary["sample"])
    assert summary["basin"] == basins[sample] == basins.min()
    assert summary["digit"] == summary["prediction_original"] == y[sample]
    assert_image(images["original"], x[sample])
    assert (images["noisy"].aminmax() == (0.0, 1.0)) == (noise_return == "range")
    assert_image(images["noise"], images["noisy"] - images["original"])
    assert_image(images["perturbation"], images["flipped"] - images["original"])
    assert summary["flip_distance"] == pytest.approx(images["perturbation"].norm().item())
    for kind in ("original", "noisy", "flipped"):
        outputs = logits(model, images[kind].float().unsqueeze(0))
        assert outputs.argmax() == summary[f"prediction_{kind}"]
        assert (outputs.argmax() == y[sample]) == (kind == "original")


def assert_image(image, expected):
    torch.testing.assert_close(image.double(), expected.double(), rtol=0, atol=1e-6)


def test_held_out_noise_shows_what_it_did_not_choose(subject, model):
    fine = {**FRAGILE, "trials": 50, "amplitudes": {"first": 0.1, "last": 10.0, "points": 30}}
    one, other = (
        fragile_sample.measure(subject, {**fine, "held_out_seed": seed}) for seed in (1, 2)
    )
    same = ["sample", "digit", "basin", "flip_distance"]
    assert all(summary_of(one)[name] == summary_of(other)[name] for name in same)
    assert not torch.equal(images_of(one)["noisy"], images_of(other)["noisy"])
    # The smallest amplitude of the grid at which most trials are misclassified, by hand.
    summary, x = summary_of(one), subject.samples("train", 30)[0]
    grid = [0.0, *np.geomspace(0.1, 10.0, 30)]
    original = x[int(summary["sample"])]
    (noisy,) = perturbed_samples(original.unsqueeze(0), grid, 50, seed=1)
    shares = [(logits(model, n).argmax(dim=1) != summary["digit"]).double().mean() for n in noisy]
    a = next(a for a, share in enumerate(shares) if share > 0.5)
    assert shares[a - 1] > 0.2
    assert summary["amplitude"] == pytest.approx(grid[a])
    assert summary["held_out_flips"] == pytest.approx(shares[a].item())
    assert min((noisy[a] - images_of(one)["noisy"]).abs().amax(dim=1)) < 1e-6


def test_where_no_noise_flips_most_trials_no_noisy_image_is_shown(subject):
    table = fragile_sample.measure(subject, {**FRAGILE, "amplitudes": [0.0, 1e-6]})
    assert {*table["kind"]} == {"original", "flipped", "perturbation", "summary"}
    for name in ("amplitude", "held_out_flips", "prediction_noisy"):
        assert math.isnan(summary_of(table)[name])
    assert summary_of(table)["basin"] == math.inf


def test_a_network_that_classifies_nothing_right_has_no_fragile_sample(subject, monkeypatch):
    monkeypatch.setattr(
        fragile_sample, "single_basins", lambda *_: (torch.zeros(2), *wrong_samples(subject))
    )
    with pytest.raises(NetdynError, match="classifies none of 2 samples correctly"):
        fragile_sample.measure(subject, FRAGILE)


def wrong_samples(subject):
    x, _ = subject.samples("train", 30)
    model = runs.load_model(subject.run_folder, "best")
    return x[:2], (logits(model, x[:2]).argmax(dim=1) + 1) % 3


def test_basins_of_single_samples_are_crossings_of_their_own_curves(subject, model):
    table = adversarial.measure(subject, BASIN)
    x, y = subject.samples("train", 30)
    grid = [0.0, *np.geomspace(0.1, 3.0, 6)]
    curves = sample_noise_correct(model, x, y, grid, 5, SEED)
    for row in table.itertuples():
        assert row.basin == pytest.approx(size_of(grid, curves[:, row.sample]))


# All of them --------------------------------------------------------------------------------------

EVERY = {
    cone: CONE,
    cone_overlap: LISTED,
    cone_shape: LISTED,
    adversarial: BASIN,
    fragile_sample: FRAGILE,
}


@pytest.mark.parametrize(("quantity", "settings"), EVERY.items(), ids=lambda part: "")
def test_columns_are_described_and_measuring_changes_nothing(subject, quantity, settings):
    before = {path.name: path.read_bytes() for path in subject.run_folder.iterdir()}
    table = quantity.measure(subject, settings)
    described = inspect.getdoc(quantity.measure).partition("Returns:")[2]
    assert all(column in described for column in table)
    pd.testing.assert_frame_equal(quantity.measure(subject, settings), table)
    assert {path.name: path.read_bytes() for path in subject.run_folder.iterdir()} == before


@pytest.mark.parametrize(("quantity", "settings"), EVERY.items(), ids=lambda part: "")
def test_every_step_that_is_asked_for_is_measured(subject, quantity, settings):
    table = quantity.measure(subject, {**settings, "steps": [10, "last"]})
    assert set(table["step"].dropna()) == {10, 40}
    last = quantity.measure(subject, {**settings, "steps": "last"})
    rows = table[table["step"] == 40].reset_index(drop=True)
    expected = last[last["step"].notna()].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, expected)
