"""What `netdyn.read` returns: tables with the numbers of the functions that they are made of."""

import math

import pytest
import torch
from any_network import Convolutions, Functional, Transformer, Wrapped, spread_out
from pandas.api.types import is_numeric_dtype
from pretended_gpu import pretended_gpu
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

import netdyn
from netdyn.analysis import fields as fields_module
from netdyn.errors import NetdynError
from netdyn.networks.elementwise import Gaussian
from netdyn.networks.mlp import MLP


@pytest.fixture
def x(stream):
    return torch.rand(60, 6, generator=stream)


@pytest.fixture
def y():
    return torch.arange(60) * 7 % 4


@pytest.fixture
def pair(stream, x):
    """One network by the layered and by the traced reader."""
    model = spread_out(MLP((6, 9, 8, 4), "gaussian"), stream)
    return netdyn.read(model), netdyn.read(Wrapped(model), x, activations=[Gaussian])


@pytest.fixture
def convolutions(stream):
    images = torch.rand(60, 2, 8, 8, generator=stream)
    model = spread_out(Convolutions("max"), stream)
    return netdyn.read(model, images[:4], not_affine="freeze"), images


def same(one, other):
    assert [*one.columns] == [*other.columns]
    for column in one.columns:
        if is_numeric_dtype(one[column]):
            assert_close(
                torch.tensor(one[column].to_numpy(float)),
                torch.tensor(other[column].to_numpy(float)),
                rtol=0, atol=1e-6, equal_nan=True,
            )  # fmt: skip


def test_tables_are_the_same_by_either_reader(pair, x, y):
    layered, traced = pair
    assert [site.function for site in layered.sites] == ["gaussian"] * 2
    assert [site.shape for site in traced.sites] == [(9,), (8,)]
    same(layered.gradients(x, y), traced.gradients(x, y))
    same(layered.gradients(x, y, units=5), traced.gradients(x, y, units=5))
    same(layered.rank_probability(x, y, bins=5), traced.rank_probability(x, y, bins=5))
    same(layered.pruning(x, y), traced.pruning(x, y))
    for space in ("sample", "weight"):
        one, other = (n.basins(x, y, space=space, trials=2) for n in pair)
        same(one, other)
    assert_close(layered.linear_maps(x, units=4), traced.linear_maps(x, units=4))
    assert_close(layered.local_fields(x, units=4), traced.local_fields(x, units=4))
    same(layered.projection(x), traced.projection(x))
    same(
        layered.with_batch_statistics(x).gradients(x, y),
        traced.with_batch_statistics(x).gradients(x, y),
    )


def test_gradients_are_those_of_the_library(pair, x, y):
    network, _ = pair
    table = network.gradients(x, y)
    quick = network.gradients(x, y, errors=False)
    assert quick.error.isna().all()
    assert_close(table.g.to_numpy(), quick.g.to_numpy(), rtol=0, atol=1e-6)
    maps = netdyn.linear_maps(network)
    for l, field in enumerate(netdyn.local_fields(network, x), 1):
        gradient = netdyn.rpd_gradient(field, y, maps[l][0])
        rows = table[table.site == l].set_index("class")
        assert [*rows.index] == [0, 1, 2, 3, -1]
        for k in range(4):
            assert rows.g[k] == pytest.approx(gradient[k].mean().item(), abs=1e-6)
        assert rows.g[-1] == pytest.approx(gradient.mean().item(), abs=1e-6)
        assert rows.samples[0] == 15
        assert rows.unaligned[0] == pytest.approx(math.sqrt(12 * 0.75 / 15))
    density = network.rank_probability(x, y, bins=4)
    first = density[(density.site == 1) & (density["class"] == 2)]
    fields, signs = network.local_fields(x)[0], maps[1][0]
    assert_close(torch.tensor([*first.density]), netdyn.rank_probability(fields, y, signs, 4)[2])
    assert [*first.r] == [0.125, 0.375, 0.625, 0.875]


def test_pruning_counts_what_pruned_modules_classify(convolutions, y):
    network, images = convolutions
    table = network.pruning(images, y)
    assert [*table.start] == [1, 2, 3]
    for start, accuracy, error in zip(table.start, table.accuracy, table.error, strict=True):
        right = (network.pruned(start)(images).argmax(1) == y).float().mean().item()
        assert accuracy == pytest.approx(right)
        assert error == pytest.approx(math.sqrt(right * (1 - right) / 60))
    assert_close(network.pruned(3)(images), network.logits(images), check_device=False)


