import copy
import math

import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from torch import nn
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.measures.basins import noisy_passes
from netdyn.measures.basins.noise import NOISE_RETURNS, noisy_samples
from netdyn.measures.basins.noisy_passes import STANDARDIZATIONS
from netdyn.measures.basins.sizes import (
    basin_error,
    basin_size,
    basin_sizes,
    sample_noise_correct,
    weight_noise_correct,
)
from netdyn.networks.reading import logits
from netdyn.runtime.random_streams import generator

AMPLITUDES = [0.0, 0.1, 0.3, 1.0]
TRIALS = 4000
FIVE_SIGMA = 5 * 0.5 / TRIALS**0.5


@pytest.fixture
def two_classes(stream):
    """A linear network of two classes, six samples within [−1, 3], their labels and margins."""
    model = nn.Sequential(nn.Linear(5, 2)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=stream)
    x = torch.rand(6, 5, generator=stream, dtype=torch.float64) * 4 - 1
    y = torch.tensor([0, 1, 0, 1, 0, 1])
    outputs = logits(model, x)
    margins = (outputs[:, 0] - outputs[:, 1]) * (1 - 2 * y)
    return model, x, y, margins


def expected_shares(margins, deviations):
    """Φ(margin / deviation), (A, P); at no noise the sign of the margin."""
    return torch.from_numpy(norm.cdf((margins / deviations.clamp(min=1e-300)).numpy())).float()


def test_sample_noise_on_a_linear_network_in_closed_form(two_classes):
    model, x, y, margins = two_classes
    # Copies of a sample have independent noise: as many draws in fewer trials.
    copies = 1000
    correct = sample_noise_correct(
        model, x.repeat_interleave(copies, 0), y.repeat_interleave(copies), AMPLITUDES,
        TRIALS // copies, 0, value_range=(-1.0, 3.0),
    )  # fmt: skip
    correct = correct.view(len(AMPLITUDES), len(x), copies).mean(dim=2)
    difference = (model[0].weight[0] - model[0].weight[1]).detach().norm()
    deviations = torch.tensor(AMPLITUDES).double().unsqueeze(1) * 4 * difference
    assert_close(correct, expected_shares(margins, deviations), rtol=0, atol=FIVE_SIGMA)


@pytest.mark.parametrize("standardization", list(STANDARDIZATIONS))
def test_weight_noise_on_one_layer_in_closed_form(two_classes, standardization):
    model, x, y, margins = two_classes
    with torch.no_grad():
        model[0].weight[0] *= 3  # rows of unequal spread
    outputs = logits(model, x)
    margins = (outputs[:, 0] - outputs[:, 1]) * (1 - 2 * y)
    # The matrix is repeated side by side, and each copy of the samples has its own inputs: copies
    # have independent noise, so as many draws need fewer trials.
    copies = 100
    tiled = nn.Sequential(nn.Linear(5 * copies, 2)).double()
    tiled[0].weight.data = model[0].weight.detach().repeat(1, copies)
    tiled[0].bias.data = model[0].bias.detach()
    inputs = torch.kron(torch.eye(copies, dtype=x.dtype), x)  # (copies · 6, 5 · copies)
    correct = weight_noise_correct(
        tiled, inputs, y.repeat(copies), AMPLITUDES, TRIALS // copies, 0, standardization
    )
    correct = correct.view(len(AMPLITUDES), copies, len(x)).mean(dim=1)
    weight = model[0].weight.detach()
    # A logit's noise has the variance of its weights; the only matrix is all weights there are.
    mean = weight.mean(dim=1, keepdim=True) if standardization == "row" else weight.mean()
    unit = (weight - mean).square().mean().mul(2).sqrt() * x.norm(dim=1)
    deviations = torch.tensor(AMPLITUDES).double().unsqueeze(1) * unit
    assert_close(correct, expected_shares(margins, deviations), rtol=0, atol=FIVE_SIGMA)


