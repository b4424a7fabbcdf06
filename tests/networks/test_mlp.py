import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.networks.elementwise import ACTIVATIONS
from netdyn.networks.layers import layers
from netdyn.networks.mlp import MLP, initialise
from netdyn.networks.reading import local_fields, logits, read

WIDTHS = (6, 9, 8, 4)
NETWORKS = [*itertools.product(ACTIVATIONS, [True, False])]


@pytest.fixture
def x(stream):
    return torch.randn(30, WIDTHS[0], generator=stream, dtype=torch.float64)


def test_an_mlp_is_linear_norm_activation_and_nothing_after_the_output():
    model = MLP((784, 23, 17, 10))
    kinds = [type(module) for module in model]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 2 + [nn.Linear]
    assert [module.bias is None for module in model if isinstance(module, nn.Linear)] == [
        True,
        True,
        False,
    ]
    plain = MLP((5, 4, 3), "tanh", batch_norm=False)
    assert [type(module) for module in plain] == [nn.Linear, nn.Tanh, nn.Linear]
    assert all(module.bias is not None for module in plain if isinstance(module, nn.Linear))
    assert MLP((5, 4, 3), momentum=1.0).norm1.momentum == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((5,),), "widths"),
        (((5, 0, 3),), "widths"),
        (((5, 2.5, 3),), "widths"),
        (((5, 4, 3), "softmax"), "'softmax' is unknown: choose one of relu"),
        (((5, 4, 3), "relu", True, 1.5), "momentum 1.5"),
    ],
)
def test_impossible_networks_are_refused(arguments, message):
    with pytest.raises(NetdynError, match=message):
        MLP(*arguments)


@pytest.mark.parametrize(("activation", "batch_norm"), NETWORKS)
def test_propagation_ends_in_the_networks_own_output(
    make_network, unchanged, x, activation, batch_norm
):
    model = make_network(WIDTHS, activation, batch_norm).train()
    with unchanged(model):
        *fields, outputs = read(model).propagate(x)
        assert_close(model.local_fields(x), fields)
        assert_close(logits(model, x, chunk=7), outputs)
    assert_close(outputs, model.eval()(x))
    assert [h.shape[1] for h in fields] == list(WIDTHS[1:-1])
    assert not outputs.requires_grad


def test_local_fields_enter_the_activations(make_network, x):
    model = make_network(WIDTHS).eval()
    entered = []
    hooks = [
        model.get_submodule(f"activation{l}").register_forward_pre_hook(
            lambda module, inputs: entered.append(inputs[0].detach())
        )
        for l in (1, 2)
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    assert_close(local_fields(model, x), entered)


def test_gaussian_activation_peaks_at_zero():
    h = torch.tensor([-1.0, 0.0, 2.0])
    assert_close(ACTIVATIONS["gaussian"]()(h), torch.tensor([math.exp(-1), 1.0, math.exp(-4)]))


def test_logits_take_bytes_as_pixels(stream):
    model = MLP((6, 5, 3))
    pixels = torch.randint(256, (10, 2, 3), generator=stream, dtype=torch.uint8)
    assert_close(logits(model, pixels, chunk=3), logits(model, pixels.float() / 255))


def test_foreign_networks_are_read(x):
    block = nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.BatchNorm1d(5), nn.SiLU()))
    model = nn.Sequential(nn.Flatten(), block, nn.Linear(5, 4), nn.Linear(4, 2), nn.Identity())
    model.double().eval()
    read = layers(model)
    assert [type(layer.activation) for layer in read] == [nn.SiLU, type(None), nn.Identity]
    assert [layer.norm is not None for layer in read] == [True, False, False]
    assert_close(logits(model, x.view(30, 2, 3)), model(x.view(30, 2, 3)))


def test_an_activation_used_twice_is_read_twice(x):
    shared = nn.Tanh()
    model = nn.Sequential(nn.Linear(6, 5), shared, nn.Linear(5, 5), shared, nn.Linear(5, 2))
    model.double()
    assert [layer.activation for layer in layers(model)] == [shared, shared, None]
    assert_close(logits(model, x), model(x).detach())


def test_dropout_is_passed_over_as_in_evaluation_mode(x):
    model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(), nn.Tanh(), nn.Dropout(), nn.Linear(5, 2))
    assert_close(logits(model.double(), x), model.eval()(x).detach())


def test_samples_come_to_the_network_as_it_takes_them(x):
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    pixels = (255 * x.abs().clamp(max=1)).byte()
    expected = local_fields(model, pixels.float() / 255)
    assert_close(local_fields(model, pixels), expected)
    assert_close(local_fields(model, (pixels.float() / 255).double()), expected)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(3, 7), r"\(3, 7\): the network expects 6 values a sample"),
        (torch.zeros(6), r"\(6,\): the network expects 6 values a sample"),
        (torch.zeros(3, 6, dtype=torch.long), "int64: give floats, or bytes"),
        (np.zeros((3, 7)), r"\(3, 7\): the network expects 6 values a sample"),
        (np.zeros((3, 6), complex), "samples of torch.complex128: give real numbers"),
    ],
)
def test_samples_that_the_network_cannot_take_are_named(samples, message):
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    for measure in (local_fields, logits):
        with pytest.raises(NetdynError, match=message):
            measure(model, samples)


