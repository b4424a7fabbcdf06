"""Integer samples: what follows their embedding is measured as if it were the network."""

import pytest
import torch
from any_network import Transformer, spread_out
from pretended_gpu import pretended_gpu
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

import netdyn
from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.measures.cones import cones
from netdyn.measures.projections import half_sums
from netdyn.networks.jacobian import mean_jacobians
from netdyn.networks.traced.maps import maps, offsets
from netdyn.networks.traced.reading import trace

EXACT = {"rtol": 0, "atol": 1e-10}


class Tokens(nn.Module):
    """Tokens and their positions, embedded, before a small transformer."""

    def __init__(self):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(11, 6), nn.Embedding(5, 6)
        self.body = Transformer()

    def embedded(self, x):
        places = torch.arange(x.shape[1], device=x.device)
        return self.embedding(x) + self.positions(places)

    def forward(self, x):
        return self.body(self.embedded(x))


class Tables(nn.Module):
    """Columns of a table, each with an embedding; the second shares its weight with the output."""

    def __init__(self, forward=None):
        super().__init__()
        self.one, self.two = nn.Embedding(4, 3), nn.Embedding(4, 5)
        self.hidden, self.out = nn.Linear(8, 5), nn.Linear(5, 4)
        self.out.weight = self.two.weight
        self._forward = forward

    def embedded(self, x):
        return torch.cat([self.one(x[:, 0]), self.two((x + 1)[:, 1] % 4)], dim=1)

    def forward(self, x):
        if self._forward is not None:
            return self._forward(self, x)
        return self.out(self.hidden(self.embedded(x)).relu())


@pytest.fixture
def x(stream):
    return torch.randint(11, (9, 5), generator=stream)


@pytest.fixture
def y():
    return torch.arange(9) % 4


@pytest.fixture
def model(stream):
    return spread_out(Tokens(), stream).double().eval()


@pytest.fixture
def pair(model, x):
    """The network, and what follows the embeddings; with samples of each."""
    embedded = model.embedded(x).detach()
    network = netdyn.read(model, x, not_affine="freeze")
    return network, netdyn.read(model.body, embedded, not_affine="freeze"), embedded


def test_maps_are_the_responses_to_single_units(model, x):
    network = trace(model, x, (), "freeze")
    assert (network.inputs, network.dtype, len(network.sites)) == (30, torch.float64, 2)
    for p in range(2):
        sample = x[p : p + 1]
        embedded = model.embedded(sample).detach()
        weights, biases = maps(network, sample), offsets(network, sample)
        for s, tail in enumerate(model.body.tails(embedded), 1):
            shape = network.sites[s - 1].shape
            with torch.no_grad():
                zero = tail(torch.zeros(1, *shape, dtype=torch.float64))
                units = torch.eye(network.sites[s - 1].width, dtype=torch.float64)
                columns = [tail(unit.view(1, *shape)) - zero for unit in units]
            assert_close(weights[s], torch.cat(columns).T, **EXACT)
            assert_close(biases[s], zero, **EXACT)


def test_all_measures_are_those_of_what_follows_the_embedding(pair, x, y):
    network, body, embedded = pair
    assert_close(maps(network.network, x), maps(body.network, embedded), **EXACT)
    assert_close(offsets(network.network, x)[1:], offsets(body.network, embedded)[1:], **EXACT)
    assert_close(mean_jacobians(network, x), mean_jacobians(body, embedded), **EXACT)
    for name in ("gradients", "rank_probability", "pruning"):
        one, other = getattr(network, name)(x, y), getattr(body, name)(embedded, y)
        for column in one.select_dtypes("number"):
            assert_close([*one[column]], [*other[column]], equal_nan=True, **EXACT)
    assert_close(network.local_fields(x), body.local_fields(embedded))
    points = network.projection(x)
    assert_close([*points.coordinate_1], [*body.projection(embedded).coordinate_1])
    loader = DataLoader(TensorDataset(x, y), batch_size=4)
    assert_close([*network.gradients(loader).g], [*network.gradients(x, y).g])
    assert_close(network.logits(x.int()), network.logits(x))


def test_the_first_map_with_its_offset_gives_the_pruned_logits(model, x):
    network = trace(model, x, (), "freeze")
    pruned = network.pruned_logits(x, [1])[0]
    for p in range(3):
        sample = x[p : p + 1]
        start = model.embedding(sample).detach().flatten(1)  # positions are in the offset
        reached = start @ maps(network, sample)[0].T + offsets(network, sample)[0]
        assert_close(reached, pruned[p : p + 1], **EXACT)
    assert_close(network.pruned_logits(x, [3])[0], model(x).detach(), **EXACT)


