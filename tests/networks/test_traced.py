"""The traced reader: against the layered one on MLPs, and unit by unit on other networks."""

import copy
import itertools

import pytest
import torch
from any_network import Convolutions, Functional, Residual, Transformer, Wrapped, spread_out
from torch import nn
from torch.testing import assert_close

import netdyn
from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.measures.basins.bracketing import find_basins
from netdyn.measures.cones import cones
from netdyn.measures.projections import bottleneck, half_sums
from netdyn.networks.elementwise import Gaussian
from netdyn.networks.jacobian import mean_jacobians, sign_agreement
from netdyn.networks.mlp import MLP
from netdyn.networks.reading import Network, read
from netdyn.networks.traced.maps import maps, offsets
from netdyn.networks.traced.reading import trace
from netdyn.networks.traced.remembered import Products
from netdyn.networks.training_mode import training_mode_logits

F = nn.functional
MLPS = [*itertools.product(["relu", "tanh", "gaussian"], [True, False])]


@pytest.fixture
def x(stream):
    return torch.rand(40, 6, generator=stream)


@pytest.fixture
def y(stream):
    return torch.randint(4, (40,), generator=stream)


def both(activation, batch_norm, x, stream, dtype=torch.float32):
    model = spread_out(MLP((6, 9, 8, 4), activation, batch_norm), stream).to(dtype)
    x = x.to(dtype)
    return read(model), trace(Wrapped(model), x[:5], [Gaussian]), x


@pytest.mark.parametrize(("activation", "batch_norm"), MLPS)
def test_an_mlp_is_what_the_layered_reader_reads(activation, batch_norm, x, y, stream):
    layered, traced, x = both(activation, batch_norm, x, stream)
    assert [site.width for site in traced.sites] == [9, 8]
    assert [site.name for site in traced.sites] == [f"stack.{s.name}" for s in layered.sites]
    assert_close(traced.logits(x), layered.logits(x))
    for one, other in zip(traced.local_fields(x), layered.local_fields(x), strict=True):
        assert_close(one, other)
    for one, other in zip(traced.linear_maps(), layered.linear_maps(), strict=True):
        assert torch.equal(one[0].sign(), other[0].sign())
        assert_close(one[0], other[0], rtol=1e-5, atol=1e-6)
        assert_close(one[1], other[1], rtol=1e-5, atol=1e-5)
    assert_close(traced.pruned_logits(x, [2])[0], netdyn.logits(netdyn.prune(layered, 2), x))


@pytest.mark.parametrize(("activation", "batch_norm"), [("relu", True), ("tanh", False)])
def test_every_measure_of_an_mlp_is_the_same(activation, batch_norm, x, y, stream):
    layered, traced, x = both(activation, batch_norm, x, stream, torch.float64)
    y = layered.logits(x).argmax(1)
    for space in ("sample", "weight"):
        one, other = (find_basins(n, x, y, space, 3, 0, ("average",)) for n in (layered, traced))
        for left, right in zip(one.groups["average"][:5], other.groups["average"][:5], strict=True):
            assert_close(left, right, rtol=1e-6, atol=1e-9, equal_nan=True)
    assert_close(mean_jacobians(traced, x), mean_jacobians(layered, x))
    assert sign_agreement(traced, x) == sign_agreement(layered, x)
    assert_close(bottleneck(traced, x), bottleneck(layered, x))
    flips = [deepfool(n, x[:5]).distance for n in (layered, traced)]
    assert_close(*flips, equal_nan=True)
    drawn = [cones(n, x[:2], half_sums, [0.3], 4, 0) for n in (layered, traced)]
    assert torch.equal(drawn[0].kept, drawn[1].kept)
    for amplitude in (0.2, 1.0):
        for measure in (netdyn.sample_noise_correct, netdyn.weight_noise_correct):
            shares = [measure(n, x, y, [0.0, amplitude], 4, 1) for n in (layered, traced)]
            assert torch.equal(*shares)
    training = [n.with_batch_statistics(x).logits(x) for n in (layered, traced)]
    assert_close(*training)


def test_functions_methods_and_reused_modules_are_sites(x):
    model = Functional().eval()
    network = netdyn.read(model, x)
    assert [site.name for site in network.sites] == ["relu", "tanh"]
    assert_close(network.logits(x), netdyn.logits(model.as_sequential(), x))
    for one, other in zip(
        network.local_fields(x), netdyn.local_fields(model.as_sequential(), x), strict=True
    ):
        assert_close(one, other)
    reused = netdyn.read(Convolutions().eval(), torch.rand(3, 2, 8, 8))
    assert [site.name for site in reused.sites] == ["relu", "relu (2)"]
    assert [site.shape for site in reused.sites] == [(3, 8, 8), (3, 4, 4)]
    assert isinstance(netdyn.read(MLP((6, 5, 4)), x).network, Network)


