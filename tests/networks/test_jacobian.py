"""Mean Jacobians against PyTorch's own, sample by sample, and the signs of the L-map."""

import copy
import inspect

import pytest
import torch
from torch import nn

from netdyn.errors import NetdynError
from netdyn.networks.elementwise import Gaussian
from netdyn.networks.jacobian import mean_jacobians, sign_agreement
from netdyn.networks.layers import layers
from netdyn.networks.lmap import linear_maps
from netdyn.networks.reading import local_fields, read
from netdyn.quantities import sign_agreement as sign_agreement_table
from netdyn.quantities.subject import Subject

WIDTHS = (6, 8, 5, 7, 3)
DEPTH = len(WIDTHS) - 1


def assert_close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.fixture
def x(stream):
    return torch.randn(23, WIDTHS[0], generator=stream, dtype=torch.float64)


def slow_jacobian(model, x, layer):
    """The mean over samples of the Jacobian of the logits by x^(layer), by autograd.functional."""
    model = copy.deepcopy(model).eval()
    modules = [*model]
    start = modules.index(layers(model)[layer].linear)
    before, tail = nn.Sequential(*modules[:start]), nn.Sequential(*modules[start:])
    total = 0
    for sample in x:
        inputs = before(sample.unsqueeze(0)).detach()
        jacobian = torch.autograd.functional.jacobian(tail, inputs)  # (1, K, 1, N_l)
        total = total + jacobian[0, :, 0]
    return total / len(x)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gaussian"])
def test_mean_jacobians_are_pytorchs(make_network, unchanged, x, activation, batch_norm):
    model = make_network(WIDTHS, activation, batch_norm).train()
    with unchanged(model), torch.no_grad():
        result = mean_jacobians(model, x, chunk=7)
    assert len(result) == DEPTH
    for layer, jacobian in enumerate(result):
        assert_close(jacobian, slow_jacobian(model, x, layer))
    assert_close(mean_jacobians(model, x), result)
    assert_close(mean_jacobians(model, x, first=2), result[2:])
    assert_close(result[-1], model.linear4.weight.detach())
    single = mean_jacobians(copy.deepcopy(model).float(), x.float())
    assert {jacobian.dtype for jacobian in single} == {torch.float64}
    torch.testing.assert_close(single, result, rtol=1e-4, atol=1e-5)


def test_training_mode_is_the_copy_with_the_batchs_statistics(make_network, x):
    model = make_network(WIDTHS)
    copied = read(model).with_batch_statistics(x)
    assert_close(mean_jacobians(copied, x)[1], slow_jacobian(copied.model, x, 1))
    assert not torch.allclose(mean_jacobians(copied, x)[1], mean_jacobians(model, x)[1])


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_linear_networks_jacobian_is_its_l_map(make_network, x, batch_norm):
    model = make_network(WIDTHS, "identity", batch_norm)
    for (weight, _), jacobian in zip(linear_maps(model), mean_jacobians(model, x), strict=True):
        assert_close(jacobian, weight)
    assert sign_agreement(model, x) == [1.0] * DEPTH


def test_a_neuron_counts_by_the_share_of_samples_that_reach_it():
    """1 – 1 – 2, relu: of the samples −1, 1, 2, 3 three quarters pass."""
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    model[0].weight.data[:], model[0].bias.data[:] = 2.0, 0.0
    model[2].weight.data[:] = torch.tensor([[3.0], [-1.0]])
    x = torch.tensor([[-1.0], [1.0], [2.0], [3.0]]).double()
    first, last = mean_jacobians(model, x)
    assert_close(first, torch.tensor([[4.5], [-1.5]]).double())
    assert_close(last, model[2].weight.detach())