def test_embeddings_of_several_columns_are_one_input(stream):
    model = spread_out(Tables(), stream).double().eval()
    x = torch.randint(4, (20, 2), generator=stream)
    network = netdyn.read(model, x)
    first, second = network.linear_maps(x)
    embedded = model.embedded(x).detach()
    assert network.network.weights == ("one.weight", "two.weight", "hidden.weight")
    assert_close(second[0], model.out.weight.detach())
    assert_close(first[0], (model.out.weight @ model.hidden.weight).detach(), **EXACT)
    assert_close(embedded @ first[0].T + first[1], network.pruned_logits(x, [1])[0], **EXACT)


def test_weights_have_basins_and_embeddings_are_among_them(model, x):
    network = netdyn.read(model, x, not_affine="freeze")
    assert network.network.weights[0] == "embedding.weight"
    assert "positions.weight" not in network.network.weights
    y = model(x).argmax(1)
    basin = network.basins(x, y, space="weight", trials=1, by_class=False)
    assert basin.accuracy[0] == 1
    assert basin["size"][0] > 0


REFUSED = {
    "sample basin": lambda n, x, y: n.basins(x, y),
    "noise": lambda n, x, y: n.noise_accuracy(x, y),
    "deepfool": lambda n, x, y: deepfool(n, x),
    "cones": lambda n, x, y: cones(n, x, half_sums, [0.1], 2, 0),
}


@pytest.mark.parametrize("name", [*REFUSED])
def test_what_would_change_integers_a_little_is_refused(name, pair, x, y):
    with pytest.raises(NetdynError, match=r"of integer samples: .* embed them first") as refused:
        REFUSED[name](pair[0], x, y)
    assert "\n" not in str(refused.value)


def test_samples_of_the_other_kind_are_refused(pair, x):
    network, body, _ = pair
    with pytest.raises(NetdynError, match="give integers"):
        network.logits(x.double())
    with pytest.raises(NetdynError, match="int64: give floats"):
        body.logits(x)
    with pytest.raises(NetdynError, match=r"samples of shape \(5,\)"):
        network.logits(x[:, :4])


NOT_EMBEDDED = {
    "one-hot": lambda m, x: m.out(nn.functional.one_hot(x, 5).double()[:, 0].relu()),
    "positions": lambda m, x: m.out(m.two(torch.arange(2)).mean(0).relu()).repeat(len(x), 1),
}


@pytest.mark.parametrize("name", [*NOT_EMBEDDED])
def test_integers_that_no_embedding_takes_are_refused(name, stream):
    model = Tables(NOT_EMBEDDED[name]).double()
    with pytest.raises(NetdynError, match="no embedding"):
        netdyn.read(model, torch.randint(4, (5, 2), generator=stream))


def test_embeddings_behind_the_samples_dimension_are_refused(stream):
    model = Tables(lambda m, x: m.out(m.two(x.T).relu().mean(0)))
    with pytest.raises(NetdynError, match="must be the first dimension"):
        netdyn.read(model, torch.randint(4, (5, 2), generator=stream))


def test_masks_of_tokens_are_constants(model, x):
    """What is computed from tokens and is no embedding is as it is in each sample's own pass."""

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = model

        def forward(self, x):
            kept = (x != 0).double().unsqueeze(2)
            h = self.tokens.embedded(x) * kept
            return self.tokens.body(h.masked_fill((x == 1).unsqueeze(2), 0.0))

    network = trace(Masked(), x, (), "freeze")
    assert_close(network.logits(x), Masked()(x).detach())
    weight = maps(network, torch.tensor([[0, 1, 2, 3, 4]]))[0].view(4, 5, 6)
    assert (weight[:, :2] == 0).all()
    assert (weight[:, 2:] != 0).all()


def test_pruned_and_exported_networks_take_tokens(pair, model, x):
    network, _, _ = pair
    pruned = network.pruned(2)
    assert_close(pruned(x), network.pruned_logits(x, [2])[0])
    batches = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (x,), dynamic_shapes=batches)
    exported = netdyn.read(program, x, not_affine="freeze")
    assert_close(exported.linear_maps(x), network.linear_maps(x), **EXACT)


def test_tokens_are_measured_on_a_pretended_gpu(model, x, y, monkeypatch):
    def measured(device):
        network = netdyn.read(model.to(device), x.to(device), not_affine="freeze")
        options = {"space": "weight", "trials": 1, "by_class": False}
        samples = x.to(device), y.to(device)
        return network.gradients(*samples).g, network.basins(*samples, **options)["size"]

    expected = measured("cpu")
    with pretended_gpu(monkeypatch):
        result = measured("cuda")
    for one, other in zip(result, expected, strict=True):
        assert_close([*one], [*other])


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_an_embedding_that_rescales_its_weights_is_refused(kind):
    model = nn.Sequential(kind(9, 4, max_norm=1.0), nn.Flatten(), nn.ReLU(), nn.LazyLinear(3))
    model(torch.arange(6).view(2, 3))
    before = model[0].weight.detach().clone()
    with pytest.raises(netdyn.NetdynError, match=r"\(Embedding\w*\) has a max_norm"):
        netdyn.read(model, torch.arange(6).view(2, 3))
    assert torch.equal(model[0].weight, before)
