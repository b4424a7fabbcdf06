"""A network is read once, by one function, and computes the same as its modules."""

import copy
import importlib
import inspect
import pkgutil

import oracles
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import netdyn
from netdyn import measures, networks
from netdyn.errors import NetdynError
from netdyn.measures.projections import half_sums
from netdyn.networks import layers as layers_module
from netdyn.networks.folding import Layer
from netdyn.networks.layers import layers
from netdyn.networks.mlp import MLP
from netdyn.networks.reading import Network, Site, read
from netdyn.quantities import pruning, region_share, rpd_gradient, sign_agreement
from netdyn.quantities.subject import Subject

WIDTHS = (6, 9, 8, 4)


class Cube(nn.Module):
    """An elementwise activation that is not in `ELEMENTWISE`."""

    def forward(self, h):
        return h**3


class SquareThenSine(nn.Sequential):
    """An elementwise activation whose class is a Sequential."""

    def forward(self, h):
        return h.square().sin()


@pytest.fixture
def x(stream):
    return torch.rand(20, WIDTHS[0], generator=stream, dtype=torch.float64)


@pytest.fixture
def y(stream):
    return torch.randint(WIDTHS[-1], (20,), generator=stream)


@pytest.fixture
def reads(monkeypatch):
    """The list of models whose modules were walked through, by any function, in order."""
    models = []
    leaves = layers_module._leaves

    def counted(model, elementwise, prefix=""):
        if not prefix:
            models.append(model)
        return leaves(model, elementwise, prefix)

    monkeypatch.setattr(layers_module, "_leaves", counted)
    return models


# Arguments after the model, by module and function; `x` and `y` are the samples and their labels.
MEASURES = {
    "networks.reading.local_fields": lambda x, y: (x,),
    "networks.reading.logits": lambda x, y: (x, 7),
    "networks.reading.read": lambda x, y: (),
    "networks.lmap.linear_map": lambda x, y: (1,),
    "networks.lmap.linear_maps": lambda x, y: (),
    "networks.lmap.prune": lambda x, y: (2,),
    "networks.jacobian.mean_jacobians": lambda x, y: (x, 0, 7),
    "networks.jacobian.sign_agreement": lambda x, y: (x, 0, 7),
    "networks.mlp.initialise": lambda x, y: (3,),
    "measures.adversarial.deepfool": lambda x, y: (x, 0.02, 4),
    "measures.cones.cones": lambda x, y: (x[:2], half_sums, [0.1, 0.2], 3, 0),
    "measures.projections.output_plane": lambda x, y: (),
    "measures.projections.bottleneck": lambda x, y: (x,),
    "measures.basins.sizes.sample_noise_correct": lambda x, y: (x, y, [0.0, 0.3], 2, 0),
    "measures.basins.sizes.weight_noise_correct": lambda x, y: (x, y, [0.0, 0.3], 2, 0),
    "measures.basins.bracketing.find_basins": lambda x, y: (x, y, "sample", 3, 0),
}


def function(name):
    module, _, name = name.rpartition(".")
    return getattr(importlib.import_module(f"netdyn.{module}"), name)


def bits(result):
    """Flatten a result to its tensors and numbers, for comparison bit by bit."""
    if isinstance(result, torch.Tensor):
        return [(result.dtype, result.tolist())]
    if isinstance(result, nn.Module):
        return bits([*result.state_dict().values()])
    if isinstance(result, dict):
        return bits([*result.values()])
    if isinstance(result, list | tuple):
        return [one for part in result for one in bits(part)]
    return [result]


