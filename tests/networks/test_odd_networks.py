"""One output, placeholders, batch norm in odd places, activations of one's own, shared modules."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import netdyn
from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.networks.elementwise import ELEMENTWISE
from netdyn.networks.jacobian import mean_jacobians, sign_agreement
from netdyn.networks.running_statistics import started_from_first_batch
from netdyn.runtime.random_streams import generator


@pytest.fixture
def x(stream):
    return torch.rand(40, 6, generator=stream, dtype=torch.float64)


def trained(*modules):
    """A network in float64 whose batch norms have statistics, weights and offsets of their own."""
    model = nn.Sequential(*modules).double().eval()
    numbers = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=numbers, dtype=torch.float64))
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return model


# One output ---------------------------------------------------------------------------------------


@pytest.fixture
def single():
    return trained(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))


@pytest.fixture
def pair(single):
    """The same function as a network of two outputs, the first of which is 0."""
    output = nn.Linear(8, 2).double()
    with torch.no_grad():
        output.weight[0], output.bias[0] = 0.0, 0.0
        output.weight[1], output.bias[1] = single[3].weight[0], single[3].bias[0]
    return nn.Sequential(*copy.deepcopy(single[:3]), output).eval()


def test_one_output_z_is_read_as_the_logits_0_z(single, pair, x):
    z = single(x).detach()
    network = netdyn.read(single)
    assert (network.classes, network.outputs) == (2, 1)
    assert torch.equal(netdyn.logits(single, x), torch.cat([torch.zeros_like(z), z], 1))
    assert_close(network.batch_statistics(x)[0], netdyn.read(pair).batch_statistics(x)[0])
    assert_close(netdyn.linear_maps(single), netdyn.linear_maps(pair))
    assert_close(mean_jacobians(single, x), mean_jacobians(pair, x))
    assert_close(deepfool(single, x).distance, deepfool(pair, x).distance, equal_nan=True)
    # A row that is 0 by definition does not count as agreement.
    assert_close(sign_agreement(pair, x)[0], (1 + sign_agreement(single, x)[0]) / 2)


@pytest.mark.parametrize("depth", [1, 2])
def test_basins_of_one_output_are_those_of_the_labels_0_and_1(single, pair, x, depth):
    if depth == 1:
        single, pair = trained(nn.Linear(6, 1)), trained(nn.Linear(6, 2))
        with torch.no_grad():
            single[0].bias[0] = -(x @ single[0].weight[0]).mean()
            pair[0].weight[:], pair[0].bias[:] = 0.0, 0.0
            pair[0].weight[1], pair[0].bias[1] = single[0].weight[0], single[0].bias[0]
    y = (single(x).squeeze(1) > 0).long()
    assert 0 < y.sum() < len(y)
    amplitudes = [0.0, 0.2, 0.8]
    shares = netdyn.sample_noise_correct(single, x, y, amplitudes, 3, 0)
    assert torch.equal(shares, netdyn.sample_noise_correct(pair, x, y, amplitudes, 3, 0))
    assert (shares[0] == 1).all()
    basins = netdyn.find_basins(single, x, y, "sample", 3, 0)
    assert basins.groups["average"].clean_accuracies.item() == 1
    # The noise is on the one row of the output layer.
    shares = netdyn.weight_noise_correct(single, x, y, amplitudes, 20, 0)
    assert (shares[0] == 1).all()
    assert 0.5 < shares[2].mean() < 1
    with pytest.raises(NetdynError, match=r"classes 0 … 1"):
        netdyn.sample_noise_correct(single, x, y + 1, amplitudes, 1, 0)


def test_an_output_of_zero_is_class_0(x):
    model = trained(nn.Linear(6, 1))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.zero_()
    y = torch.arange(40) % 2
    assert netdyn.logits(model, x).argmax(1).unique().tolist() == [0]
    assert torch.equal(netdyn.sample_noise_correct(model, x, y, [0.0], 1, 0)[0] == 1, y == 0)


@pytest.mark.parametrize("start", [1, 2])
def test_pruning_leaves_one_output(single, pair, x, start):
    pruned = netdyn.prune(single, start)
    assert pruned(x).shape == (40, 1)
    assert_close(netdyn.logits(pruned, x), netdyn.logits(netdyn.prune(pair, start), x))


# Placeholders and batch norm ----------------------------------------------------------------------


def layers_of(model):
    return [(layer.norm, layer.activation, layer.input_norm) for layer in netdyn.read(model).layers]


def test_an_identity_beside_an_activation_is_passed_over(x):
    linear, output, relu, norm = nn.Linear(6, 5), nn.Linear(5, 4), nn.ReLU(), nn.BatchNorm1d(5)
    identity = nn.Identity
    for between, name, expected in [
        ((identity(), relu), "1", (None, relu, None)),
        ((relu, identity()), "0", (None, relu, None)),
        ((identity(), norm, identity(), relu, identity()), "3", (norm, relu, None)),
        ((identity(), norm, relu), "2", (norm, relu, None)),
    ]:
        inner = nn.Sequential(*between)
        model = trained(identity(), linear, inner, output, identity())
        assert layers_of(model) == [expected, (None, model[4], None)]
        assert [site.name for site in netdyn.read(model).sites] == [f"2.{name}"]
        assert_close(netdyn.logits(model, x), model(x).detach())
    linear_network = trained(linear, identity(), output)
    assert type(netdyn.read(linear_network).layers[0].activation) is nn.Identity


def test_a_fused_network_has_the_maps_and_fields_of_the_network(x):
    model = trained(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4))
    fused = copy.deepcopy(model)
    fused[0], fused[1] = nn.utils.fusion.fuse_linear_bn_eval(fused[0], fused[1]), nn.Identity()
    assert_close(netdyn.local_fields(fused, x), netdyn.local_fields(model, x))
    assert_close(netdyn.linear_maps(fused), netdyn.linear_maps(model))
    y = torch.arange(40) % 4
    shares = [netdyn.sample_noise_correct(one, x, y, [0.1], 2, 0) for one in (model, fused)]
    assert torch.equal(*shares)


@pytest.fixture
def behind():
    """Batch norm behind the activation, in the second layer on both sides of it."""
    return trained(
        *(nn.Linear(6, 8), nn.Tanh(), nn.BatchNorm1d(8)),
        *(nn.Linear(8, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(), nn.BatchNorm1d(7)),
        nn.Linear(7, 4),
    )


def by_hand(model):
    """The same network, each batch norm behind an activation folded into the next Linear layer."""
    folded = copy.deepcopy(model)
    with torch.no_grad():
        for place, into in ((2, 3), (7, 8)):
            norm, linear = folded[place], folded[into]
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            linear.bias += linear.weight @ (norm.bias - scale * norm.running_mean)
            linear.weight *= scale
            folded[place] = nn.Identity()
    return folded


def test_batch_norm_behind_an_activation_belongs_to_the_next_layer(behind, unchanged, x):
    folded = by_hand(behind)
    with unchanged(behind):
        assert_close(netdyn.logits(behind, x), behind(x).detach())
        assert_close(netdyn.local_fields(behind, x), netdyn.local_fields(folded, x))
        assert_close(netdyn.local_fields(behind, x)[0], behind[0](x).detach())
        assert_close(netdyn.linear_maps(behind), netdyn.linear_maps(folded))
        assert_close(mean_jacobians(behind, x), mean_jacobians(folded, x))
        for start in (1, 2, 3):
            assert_close(netdyn.prune(behind, start)(x), netdyn.prune(folded, start)(x))
    assert [site.name for site in netdyn.read(behind).sites] == ["1", "5"]


def test_basins_with_batch_norm_behind_an_activation(behind, x):
    y = behind(x).argmax(1)
    amplitudes = [0.0, 0.1, 0.4]
    shares = netdyn.sample_noise_correct(behind, x, y, amplitudes, 4, 0)
    assert torch.equal(shares, netdyn.sample_noise_correct(by_hand(behind), x, y, amplitudes, 4, 0))
    # Noise is on W itself, not on W with batch norm folded in: by a copy with noisy weights.
    shares = netdyn.weight_noise_correct(behind, x, y, amplitudes, 1, 0)
    noisy = copy.deepcopy(behind)
    with torch.no_grad():
        linears = [module for module in noisy if isinstance(module, nn.Linear)]
        for l, linear in enumerate(linears, 1):
            stream = generator(0, "weight noise", 0, l)
            drawn = torch.randn(linear.weight.shape, generator=stream).double()
            linear.weight += 0.4 * linear.weight.std(correction=0) * drawn
    assert torch.equal(shares[2] == 1, noisy(x).argmax(1) == y)


def test_training_mode_with_batch_norm_behind_an_activation(behind, x):
    expected = copy.deepcopy(behind).train()
    expected[6].eval()
    expected = expected(x).detach()
    network = netdyn.read(behind)
    outputs, pairs = network.batch_statistics(x)
    assert_close(outputs, expected)
    assert [pair is not None for pair in pairs] == [False, True, False]
    assert_close(network.with_batch_statistics(x).logits(x), expected)


def test_statistics_that_started_from_the_first_batch_are_all_moved(behind, x):
    moved, first = copy.deepcopy(behind), copy.deepcopy(behind)
    for model in (moved, first):
        for norm in (model[2], model[4], model[7]):
            norm.num_batches_tracked += 1
    result = started_from_first_batch(moved, first).model
    for place in (2, 4, 7):
        # (1 − α)/α (s_1 − r_0) with α = 0.1 and r_0 = 0.
        assert_close(result[place].running_mean, 10 * moved[place].running_mean)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ((nn.BatchNorm1d(6), nn.Linear(6, 4)), r"'0' \(BatchNorm1d\) .*Sequential\(\*model\[1:\]"),
        (
            (nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 4)),
            r"'3' \(Tanh\) follows a batch norm behind another activation",
        ),
        (
            (nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.BatchNorm1d(5), nn.Linear(5, 4)),
            r"'3' \(BatchNorm1d\) follows another batch norm",
        ),
        ((nn.Linear(6, 5), nn.BatchNorm1d(7), nn.Linear(5, 4)), "normalises 7 values, .* 5"),
        (
            (nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(7), nn.Linear(5, 4)),
            "normalises 7 values, .* 5",
        ),
        ((nn.Linear(6, 5), nn.BatchNorm1d(5).double(), nn.Linear(5, 4)), "torch.float64 in a net"),
        ((nn.Linear(6, 5), nn.BatchNorm1d(5).half(), nn.Linear(5, 4)), "torch.float16 in a net"),
        ((nn.Linear(6, 5), nn.Linear(5, 4).double()), "float64, the first layer of torch.float32"),
        ((nn.Linear(6, 5, dtype=torch.cfloat),), "weights of torch.complex64"),
        ((nn.Linear(6, 5, device="meta"),), "'0' .* is on the meta device and has no values"),
        ((nn.LazyLinear(5), nn.Linear(5, 4)), r"'0' \(LazyLinear\) has no weights yet"),
        ((nn.Linear(6, 5), nn.LazyBatchNorm1d()), r"'1' \(LazyBatchNorm1d\) has no weights yet"),
        ((nn.Flatten(0), nn.Linear(6, 5)), r"'0' \(Flatten\) must flatten each sample"),
    ],
)
def test_what_could_only_be_wrong_is_refused(modules, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.read(nn.Sequential(*modules))


# Shared modules -----------------------------------------------------------------------------------


def test_one_batch_norm_in_two_places_has_no_statistics_of_both(x):
    norm = nn.BatchNorm1d(6)
    model = trained(nn.Linear(6, 6), norm, nn.ReLU(), nn.Linear(6, 6), norm, nn.Linear(6, 4))
    network = netdyn.read(model)
    assert_close(network.logits(x), model(x).detach())
    assert_close(network.batch_statistics(x)[0], copy.deepcopy(model).train()(x).detach())
    for measure in (
        lambda: network.with_batch_statistics(x),
        lambda: started_from_first_batch(model, model),
    ):
        with pytest.raises(NetdynError, match="one batch norm stands in two places"):
            measure()
    model[4] = copy.deepcopy(norm)
    expected = copy.deepcopy(model).train()(x).detach()
    assert_close(netdyn.read(model).with_batch_statistics(x).logits(x), expected)


@pytest.mark.parametrize("how", ["module", "parameter"])
def test_one_weight_matrix_in_two_layers_has_no_weight_basin(x, how):
    linear = nn.Linear(6, 6)
    second = linear if how == "module" else nn.Linear(6, 6)
    second.weight = linear.weight
    model = trained(linear, nn.Tanh(), second, nn.Tanh(), nn.Linear(6, 4))
    y = model(x).argmax(1)
    assert_close(netdyn.logits(model, x), model(x).detach())
    assert (netdyn.sample_noise_correct(model, x, y, [0.0], 1, 0) == 1).all()
    with pytest.raises(NetdynError, match="two layers share one weight matrix"):
        netdyn.weight_noise_correct(model, x, y, [0.0], 1, 0)


# Activations --------------------------------------------------------------------------------------


class Cube(nn.Module):
    def forward(self, h):
        return h**3


class InPlace(nn.Module):
    def forward(self, h):
        return h.sin_()


class Slopes(nn.Module):
    """One slope a neuron, as in PReLU."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.linspace(0.1, 1, 5))

    def forward(self, h):
        return torch.where(h > 0, h, self.slope * h)


