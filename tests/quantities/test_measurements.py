"""The table of every quantity: its columns, and its numbers against the library's."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.measures.basins.sizes import (
    basin_error,
    basin_size,
    sample_noise_correct,
    weight_noise_correct,
)
from netdyn.measures.projections import bottleneck, inside_region
from netdyn.measures.ranks.errors import gradient_errors
from netdyn.measures.ranks.rpd import rank_probability as densities
from netdyn.measures.ranks.rpd import rpd_gradient as gradients
from netdyn.networks.lmap import linear_map
from netdyn.networks.reading import local_fields, logits, read
from netdyn.quantities import basin_size as basin_size_table
from netdyn.quantities import (
    noise_accuracy,
    perturbed,
    projection,
    pruning,
    rank_probability,
    region,
    rpd_gradient,
)
from netdyn.quantities.subject import Subject, in_mode
from netdyn.results import runs

GRID = [0.0, 0.3, 1.0, 3.0]


@pytest.fixture(scope="module")
def subject(tmp_path_factory, run_settings, train_run, toy_data):
    """A tiny trained run with batch norm."""
    settings = run_settings(
        samples=60, steps=20, snapshots={"every_step_until": 0, "per_decade": 1}, seed=3
    )
    run = train_run(tmp_path_factory.mktemp("with"), settings)
    return Subject.open(run, toy_data, "cpu")


@pytest.fixture(scope="module")
def plain(tmp_path_factory, run_settings, train_run, toy_data):
    """A tiny trained run without batch norm, in float64."""
    settings = run_settings(batch_norm=False, precision="float64", activation="tanh", steps=20)
    run = train_run(tmp_path_factory.mktemp("without"), settings)
    return Subject.open(run, toy_data, "cpu")


@pytest.fixture(scope="module")
def model(subject):
    return runs.load_model(subject.run_folder, "last")


@pytest.fixture(scope="module")
def training_set(subject, toy_data):
    """The run's 60 training samples, from the prepared file."""
    loaded = prepared.load(toy_data)
    chosen = prepared.subset(loaded.train_labels, 60, seed=3)
    return loaded.train_images[chosen].float() / 255, loaded.train_labels[chosen]


def accuracy(network, x, y):
    return np.mean(logits(network, x).argmax(dim=1).numpy() == y.numpy())


# The subject --------------------------------------------------------------------------------------


def test_a_subject_has_the_runs_samples_and_networks(subject, training_set, toy_data, plain):
    x, y = subject.samples("train")
    assert torch.equal(x, training_set[0])
    assert torch.equal(y, training_set[1])
    loaded = prepared.load(toy_data)
    test_x, test_y = subject.samples("test")
    assert torch.equal(test_x, loaded.test_images.float() / 255)
    assert torch.equal(test_y, loaded.test_labels)
    steps = [step for step, _ in subject.each_network("all")]
    assert steps == runs.load_manifest(subject.run_folder)["steps"]
    kept, given = runs.load_model(subject.run_folder, 10), subject.network(10)
    torch.testing.assert_close(given.model.state_dict(), kept.state_dict(), rtol=0, atol=0)
    # Measured in float32, whatever the precision of the training.
    assert plain.network(10).dtype == torch.float32
    assert runs.load_model(plain.run_folder, 10).linear1.weight.dtype == torch.float64


def test_fewer_samples_are_a_stratified_subset_and_more_are_all(subject, training_set):
    x, y = subject.samples("train", 12)
    chosen = prepared.subset(training_set[1], 12, seed=3)
    assert torch.equal(x, training_set[0][chosen])
    assert y.bincount().tolist() == [4, 4, 4]
    assert len(subject.samples("train", 1000)[1]) == 60


def test_modes_are_the_running_statistics_or_the_batches_own(model, training_set, subject, plain):
    x, _ = training_set
    network = read(model)
    assert in_mode(network, x, "evaluation") is network
    ours = in_mode(network, x, "training").logits(x)
    expected = runs.load_model(subject.run_folder, "last").train()(x)
    torch.testing.assert_close(ours, expected.detach())
    assert not torch.allclose(ours, logits(model, x))
    assert subject.modes(["evaluation", "training"]) == ["evaluation", "training"]
    assert plain.modes(["training"]) == ["evaluation"]
    with pytest.raises(NetdynError, match="mode 'eval': choose evaluation or training"):
        in_mode(network, x, "eval")


