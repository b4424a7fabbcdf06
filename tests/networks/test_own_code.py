"""What is read is what is run: code of one's own is refused, and logits are compared once."""

import copy
import warnings

import pytest
import torch
from oracles import linear_map
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.testing import assert_close

import netdyn
from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.measures.projections import bottleneck
from netdyn.networks import comparing
from netdyn.networks.comparing import COMPARED, TOLERANCES


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Backwards(nn.Sequential):
    def __iter__(self):
        return reversed([*super().__iter__()])


class Called(nn.Sequential):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Masked(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight.tril(), self.bias)


class Doubled(nn.Linear):
    def _call_impl(self, x):
        return 2 * super()._call_impl(x)


class Frozen(nn.BatchNorm1d):
    def forward(self, x):
        return x


class Halves(nn.Flatten):
    def forward(self, x):
        return super().forward(x) / 2


class StillDrops(nn.Dropout):
    def forward(self, x):
        return nn.functional.dropout(x, self.p, training=True)


class Shifted(nn.ReLU):
    def forward(self, h):
        return super().forward(h - 1)


class Sub(nn.Sequential):
    """Overrides nothing."""


class SubLinear(nn.Linear):
    def reset_parameters(self):
        nn.init.constant_(self.weight, 0.3)
        nn.init.zeros_(self.bias)


class SubNorm(nn.BatchNorm1d):
    """Overrides nothing."""


class SubReLU(nn.ReLU):
    note = "overrides nothing"


@pytest.fixture
def x(stream):
    return torch.rand(20, 6, generator=stream)


def network(*between, first=None, last=None):
    linear, output = first or nn.Linear(6, 6), last or nn.Linear(6, 4)
    return nn.Sequential(linear, *(between or [nn.ReLU()]), output)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (network(Residual(nn.Linear(6, 6), nn.ReLU())), r"module '1' \(Residual\) has a forward"),
        (network(nn.Sequential(Residual(nn.Linear(6, 6)))), r"module '1\.0' \(Residual\)"),
        (Residual(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)), "^Residual has a forward other"),
        (Backwards(nn.Linear(6, 6), nn.Linear(6, 6)), "^Backwards has a __iter__ other"),
        (Called(nn.Linear(6, 6), nn.Linear(6, 6)), "^Called has a __call__ other"),
        (network(first=Masked(6, 6)), r"'0' \(Masked\) has a forward .* plain Linear"),
        (network(last=Doubled(6, 4)), r"'2' \(Doubled\) has a _call_impl"),
        (network(Frozen(6), nn.ReLU()), r"'1' \(Frozen\) .* plain BatchNorm1d"),
        (nn.Sequential(Halves(), nn.Linear(6, 4)), r"'0' \(Halves\) .* plain Flatten"),
        (network(nn.ReLU(), StillDrops()), r"'2' \(StillDrops\) .* plain Dropout"),
        (network(Shifted()), r"'1' \(Shifted\) .* activations=\[Shifted\]\)"),
    ],
)
def test_a_class_that_overrides_what_is_run_is_named(model, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.read(model)


@pytest.mark.parametrize("place", ["", "0", "1", "2", "3", "4"])
@pytest.mark.parametrize("name", ["forward", "__call__", "_call_impl"])
def test_an_instance_with_its_own_forward_is_named(place, name):
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Sequential(nn.Tanh(), nn.Linear(6, 4))
    )
    model.append(nn.Dropout())
    setattr(model.get_submodule(place), name, lambda x: x)
    with pytest.raises(NetdynError, match=rf"has a {name} of its own.*del module\.{name}"):
        netdyn.read(model)
    delattr(model.get_submodule(place), name)
    netdyn.read(model)


def test_subclasses_that_override_nothing_are_read(x):
    fused = torch.ao.nn.intrinsic.LinearReLU(nn.Linear(6, 6), nn.ReLU())
    model = Sub(SubLinear(6, 6), SubNorm(6), SubReLU(), fused, nn.Linear(6, 4)).eval()
    assert torch.equal(netdyn.logits(model, x), model(x).detach())
    assert netdyn.read(model).depth == 3