def test_sizes_on_a_linear_network_in_closed_form(two_classes):
    # Φ(m / (a |Δw|)) never falls below 1/2 where m > 0, and reaches 3/4 at a = m / (0.674 |Δw|).
    model, x, y, margins = two_classes
    difference = (model[0].weight[0] - model[0].weight[1]).detach().norm()
    scaled = margins / difference
    amplitudes = torch.linspace(0, 2 * scaled.max().item() / norm.ppf(0.75), 41)
    copies = 1000
    correct = sample_noise_correct(
        model, x.repeat_interleave(copies, 0), y.repeat_interleave(copies), amplitudes / 4, 4, 1,
        value_range=(-1.0, 3.0),
    )  # fmt: skip
    curves = correct.view(len(amplitudes), len(x), copies).mean(dim=2)  # 4,000 draws each
    right = margins > 0
    assert 0 < right.sum() < len(x)
    sizes = basin_sizes(amplitudes, curves, 0.45)  # 1/2 less five sigma
    assert torch.equal(sizes, torch.where(right, torch.inf, 0.0).float())
    sizes = basin_sizes(amplitudes, curves, 0.75)[right]
    assert_close(sizes, (scaled / norm.ppf(0.75))[right].float(), rtol=0.1, atol=0)


@pytest.mark.parametrize("noise_return", list(NOISE_RETURNS))
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-2.0, 3.0)])
def test_sample_noise_follows_the_definition(make_network, stream, noise_return, value_range):
    model = make_network((6, 12, 12, 4), seed=1)
    low, high = value_range
    x = low + (high - low) * torch.rand(12, 6, generator=stream, dtype=torch.float64)
    y = logits(model, x).argmax(dim=1)
    arguments = (model, x, y, [0.0, 0.05, 0.5, 3.0], 5, 3, value_range, noise_return)
    correct = sample_noise_correct(*arguments)
    assert_close(correct, oracles.sample_noise_correct(*arguments))
    if noise_return != "range":
        assert correct[0].min() == 1
    assert 0 < correct[-1].mean() < 1


@pytest.mark.parametrize("standardization", list(STANDARDIZATIONS))
@pytest.mark.parametrize("batch_norm", [True, False])
def test_weight_noise_follows_the_definition(make_network, stream, batch_norm, standardization):
    model = make_network((6, 12, 12, 4), batch_norm=batch_norm)
    x = torch.rand(30, 6, generator=stream, dtype=torch.float64)
    y = logits(model, x).argmax(dim=1)
    arguments = (model, x, y, [0.0, 0.2, 2.0], 5, 3, standardization)
    correct = weight_noise_correct(*arguments)
    assert_close(correct, oracles.weight_noise_correct(*arguments))
    assert correct[0].min() == 1
    assert 0 < correct[-1].mean() < 1
    if standardization == "matrix":
        assert torch.equal(correct, weight_noise_correct(*arguments[:-1]))


def test_noise_follows_weights_that_are_scaled_unless_all_are_standardised(make_network, stream):
    # ReLU: what multiplies a layer and divides the next one leaves the function as it is.
    model = make_network((6, 12, 4), batch_norm=False)
    x = torch.rand(60, 6, generator=stream, dtype=torch.float64)
    y = logits(model, x).argmax(dim=1)
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        scaled.linear1.weight *= 16
        scaled.linear1.bias *= 16
        scaled.linear2.weight /= 16
    assert_close(logits(scaled, x), logits(model, x))
    for standardization in STANDARDIZATIONS:
        of_model, of_scaled = (
            weight_noise_correct(network, x, y, [0.3], 5, 0, standardization)
            for network in (model, scaled)
        )
        assert torch.equal(of_model, of_scaled) == (standardization != "all")


def test_a_neuron_of_equal_weights_has_no_spread_of_its_own(make_network):
    model = make_network((2, 2), batch_norm=False)
    model.linear1.weight.data = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).double()
    x, y = torch.tensor([[1.0, 1.0]]).double(), torch.tensor([0])
    model.linear1.bias.data.zero_()
    assert weight_noise_correct(model, x, y, [100.0], 9, 0, "row").min() == 1
    assert weight_noise_correct(model, x, y, [100.0], 9, 0, "matrix").min() < 1


def test_a_matrix_of_equal_weights_has_no_spread_to_perturb(make_network):
    model = make_network((1, 1, 2), batch_norm=False)
    model.linear2.weight.data.fill_(0.5)
    x = torch.tensor([[0.0], [1.0]]).double()
    y = logits(model, x).argmax(dim=1)
    assert weight_noise_correct(model, x, y, [0.0, 100.0], 3, 0).min() == 1


