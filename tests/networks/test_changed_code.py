"""What a network's modules run may change after, or before, it was read: then it is refused."""

import copy
import functools

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import netdyn
from netdyn.errors import NetdynError


@pytest.fixture
def model(stream):
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4)).eval()


X, Y = torch.full((4, 6), 0.5), torch.arange(4)
# Every way to a number, from a network that was read.
DOORS = {
    "logits": lambda network: netdyn.logits(network, X),
    "its logits": lambda network: network.logits(X),
    "local_fields": lambda network: network.local_fields(X),
    "linear_map": lambda network: netdyn.linear_map(network, 0),
    "its linear_maps": lambda network: network.linear_maps(),
    "prune": lambda network: netdyn.prune(network, 1),
    "sample noise": lambda network: netdyn.sample_noise_correct(network, X, Y, [0.0], 1, 0),
    "weight noise": lambda network: netdyn.weight_noise_correct(network, X, Y, [0.0], 1, 0),
    "find_basins": lambda network: netdyn.find_basins(network, X, Y, "sample", 1, 0),
    "batch statistics": lambda network: network.with_batch_statistics(X),
}


@pytest.mark.parametrize("door", [*DOORS])
@pytest.mark.parametrize("place", [0, 2])
def test_a_hook_that_comes_after_reading_is_refused_until_it_goes(model, door, place):
    network = netdyn.read(model)
    DOORS[door](network)
    for register in (model[place].register_forward_hook, model[place].register_forward_pre_hook):
        handle = register(lambda *_: None)
        with pytest.raises(NetdynError, match=rf"module '{place}' .* has changed since .* a hook"):
            DOORS[door](network)
        handle.remove()
        DOORS[door](network)


def test_a_copy_with_batch_statistics_watches_its_own_modules(model):
    copied = netdyn.read(model).with_batch_statistics(torch.rand(9, 6))
    model[0].register_forward_hook(lambda *_: None)
    copied.logits(X)
    copied.model[0].forward = lambda x: x
    with pytest.raises(NetdynError, match=r"module '0' \(Linear\) has changed"):
        copied.logits(X)


@pytest.mark.parametrize("kind", [nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Sequential])
@pytest.mark.parametrize("name", ["forward", "__call__"])
def test_a_class_of_torch_that_was_patched_is_refused(monkeypatch, model, kind, name):
    network = netdyn.read(model)
    own = getattr(kind, name)
    monkeypatch.setattr(kind, name, functools.wraps(own)(lambda self, x: 2 * own(self, x)))
    with pytest.raises(NetdynError, match=rf"{kind.__name__}\.{name} was replaced"):
        netdyn.read(model)
    with pytest.raises(NetdynError, match=rf"functions of the class {kind.__name__} were replaced"):
        netdyn.linear_map(network, 0)
    monkeypatch.undo()
    netdyn.linear_map(network, 0)
    netdyn.read(model)


class StaysRandom(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)


class Frozen(nn.BatchNorm1d):
    def eval(self):
        return self


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (StaysRandom(), r"\(StaysRandom\) has a train other than that of Dropout"),
        (Frozen(5), r"\(Frozen\) has a eval other than that of BatchNorm1d"),
    ],
)
def test_modules_with_modes_of_their_own_are_refused(module, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.read(nn.Sequential(nn.Linear(6, 5), module, nn.ReLU(), nn.Linear(5, 4)))


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrization_that_goes_or_comes_is_refused(model, wrap):
    plain = netdyn.read(model)
    wrap(model[0])
    with pytest.raises(NetdynError, match="read it again"):
        netdyn.linear_map(plain, 0)
    network = netdyn.read(model)
    netdyn.linear_map(copy.deepcopy(network), 0)
    parametrize.remove_parametrizations(model[0], "weight")
    for measure in (lambda: network.dtype, lambda: netdyn.linear_map(network, 0)):
        with pytest.raises(NetdynError, match="read it again"):
            measure()
    netdyn.linear_map(model, 0)