def test_a_run_is_not_measured_on_another_data_set(subject, tmp_path, arrays):
    path, shapes = tmp_path / "file", {name: array.shape for name, array in arrays.items()}
    prepared.write(path, shapes, arrays.values(), {"dataset": "toy_translated17", "classes": "3"})
    with pytest.raises(NetdynError, match=r"file is not the data set that .* was trained on"):
        Subject.open(subject.run_folder, path, "cpu")


def test_what_mps_cannot_compute_is_measured_on_the_processor(subject, toy_data, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert Subject.open(subject.run_folder, toy_data, "mps").device.type == "cpu"


# RPDs ---------------------------------------------------------------------------------------------

RANKS = {"steps": [0, "last"], "samples": "all", "modes": ["evaluation", "training"]}


def test_gradients_are_means_over_neurons_and_classes(subject, training_set):
    table = rpd_gradient.measure(subject, RANKS)
    assert list(table) == ["step", "mode", "layer", "samples_measured", "class", "gradient"]
    assert len(table) == 2 * 2 * 2 * (1 + 3)
    assert set(table["step"]) == {0, 20}
    assert set(table["samples_measured"]) == {60}
    x, y = training_set
    signs = []
    for step, mode in itertools.product([0, 20], ["evaluation", "training"]):
        model = runs.load_model(subject.run_folder, step)
        network = read(model).with_batch_statistics(x) if mode == "training" else model
        for layer, field in enumerate(local_fields(network, x), 1):
            signs.append(linear_map(network, layer)[0].sign())
            expected = gradients(field, y, signs[-1])  # (K, N)
            rows = table[(table["step"] == step) & (table["mode"] == mode)]
            result = rows[rows["layer"] == layer].set_index("class")["gradient"]
            assert result.index.tolist() == [-1, 0, 1, 2]
            assert result[-1] == pytest.approx(expected.mean().item(), rel=1e-5, abs=1e-6)
            assert result[[0, 1, 2]].tolist() == pytest.approx(
                expected.mean(dim=1).tolist(), rel=1e-5
            )
    assert not torch.equal(signs[0], signs[2])  # the mode decides on the L-map, too
    by_mode = table.set_index(["mode", "step", "layer", "class"])["gradient"]
    assert (by_mode["evaluation"] != by_mode["training"]).any()


def test_densities_have_mean_one_and_the_layers_is_the_mean_over_classes(
    subject, model, training_set
):
    settings = {**RANKS, "steps": "last", "modes": ["evaluation"], "bins": 7, "classes": True}
    table = rank_probability.measure(subject, settings)
    assert list(table) == ["step", "mode", "layer", "samples_measured", "class", "r", "density"]
    assert len(table) == 2 * (1 + 3) * 7
    x, y = training_set
    for layer, field in enumerate(local_fields(model, x), 1):
        expected = densities(field, y, linear_map(model, layer)[0], 7)
        rows = table[table["layer"] == layer]
        curves = rows.pivot_table(index="class", columns="r", values="density")
        assert curves.columns.to_numpy() == pytest.approx((np.arange(7) + 0.5) / 7)
        assert curves.loc[[0, 1, 2]].to_numpy() == pytest.approx(expected.numpy())
        assert curves.loc[-1].to_numpy() == pytest.approx(expected.mean(dim=0).numpy())
        assert curves.mean(axis=1).to_numpy() == pytest.approx(np.ones(4))
        assert curves.loc[-1, curves.columns[0]] > curves.loc[-1, curves.columns[-1]]
    assert set(rank_probability.measure(subject, {**settings, "classes": False})["class"]) == {-1}


def test_gradients_of_classes_are_left_out_where_settings_say_so(subject):
    complete = rpd_gradient.measure(subject, RANKS)
    few = rpd_gradient.measure(subject, {**RANKS, "classes": False})
    expected = complete[complete["class"] == -1].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, expected)