@pytest.mark.parametrize("measure", [sample_noise_correct, weight_noise_correct])
def test_nothing_is_touched_and_the_mode_does_not_matter(make_network, unchanged, stream, measure):
    model = make_network((6, 12, 4)).train()
    x = torch.rand(30, 6, generator=stream, dtype=torch.float64)
    y = torch.randint(4, (30,), generator=stream)
    global_state = torch.get_rng_state()
    with unchanged(model):
        first = measure(model, x, y, AMPLITUDES, 3, 0)
        assert torch.equal(first, measure(model, x, y, AMPLITUDES, 3, 0))
    assert torch.equal(first, measure(model.eval(), x, y, AMPLITUDES, 3, 0))
    assert not torch.equal(first, measure(model, x, y, AMPLITUDES, 3, 1))
    assert torch.equal(global_state, torch.get_rng_state())


@pytest.mark.parametrize("measure", [sample_noise_correct, weight_noise_correct])
def test_an_interruption_leaves_the_model_untouched(
    make_network, unchanged, stream, measure, monkeypatch
):
    calls = []

    is_correct = noisy_passes._is_correct

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return is_correct(*arguments)

    monkeypatch.setattr(noisy_passes, "_is_correct", interrupted)
    model = make_network((6, 12, 4))
    x = torch.rand(10, 6, generator=stream, dtype=torch.float64)
    with unchanged(model), pytest.raises(KeyboardInterrupt):
        measure(model, x, torch.zeros(10, dtype=torch.long), AMPLITUDES, 2, 0)


def test_a_samples_noise_does_not_depend_on_the_others(make_network, stream):
    model = make_network((6, 12, 4))
    x = torch.rand(2500, 6, generator=stream, dtype=torch.float64)
    y = logits(model, x).argmax(dim=1)
    complete = sample_noise_correct(model, x, y, [0.0, 0.3], 2, 0)
    for samples in (1, 999, 1001, 2400):
        part = sample_noise_correct(model, x[:samples], y[:samples], [0.0, 0.3], 2, 0)
        assert torch.equal(part, complete[:, :samples])


def test_samples_behind_each_other_get_different_noise(two_classes):
    model, x, y, _ = two_classes
    copies = x[:1].repeat(2001, 1)
    correct = sample_noise_correct(
        model, copies, y[:1].repeat(2001), [0.0, 0.5], 1, 0, value_range=(-1.0, 3.0)
    )[1]
    assert 0 < correct[:1000].mean() < 1
    assert not torch.equal(correct[:1000], correct[1000:2000])


def test_amplitudes_share_their_noise(make_network, stream):
    model = make_network((6, 12, 4))
    x = torch.rand(40, 6, generator=stream, dtype=torch.float64)
    y = logits(model, x).argmax(dim=1)
    for measure in (sample_noise_correct, weight_noise_correct):
        both = measure(model, x, y, [0.2, 0.4, 0.4], 3, 0)
        assert torch.equal(both[1], both[2])
        assert torch.equal(both[1:2], measure(model, x, y, torch.tensor([0.4]), 3, 0))


def test_bytes_are_pixels(make_network, stream):
    model = make_network((6, 12, 4))
    pixels = torch.randint(256, (40, 2, 3), generator=stream, dtype=torch.uint8)
    y = torch.randint(4, (40,), generator=stream)
    for measure in (sample_noise_correct, weight_noise_correct):
        floats = pixels.double().flatten(1) / 255
        # Division in single precision moves no sample of this set across a boundary.
        assert torch.equal(
            measure(model.float(), pixels, y, AMPLITUDES, 3, 0),
            measure(model.double(), floats, y, AMPLITUDES, 3, 0),
        )
        model.double()


def test_a_diverged_network_classifies_nothing(make_network, stream):
    model = make_network((6, 12, 4))
    model.linear2.weight.data.fill_(torch.nan)
    x = torch.rand(5, 6, generator=stream, dtype=torch.float64)
    for measure in (sample_noise_correct, weight_noise_correct):
        assert measure(model, x, torch.zeros(5, dtype=torch.long), [0.0], 1, 0).sum() == 0