def test_all_functions_of_a_model_are_counted_here():
    functions = set()
    for package in (networks, measures):
        prefix = f"{package.__name__}."
        for info in pkgutil.walk_packages(package.__path__, prefix):
            module = importlib.import_module(info.name)
            for name in getattr(module, "__all__", []):
                member = getattr(module, name)
                if inspect.isfunction(member) and "model" in inspect.signature(member).parameters:
                    functions.add(f"{info.name.removeprefix('netdyn.')}.{name}")
    # These are the readers; `started_from_first_batch` has another test below.
    functions -= {"networks.layers.layers", "networks.layers.named_layers"}
    functions -= {"networks.traced.reading.trace", "networks.traced.running.run"}
    functions -= {"networks.traced.exchanged.exchanged"}
    functions -= {
        "networks.traced.statistics." + n for n in ("batch_norms", "set_batch_statistics")
    }
    assert functions - {"networks.running_statistics.started_from_first_batch"} == {*MEASURES}


@pytest.mark.parametrize("name", [*MEASURES])
def test_a_module_is_read_once_and_a_network_never(make_network, reads, x, y, name):
    model = make_network(WIDTHS)
    reads.clear()
    torch.manual_seed(0)
    by_module = function(name)(model, *MEASURES[name](x, y))
    assert len(reads) == 1
    assert reads[0] is model
    network = read(model)
    reads.clear()
    by_network = function(name)(network, *MEASURES[name](x, y))
    assert reads == []
    if name.endswith("reading.read"):
        assert by_network is network
    else:
        assert repr(bits(by_network)) == repr(bits(by_module))


def test_of_two_modules_each_is_read_once(make_network, reads):
    model = make_network(WIDTHS).train()
    for norm in (model.norm1, model.norm2):
        norm.num_batches_tracked += 1
    after_one_step = copy.deepcopy(model)
    reads.clear()
    started = function("networks.running_statistics.started_from_first_batch")
    started(model, after_one_step)
    assert [id(one) for one in reads] == [id(model), id(after_one_step)]
    networks_read = read(model), read(after_one_step)
    reads.clear()
    started(*networks_read)
    assert reads == []


@pytest.mark.parametrize(
    ("quantity", "settings", "networks_measured"),
    [
        (rpd_gradient, {"samples": 20, "modes": ["evaluation", "training"]}, 2),
        (sign_agreement, {"samples": 20}, 2),
        (pruning, {"start_layers": "all", "splits": ["test"]}, 2),
        (
            region_share,
            {
                "samples": 20,
                "views": [["train", "training"], ["test", "evaluation"]],
                "digits": [0, 1],
                "percentile": 90,
            },
            2,
        ),
    ],
    ids=["rpd_gradient", "sign_agreement", "pruning", "region_share"],
)
def test_a_quantity_reads_the_network_of_each_step_once(
    tmp_path, run_settings, train_run, toy_data, reads, quantity, settings, networks_measured
):
    subject = Subject.open(train_run(tmp_path, run_settings()), toy_data, "cpu")
    reads.clear()
    quantity.measure(subject, {"steps": [0, "last"], **settings})
    assert len(reads) == networks_measured


# Attributes ---------------------------------------------------------------------------------------


def test_sites_are_where_local_fields_enter_activations(x):
    block = nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.BatchNorm1d(5), nn.SiLU()))
    model = nn.Sequential(nn.Flatten(), block, nn.Linear(5, 4), nn.Dropout(), nn.Linear(4, 2))
    network = read(model.double())
    assert network.sites == (Site("1.1.1", 5), Site("2", 4))
    assert model.get_submodule(network.sites[0].name) is block[1][1]
    assert [field.shape[1] for field in network.local_fields(x)] == [5, 4]
    assert (network.depth, network.inputs, network.classes) == (3, 6, 2)
    assert (network.dtype, network.device.type) == (torch.float64, "cpu")
    assert [site.name for site in read(MLP(WIDTHS)).sites] == ["activation1", "activation2"]


def test_maps_belong_to_the_input_and_to_each_site(make_network):
    network = read(make_network(WIDTHS))
    widths = [weight.shape[1] for weight, _ in network.linear_maps()]
    assert widths == [network.inputs, *(site.width for site in network.sites)]
    with pytest.raises(NetdynError, match=r"layer 3: .* L-maps 0 … 2"):
        network.linear_maps(3)