def test_gradients_have_their_errors_where_settings_ask_for_them(subject, training_set):
    x, y = training_set
    plain = rpd_gradient.measure(subject, RANKS)
    table = rpd_gradient.measure(subject, {**RANKS, "errors": True})
    pd.testing.assert_frame_equal(table.drop(columns="error"), plain)
    pd.testing.assert_frame_equal(rpd_gradient.measure(subject, {**RANKS, "errors": False}), plain)
    model = runs.load_model(subject.run_folder, 20)
    rows = table.query("step == 20 and mode == 'evaluation' and layer == 2").set_index("class")
    field, signs = local_fields(model, x)[1], linear_map(model, 2)[0].sign()
    expected = gradient_errors(field, y, signs)
    assert rows["error"][-1] == pytest.approx(expected.error)
    assert rows["error"][[0, 1, 2]].tolist() == pytest.approx(expected.errors.tolist())
    assert rows["gradient"][-1] == pytest.approx(expected.mean, abs=1e-6)
    few = rpd_gradient.measure(subject, {**RANKS, "classes": False, "errors": True})
    assert few["error"].tolist() == table[table["class"] == -1]["error"].tolist()


def test_fewer_samples_are_ranked_where_settings_say_so(subject):
    settings = {**RANKS, "samples": 12, "modes": ["evaluation"]}
    table = rpd_gradient.measure(subject, settings)
    assert set(table["samples_measured"]) == {12}
    mixed = rpd_gradient.measure(subject, {**settings, "all_samples_at": ["last"]})
    assert set(mixed.query("step == 0")["samples_measured"]) == {12}
    assert set(mixed.query("step == 20")["samples_measured"]) == {60}
    complete = rpd_gradient.measure(subject, {**RANKS, "modes": ["evaluation"]})
    expected = pd.concat(
        [table.query("step == 0"), complete.query("step == 20")], ignore_index=True
    )
    pd.testing.assert_frame_equal(mixed, expected)


def test_without_batch_norm_there_is_only_evaluation_mode(plain):
    for modes in (["evaluation", "training"], ["training"]):
        table = rpd_gradient.measure(plain, {**RANKS, "modes": modes})
        assert set(table["mode"]) == {"evaluation"}
        assert len(table) == 2 * 2 * (1 + 3)


@pytest.mark.parametrize("mode", ["evaluation", "training"])
@pytest.mark.parametrize("count", [6, 12])
def test_signs_are_those_of_the_mean_jacobian_where_settings_say_so(
    subject, training_set, mode, count
):
    settings = {**RANKS, "modes": [mode], "signs": "jacobian", "sign_samples": count}
    table = rpd_gradient.measure(subject, settings).set_index(["step", "layer", "class"])
    x, y = training_set
    averaged, _ = subject.samples("train", count)
    for step in (0, 20):
        network = in_mode(subject.network(step), x, mode)
        for layer, field in enumerate(network.local_fields(x), 1):
            # Backwards through the network, sample by sample.
            jacobian = sum(one_jacobian(network, sample, layer) for sample in averaged)
            expected = gradients(field, y, jacobian.sign()).mean(dim=1)
            result = table["gradient"][step, layer]
            assert result[[0, 1, 2]].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
            assert result[-1] == pytest.approx(expected.mean().item(), rel=1e-5, abs=1e-6)


def one_jacobian(network, sample, layer):
    """Of the logits by x^(layer), at one sample, by PyTorch: (K, N_l)."""
    activation = network.local_fields(sample.unsqueeze(0))[layer - 1].relu().detach()
    tail = torch.nn.Sequential(
        *(module for part in network.layers[layer:] for module in part if module is not None)
    ).eval()
    activation.requires_grad_()
    outputs = tail(activation)[0]  # (K,)
    return torch.stack(
        [torch.autograd.grad(f, activation, retain_graph=True)[0][0] for f in outputs]
    )