def test_noise_returns_by_hand():
    x = torch.tensor([[0.0, 5.0, 10.0], [2.0, 2.0, 2.0]])
    noise = torch.tensor([[-0.5, 0.25, 1.0], [0.0, 0.0, 0.0]])
    expected = {
        "affine": [[-5.0, 7.5, 20.0], [2.0, 2.0, 2.0]],
        "clip": [[0.0, 7.5, 10.0], [2.0, 2.0, 2.0]],
        "range": [[0.0, 5.0, 10.0], [2.0, 2.0, 2.0]],
    }
    for noise_return, values in expected.items():
        assert_close(noisy_samples(x, noise, (0.0, 10.0), noise_return), torch.tensor(values))


@pytest.mark.parametrize(
    ("shares", "size"),
    [
        ([1.0, 0.9, 0.4, 0.0], 2 + 0.8 * 2),  # between 2 and 4
        ([0.9, 0.5, 0.4, 0.0], 2.0),  # at an amplitude
        ([1.0, 0.5, 0.6, 0.5], math.inf),  # reaches the level, never goes below
        ([0.4, 0.9, 0.9, 0.0], 0.0),  # below before any noise
        ([0.5, 0.0, 0.0, 0.0], 0.0),
        ([0.6, 0.4, 0.8, 0.0], 1.0),  # the first of two crossings
        ([0.9, 0.9, 0.9, 0.9], math.inf),
    ],
)
def test_sizes_by_hand(shares, size):
    assert basin_size([0, 2, 4, 8], shares) == pytest.approx(size)
    columns = torch.tensor([shares, [0.9, math.nan, 0.9, 0.1]]).T
    expected = torch.tensor([size, math.nan])
    assert_close(basin_sizes([0, 2, 4, 8], columns), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("shares", "level", "message"),
    [
        ([100.0, 40.0], 0.5, "from 40 to 100: give shares in .0, 1., not percent"),
        ([1.0, -0.1], 0.5, "from -0.1 to 1: give shares"),
        ([1.0, math.nan], 0.5, "shares hold NaN"),
        ([1.0, 0.0], 50, "level 50: give an accuracy above 0 and below 1"),
        ([1.0, 0.0], 0.0, "level 0.0"),
        ([1.0, 0.0], math.nan, "level nan"),
    ],
)
def test_shares_and_levels_out_of_range_are_refused(shares, level, message):
    with pytest.raises(NetdynError, match=message):
        basin_size([0, 1], shares, level)
    if not math.isnan(sum(shares)):
        with pytest.raises(NetdynError, match=message):
            basin_error([0, 1], torch.tensor([shares, shares]).T, 0, level=level)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.floats(0.01, 5), min_size=1, max_size=8),
    st.lists(st.lists(st.integers(0, 10), min_size=9, max_size=9), min_size=1, max_size=4),
    st.sampled_from([0.3, 0.5, 0.75]),
)
def test_sizes_follow_the_definition(steps, curves, level):
    amplitudes = [0.0]
    for step in steps:
        amplitudes.append(amplitudes[-1] + step)
    shares = torch.tensor(curves).double()[:, : len(amplitudes)].T / 10
    expected = [oracles.basin_size(amplitudes, curve, level) for curve in shares.T.tolist()]
    assert_close(basin_sizes(amplitudes, shares, level), torch.tensor(expected).double())


def test_a_less_robust_curve_has_no_larger_basin(stream):
    shares = torch.rand(9, 50, generator=stream)
    amplitudes = torch.arange(9.0)
    assert (basin_sizes(amplitudes, 0.9 * shares) <= basin_sizes(amplitudes, shares)).all()
    assert (basin_sizes(amplitudes, shares, 0.6) <= basin_sizes(amplitudes, shares, 0.5)).all()


def test_error_of_a_single_segment_in_closed_form():
    # All correct without noise, a share q at a = 1: the size is (1 − 1/2)/(1 − q̂), by the delta
    # method with error 0.5/(1 − q)² · √(q(1 − q)/P).
    samples, q = 4000, 0.25
    correct = torch.ones(2, samples)
    correct[1, : int(samples * (1 - q))] = 0
    expected = 0.5 / (1 - q) ** 2 * math.sqrt(q * (1 - q) / samples)
    error = basin_error([0.0, 1.0], correct, seed=0, resamples=800)
    assert error == pytest.approx(expected, rel=5 / math.sqrt(2 * 800))


