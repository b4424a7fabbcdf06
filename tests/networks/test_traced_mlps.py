"""The traced reader reads every fully connected network of the tests as the layered one does."""

import pytest
import torch
from any_network import Wrapped
from mlps import MLPS, OWN, mlp
from torch import nn
from torch.testing import assert_close

from netdyn.analysis.measuring import Analysis
from netdyn.errors import NetdynError
from netdyn.networks.reading import read
from netdyn.networks.traced.reading import trace

SHARED = {"a weight twice": "two layers share one weight", "weight norm": "computed from other"}
BASIN = {"trials": 2, "by_class": False}


def both(name, x, stream, dtype=torch.float32):
    """The two readers' networks, and the layered one's sites that have an activation."""
    model = mlp(name, stream, dtype)
    layered, traced = read(model, activations=OWN), trace(Wrapped(model), x[:5], OWN)
    names = [site.name.removeprefix("stack.").partition(" (")[0] for site in traced.sites]
    # One without an activation is a site of the layered reader alone.
    kinds = [layer.activation for layer in layered.layers[:-1]]
    own = [s for s, kind in enumerate(kinds) if not isinstance(kind, nn.Identity | None)]
    if name == "an activation twice":
        assert names == ["1", "1"]
    elif name == "a weight twice":
        assert names == ["1", "3"]
    else:
        assert names == [layered.sites[s].name for s in own]
    return Analysis(layered), Analysis(traced), own


@pytest.fixture
def x(stream):
    return torch.rand(60, 6, generator=stream)


def rows_of(table, own):
    """A layered network's rows of these sites, numbered as the traced reader does."""
    number = {s + 1: place for place, s in enumerate(own, 1)}
    table = table[table.site.isin(number)].reset_index(drop=True)
    return table.assign(site=table.site.map(number))


@pytest.mark.parametrize("name", [*MLPS])
def test_signs_gradients_and_basins_are_the_same(name, x, stream):
    layered, traced, own = both(name, x, stream)
    y = torch.arange(60) % layered.classes
    maps = layered.linear_maps()
    for one, s in zip(traced.linear_maps(first=1), own, strict=True):
        assert torch.equal(one[0].sign(), maps[s + 1][0].sign())
        largest = maps[s + 1][0].abs().max().item()
        assert_close(one[0], maps[s + 1][0], rtol=0, atol=1e-5 * largest)
    assert torch.equal(traced.linear_maps()[0][0].sign(), maps[0][0].sign())
    one, other = traced.gradients(x, y), rows_of(layered.gradients(x, y), own)
    for column in ("site", "units", "class", "samples"):
        assert [*one[column]] == [*other[column]]
    # PyTorch's ReLU6 calls hardtanh.
    assert [*one.function.str.lower()] == [*other.function.replace("relu6", "hardtanh")]
    assert_close(one.g.to_numpy(), other.g.to_numpy(), rtol=0, atol=1e-6)
    assert_close(one.error.to_numpy(), other.error.to_numpy(), rtol=0, atol=1e-6)
    pruned = traced.pruning(x, y).accuracy
    starts = [*(s + 1 for s in own), layered.depth]
    expected = layered.pruning(x, y).set_index("start").accuracy
    assert [*pruned] == [expected[start] for start in starts]
    y = layered.logits(x).argmax(1)
    for space in ("sample", "weight"):
        if space == "weight" and name in SHARED:
            with pytest.raises(NetdynError, match=SHARED[name]):
                layered.basins(x, y, space=space, **BASIN)
            continue
        sizes = [n.basins(x, y, space=space, **BASIN).loc[0] for n in (traced, layered)]
        for column in ("size", "error", "trial_error", "accuracy"):
            assert f"{sizes[0][column]:.6g}" == f"{sizes[1][column]:.6g}", (space, column)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["MLP, relu, batch norm", "norm before and behind", "deep"])
def test_other_precisions_are_the_same(name, dtype, x, stream):
    layered, traced, own = both(name, x, stream, dtype)
    y = torch.arange(60) % 4
    maps = layered.linear_maps()
    tolerance = {"rtol": 1e-9, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-3}
    for one, s in zip(traced.linear_maps(first=1), own, strict=True):
        assert one[0].dtype == maps[s + 1][0].dtype
        assert torch.equal(one[0].sign(), maps[s + 1][0].sign())
        assert_close(one[0], maps[s + 1][0], **{"atol": 1e-6, **tolerance})
    one, other = traced.gradients(x, y), rows_of(layered.gradients(x, y), own)
    assert_close(one.g.to_numpy(), other.g.to_numpy(), rtol=0, atol=1e-6)