def test_the_last_hidden_layer_and_linear_networks_have_the_l_maps_signs(
    tmp_path, run_settings, train_run, toy_data, subject
):
    settings = {**RANKS, "signs": "jacobian", "sign_samples": "all"}
    by_map, by_jacobian = (rpd_gradient.measure(subject, s) for s in (RANKS, settings))
    pd.testing.assert_frame_equal(
        by_jacobian.query("layer == 2"), by_map.query("layer == 2"), check_exact=True
    )
    first = [table.query("layer == 1")["gradient"].to_numpy() for table in (by_jacobian, by_map)]
    assert np.abs(first[0] - first[1]).max() > 0.01
    linear = run_settings(activation="identity", steps=2)
    subject = Subject.open(train_run(tmp_path, linear), toy_data, "cpu")
    pd.testing.assert_frame_equal(
        *(rpd_gradient.measure(subject, {**s, "steps": "last"}) for s in (settings, RANKS))
    )


# Pruning ------------------------------------------------------------------------------------------


def test_pruning_runs_from_the_l_map_to_the_full_network(subject, model, training_set):
    settings = {"steps": "all", "start_layers": "all", "splits": ["train", "test"]}
    table = pruning.measure(subject, settings)
    assert list(table) == ["step", "split", "start_layer", "accuracy", "full_accuracy"]
    assert len(table) == len(runs.select_steps(subject.run_folder, "all")) * 2 * 3
    last = table[table["start_layer"] == 3]
    assert (last["accuracy"] == last["full_accuracy"]).all()
    for split in ("train", "test"):
        x, y = training_set if split == "train" else subject.samples("test")
        rows = table.query("step == 20 and split == @split").set_index("start_layer")
        assert rows["full_accuracy"].tolist() == [accuracy(model, x, y)] * 3
        weight, bias = linear_map(model, 0)
        affine = np.mean((x @ weight.T + bias).argmax(dim=1).numpy() == y.numpy())
        assert rows["accuracy"][1] == affine
        weight, bias = linear_map(model, 1)
        first = local_fields(model, x)[0].relu() @ weight.T + bias
        assert rows["accuracy"][2] == np.mean(first.argmax(dim=1).numpy() == y.numpy())
    assert (table["accuracy"] != table["full_accuracy"]).any()
    few = pruning.measure(subject, {**settings, "start_layers": [1], "splits": ["test"]})
    pd.testing.assert_frame_equal(
        few, table.query("split == 'test' and start_layer == 1").reset_index(drop=True)
    )


# Basins -------------------------------------------------------------------------------------------


def noise(space, **changed):
    settings = {
        "steps": "last",
        "space": space,
        "amplitudes": GRID,
        "trials": 3,
        "samples": "all",
        "of": ["average", "class", "sample"],
    }
    return settings | changed


@pytest.fixture(scope="module")
def correct(model, training_set):
    """Straight from the library: the table of shares (A, P) in each space."""
    x, y = training_set
    return {
        "sample": sample_noise_correct(model, x, y, GRID, 3, seed=3),
        "weight": weight_noise_correct(model, x, y, GRID, 3, seed=3),
    }


@pytest.mark.parametrize("space", ["sample", "weight"])
def test_noise_accuracy_is_the_mean_of_the_shares(subject, model, training_set, correct, space):
    table = noise_accuracy.measure(subject, noise(space))
    assert list(table) == ["step", "space", "of", "index", "amplitude", "accuracy"]
    assert len(table) == len(GRID) * (1 + 3 + 60)
    assert (set(table["step"]), set(table["space"])) == ({20}, {space})
    x, y = training_set
    curves = table.set_index(["of", "index", "amplitude"])["accuracy"]
    shares = correct[space].double().numpy()
    assert curves["average", -1].tolist() == pytest.approx(shares.mean(axis=1).tolist())
    for k in range(3):
        expected = shares[:, y.numpy() == k].mean(axis=1)
        assert curves["class", k].tolist() == pytest.approx(expected.tolist())
    for sample in (0, 17, 59):
        assert curves["sample", sample].tolist() == shares[:, sample].tolist()
    assert curves["average", -1, 0.0] == pytest.approx(accuracy(model, x, y))
    assert curves["average", -1, 0.0] > curves["average", -1, 3.0]