def test_activations_in_place_leave_the_local_fields(x):
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 2)).double()
    assert_close(local_fields(model, x)[0], model[0](x).detach())
    assert_close(logits(model, x), model(x).detach())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 2)), r"'0' \(Conv2d\)"),
        (
            nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Conv1d(1, 1, 1))),
            r"module '2\.0' \(Conv1d\) is not supported",
        ),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)), r"'1' \(Softmax\) is not supported"),
        (nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 2)), r"'1' \(LayerNorm\)"),
        (
            nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.BatchNorm1d(2), nn.Linear(2, 2)),
            r"'2' \(BatchNorm1d\) follows another batch norm",
        ),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), "batch norm follows the output"),
        (
            nn.Sequential(
                nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False), nn.Linear(2, 2)
            ),
            r"'1' \(BatchNorm1d\) keeps no running statistics",
        ),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Tanh(), nn.Linear(2, 2)), r"'2' \(Tanh\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "ReLU follows the output layer"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), r"'0' \(ReLU\) stands before the first"),
        (nn.Sequential(nn.Linear(2, 2), nn.Flatten(), nn.Linear(2, 2)), r"'1' \(Flatten\)"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 2)), "layer 1 returns 3 values but layer 2"),
        (nn.Sequential(), "no Linear layer"),
        (nn.Linear(2, 2), r"Linear is not a torch\.nn\.Sequential"),
        (nn.TransformerEncoderLayer(2, 1), "TransformerEncoderLayer is not"),
    ],
)
def test_what_cannot_be_treated_is_named(model, message):
    with pytest.raises(NetdynError, match=message):
        layers(model)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_batch_statistics_are_the_training_mode(make_network, unchanged, x, activation):
    model = make_network(WIDTHS, activation).eval()
    with unchanged(model):
        measured = read(model).with_batch_statistics(x)
        assert_close(logits(measured, x), copy.deepcopy(model).train()(x).detach())
    assert not torch.allclose(logits(model, x), logits(measured, x))
    again = measured.with_batch_statistics(x)
    assert_close(again.model.state_dict(), measured.model.state_dict())


def test_batch_statistics_are_those_that_momentum_one_leaves(make_network, x):
    model = make_network(WIDTHS)
    measured = read(model).with_batch_statistics(x)
    for _, norm, *_ in layers(model)[:-1]:
        norm.momentum = 1.0
    model.train()(x)
    # PyTorch records the unbiased variance but normalises by the biased one, as here.
    unbiased = len(x) / (len(x) - 1)
    for l in (1, 2):
        left, result = model.get_submodule(f"norm{l}"), measured.model.get_submodule(f"norm{l}")
        assert_close(result.running_mean, left.running_mean)
        assert_close(result.running_var * unbiased, left.running_var)


def test_batch_statistics_without_batch_norm_change_nothing(make_network, x):
    model = make_network(WIDTHS, batch_norm=False)
    assert_close(logits(read(model).with_batch_statistics(x), x), logits(model, x))


def test_initial_weights_are_uniform_in_pytorchs_range():
    model = MLP((400, 300, 10), batch_norm=False)
    initialise(model, seed=0)
    for linear, *_ in layers(model):
        bound = linear.in_features**-0.5
        values = torch.cat([linear.weight.detach().flatten(), linear.bias.detach()])
        assert values.abs().max() <= bound
        assert values.abs().max() > 0.99 * bound
        assert values.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
        assert abs(values.mean()) < 5 * bound / (3 * len(values)) ** 0.5


def test_a_given_range_is_the_same_in_all_layers():
    model = MLP((50, 200, 10), batch_norm=False)
    initialise(model, seed=0, weight_range=0.3)
    for linear, *_ in layers(model):
        assert 0.29 < linear.weight.abs().max() <= 0.3


@pytest.mark.parametrize("weight_range", [None, 0.1])
def test_scale_multiplies_weights_and_biases(weight_range):
    model, scaled = MLP((20, 30, 10), batch_norm=False), MLP((20, 30, 10), batch_norm=False)
    initialise(model, 0, weight_range=weight_range)
    initialise(scaled, 0, scale=8.0, weight_range=weight_range)
    for before, after in zip(model.parameters(), scaled.parameters(), strict=True):
        assert_close(after, 8 * before)


def test_initial_weights_follow_the_seed_alone(make_network):
    model, other = MLP((20, 30, 10)), MLP((20, 30, 10))
    norm_before = copy.deepcopy(model.norm1.state_dict())
    global_state = torch.get_rng_state()
    initialise(model, 0)
    initialise(other, 0)
    assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)
    initialise(other, 1)
    pair = torch.stack([model.linear1.weight.flatten(), other.linear1.weight.flatten()])
    assert abs(torch.corrcoef(pair)[0, 1]) < 5 / 600**0.5
    assert torch.equal(torch.get_rng_state(), global_state)
    assert_close(model.norm1.state_dict(), norm_before, rtol=0, atol=0)
