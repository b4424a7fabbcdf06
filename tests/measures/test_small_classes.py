"""Basins of classes that one sample has, and of classes that none has."""

import math

import pytest
import torch
from torch import nn

import netdyn

GRID = [0.0, *(2 ** (e / 16) for e in range(-6 * 16, 4 * 16 + 1))]
MEASURES = {"sample": netdyn.sample_noise_correct, "weight": netdyn.weight_noise_correct}


def of_seed(seed, samples=16):
    """A network of twelve classes, and samples of which the first is the only one of its class."""
    numbers = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(10, 30), nn.ReLU(), nn.Linear(30, 12))
    for parameter in model.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=numbers)
    x = torch.rand(samples, 10, generator=numbers)
    y = netdyn.logits(model, x).argmax(dim=1)
    others = (y != y[0]).nonzero().flatten()
    chosen = torch.cat([torch.tensor([0]), others])
    return model, x[chosen], y[chosen]


@pytest.mark.parametrize("space", [*MEASURES])
@pytest.mark.parametrize("seed", [0, 3])
def test_a_class_of_one_sample_is_that_sample(space, seed):
    model, x, y = of_seed(seed)
    both = netdyn.find_basins(model, x, y, space, 7, 1, ("class", "sample")).groups
    alone = netdyn.find_basins(model, x, y, space, 7, 1, ("class",), error=0.5).groups["class"]
    (place,) = (both["class"].index == y[0]).nonzero()
    single = both["sample"].sizes[0].item()
    assert both["class"].sizes[place] == alone.sizes[place] == single
    assert both["class"].clean_accuracies[place] == 1
    assert both["class"].errors[place].isnan()
    # It lies on a step through one half of the sample's own staircase.
    low = 2 ** (math.floor(16 * math.log2(single)) / 16)
    share = MEASURES[space](model, x, y, [low, low * 2 ** (1 / 16)], 7, 1)[:, 0]
    assert share[0] > 0.5 > share[1]


@pytest.mark.parametrize("space", [*MEASURES])
def test_an_average_of_one_sample_is_that_sample(space):
    model, x, y = of_seed(1)
    groups = netdyn.find_basins(
        model, x[:1], y[:1], space, 5, 1, ("average", "class", "sample")
    ).groups
    sizes = {group.sizes.item() for group in groups.values()}
    assert len(sizes) == 1
    assert 0 < sizes.pop() < math.inf


def test_a_class_whose_one_sample_is_wrong_has_no_basin():
    model, x, y = of_seed(0)
    unused = next(k for k in range(12) if k not in y)
    y[0] = unused
    found = netdyn.find_basins(model, x, y, "sample", 4, 1, ("class",)).groups["class"]
    place = (found.index == unused).nonzero()
    assert (found.sizes[place].item(), found.clean_accuracies[place].item()) == (0, 0)


def test_a_class_of_one_sample_leaves_the_others_alone():
    model, x, y = of_seed(3, 60)
    common = y[1:].mode().values
    chosen = (y == y[0]) | (y == common)
    x, y = x[chosen], y[chosen]
    both = netdyn.find_basins(model, x, y, "weight", 3, 1, ("class",)).groups["class"]
    without = netdyn.find_basins(model, x[1:], y[1:], "weight", 3, 1, ("class",)).groups["class"]
    (place,) = (both.index == common).nonzero()
    assert both.index.tolist() == sorted([y[0].item(), common.item()])
    for numbers, expected in ((both.sizes, without.sizes), (both.errors, without.errors)):
        torch.testing.assert_close(numbers[place], expected, rtol=1e-6, atol=0)


def test_classes_without_samples_have_no_row():
    model, x, y = of_seed(2)
    found = netdyn.find_basins(model, x, y, "sample", 2, 0, ("class",), smallest=0.25).groups
    assert found["class"].index.tolist() == y.unique().tolist()
    assert len(found["class"].sizes) == len(y.unique()) < 12