class LateReLU(nn.ReLU):
    def forward(self, h):
        return (h - 0.5).relu()


@pytest.mark.parametrize("kind", [Cube, InPlace, Slopes, LateReLU])
def test_activations_of_ones_own_are_the_networks(x, kind):
    model = trained(nn.Linear(6, 5), kind(), nn.Linear(5, 4))
    network = netdyn.read(model, activations=[kind])
    assert_close(network.logits(x), model(x).detach())
    assert_close(network.local_fields(x)[0], model[0](x).detach())
    y = model(x).argmax(1)
    assert (netdyn.sample_noise_correct(network, x, y, [0.0], 1, 0) == 1).all()
    assert (netdyn.weight_noise_correct(network, x, y, [0.0], 1, 0) == 1).all()


@pytest.mark.parametrize("kind", [kind for kind in ELEMENTWISE if kind is not nn.Threshold])
def test_pytorchs_elementwise_modules_pass_the_test_themselves(x, kind):
    model = trained(nn.Linear(6, 5), kind(), nn.Linear(5, 4))
    network = netdyn.read(model, activations=[kind])
    assert_close(network.logits(x), model(x).detach())


@pytest.mark.parametrize("slopes", [1, 5])
def test_prelu_is_read_with_one_slope_or_one_a_neuron(x, slopes):
    model = trained(nn.Linear(6, 5), nn.PReLU(slopes), nn.Linear(5, 4))
    y = model(x).argmax(1)
    assert (netdyn.weight_noise_correct(model, x, y, [0.0], 1, 0) == 1).all()
    with pytest.raises(NetdynError, match=r"'1' \(PReLU\) is no activation of 5 values"):
        netdyn.read(nn.Sequential(nn.Linear(6, 5), nn.PReLU(3), nn.Linear(5, 4)))