@pytest.mark.parametrize("space", ["sample", "weight"])
def test_accuracies_under_noise_are_those_that_basins_end_at(space, pair, x, y):
    network, _ = pair
    options = {"space": space, "trials": 3, "seed": 5}
    amplitudes = [0.0, 0.1, 0.4, 1.6]
    table = network.noise_accuracy(x, y, amplitudes=amplitudes, by_class=True, **options)
    function = getattr(netdyn, f"{space}_noise_correct")
    shares = function(network, x, y, amplitudes, trials=3, seed=5).double()
    assert [*table[table["class"] == -1].accuracy] == pytest.approx(shares.mean(dim=1).tolist())
    own = table[table["class"] == 2]
    assert [*own.accuracy] == pytest.approx(shares[:, y == 2].mean(dim=1).tolist())
    error = shares[1, y == 2].std() / math.sqrt(15)
    assert own.error.iloc[1] == pytest.approx(error.item())
    assert {*table.amplitude} == {*amplitudes}
    with pytest.raises(NetdynError, match="choose sample or weight"):
        network.noise_accuracy(x, y, space="both")


def test_pruned_modules_are_exported(convolutions, stream):
    network, images = convolutions
    pruned = network.pruned(2).train()
    assert not any(module.training for module in pruned.modules())
    exported = torch.export.export(pruned, (images[:2],)).module()
    assert_close(exported(images[:2]), pruned(images[:2]))
    tokens = torch.rand(2, 5, 6, generator=stream)
    attends = netdyn.read(spread_out(Transformer(), stream), tokens, not_affine="freeze")
    pruned = attends.pruned(1)
    assert_close(torch.export.export(pruned, (tokens,)).module()(tokens), pruned(tokens))


def test_layered_networks_are_pruned_to_linear_layers(pair, x):
    network, _ = pair
    assert_close(network.pruned(2)(x), netdyn.prune(network, 2)(x))
    assert sum(isinstance(module, nn.Linear) for module in network.pruned(2).modules()) == 2
    with pytest.raises(NetdynError, match="pruned from 1 … 3"):
        network.pruned(4)


def test_a_loader_gives_what_its_samples_give(convolutions, y):
    network, images = convolutions
    loader = DataLoader(TensorDataset(images, y), batch_size=25)
    same(network.gradients(loader), network.gradients(images, y))
    same(network.pruning(loader), network.pruning(images, y))
    same(network.projection(loader), network.projection(images))
    options = {"space": "weight", "trials": 1, "by_class": False}
    same(network.basins(loader, **options), network.basins(images, y, **options))
    assert_close(network.logits(loader), network.logits(images))
    assert_close(network.local_fields(loader, 20), network.local_fields(images, 20))
    with pytest.raises(NetdynError, match="leave y out"):
        network.gradients(loader, y)
    with pytest.raises(NetdynError, match=r"must yield \(x, y\)"):
        network.gradients(DataLoader(TensorDataset(images)))
    wrong = DataLoader(TensorDataset(images, y + 1), batch_size=25)
    with pytest.raises(NetdynError, match="labels run from 1 to 4"):
        network.gradients(wrong)


def test_sites_that_do_not_fit_together_are_passed_apart(convolutions, y, monkeypatch):
    network, images = convolutions
    together = network.gradients(images, y, units=30)
    monkeypatch.setattr(fields_module, "HELD", 1000)
    same(network.gradients(images, y, units=30), together)


def test_drawn_units_and_classes_are_some_of_all(convolutions, y):
    network, images = convolutions
    table = network.gradients(images, y, units=30, classes=2)
    assert {*table.units} == {30}
    assert len({*table["class"]}) == 3
    every = network.gradients(images, y, units=None)
    assert [*every[every["class"] == -1].units] == [192, 48]
    fields = network.local_fields(images)
    drawn = network.local_fields(images, units=30, seed=1)
    for field, some in zip(fields, drawn, strict=True):
        assert (field.unsqueeze(2) == some.unsqueeze(1)).all(0).any(0).all()
    classes = table["class"].unique()
    every = network.gradients(images, y, units=30)
    some = every[every["class"].isin(classes) & (every["class"] >= 0)]
    assert_close(some.g.to_numpy(), table[table["class"] >= 0].g.to_numpy())
    assert_close(some.error.to_numpy(), table[table["class"] >= 0].error.to_numpy())