CASES = {
    "convolutions": (Convolutions, (2, 8, 8), "refuse"),
    "max pooling": (lambda: Convolutions("max"), (2, 8, 8), "freeze"),
    "residual": (Residual, (6,), "refuse"),
    "transformer": (Transformer, (5, 6), "freeze"),
}


def case(name, stream):
    make, shape, not_affine = CASES[name]
    model = spread_out(make(), stream).double().eval()
    x = torch.rand(4, *shape, generator=stream, dtype=torch.float64)
    return model, trace(model, x, (), not_affine), x


@pytest.mark.parametrize("name", [*CASES])
def test_maps_are_the_responses_to_single_units(name, stream):
    model, network, samples = case(name, stream)
    assert len(network.sites) == 2
    for sample in samples[: 1 if name == "max pooling" else 2]:
        x = sample.unsqueeze(0)
        weights, biases = maps(network, x), offsets(network, x)
        for s, tail in enumerate(model.tails(x), 1):
            shape = network.sites[s - 1].shape
            with torch.no_grad():
                zero = tail(torch.zeros(1, *shape, dtype=torch.float64))
                units = torch.eye(network.sites[s - 1].width, dtype=torch.float64)
                columns = [tail(unit.view(1, *shape)) - zero for unit in units]
            assert_close(weights[s], torch.cat(columns).T, rtol=0, atol=1e-10)
            assert_close(biases[s], zero, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [*CASES])
def test_maps_with_their_offsets_give_each_samples_logits(name, stream):
    model, network, samples = case(name, stream)
    pruned = network.pruned_logits(samples, [1, 2, 3])
    assert_close(pruned[2], model(samples).detach(), rtol=0, atol=1e-10)
    activations = network.selected_fields(samples, lambda s, h: h.clone(), of_activations=True)
    activations = [samples.flatten(1), *(torch.cat(parts) for parts in activations)]
    for place in range(len(samples)):
        x = samples[place : place + 1]
        for s, (weight, offset) in enumerate(
            zip(maps(network, x), offsets(network, x), strict=True)
        ):
            reached = activations[s][place] @ weight.T + offset[0]
            assert_close(reached, pruned[s, place], rtol=0, atol=1e-10)


def test_frozen_maps_are_means_over_samples_and_affine_ones_are_of_any(stream):
    _, network, x = case("transformer", stream)
    single = [maps(network, sample.unsqueeze(0)) for sample in x]
    for s, mean in enumerate(maps(network, x, chunk=3)):
        assert_close(mean, torch.stack([one[s] for one in single]).mean(0))
    assert not torch.allclose(single[0][1], single[1][1])
    _, network, x = case("residual", stream)
    assert_close(maps(network, x[1:2]), maps(network, x[2:3]))


def test_units_and_classes_are_columns_and_rows(stream):
    _, network, x = case("max pooling", stream)
    units = [torch.tensor([0, 5, 100]), None, torch.tensor([7])]
    chosen = maps(network, x, 0, units, torch.tensor([3, 1]))
    for part, whole, unit in zip(chosen, maps(network, x), units, strict=True):
        rows = whole[[3, 1]]
        assert_close(part, rows if unit is None else rows[:, unit])


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_training_mode_is_that_of_the_model(kind, stream):
    model = spread_out(Convolutions(kind), stream).double()
    x = torch.rand(7, 2, 8, 8, generator=stream, dtype=torch.float64)
    network = trace(model, x, (), "freeze")
    trained = network.with_batch_statistics(x)
    assert_close(trained.logits(x), copy.deepcopy(model).train()(x).detach())
    assert not torch.allclose(network.logits(x), trained.logits(x))


def test_the_model_is_left_as_it_is(stream):
    model = spread_out(Convolutions("max"), stream).train()
    x = torch.rand(5, 2, 8, 8, generator=stream)
    before = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    network = netdyn.read(model, x, not_affine="freeze")
    y = torch.tensor([0, 1, 2, 3, 0])
    network.gradients(x, y)
    network.basins(x, y, space="weight", trials=1, by_class=False)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(before[0][name], now) for name, now in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert torch.equal(before[1], torch.get_rng_state())


class Twice(nn.Module):
    """A layer and a batch norm that stand in two places, behind a first step that writes to x."""

    def __init__(self):
        super().__init__()
        self.one, self.norm, self.out = nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 4)
        self.block = nn.Sequential(self.one, self.norm, nn.ReLU())

    def forward(self, x):
        return self.out(self.block(self.norm(self.one(x.mul_(0.5).sigmoid_()))))


