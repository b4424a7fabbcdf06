"""Numbers that are not what a measure takes, though PyTorch would take them."""

import pytest
import torch
from torch import nn

import netdyn
from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.measures.basins.sizes import basin_error
from netdyn.measures.cones import perturbed_samples
from netdyn.networks.jacobian import mean_jacobians

X, Y = torch.full((4, 6), 0.5), torch.arange(4)
MODEL = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4)).eval()

SEEDS = {
    "sample noise": lambda seed: netdyn.sample_noise_correct(MODEL, X, Y, [0.0], 1, seed),
    "weight noise": lambda seed: netdyn.weight_noise_correct(MODEL, X, Y, [0.0], 1, seed),
    "find_basins": lambda seed: netdyn.find_basins(MODEL, X, Y, "weight", 1, seed),
    "basin_error": lambda seed: basin_error([0.0, 1.0], torch.eye(2), seed),
    "perturbed_samples": lambda seed: [*perturbed_samples(X, [0.1], 1, seed)],
}


@pytest.mark.parametrize("seed", [0.5, 1.0, True, "1", None])
@pytest.mark.parametrize("user", [*SEEDS])
def test_a_seed_is_a_whole_number(user, seed):
    with pytest.raises(NetdynError, match=r"^seed .*: give a whole number$"):
        SEEDS[user](seed)
    SEEDS[user](-1)


@pytest.mark.parametrize("count", [0, -1, 2.0, True])
def test_chunks_and_trials_are_whole_numbers_of_at_least_one(count):
    for measure in (netdyn.logits, netdyn.read(MODEL).__class__.logits, mean_jacobians, deepfool):
        with pytest.raises(NetdynError, match=r"^chunk .*: give at least one, a whole number"):
            measure(netdyn.read(MODEL), X, chunk=count)
    with pytest.raises(NetdynError, match=r"^trials .*: give at least one, a whole number"):
        netdyn.find_basins(MODEL, X, Y, "sample", count, 0)


@pytest.mark.parametrize("layer", [1.0, True, "1", None])
def test_a_layer_is_a_whole_number(layer):
    for measure in (netdyn.linear_map, netdyn.linear_maps, netdyn.prune):
        with pytest.raises(NetdynError, match=r"^(layer|start_layer) .*: give a whole number$"):
            measure(MODEL, layer)
    with pytest.raises(NetdynError, match=r"^layer .*: give a whole number$"):
        mean_jacobians(MODEL, X, layer)


@pytest.mark.parametrize("groups", ["average", "class"])
def test_groups_are_a_list(groups):
    with pytest.raises(NetdynError, match=rf"groups '{groups}': give a list, \['{groups}'\]"):
        netdyn.find_basins(MODEL, X, Y, "sample", 1, 0, groups)


@pytest.mark.parametrize("space", ["sample", "weight"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise_return": "wrap"}, "'wrap' is unknown"),
        ({"value_range": ("0", "1")}, "give two numbers"),
        ({"value_range": "01"}, "give two numbers"),
        ({"value_range": (1.0, 0.0)}, "lower end"),
    ],
)
def test_find_basins_checks_how_noise_returns_in_both_spaces(space, arguments, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.find_basins(MODEL, X, Y, space, 1, 0, **arguments)