def test_further_activations_are_declared(x, y):
    model = nn.Sequential(nn.Linear(6, 5), Cube(), nn.Linear(5, 4)).double()
    with pytest.raises(NetdynError, match=r"'1' \(Cube\) .* netdyn\.read\(model, activations=\["):
        read(model)
    network = netdyn.read(model, activations=[Cube])
    assert_close(network.logits(x), model(x).detach())
    assert netdyn.sample_noise_correct(network, x, y, [0.0], 1, 0).shape == (1, 20)
    assert_close(netdyn.prune(network, 2)(x), model(x))


def test_a_declared_sequential_is_one_activation(x):
    model = nn.Sequential(nn.Linear(6, 5), SquareThenSine(nn.Linear(5, 5)), nn.Linear(5, 4))
    network = read(model.double(), activations=[SquareThenSine])
    assert network.depth == 2
    assert_close(network.logits(x), model(x).detach())


@pytest.mark.parametrize("wrong", [torch.tanh, nn.Tanh(), int])
def test_only_classes_of_modules_are_activations(wrong):
    with pytest.raises(NetdynError, match=r"activations hold .*: give classes of torch\.nn\.Mod"):
        read(nn.Sequential(nn.Linear(2, 2)), activations=[wrong])


# Present weights ----------------------------------------------------------------------------------


def test_a_network_follows_further_training(make_network, x, y):
    model = make_network(WIDTHS).train()
    network = read(model)
    before = [*network.folded()[0][:2], *network.linear_maps()[0], network.logits(x)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    for name in MEASURES:
        if name.endswith(("initialise", "read")):
            continue
        by_old = function(name)(network, *MEASURES[name](x, y))
        by_new = function(name)(read(copy.deepcopy(model)), *MEASURES[name](x, y))
        assert repr(bits(by_old)) == repr(bits(by_new)), name
    after = [*network.folded()[0][:2], *network.linear_maps()[0], network.logits(x)]
    assert not any(torch.allclose(*pair) for pair in zip(before, after, strict=True))


def test_a_network_follows_loading_and_precision(make_network, x):
    model, other = make_network(WIDTHS), make_network(WIDTHS, seed=1)
    network = read(model)
    model.load_state_dict(other.state_dict())
    assert torch.equal(network.logits(x), netdyn.logits(other, x))
    model.float()
    assert network.dtype == torch.float32
    assert network.logits(x).dtype == torch.float32
    model.linear1.weight = nn.Parameter(torch.zeros(9, 6))
    assert (network.folded()[0].weight == 0).all()


def test_copies_share_nothing(make_network, unchanged, x):
    model = make_network(WIDTHS)
    network = read(model)
    with unchanged(model):
        for copied in (network.with_batch_statistics(x), network.with_affine_tail(3, torch.eye(8))):
            assert isinstance(copied, Network)
            inside = {id(module) for module in copied.model.modules()}
            for layer in copied.layers:
                assert {id(module) for module in layer if module is not None} <= inside
            assert layers(copied.model) == [*copied.layers]
            for site in copied.sites:
                assert copied.model.get_submodule(site.name) in [one[2] for one in copied.layers]
            for tensor in copied.model.state_dict().values():
                tensor.zero_()


# Folding ------------------------------------------------------------------------------------------


def folded_forward(network, x, dtype=None):
    for layer in network.folded(dtype):
        h = nn.functional.linear(x, layer.weight, layer.bias)
        x = h if layer.activation is None else layer.activation(h)
    return x.detach()


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity", "gaussian"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_folded_layers_are_the_network(make_network, unchanged, x, activation, batch_norm):
    model = make_network(WIDTHS, activation, batch_norm)
    with unchanged(model):
        network = read(model)
        assert_close(folded_forward(network, x), network.logits(x), rtol=1e-12, atol=1e-12)
        assert_close(folded_forward(network, x), copy.deepcopy(model).eval()(x).detach())
        for layer, folded in zip(network.layers, network.folded(), strict=True):
            if layer.norm is None:
                assert folded.weight is layer.linear.weight
                assert folded.bias is layer.linear.bias
                assert folded.scale is None
            else:
                scaled = folded.scale.unsqueeze(1) * layer.linear.weight
                assert torch.equal(folded.weight, scaled)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_every_kind_of_batch_norm_is_folded(x, stream, bias, affine):
    norm = nn.BatchNorm1d(5, affine=affine, eps=0.3).double()
    layer = Layer(nn.Linear(6, 5, bias=bias).double(), norm, None)
    with torch.no_grad():
        for tensor in norm.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 2.0, generator=stream)
    folded = layer.folded()
    expected = norm.eval()(layer.linear(x))
    assert_close(nn.functional.linear(x, folded.weight, folded.bias), expected, rtol=1e-12, atol=0)
    single = Layer(copy.deepcopy(layer.linear).float(), copy.deepcopy(norm).float(), None)
    assert {tensor.dtype for tensor in single.folded()[:2]} == {torch.float32}
    assert {tensor.dtype for tensor in single.folded(torch.float64)[:2]} == {torch.float64}
    x32 = x.float().double()
    doubled = single.folded(torch.float64)
    exact = copy.deepcopy(single.norm).double().eval()(copy.deepcopy(single.linear).double()(x32))
    assert_close(nn.functional.linear(x32, doubled.weight, doubled.bias), exact, rtol=1e-12, atol=0)