def test_modules_in_two_places_and_samples_are_left_as_they_are(x, y):
    model, before = Twice(), x.clone()
    parts = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    network = netdyn.read(model, x)
    network.gradients(x, y)
    network.pruning(x, y)
    network.basins(x, y, space="weight", trials=1, by_class=False)
    training_mode_logits(network.network, x)
    assert torch.equal(x, before)
    for place in (model.one, model.block[0]):
        assert place.weight is parts["one.weight"]
    for place in (model.norm, model.block[1]):
        assert place.running_mean is parts["norm.running_mean"]
    assert isinstance(model.one.weight, nn.Parameter)


def test_passes_that_remember_products_compute_what_others_do(stream):
    """Whether or not something writes to what is remembered, and within whatever memory."""
    for name in ("convolutions", "max pooling", "residual", "transformer"):
        _, network, x = case(name, stream)
        starts = [2, 3, 1]
        together = network.pruned_logits(x, starts)
        for place, start in enumerate(starts):
            assert torch.equal(network.pruned_logits(x, [start])[0], together[place])
    written = Of(lambda m, x: m.two(m.one(x).relu_().add_(1).tanh_()) + m.two(x).relu_())
    x = torch.rand(5, 6, generator=stream)
    network = trace(written, x)
    assert torch.equal(
        network.pruned_logits(x, [1, 2, 3, 4]),
        torch.cat([network.pruned_logits(x, [start]) for start in (1, 2, 3, 4)]),
    )


def test_products_are_computed_once_up_to_the_first_that_differs():
    calls = []

    def product(a, b):
        calls.append(b)
        return torch.full((2,), float(b))

    products = Products(held=20)  # bytes: two tensors of two values, and no third
    for stop in (3, 2, 0):
        products.start()
        for n in range(4):
            if n == stop:
                products.stop()
            assert products.output(product, (0, n), {})[0] == n
    assert calls == [0, 1, 2, 3, 2, 3, 0, 1, 2, 3]
    products.start()
    products.output(product, (0, 0), {}).zero_()  # written to
    products.start()
    assert products.output(product, (0, 7), {})[0] == 7


class Cube(nn.Module):
    def forward(self, h):
        return h**3


class Mixes(nn.Module):
    def forward(self, h):
        return h.relu() - h.mean(1, keepdim=True)


class Hidden(torch.autograd.Function):
    """A square whose graph does not say so."""

    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        return h.square()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


class Kink(torch.autograd.Function):
    """A function that is affine up to 5, far beyond the samples."""

    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        return h.clamp(max=5)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0] < 5)


class Of(nn.Module):
    """A network of one hidden layer whose forward is a function of its two Linear layers."""

    def __init__(self, forward, *modules):
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 4)
        self.modules_of_own = nn.ModuleList(modules)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


def test_activations_of_ones_own_are_declared_as_classes_or_functions(x):
    own = Of(lambda m, x: m.two(m.modules_of_own[0](m.one(x))), Cube())
    network = netdyn.read(own, x, activations=[Cube])
    assert network.sites[0][1:] == ("Cube", (6,))
    weight, bias = network.linear_maps()[0]
    assert_close(weight, (own.two.weight @ own.one.weight).detach())
    assert_close(bias, (own.two.weight @ own.one.bias + own.two.bias).detach())
    for spelled in (lambda h: h.exp(), lambda h: torch.exp(h), lambda h: h.clone().exp_()):
        functional = Of(lambda m, x, f=spelled: m.two(f(m.one(x))))
        with pytest.raises(NetdynError, match="calls no activation"):
            netdyn.read(functional, x)
        assert netdyn.read(functional, x, activations=[torch.exp]).sites[0].function == "exp"
    mixing = Of(lambda m, x: m.two(m.modules_of_own[0](m.one(x))), Mixes())
    with pytest.raises(NetdynError, match="not elementwise"):
        netdyn.read(mixing, x, activations=[Mixes])
    with pytest.raises(NetdynError, match="no function of PyTorch"):
        netdyn.read(own, x, activations=[lambda h: h])