# Hooks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["", "0", "1", "2", "2.0", "3"])
@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_forward_hooks_on_any_module_are_named(x, place, register):
    model = network(nn.BatchNorm1d(6), nn.Sequential(nn.ReLU(), nn.Dropout())).eval()
    handle = getattr(model.get_submodule(place), register)(lambda *_: None)
    for measure in (netdyn.read, lambda model: netdyn.linear_map(model, 0)):
        with pytest.raises(NetdynError, match=r"has a forward hook.*handle\.remove\(\)"):
            measure(model)
    handle.remove()
    assert torch.equal(netdyn.logits(model, x), model(x).detach())


@pytest.mark.parametrize("kind", ["hook", "pre_hook"])
def test_forward_hooks_on_all_modules_are_refused(kind):
    register = getattr(nn.modules.module, f"register_module_forward_{kind}")
    handle = register(lambda *_: None)
    try:
        with pytest.raises(NetdynError, match="a forward hook is registered for all modules"):
            netdyn.read(network())
    finally:
        handle.remove()
    netdyn.read(network())


def test_backward_hooks_are_allowed(x):
    model = network(nn.Tanh()).eval()
    expected = netdyn.logits(model, x)
    model[0].register_full_backward_hook(lambda *_: None)
    model.register_full_backward_pre_hook(lambda *_: None)
    assert torch.equal(netdyn.logits(model, x), expected)
    assert deepfool(model, x).prediction.tolist() == expected.argmax(1).tolist()


@pytest.mark.parametrize(
    ("wrap", "end", "message"),
    [
        (
            lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
            lambda layer: prune.remove(layer, "weight"),
            r"\(L1Unstructured\).*torch\.nn\.utils\.prune\.remove\(module, 'weight'\)$",
        ),
        (
            lambda layer: prune.random_unstructured(layer, "bias", 0.5),
            lambda layer: prune.remove(layer, "bias"),
            r"computes its bias .*prune\.remove\(module, 'bias'\)",
        ),
        (
            nn.utils.weight_norm,
            nn.utils.remove_weight_norm,
            r"remove_weight_norm\(module, 'weight'\), or use .*parametrizations\.weight_norm",
        ),
        (
            nn.utils.spectral_norm,
            nn.utils.remove_spectral_norm,
            r"remove_spectral_norm\(module, 'weight'\), or .*parametrizations\.spectral_norm",
        ),
    ],
    ids=["prune", "prune bias", "weight_norm", "spectral_norm"],
)
def test_weights_that_hooks_compute_are_refused_with_the_way_out(x, wrap, end, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = network(first=wrap(nn.Linear(6, 6)))
    model.eval()(x)
    with pytest.raises(NetdynError, match=message):
        netdyn.linear_map(model, 0)
    end(model[0])
    assert_close(netdyn.logits(model, x), model(x).detach())


class Sparse(nn.Module):
    def forward(self, weight):
        return weight.tril()


@pytest.mark.parametrize(
    "wrap",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        lambda layer: parametrize.register_parametrization(layer, "weight", Sparse()),
        lambda layer: parametrize.register_parametrization(layer, "bias", nn.Softplus()),
    ],
    ids=["weight_norm", "spectral_norm", "orthogonal", "own", "bias"],
)
def test_parametrized_weights_are_those_after_the_last_step(unchanged, x, wrap):
    model = network(nn.Identity(), first=wrap(nn.Linear(6, 6))).train()
    network_read = netdyn.read(model)
    for _ in range(2):
        model(x).square().mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.5 * parameter.grad
                parameter.grad = None
        own = copy.deepcopy(model).eval()(x).detach()
        with unchanged(model):
            weight, bias = network_read.linear_maps()[0]
            assert_close(x @ weight.T + bias, own)
            assert_close(netdyn.logits(model, x), own)
            assert_close(netdyn.prune(model, 2)(x).detach(), own)