def test_foreign_networks(stream):
    weights = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    plain = nn.Sequential(nn.Flatten(), weights[0], weights[1], nn.ReLU(), weights[3])
    nested = nn.Sequential(nn.Flatten(), weights[:2], nn.ReLU(inplace=True), weights[3])
    for parameter in nested.parameters():
        parameter.requires_grad_(False)
    pixels = torch.randint(256, (12, 2, 3), generator=stream, dtype=torch.uint8)
    result = mean_jacobians(nested, pixels)
    assert [tuple(jacobian.shape) for jacobian in result] == [(3, 6), (3, 5), (3, 4)]
    assert_close(result, mean_jacobians(plain, pixels.flatten(1).float() / 255))


def test_agreement_counts_signs(make_network, x):
    model = make_network(WIDTHS)
    expected = []
    for layer, (weight, _) in enumerate(linear_maps(model)):
        pairs = zip(weight.flatten(), slow_jacobian(model, x, layer).flatten(), strict=True)
        equal = [(a > 0) == (b > 0) and (a < 0) == (b < 0) for a, b in pairs]
        expected.append(sum(map(bool, equal)) / len(equal))
    result = sign_agreement(model, x, chunk=5)
    assert result == pytest.approx(expected)
    assert result[-1] == 1
    assert min(result) < 1
    assert sign_agreement(model, x, first=1) == result[1:]


def test_two_zeros_agree_and_a_zero_agrees_with_nothing_else(make_network, x):
    model = make_network(WIDTHS, batch_norm=False)
    model.linear2.weight.data[:, 0] = 0.0  # neuron 0 of layer 1 leads nowhere
    zeros = mean_jacobians(model, x)[1][:, 0]
    assert (zeros == 0).all()
    assert (linear_maps(model)[1][0][:, 0] == 0).all()
    signs = linear_maps(model)[1][0].sign() == mean_jacobians(model, x)[1].sign()
    assert signs[:, 0].all()
    assert sign_agreement(model, x)[1] == pytest.approx(signs.double().mean().item())
    # All of layer 2 is silent: no logit depends on layer 1, although its L-map is not zero.
    model.linear2.bias.data[:] = -1e6
    assert (local_fields(model, x)[1] < 0).all()
    assert sign_agreement(model, x)[1] == pytest.approx(1 / WIDTHS[1])


def test_a_falling_activation_reverses_every_sign(x):
    """exp(−h²) falls where h > 0: with all weights positive each sign of M_0 is wrong."""
    model = nn.Sequential(nn.Linear(6, 4), Gaussian(), nn.Linear(4, 3)).double()
    for parameter in model.parameters():
        parameter.data.abs_()
    assert sign_agreement(model, x.abs() / 10) == [0.0, 1.0]


def test_mistakes_are_named(make_network, x):
    model = make_network(WIDTHS)
    for layer in (-1, DEPTH):
        with pytest.raises(NetdynError, match=f"layer {layer}: .* 0 … 3"):
            mean_jacobians(model, x, first=layer)
    with pytest.raises(NetdynError, match="at least one sample"):
        sign_agreement(model, x[:0])


def test_the_table_holds_every_hidden_layer(tmp_path, run_settings, train_run, toy_data):
    run = train_run(tmp_path, run_settings(depth=4, width=[8, 6, 5]))
    subject = Subject.open(run, toy_data, "cpu")
    table = sign_agreement_table.measure(subject, {"steps": [0, "last"], "samples": 3})
    assert list(table) == ["step", "layer", "agreement"]
    described = inspect.getdoc(sign_agreement_table.measure).partition("Returns:")[2]
    assert all(column in described for column in table)
    assert table["step"].tolist() == [0] * 3 + [12] * 3
    assert table["layer"].tolist() == [1, 2, 3] * 2
    for step, rows in table.groupby("step"):
        x, _ = subject.samples("train", 3)
        assert len(x) == 3
        expected = sign_agreement(subject.network(step), x)[1:]
        assert rows["agreement"].tolist() == pytest.approx(expected)
    every = sign_agreement_table.measure(subject, {"steps": [0, "last"], "samples": "all"})
    assert not every.equals(table)