@pytest.mark.parametrize("space", ["sample", "weight"])
def test_basin_sizes_are_those_of_the_curves(subject, training_set, correct, space):
    table = basin_size_table.measure(subject, noise(space))
    assert list(table) == [
        "step", "space", "of", "index", "size", "size_error", "clean_accuracy",
    ]  # fmt: skip
    assert len(table) == 1 + 3 + 60
    curves = noise_accuracy.measure(subject, noise(space)).groupby(["of", "index"], sort=False)
    assert [*table[["of", "index"]].itertuples(index=False, name=None)] == [*curves.groups]
    for row, (_, curve) in zip(table.itertuples(), curves, strict=True):
        expected = basin_size(GRID, curve["accuracy"].tolist())
        assert table["size"][row.Index] == pytest.approx(expected)
        assert row.clean_accuracy == curve["accuracy"].iloc[0]
    average = table.iloc[0]
    assert 0 < average["size"] < math.inf
    expected = basin_error(GRID, correct[space], 3)
    assert average["size_error"] == pytest.approx(expected, nan_ok=True)
    assert table.query("of == 'sample'")["size_error"].isna().all()


def test_steps_seeds_and_groups_are_those_asked_for(subject, plain):
    table = noise_accuracy.measure(subject, noise("sample", steps=[0, "best"], of=["class"]))
    assert set(table["of"]) == {"class"}
    assert set(table["step"]) == {0, *runs.select_steps(subject.run_folder, "best")}
    # The noise is drawn by the seed of the run.
    model, (x, y) = plain.network(20), plain.samples("train")
    expected = sample_noise_correct(model, x, y, GRID, 3, seed=0).mean(dim=1)
    average = noise_accuracy.measure(plain, noise("sample", of=["average"]))
    assert average["accuracy"].tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("noise_return", ["affine", "clip", "range"])
def test_noise_returns_as_the_settings_say(subject, model, training_set, noise_return):
    x, y = training_set
    settings = noise("sample", noise_return=noise_return, of=["average"], amplitudes=[0.0, 0.6])
    table = noise_accuracy.measure(subject, settings)
    expected = sample_noise_correct(model, x, y, [0.0, 0.6], 3, seed=3, noise_return=noise_return)
    assert table["accuracy"].tolist() == pytest.approx(expected.mean(dim=1).tolist())


@pytest.mark.parametrize("standardization", ["row", "all"])
def test_weights_are_standardised_as_the_settings_say(
    subject, model, training_set, correct, standardization
):
    x, y = training_set
    settings = noise("weight", standardization=standardization, of=["average"])
    expected = weight_noise_correct(model, x, y, GRID, 3, 3, standardization)
    assert not torch.equal(expected, correct["weight"])
    table = noise_accuracy.measure(subject, settings)
    assert table["accuracy"].tolist() == pytest.approx(expected.mean(dim=1).tolist())
    size = basin_size(GRID, expected.mean(dim=1))
    assert basin_size_table.measure(subject, settings)["size"].tolist() == pytest.approx([size])


@pytest.mark.parametrize("space", ["sample", "weight"])
def test_a_basin_may_be_of_the_networks_own_prediction(subject, training_set, space):
    x, y = training_set
    own = logits(runs.load_model(subject.run_folder, 0), x).argmax(dim=1)
    assert (own != y).float().mean() > 0.4  # untrained
    settings = noise(space, steps=0, correct="prediction")
    measure = {"sample": sample_noise_correct, "weight": weight_noise_correct}[space]
    shares = measure(runs.load_model(subject.run_folder, 0), x, own, GRID, 3, seed=3).double()
    table = basin_size_table.measure(subject, settings)
    assert (table["clean_accuracy"] == 1).all()
    assert (table["size"] > 0).all()
    sizes = table.set_index(["of", "index"])["size"]
    assert sizes["average", -1] == pytest.approx(basin_size(GRID, shares.mean(dim=1)))
    for k in range(3):  # classes of the labels, whatever is predicted
        of_class = shares[:, y == k].mean(dim=1)
        assert sizes["class", k] == pytest.approx(basin_size(GRID, of_class))
    curve = noise_accuracy.measure(subject, settings).query("of == 'average'")["accuracy"]
    assert curve.tolist() == pytest.approx(shares.mean(dim=1).tolist())
    by_label = basin_size_table.measure(subject, noise(space, steps=0))
    wrong = by_label.query("of == 'sample'")["size"].to_numpy()[(own != y).numpy()]
    assert (wrong == 0).all()
    same = by_label.query("of == 'sample'")["size"].to_numpy()[(own == y).numpy()]
    assert same.tolist() == sizes["sample"].to_numpy()[(own == y).numpy()].tolist()