class Rolled(nn.Module):
    def forward(self, h):
        return h.roll(1, dims=1)


class Winner(nn.Module):
    def forward(self, h):
        return torch.where(h == h.amax(1, keepdim=True), h, 0)


class OfTheBatch(nn.Module):
    def forward(self, h):
        return h - h.mean(0)


class Noisy(nn.Module):
    def forward(self, h):
        return h + torch.randn_like(h)


class Counting(nn.Module):
    calls = 0

    def forward(self, h):
        self.calls += 1
        return h * self.calls


class Storing(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, h):
        self.mean += h.mean(0)
        return h.tanh()


class OnlyInTraining(nn.Module):
    def forward(self, h):
        return h.relu() if self.training else h


class OnlyFarOut(nn.Module):
    def forward(self, h):
        return h.clamp(max=h.amax(1, keepdim=True).clamp(min=8) / 2)


class OfLargeBatches(nn.Module):
    def forward(self, h):
        return h / h.abs().max().clamp(min=100)


class KeepsItsInput(nn.Module):
    def forward(self, h):
        self.last = h
        return h.relu()


class ListsItsInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, h):
        self.seen.append(h)
        return h.tanh()


class Pair(nn.Module):
    def forward(self, h):
        return h, h


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Softmax(1), "is not elementwise"),
        (nn.LayerNorm(5), "is not elementwise"),
        (nn.Conv1d(8, 8, 3, padding=1), "is not elementwise"),
        (nn.Conv2d(1, 1, 3), "is no activation of 5 values a sample"),
        (nn.GLU(), "is no activation"),
        (nn.MaxPool1d(2), "does not return one value for each of its inputs"),
        (Rolled(), "is not elementwise"),
        (Winner(), "is not elementwise"),
        (OfTheBatch(), "is not elementwise"),
        (Noisy(), "is not elementwise|at a second call"),
        (Counting(), "is not elementwise|at a second call"),
        (Storing(), "changes what it stores"),
        (OnlyFarOut(), "is not elementwise"),
        (OfLargeBatches(), "is not elementwise"),
        (KeepsItsInput(), "changes what it stores"),
        (ListsItsInputs(), "changes what it stores"),
        (OnlyInTraining(), "acts in training mode otherwise"),
        (nn.RReLU(), "acts in training mode otherwise"),
        (Pair(), "does not return one value for each"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_is_declared_but_no_activation_is_refused(module, message):
    model = nn.Sequential(nn.Linear(6, 5), module, nn.Linear(5, 4))
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    with pytest.raises(NetdynError, match=message) as refused:
        netdyn.read(model, activations=[type(module)])
    assert "activations=" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert_close(module.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), state)


