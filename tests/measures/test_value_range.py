"""Samples must lie within the range that noise is scaled by, whatever returns them to it."""

import re

import pytest
import torch
from public_calls import batch_norm_network
from sklearn.datasets import load_digits
from torch import nn

import netdyn
from netdyn.measures.basins.noise import NOISE_RETURNS, TOLERANCE, noisy_samples
from netdyn.measures.cones import cones, perturbed_samples
from netdyn.measures.projections import half_sums

Y = torch.arange(8) % 3


@pytest.fixture
def model():
    return batch_norm_network()


@pytest.fixture
def x(stream):
    return torch.rand(8, 6, generator=stream).index_fill(0, torch.tensor([0]), 0.0)


# Every function that has a value_range.
USERS = {
    "sample_noise_correct": lambda model, x, **how: netdyn.sample_noise_correct(
        model, x, Y, [0.0, 0.2], 2, 0, **how
    ),
    "find_basins": lambda model, x, **how: netdyn.find_basins(
        model, x, Y, "sample", 2, 0, ("average", "class", "sample"), smallest=0.25, **how
    ),
    "perturbed_samples": lambda model, x, **how: [*perturbed_samples(x, [0.0, 0.2], 2, 0, **how)],
    "cones": lambda model, x, **how: cones(model, x, half_sums, [0.2], 2, 0, **how),
    "noisy_samples": lambda model, x, **how: noisy_samples(x, torch.zeros_like(x), **how),
}


@pytest.mark.parametrize("noise_return", [*NOISE_RETURNS])
@pytest.mark.parametrize("user", [*USERS])
def test_samples_outside_are_refused_with_the_range_that_was_seen(user, noise_return, model, x):
    normalised = (x - 0.5) / 0.25
    seen = re.escape(f"value_range=({normalised.min():.7g}, {normalised.max():.7g})")
    with pytest.raises(netdyn.NetdynError, match=rf"outside value_range \(0, 1\): .*{seen}$"):
        USERS[user](model, normalised, noise_return=noise_return)
    USERS[user](model, normalised, noise_return=noise_return, value_range=(-2.0, 2.0))
    # Pixels that were not divided by 255, and a range that was given for other data.
    with pytest.raises(netdyn.NetdynError, match="samples run from 0 to 2"):
        USERS[user](model, x * 255, noise_return=noise_return)
    with pytest.raises(netdyn.NetdynError, match=r"outside value_range \(0.5, 3\)"):
        USERS[user](model, x, noise_return=noise_return, value_range=(0.5, 3.0))


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.4242, 2.8215), (-300.0, 1000.0)])
def test_the_range_ends_where_the_tolerance_does(x, end, low, high):
    for over, is_refused in ((0.0, False), (0.9, False), (1.1, True), (100.0, True)):
        data = (low + (high - low) * x.double()).clamp(low, high)
        outward = over * TOLERANCE * (high - low)
        data[2, 1] = (low - outward) if end == 0 else (high + outward)
        for noise_return in NOISE_RETURNS:
            arguments = data, torch.zeros_like(data), (low, high), noise_return
            if is_refused:
                with pytest.raises(netdyn.NetdynError, match="outside value_range"):
                    noisy_samples(*arguments)
            else:
                noisy_samples(*arguments)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rounding_of_the_samples_is_no_reason_to_refuse(x, dtype):
    low, high = -0.42421296, 2.82148653  # MNIST's, normalised
    data = (low + (high - low) * x).clamp(low, high).to(dtype)
    data[1, 0], data[1, 1] = high, low  # rounded to the type
    noisy_samples(data, torch.zeros_like(data), (low, high), "clip")
    one_up = torch.nextafter(torch.tensor(1.0, dtype=torch.float32), torch.tensor(2.0))
    noisy_samples(one_up.expand(1, 2), torch.zeros(1, 2), (0.0, 1.0), "clip")
    data[1, 0] = high + 0.05
    with pytest.raises(netdyn.NetdynError, match="outside value_range"):
        noisy_samples(data, torch.zeros_like(data), (low, high), "affine")


@pytest.mark.parametrize("user", ["sample_noise_correct", "find_basins", "perturbed_samples"])
def test_bytes_have_the_range_from_0_to_1(user, model, stream):
    pixels = torch.randint(256, (8, 6), generator=stream, dtype=torch.uint8)
    USERS[user](model, pixels)
    USERS[user](model, pixels, value_range=[0, 1])
    for value_range in ((0, 255), (-1.0, 1.0)):
        with pytest.raises(
            netdyn.NetdynError, match=r"bytes are divided by 255, leave it \(0, 1\)"
        ):
            USERS[user](model, pixels, value_range=value_range)


@pytest.mark.parametrize(
    ("value_range", "message"),
    [
        (1.0, "give two numbers"),
        ((0.0, 0.5, 1.0), "give two numbers"),
        (("low", "high"), "give two numbers"),
        (None, "give two numbers"),
        ((1.0, 0.0), "the lower end must lie below the upper one"),
        ((0.0, float("nan")), "the lower end must lie below the upper one"),
        ((0.0, float("inf")), "both finite"),
    ],
)
def test_a_range_that_is_none_is_refused(value_range, message, model, x):
    for call in USERS.values():
        with pytest.raises(netdyn.NetdynError, match=message):
            call(model, x, value_range=value_range)


def test_the_clean_accuracy_of_normalised_digits_is_the_networks_own():
    digits = load_digits()
    pixels = torch.tensor(digits.data / 16, dtype=torch.float32)
    x, y = (pixels - 0.1307) / 0.3081, torch.tensor(digits.target)
    # The nearest mean of a class is a linear network.
    means = torch.stack([x[y == k].mean(dim=0) for k in range(10)])
    model = nn.Sequential(nn.Linear(64, 10))
    model[0].weight.data, model[0].bias.data = means, -means.square().sum(dim=1) / 2
    accuracy = (netdyn.logits(model, x).argmax(dim=1) == y).double().mean()
    assert accuracy > 0.85
    value_range = (x.min().item(), x.max().item())
    for noise_return in NOISE_RETURNS:
        measured = netdyn.sample_noise_correct(
            model, x, y, [0.0, 0.4], 1, 0, value_range, noise_return
        ).double()
        assert abs(measured[0].mean() - accuracy) < (0.01 if noise_return == "range" else 1e-9)
        # The same network of pixels in [0, 1] has the same basin.
        scaled = nn.Sequential(nn.Linear(64, 10))
        scaled[0].weight.data = means / 0.3081
        scaled[0].bias.data = model[0].bias.detach() - means.sum(dim=1) * 0.1307 / 0.3081
        again = netdyn.sample_noise_correct(
            scaled, pixels, y, [0.0, 0.4], 1, 0, noise_return=noise_return
        ).double()
        assert (measured[1] == again[1]).double().mean() > 0.99