def test_error_matches_repeated_experiments(stream):
    # Samples with basins uniform in [0, 2]: the average accuracy is 1 − a/2, its size 1.
    amplitudes = torch.linspace(0, 2, 21)

    def experiment():
        thresholds = 2 * torch.rand(300, generator=stream)
        return (thresholds > amplitudes.unsqueeze(1)).float()

    sizes = torch.tensor([basin_size(amplitudes, experiment().mean(dim=1)) for _ in range(400)])
    error = basin_error(amplitudes, experiment(), seed=0)
    assert error == pytest.approx(sizes.std().item(), rel=0.25)


def test_error_at_the_ends():
    amplitudes = [0.0, 1.0]
    assert math.isnan(basin_error(amplitudes, torch.ones(2, 10), 0))  # never crosses
    assert math.isnan(basin_error(amplitudes, torch.tensor([[1.0], [0.0]]), 0))  # one sample
    assert basin_error(amplitudes, torch.zeros(2, 10), 0) == 0
    # The curve ends just below one half: some resamples never fall below.
    barely = torch.ones(2, 100)
    barely[1, :51] = 0
    assert basin_error(amplitudes, barely, 0) == math.inf


def test_error_draws_from_its_own_stream():
    correct = torch.rand(3, 50, generator=generator(0, "test data"))
    correct[0] = 1
    correct[2] = 0
    before = torch.get_rng_state()
    first = basin_error([0, 1, 2], correct, 0)
    assert first == basin_error([0, 1, 2], correct, 0) != basin_error([0, 1, 2], correct, 1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("amplitudes", [[0.1, 0.2], [0.0, 0.0], [0.0, -1.0], [0.0, math.inf], []])
def test_sizes_need_amplitudes_that_increase_from_zero(amplitudes):
    with pytest.raises(NetdynError, match="must increase strictly from 0"):
        basin_size(amplitudes, [1.0] * len(amplitudes))


def test_mistakes_are_named(make_network):
    model = make_network((6, 4))
    x, y = torch.rand(5, 6).double(), torch.zeros(5, dtype=torch.long)
    for measure in (sample_noise_correct, weight_noise_correct):
        with pytest.raises(NetdynError, match="amplitudes"):
            measure(model, x, y, [0.0, -0.1], 1, 0)
        with pytest.raises(NetdynError, match="trials 0"):
            measure(model, x, y, [0.0], 0, 0)
        with pytest.raises(NetdynError, match="one label per sample"):
            measure(model, x, y[:-1], [0.0], 1, 0)
        with pytest.raises(NetdynError, match="one label per sample"):
            measure(model, x, y.double(), [0.0], 1, 0)
        with pytest.raises(NetdynError, match="from 0 to 4: the network has the classes 0 … 3"):
            measure(model, x, torch.arange(5), [0.0], 1, 0)
        with pytest.raises(NetdynError, match="the network expects 6 values a sample"):
            measure(model, x[:, 1:], y, [0.0], 1, 0)
        with pytest.raises(NetdynError, match="NaN or infinite"):
            measure(model, torch.full_like(x, torch.nan), y, [0.0], 1, 0)
    with pytest.raises(NetdynError, match="'wrap' is unknown: choose one of affine, clip, range"):
        sample_noise_correct(model, x, y, [0.0], 1, 0, noise_return="wrap")
    with pytest.raises(NetdynError, match="'layer' is unknown: choose one of matrix, row, all"):
        weight_noise_correct(model, x, y, [0.0], 1, 0, "layer")
    with pytest.raises(NetdynError, match="lower end"):
        sample_noise_correct(model, x, y, [0.0], 1, 0, value_range=(1.0, 1.0))
    with pytest.raises(NetdynError, match=r"outside value_range \(0, 1\)"):
        sample_noise_correct(model, x + 1, y, [0.0], 1, 0, noise_return="clip")
    with pytest.raises(NetdynError, match="bytes are divided by 255"):
        sample_noise_correct(model, x.byte(), y, [0.0], 1, 0, value_range=(0.0, 255.0))
    with pytest.raises(NetdynError, match="one row each"):
        basin_sizes([0.0, 1.0], torch.rand(3, 2))
    with pytest.raises(NetdynError, match="one curve"):
        basin_size([0.0, 1.0], torch.rand(2, 2))
    computed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 4).double()))
    with pytest.raises(NetdynError, match="computed from other parameters"):
        weight_noise_correct(computed, x, y, [0.0], 1, 0)
    with pytest.raises(NetdynError, match="resamples 1"):
        basin_error([0.0, 1.0], torch.rand(2, 2), 0, resamples=1)