# Logits of the model itself -----------------------------------------------------------------------

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture
def patched(monkeypatch):
    """Multiply what every model returns, which no look at modules shows."""

    own = comparing._own_logits

    def patch(factor):
        monkeypatch.setattr(
            comparing, "_own_logits", lambda model, x: own(model, x).double() * factor
        )

    return patch


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_deviation_above_the_tolerance_is_refused_and_one_below_is_not(patched, x, dtype, sign):
    model = network(nn.Tanh()).to(dtype)
    expected = netdyn.logits(model, x)
    patched(1 + sign * 0.98 * TOLERANCES[dtype])
    assert torch.equal(netdyn.logits(model, x), expected)
    patched(1 + sign * 1.02 * TOLERANCES[dtype])
    with pytest.raises(NetdynError, match="the model's own forward pass returns other logits"):
        netdyn.logits(model, x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_stays_far_below_the_tolerance(x, dtype):
    """In the precision itself, against float64 of the same weights, through twelve layers."""
    hidden = [
        part for _ in range(12) for part in (nn.Linear(64, 64), nn.BatchNorm1d(64), nn.GELU())
    ]
    model = nn.Sequential(nn.Linear(6, 64), *hidden, nn.Linear(64, 4)).to(dtype).eval()
    exact = copy.deepcopy(model).double()(x.to(dtype).double()).detach()
    off = (netdyn.logits(model, x).double() - exact).abs().max() / exact.abs().max()
    assert off < TOLERANCES[dtype]


MEASURES = {
    "logits": lambda model, x, y: netdyn.logits(model, x),
    "local_fields": lambda model, x, y: netdyn.local_fields(model, x),
    "sample noise": lambda model, x, y: netdyn.sample_noise_correct(model, x, y, [0.0], 1, 0),
    "weight noise": lambda model, x, y: netdyn.weight_noise_correct(model, x, y, [0.0], 1, 0),
    "find_basins": lambda model, x, y: netdyn.find_basins(model, x, y, "weight", 2, 0),
    "bottleneck": lambda model, x, y: bottleneck(model, x),
    "deepfool": lambda model, x, y: deepfool(model, x, iterations=2),
    "batch statistics": lambda model, x, y: netdyn.read(model).with_batch_statistics(x).logits(x),
}


@pytest.mark.parametrize("name", [*MEASURES])
def test_every_measure_of_samples_compares_once_a_read(monkeypatch, patched, x, name):
    model, y = network(nn.BatchNorm1d(6), nn.ReLU()).eval(), torch.arange(20) % 4
    counts = []
    by_layer = comparing._logits_by_layer
    monkeypatch.setattr(
        comparing, "_logits_by_layer", lambda *args: counts.append(len(args[1])) or by_layer(*args)
    )
    MEASURES[name](model, x, y)
    assert counts == [COMPARED]
    network_read = netdyn.read(model)
    for _ in range(2):
        MEASURES[name](network_read, x, y)
    assert counts == [COMPARED] * 2
    patched(1.5)
    with pytest.raises(NetdynError, match="other logits"):
        MEASURES[name](model, x, y)


def test_comparing_changes_nothing(unchanged, x):
    model = network(nn.BatchNorm1d(6), nn.ReLU(inplace=True), nn.Dropout()).train()
    model[1].eval()  # modes differ by module
    before, state = x.clone(), torch.get_rng_state()
    with unchanged(model):
        netdyn.logits(model, x.requires_grad_())
    assert torch.equal(x, before)
    assert x.grad is None
    assert torch.equal(state, torch.get_rng_state())


class Fails(nn.Module):
    def forward(self, h):
        if h.abs().max() > 1e5:
            raise RuntimeError("one line\nand another")
        return h


def test_modes_are_restored_where_the_forward_pass_fails(unchanged, x):
    model = network(Fails()).train()
    model[0].bias.data.fill_(1e6)
    network_read = netdyn.read(model, activations=[Fails])
    with unchanged(model), pytest.raises(NetdynError, match=r"own forward pass fails: one line$"):
        network_read.logits(x)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_network_that_is_not_finite_is_still_the_same(x, value):
    model = network(nn.Tanh()).eval()
    with torch.no_grad():
        model[2].bias[1] = value
    torch.testing.assert_close(netdyn.logits(model, x), model(x).detach(), equal_nan=True)


def test_no_samples_are_not_compared_and_the_next_are(patched, x):
    network_read = netdyn.read(network())
    patched(1.5)
    assert network_read.logits(x[:0]).shape == (0, 4)
    with pytest.raises(NetdynError, match="other logits"):
        network_read.logits(x)


def test_an_oracle_reads_the_same_layers(x):
    model = network(nn.BatchNorm1d(6), nn.ReLU()).double().eval()
    assert_close(netdyn.linear_map(model, 0), linear_map(model, 0))