def test_amplitudes_are_a_list_or_zero_and_a_geometric_grid():
    assert perturbed.amplitude_grid([0.0, 0.5]) == [0.0, 0.5]
    grid = perturbed.amplitude_grid({"first": 0.01, "last": 1.0, "points": 5})
    assert grid == pytest.approx([0, 0.01, 10**-1.5, 0.1, 10**-0.5, 1])


# Projections --------------------------------------------------------------------------------------

VIEWS = {
    "moments": {"before": 0, "after": "last"},
    "views": [["train", "training"], ["train", "evaluation"], ["test", "evaluation"]],
    "digits": [0, 2],
}


def plane(subject, step, split, mode):
    """All samples of a split in the plane, with their labels."""
    x, y = subject.samples(split)
    model = runs.load_model(subject.run_folder, step)
    network = read(model).with_batch_statistics(x) if mode == "training" else model
    return bottleneck(network, x).numpy(), y.numpy()


def test_projected_points_are_samples_in_the_plane(subject):
    table = projection.measure(subject, {**VIEWS, "points": 6})
    assert list(table) == ["moment", "step", "split", "mode", "digit", "h1", "h2"]
    groups = table.groupby(["moment", "step", "split", "mode", "digit"], sort=False)
    assert len(groups) == 2 * 3 * 2
    assert set(groups.size()) == {6}
    shown = {}
    # From the last group backwards: after training all samples are distinct.
    for (moment, step, split, mode, digit), rows in reversed([*groups]):
        assert step == {"before": 0, "after": 20}[moment]
        every, labels = plane(subject, step, split, mode)
        of_digit, points = every[labels == digit], rows[["h1", "h2"]].to_numpy()
        nearest = np.abs(points[:, None] - of_digit[None]).max(axis=2).argmin(axis=1)
        # The same samples at every moment and in every mode.
        chosen = shown.setdefault((split, digit), nearest)
        assert len(set(chosen)) == 6
        assert np.abs(points - of_digit[chosen]).max() < 1e-4  # rounded to four digits
    assert not np.array_equal(shown["train", 0], shown["train", 2])


def test_no_more_points_than_there_are(subject):
    table = projection.measure(subject, {**VIEWS, "points": 1000})
    assert set(table.query("split == 'train'").groupby(["moment", "mode", "digit"]).size()) == {20}
    assert set(table.query("split == 'test'").groupby(["moment", "digit"]).size()) == {10}


@pytest.mark.parametrize("percentile", [99, 60])
def test_a_region_holds_its_share_of_the_training_points(subject, percentile):
    table = region.measure(subject, {**VIEWS, "percentile": percentile})
    assert len(table) == 2 * 3 * 2
    for row in table.itertuples():
        every, labels = plane(subject, row.step, row.split, row.mode)
        of_digit = torch.as_tensor(every[labels == row.digit])
        covariance = np.array([[row.cov_11, row.cov_12], [row.cov_12, row.cov_22]])
        centred = every - [row.mean_h1, row.mean_h2]
        distances = np.sqrt((centred @ np.linalg.inv(covariance) * centred).sum(axis=1))
        # The ellipse of the figure is the region of `inside_region`.
        inside = inside_region(torch.as_tensor(every), of_digit, percentile).numpy()
        assert ((distances <= row.radius * (1 + 1e-6)) == inside).all()
        assert inside[labels == row.digit].sum() == 1 + (len(of_digit) - 1) * percentile // 100
        assert np.allclose(of_digit.double().mean(dim=0), [row.mean_h1, row.mean_h2])
        assert np.allclose(np.cov(of_digit.T, bias=True), covariance)


def test_moments_are_the_steps_they_name(subject):
    moments = {"first": "train>=0.0", "best": "best", "tenth": 10}
    table = region.measure(subject, {**VIEWS, "moments": moments, "percentile": 99})
    result = dict(zip(table["moment"], table["step"], strict=True))
    (best,) = runs.select_steps(subject.run_folder, "best")
    assert result == {"first": 0, "best": best, "tenth": 10}