def test_maps_and_noisy_passes_fold_alike(make_network, x):
    """Both come from `Layer.folded`: one product of folded layers is the L-map."""
    network = read(make_network(WIDTHS, "identity"))
    weight, bias = network.linear_maps()[0]
    assert_close(folded_forward(network, x), x @ weight.T + bias)
    expected_weight, expected_bias = oracles.linear_map(network.model, 0)
    assert_close((weight, bias), (expected_weight, expected_bias))


# The same operations in the same order ------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_passes_are_pytorchs_own_operations_bit_for_bit(make_network, x, batch_norm, dtype):
    model = make_network(WIDTHS, "tanh", batch_norm).to(dtype).eval()
    network, x = read(model), x.to(dtype)
    with torch.no_grad():
        assert torch.equal(network.logits(x), model(x))
        assert torch.equal(network.differentiable_pass(x)[1], model(x))
        trained = copy.deepcopy(model).train()(x)
        assert_close(network.batch_statistics(x)[0], trained)
        assert torch.equal(
            network.batch_statistics(x)[0], network.with_batch_statistics(x).logits(x)
        )


def test_the_recursion_of_maps_is_one_product_a_layer_bit_for_bit(make_network):
    model = make_network(WIDTHS)
    (w1, b1), (w2, b2), (w3, b3) = (layer.folded(torch.float64)[:2] for layer in layers(model))
    with torch.no_grad():
        expected = [(w3 @ w2 @ w1, (b3 + w3 @ b2) + (w3 @ w2) @ b1), (w3 @ w2, b3 + w3 @ b2)]
    for (weight, bias), (expected_weight, expected_bias) in zip(
        read(model).linear_maps(), expected, strict=False
    ):
        assert torch.equal(weight, expected_weight)
        assert torch.equal(bias, expected_bias)


def test_a_string_or_a_single_class_is_refused_with_what_to_give():
    model = MLP([4, 3, 2])
    with pytest.raises(NetdynError, match=r"samples are a str: give a tensor, a numpy array or"):
        netdyn.logits(model, "samples")
    with pytest.raises(NetdynError, match=r"activations: give a list of classes, \[Tanh\]"):
        netdyn.read(model, activations=nn.Tanh)