def test_biases_of_maps_are_means_of_the_offsets(convolutions):
    network, images = convolutions
    single = [network.linear_maps(images[p : p + 1]) for p in range(3)]
    for s, (weight, bias) in enumerate(network.linear_maps(images[:3])):
        assert_close(weight, torch.stack([one[s][0] for one in single]).mean(0))
        assert_close(bias, torch.stack([one[s][1] for one in single]).mean(0))


MISTAKES = {
    "labels out of range": (lambda n, x, y: n.gradients(x, y + 2), "labels run from 2 to 5"),
    "labels missing": (lambda n, x, y: n.pruning(x), "labels are missing"),
    "labels of others": (lambda n, x, y: n.basins(x, y[:5]), "for 60 samples"),
    "no samples": (lambda n, x, y: n.gradients(x[:0], y[:0]), "at least one"),
    "no numbers": (lambda n, x, y: n.gradients("x.npy", y), "samples are a str"),
    "not a number": (lambda n, x, y: n.gradients(x * math.nan, y), "contain NaN"),
    "range": (lambda n, x, y: n.basins(3 * x, y), "outside value_range"),
    "space": (lambda n, x, y: n.basins(x, y, space="both"), "choose sample or weight"),
    "units": (lambda n, x, y: n.gradients(x, y, units=0), "units 0: give at least one"),
    "classes": (lambda n, x, y: n.gradients(x, y, classes=-1), "classes -1: give at least one"),
    "map samples": (lambda n, x, y: n.gradients(x, y, map_samples=0.5), "map_samples 0.5"),
    "bins": (lambda n, x, y: n.rank_probability(x, y, bins=0), "bins 0"),
    "start": (lambda n, x, y: n.pruned(9), "can be pruned from"),
    "site": (lambda n, x, y: n.linear_maps(first=7), "layer 7"),
    "shape": (lambda n, x, y: n.logits(x[:, :5]), "shape"),
    "batch of one": (lambda n, x, y: n.with_batch_statistics(x[:1]), "at least two"),
}


@pytest.mark.parametrize("reader", ["layered", "traced"])
@pytest.mark.parametrize("name", [*MISTAKES])
def test_mistakes_are_refused_in_a_sentence(name, reader, pair, x, y):
    call, message = MISTAKES[name]
    with pytest.raises(NetdynError, match=message) as refused:
        call(pair[reader == "traced"], x, y)
    assert "\n" not in str(refused.value)


def test_a_network_that_changed_its_path_is_refused(x, y):
    model = Functional()
    network = netdyn.read(model, x)
    model.forward = lambda x: model.out(model.two(model.one(x)).tanh())
    with pytest.raises(NetdynError, match="one path"):
        network.gradients(x, y)


def test_first_batch_statistics_are_taken_of_traced_networks(stream):
    from netdyn.networks.running_statistics import started_from_first_batch

    images = torch.rand(30, 2, 8, 8, generator=stream)
    model = Convolutions().train()
    model(images[:15])
    after_one = netdyn.read(model, images[:2])
    first = started_from_first_batch(after_one, after_one)
    flat = images[:15]
    with torch.no_grad():
        mean = model.one(flat).mean((0, 2, 3))
        variance = model.one(flat).var((0, 2, 3))
    alpha = model.norm.momentum
    norm = first.model.norm  # started at the first batch's, it stays there
    assert_close(norm.running_mean, mean)
    assert_close(norm.running_var, variance)
    assert not torch.allclose(model.norm.running_mean, mean)
    assert alpha == 0.1


def test_on_a_pretended_gpu_the_numbers_are_the_same(stream, monkeypatch):
    model = spread_out(Convolutions("max"), stream)
    images, y = torch.rand(12, 2, 8, 8, generator=stream), torch.arange(12) % 4

    def measured(device):
        x, labels = images.to(device), y.to(device)
        network = netdyn.read(model.to(device), x[:2], not_affine="freeze")
        options = {"space": "weight", "trials": 1, "by_class": False}
        return (
            network.gradients(x, labels, units=5),
            network.pruning(x, labels),
            network.basins(x, labels, **options),
        )

    expected = measured("cpu")
    with pretended_gpu(monkeypatch):
        tables = measured("cuda")
    for one, other in zip(tables, expected, strict=True):
        same(one, other)