REFUSED = {
    "no activation": (lambda m, x: m.two(m.one(x)), "calls no activation"),
    "gate": (lambda m, x: m.two(m.one(x).sigmoid() * x), "multiplies two .* at mul"),
    "division": (lambda m, x: m.two(x / m.one(x).relu().sum(1, True)), "multiplies two"),
    "power": (lambda m, x: m.two(m.one(x).relu() ** 2), "not affine: pow in it"),
    "absolute": (lambda m, x: m.two(m.one(x).relu()).abs(), "not affine: abs in it"),
    "hidden": (lambda m, x: m.two(Hidden.apply(m.one(x).relu())), "not affine: something in it"),
    "kink": (lambda m, x: m.two(Kink.apply(m.one(x).relu())), "not affine: something in it"),
    "softmax": (lambda m, x: m.two(m.one(x).relu()).softmax(1), "softmax is not affine"),
    "sigmoid at the end": (lambda m, x: m.two(m.one(x).relu()).sigmoid(), "remove it"),
    "branches": (lambda m, x: m.two(m.one(x).relu() if x[0, 0] > 0.5 else x.tanh()), "one path"),
    "other samples": (lambda m, x: m.two(m.one(x - x.mean(0)).relu()), "other samples of a batch"),
    "random": (lambda m, x: m.two(m.one(x + torch.rand_like(x)).relu()), "random|second call"),
    "not a number": (lambda m, x: m.two(m.one(x).relu()) / 0 * 0, "NaN or infinite"),
    "tuple": (lambda m, x: (m.two(m.one(x).relu()), x), "returns a tuple"),
    "shape": (lambda m, x: m.two(m.one(x).relu()).sum(1), "returns the shape"),
    "samples not first": (lambda m, x: m.two(m.one(x).T.relu().T), "first dimension"),
    "fails": (lambda m, x: m.two(m.one(x).relu()) @ x, "forward fails on samples of shape"),
    "compiled": (None, "is compiled"),
}


@pytest.mark.parametrize("name", [*REFUSED])
def test_what_cannot_be_traced_is_refused_in_a_sentence(name, x):
    forward, message = REFUSED[name]
    model = Of(forward)
    if name == "compiled":
        model = Of(lambda m, x: m.two(m.one(x).relu()))
        model.one._compiled_call_impl = model.one._call_impl
    with torch.random.fork_rng(), pytest.raises(NetdynError, match=message) as refused:
        netdyn.read(model, x)
    assert "\n" not in str(refused.value)


def test_softmax_at_the_end_is_refused_when_frozen_too(x):
    model = Of(REFUSED["softmax"][0])
    with pytest.raises(NetdynError, match="do not depend on the samples"):
        netdyn.read(model, x, not_affine="freeze")


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (torch.rand(3, 7), "forward fails on samples of shape"),
        (torch.rand(0, 6), "at least one"),
        (torch.full((2, 6), torch.nan), "NaN or infinite"),
        (torch.zeros(2, 6, dtype=torch.int64), "torch.int64"),
        ("x.pt", "samples are a str"),
    ],
)
def test_examples_that_are_none_are_refused(example, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.read(Functional(), example)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("model.pt", "is a path"),
        (None, "NoneType: give a torch.nn.Module"),
        (nn.DataParallel(Functional()), r"give model\.module"),
        (Functional().to("meta"), "meta device"),
    ],
)
def test_what_is_no_module_is_refused(model, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.read(model, torch.rand(2, 6))


def test_without_an_example_the_message_asks_for_one(x):
    with pytest.raises(NetdynError, match=r"netdyn\.read\(model, x\), to have it traced"):
        netdyn.read(Functional())
    with pytest.raises(NetdynError, match="choose one of refuse, freeze"):
        netdyn.read(Functional(), x, not_affine="ignore")
    network = netdyn.read(Functional(), x)
    assert netdyn.read(network) is network
    for other in (torch.rand(3, 2, 3), torch.rand(3, 5)):
        with pytest.raises(NetdynError, match=r"example of samples of shape \(6,\)"):
            network.logits(other)


def test_noise_on_computed_weights_is_refused(x, y):
    model = Functional()
    nn.utils.parametrizations.weight_norm(model.two)
    network = netdyn.read(model, x)
    assert_close(network.logits(x), model.eval()(x).detach())
    with pytest.raises(NetdynError, match="computed from other parameters"):
        network.basins(x, y, space="weight")


def test_kernels_have_noise_of_their_own_deviation(stream):
    model = Convolutions().eval()
    x = torch.rand(30, 2, 8, 8, generator=stream)
    network = netdyn.read(model, x[:3])
    assert network.weights == ("one.weight", "two.weight", "out.weight")
    y = network.logits(x).argmax(1)
    shares = netdyn.weight_noise_correct(network, x, y, [0.0, 0.1, 50.0], 5, 0).mean(1)
    assert shares[0] == 1
    assert shares[1] > 0.7
    scaled = copy.deepcopy(model)  # of the first layer, whose size ReLU and the second undo
    with torch.no_grad():
        scaled.one.weight.mul_(8), scaled.one.bias.mul_(8), scaled.norm.running_var.mul_(64)
        scaled.norm.eps *= 64
    again = netdyn.weight_noise_correct(netdyn.read(scaled, x[:3]), x, y, [0.0, 0.1, 50.0], 5, 0)
    assert_close(again.mean(1), shares, rtol=0, atol=0.02)


def test_one_output_has_two_logits(x):
    model = Functional()
    model.out = nn.Linear(8, 1)
    network = netdyn.read(model, x)
    assert_close(network.linear_maps(), netdyn.linear_maps(model.as_sequential()))
    assert_close(network.logits(x)[:, 1:], model.eval()(x).detach())
    assert network.classes == 2
