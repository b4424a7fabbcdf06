"""Samples and weights of which a number would come that means nothing."""

import pytest
import torch
from torch import nn

import netdyn
from netdyn.errors import NetdynError

X, Y = torch.full((4, 6), 0.5), torch.arange(4)
MODEL = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4)).eval()


@pytest.mark.parametrize(("dtype", "value"), [(torch.float16, 1e5), (torch.float32, 1e39)])
def test_samples_that_overflow_in_the_networks_precision_are_refused(dtype, value):
    model = nn.Sequential(nn.Linear(6, 4)).to(dtype)
    x = X.double()
    x[1, 2] = value
    for measure in (netdyn.sample_noise_correct, netdyn.weight_noise_correct):
        with pytest.raises(NetdynError, match=rf"overflow in {dtype}"):
            measure(model, x, Y, [0.0], 1, 0)
    with pytest.raises(NetdynError, match=rf"overflow in {dtype}"):
        netdyn.find_basins(model, x, Y, "sample", 1, 0, value_range=(0.0, value))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:0], "batch of 0: give at least two"),
        (X[:1], "batch of 1: give at least two"),
        (X * torch.nan, "NaN or infinite"),
        (X * torch.inf, "NaN or infinite"),
    ],
)
def test_a_batch_without_statistics_is_refused(x, message):
    with pytest.raises(NetdynError, match=message):
        netdyn.read(MODEL).with_batch_statistics(x)


@pytest.mark.parametrize("view", [lambda weight: weight.data, lambda weight: weight.data.T])
def test_weights_that_share_memory_get_no_noise(view):
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = nn.Parameter(view(model[0].weight))
    with pytest.raises(NetdynError, match="share one weight matrix"):
        netdyn.weight_noise_correct(model, X[:, :4], Y, [0.0], 1, 0)
    # Parts of one memory are no ties.
    both = torch.rand(8, 4)
    model[0].weight, model[2].weight = nn.Parameter(both[:4]), nn.Parameter(both[4:])
    netdyn.weight_noise_correct(model, X[:, :4], Y, [0.0], 1, 0)
