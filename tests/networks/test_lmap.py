import itertools

import oracles
import pytest
import torch
from dag import in_a_fork
from torch import nn
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.networks.layers import layers
from netdyn.networks.lmap import linear_map, linear_maps, prune
from netdyn.networks.reading import logits, read

WIDTHS = (6, 7, 5, 8, 3)
DEPTH = len(WIDTHS) - 1
NETWORKS = [*itertools.product(["relu", "tanh", "identity", "gaussian"], [True, False])]


@pytest.fixture
def x(stream):
    return torch.randn(20, WIDTHS[0], generator=stream, dtype=torch.float64)


def hidden_activations(model, x):
    """x^(0) … x^(L−1)."""
    result = [x]
    for h, layer in zip(read(model).propagate(x), layers(model)[:-1], strict=False):
        result.append(layer.activation(h))
    return result


@pytest.mark.parametrize(("activation", "batch_norm"), NETWORKS)
def test_maps_follow_the_definition(make_network, unchanged, activation, batch_norm):
    model = make_network(WIDTHS, activation, batch_norm)
    with unchanged(model):
        for l in range(DEPTH):
            assert_close(linear_map(model, l), oracles.linear_map(model, l))
            assert linear_map(model, l)[0].shape == (WIDTHS[-1], WIDTHS[l])
        assert_close(linear_maps(model), [linear_map(model, l) for l in range(DEPTH)])


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_linear_network_equals_its_map_at_every_layer(make_network, x, batch_norm):
    model = make_network(WIDTHS, "identity", batch_norm)
    expected = logits(model, x)
    for l, activations in enumerate(hidden_activations(model, x)):
        weight, bias = linear_map(model, l)
        assert_close(activations @ weight.T + bias, expected)
        assert_close(prune(model, l + 1)(x), expected)


def test_offset_by_hand():
    # h = γ (w x − μ)/√(σ² + ε) + β with w = 2, μ = 1, σ² + ε = 4, γ = 3, β = 5, then v = −1, c = 4.
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1, eps=1.0), nn.ReLU())
    model.append(nn.Linear(1, 1))
    values = {"0.weight": 2.0, "1.running_mean": 1.0, "1.running_var": 3.0, "1.weight": 3.0}
    values |= {"1.bias": 5.0, "3.weight": -1.0, "3.bias": 4.0}
    with torch.no_grad():
        for name, value in values.items():
            model.state_dict()[name].fill_(value)
    weight, bias = linear_map(model, 0)
    # One output z has the logits [0, z].
    assert weight.flatten().tolist() == pytest.approx([0.0, -3.0])
    assert bias.tolist() == pytest.approx([0.0, 0.5])


def test_the_last_map_is_the_output_layer(make_network):
    model = make_network(WIDTHS)
    weight, bias = linear_map(model, DEPTH - 1)
    assert torch.equal(weight, model.linear4.weight)
    assert torch.equal(bias, model.linear4.bias)


def test_foreign_networks(stream):
    # A leading Flatten, nesting, no activation between two layers, plain batch norm, no biases.
    block = nn.Sequential(nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5, affine=False))
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), block, nn.Tanh(), nn.Linear(5, 2, False))
    model.double()
    block[1].running_mean.normal_(generator=stream)
    images = torch.randn(9, 2, 3, generator=stream, dtype=torch.float64)
    expected = model.eval()(images)
    for l in range(3):
        assert_close(linear_map(model, l), oracles.linear_map(model, l))
    # Pruning from layer 3 is exact: only the output layer is replaced. From 2 the tanh is lost.
    assert_close(prune(model, 3)(images), expected)
    assert not torch.allclose(prune(model, 2)(images), expected)
    assert_close(prune(model, 1)(images), prune(model, 2)(images))


def test_single_precision_is_kept_and_accumulated_in_double(make_network):
    model = make_network((8, *[16] * 20, 3)).float()
    maps = linear_maps(model)
    exact = linear_maps(model.double())  # of the same rounded weights
    for (weight, bias), (exact_weight, exact_bias) in zip(maps, exact, strict=True):
        assert torch.equal(weight, exact_weight.float())
        assert torch.equal(bias, exact_bias.float())


@pytest.mark.parametrize(("activation", "batch_norm"), NETWORKS)
def test_pruning_from_the_last_layer_is_the_full_network(make_network, x, activation, batch_norm):
    model = make_network(WIDTHS, activation, batch_norm)
    assert_close(prune(model, DEPTH)(x), logits(model, x))


@pytest.mark.parametrize("start", range(1, DEPTH + 1))
def test_pruning_replaces_the_rest_by_the_map(make_network, unchanged, x, start):
    model = make_network(WIDTHS)
    with unchanged(model):
        pruned = prune(model, start)
        weight, bias = linear_map(model, start - 1)
        expected = hidden_activations(model, x)[start - 1] @ weight.T + bias
        assert_close(pruned(x), expected)
        assert_close(logits(pruned, x), expected)  # readable like any other network
        assert len(layers(pruned)) == start
        for parameter in pruned.parameters():  # a copy: nothing is shared
            parameter.data.zero_()


def test_pruning_from_the_first_layer_is_affine(make_network, x):
    pruned = prune(make_network(WIDTHS), 1)
    halfway = pruned((x[:10] + x[10:]) / 2)
    assert_close(halfway, (pruned(x[:10]) + pruned(x[10:])) / 2)


def test_one_layer(make_network, x):
    model = make_network((WIDTHS[0], 3))
    assert_close(linear_map(model, 0), (model.linear1.weight.data, model.linear1.bias.data))
    assert_close(prune(model, 1)(x), model(x))


def test_global_random_numbers_are_left_alone(make_network):
    model = make_network(WIDTHS)
    before = torch.get_rng_state()
    prune(model, 2)
    read(model).with_affine_tail(2, torch.zeros(1, WIDTHS[1], dtype=torch.float64))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("layer", [-1, DEPTH])
def test_layers_outside_are_refused(make_network, layer):
    with pytest.raises(NetdynError, match=f"layer {layer}: .* L-maps 0 … {DEPTH - 1}"):
        linear_map(make_network(WIDTHS), layer)


@pytest.mark.parametrize("start", [0, DEPTH + 1])
def test_starting_layers_outside_are_refused(make_network, start):
    with pytest.raises(NetdynError, match=f"start_layer {start}: .* 1 … {DEPTH}"):
        prune(make_network(WIDTHS), start)


def test_substituting_draws_nothing_and_imports_no_symbolic_algebra():
    """`skip_init` of PyTorch imports sympy, which would cost every job a quarter of a second."""
    code = """
import sys, torch
from netdyn.networks.mlp import MLP
from netdyn.networks.reading import read
model, weight = MLP([5, 4, 3]), torch.ones(3, 4)
before = torch.get_rng_state()
last = read(model).with_affine_tail(2, weight).model[-1]
print(torch.equal(last.weight, weight), torch.equal(torch.get_rng_state(), before))
print("sympy" in sys.modules)
"""
    assert in_a_fork(code) == ["True True", "False"]