# Something else than a Sequential -----------------------------------------------------------------

MODEL = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))


class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = MODEL

    def forward(self, x):
        return self.stack(x)


class OptimizedModule(nn.Module):
    """Stands for what torch.compile returns, which takes seconds to import."""

    _orig_mod = MODEL


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (OptimizedModule(), r"OptimizedModule .*it is compiled, give model\._orig_mod$"),
        (nn.DataParallel(MODEL), r"give model\.module$"),
        (torch.jit.trace(MODEL, torch.zeros(1, 6)), "it is scripted or traced, give the Seq"),
        (Wrapper(), r"but model\.stack is: give that"),
        (MODEL.state_dict(), "OrderedDict, such as a state_dict: build"),
        ("model.pt", r"the model is a path \('model\.pt'\).*netdyn\.load_model"),
        (nn.Sequential, "the class Sequential: give an instance"),
        ([*MODEL], r"a list: give torch\.nn\.Sequential\(\*modules\)"),
        (nn.ModuleList(MODEL), r"a ModuleList: give torch\.nn\.Sequential\(\*modules\)"),
        (MODEL[0], r"give torch\.nn\.Sequential\(model\)"),
        (torch.relu, "the model is a builtin_function_or_method: give a torch.nn.Sequential"),
        (None, "the model is a NoneType: give a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_message_says_what_to_give_instead(given, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.linear_map(given, 0)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            nn.Conv2d(1, 2, 3),
            r"'0' \(Conv2d\) is not supported: netdyn reads Linear, .* Flatten; or give",
        ),
        (nn.Softmax(1), "remove it, the measurements need the logits$"),
        (nn.DataParallel(MODEL), r"give module\.module$"),
        (torch.jit.script(nn.ReLU()), "it is scripted or traced"),
        (
            Wrapper(),
            r"looks into nothing but nested Sequentials; or give example samples",
        ),
        (Cube(), r"netdyn\.read\(model, activations=\[Cube\]\)$"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_module_that_is_not_read_is_named_wherever_it_stands(module, message):
    for place in (0, 1):
        modules = [*MODEL]
        modules.insert(place, module)
        with pytest.raises(NetdynError, match=message.replace("'0'", f"'{place}'")):
            netdyn.read(nn.Sequential(*modules))
