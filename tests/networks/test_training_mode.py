"""Logits in training mode are those of a copy with the batch's statistics; the network stays."""

import copy

import pytest
import torch
from any_network import Convolutions, Wrapped, spread_out
from torch import nn
from torch.testing import assert_close

import netdyn
from netdyn.networks.training_mode import training_mode_logits


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["layered", "traced", "convolutions"])
def test_they_are_those_of_a_copy(kind, training, stream, make_network):
    if kind == "convolutions":
        model, x = spread_out(Convolutions(), stream), torch.rand(20, 2, 8, 8, generator=stream)
        example = x[:4]
    else:
        model, x = make_network((6, 9, 8, 4)), torch.rand(20, 6, generator=stream).double()
        example = None
        if kind == "traced":
            model, example = Wrapped(model), x[:4]
    model.train(training)
    network = netdyn.read(model, example)
    before = copy.deepcopy(model.state_dict())
    logits = training_mode_logits(network.network, x)
    expected = network.with_batch_statistics(x).logits(x)
    assert_close(logits, expected)
    assert (logits - network.logits(x)).abs().max() > 0.01
    assert not logits.requires_grad
    assert all(torch.equal(now, before[name]) for name, now in model.state_dict().items())
    assert {module.training for module in model.modules()} == {training}


def test_without_batch_norm_they_are_the_networks_own(stream):
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3))
    x = torch.rand(7, 6, generator=stream)
    for network in (netdyn.read(model), netdyn.read(Wrapped(model), x)):
        assert torch.equal(training_mode_logits(network.network, x), network.logits(x))
