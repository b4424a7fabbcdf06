import functools
import math

import pytest
import torch
from scipy.stats import norm
from torch import nn
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.measures.basins import bracketing
from netdyn.measures.basins.bracketing import find_basins
from netdyn.measures.basins.noisy_passes import SampleNoise, WeightNoise
from netdyn.measures.basins.sizes import (
    basin_error,
    basin_size,
    basin_sizes,
    sample_noise_correct,
    weight_noise_correct,
)
from netdyn.networks.mlp import MLP, initialise
from netdyn.networks.reading import logits, read
from netdyn.runtime.random_streams import generator

# Octaves of sixteen steps, as in the search.
FINE = [0.0, *(2 ** (e / 16) for e in range(-4 * 16, 3 * 16 + 1))]
MEASURES = {"sample": sample_noise_correct, "weight": weight_noise_correct}


@functools.cache
def trained(seed):
    """A network with batch norm that separates four clusters, and the centres of these."""
    stream = generator(seed, "test data")
    centres = torch.rand(4, 6, generator=stream, dtype=torch.float64)
    model = MLP((6, 24, 24, 4)).double()
    initialise(model, seed)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    y = torch.arange(200) % 4
    for _ in range(60):
        x = centres[y] + 0.1 * torch.randn(200, 6, generator=stream, dtype=torch.float64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.zero_grad()
    return model, centres


@pytest.fixture
def subject():
    """Make a network and samples of its four classes, most of which it classifies correctly."""

    def make(samples=600, seed=0):
        model, centres = trained(seed)
        stream = generator(seed, "test samples")
        y = torch.randint(4, (samples,), generator=stream)
        x = centres[y] + 0.1 * torch.randn(samples, 6, generator=stream, dtype=torch.float64)
        return model, x.clamp(0, 1), y  # the range of the data that noise returns to

    return make


@pytest.mark.parametrize("space", ["sample", "weight"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sizes_and_errors_are_those_of_a_fine_grid(subject, space, seed):
    model, x, y = subject(seed=seed)
    result = find_basins(model, x, y, space, 6, seed, ("average", "class"), largest=8.0)
    table = MEASURES[space](model, x, y, FINE, 6, seed).double()
    labels = y.unique().tolist()
    assert result.groups["class"].index.tolist() == labels
    compared = 0
    parts = {"average": [table], "class": [table[:, y == k] for k in labels]}
    for kind, tables in parts.items():
        group = result.groups[kind]
        for g, part in enumerate(tables):
            size, error = basin_size(FINE, part.mean(dim=1)), basin_error(FINE, part, seed)
            assert group.clean_accuracies[g].item() == pytest.approx(part[0].mean().item())
            if not math.isfinite(size) or not math.isfinite(error):
                continue
            total = math.hypot(error, group.trial_errors[g].item())
            # The noise is the same, so only the interpolation differs.
            assert group.sizes[g].item() == pytest.approx(size, abs=0.5 * total)
            # The curve of a few noisy networks is a staircase; the fine grid resolves its steps.
            assert abs(math.log(group.errors[g].item() / error)) < (
                0.3 if space == "sample" else 1.1
            )
            compared += 1
    assert compared >= 4
    assert result.passes < len(FINE) * 6 / 3


@pytest.mark.parametrize("space", ["sample", "weight"])
def test_single_samples_are_those_of_a_fine_grid(subject, space):
    model, x, y = subject(300)
    result = find_basins(model, x, y, space, 5, 0, ("sample",), largest=8.0)
    single = result.groups["sample"]
    table = MEASURES[space](model, x, y, FINE, 5, 0)
    expected = basin_sizes(FINE, table.double())
    assert torch.equal(single.sizes == 0, table[0] < 0.5)
    # The share falls through one half at the size; it may do so elsewhere, too.
    crossing = (single.sizes > 0) & single.sizes.isfinite()
    low = torch.floor(16 * single.sizes[crossing].log2() + 1e-9)
    places = (low + 4 * 16 + 1).long()
    assert (table[places, crossing] >= 0.5).all()
    assert (table[places + 1, crossing] < 0.5).all()
    # Mostly it is the first time, because of the octaves of the scan.
    same = torch.isclose(single.sizes, expected, rtol=1e-4, atol=0)
    assert same.double().mean() > (0.85 if space == "sample" else 0.6)
    assert (single.sizes >= expected - 1e-4).all()
    assert single.errors.isnan().all()


@pytest.fixture
def two_classes(stream):
    """A linear network of two classes, and 2,000 samples with their distance to the boundary."""
    model = nn.Sequential(nn.Linear(5, 2)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=stream)
    x = torch.rand(2000, 5, generator=stream, dtype=torch.float64)
    outputs = logits(model, x)
    difference = (model[0].weight[0] - model[0].weight[1]).detach().norm()
    return model, x, (outputs[:, 0] - outputs[:, 1]) / difference


def linear_size(distances):
    """Solve mean Φ(distance/a) = 1/2 by bisection."""
    low, high = 1e-6, 1e3
    for _ in range(100):
        middle = (low + high) / 2
        right = norm.cdf(distances / middle).mean() > 0.5
        low, high = (middle, high) if right else (low, middle)
    return low


def test_the_average_of_a_linear_network_in_closed_form(two_classes):
    # Most samples lie on the side of the label, but closer to the boundary than the others.
    model, x, distances = two_classes
    y = (distances < 0).long()
    away = distances.abs()
    y = torch.where(away > away.quantile(0.65), 1 - y, y)
    expected = linear_size(torch.where(y == 0, distances, -distances).numpy())
    group = find_basins(model, x, y, "sample", 16, 0).groups["average"]
    assert 0 < group.errors.item() < 0.5 * expected
    assert abs(group.sizes.item() - expected) < 3 * group.errors.item()
    inside = find_basins(model, x, y, "sample", 16, 0, value_range=(-1.0, 3.0))
    assert_close(inside.groups["average"].sizes, group.sizes / 4)


@pytest.mark.parametrize("space", ["sample", "weight"])
def test_errors_cover_what_other_samples_and_noise_give(subject, space):
    model, x, y = subject(2000)
    exact = find_basins(model, x, y, space, 48, 99).groups["average"].sizes.item()
    deviations = []
    for seed in range(12):
        chosen = slice(150 * seed, 150 * seed + 150)
        group = find_basins(model, x[chosen], y[chosen], space, 8, seed).groups["average"]
        total = group.errors if space == "sample" else group.errors.hypot(group.trial_errors)
        deviations.append(((group.sizes - exact) / total).item())
    spread = math.sqrt(sum(deviation**2 for deviation in deviations) / len(deviations))
    assert 0.4 < spread < 2.2


def test_nothing_to_cross(two_classes):
    model, x, distances = two_classes
    y = (distances < 0).long()
    # All correct: Φ(d/a) never falls below one half. All wrong: it starts below.
    right, wrong = (
        find_basins(model, x, labels, "sample", 4, 0, ("average", "class", "sample")).groups
        for labels in (y, 1 - y)
    )
    assert math.isinf(right["average"].sizes)
    assert math.isnan(right["average"].errors)
    assert right["average"].clean_accuracies == 1
    for kind in ("average", "class", "sample"):
        assert (wrong[kind].sizes == 0).all()
    assert (wrong["average"].errors, wrong["average"].clean_accuracies) == (0, 0)
    model[0].weight.data.fill_(torch.nan)
    assert find_basins(model, x, y, "weight", 2, 0).groups["average"].sizes == 0


class Written:
    """Passes with a prescribed curve: a sample is correct where share(a) exceeds its threshold."""

    def __init__(self, share, samples):
        self._share, self._samples = share, samples

    def correct(self, trial, amplitudes, samples=None):
        places = torch.arange(self._samples) if samples is None else samples
        thresholds = (places * 0.6180339887) % 1  # even, in no order
        a = amplitudes.expand(-1, len(places))
        return self._share(a) > thresholds


def written(monkeypatch, share, samples=2000, **options):
    monkeypatch.setattr(bracketing, "sample_noise", lambda model, x, *_: Written(share, len(x)))
    x, y = torch.rand(samples, 3), torch.arange(samples) % 4
    return find_basins(nn.Sequential(nn.Linear(3, 4)), x, y, "sample", 4, 0, **options).groups[
        "average"
    ]


@pytest.mark.parametrize("scale", [1e-3, 0.01, 0.3, 5.0])
def test_curves_written_down(monkeypatch, scale):
    group = written(monkeypatch, lambda a: torch.exp(-((a / scale) ** 2)))
    slope = 2 * math.sqrt(math.log(2)) * 0.5 / scale
    expected = scale * math.sqrt(math.log(2))
    assert group.errors.item() == pytest.approx(0.5 / math.sqrt(2000) / slope, rel=0.3)
    # These thresholds are evenly spaced: there is no sampling error, only one of interpolation.
    assert abs(group.sizes.item() - expected) < 0.3 * group.errors.item()


def test_the_first_of_two_crossings_is_taken(monkeypatch):
    # Falls to 0.1 around a = 0.1, returns to 0.9 at 1, falls finally at 4.
    def share(a):
        dip = 0.9 - 0.8 * torch.exp(-((a / 0.1).log() ** 2) / 0.5)
        return torch.where(a == 0, 1.0, torch.where(a < 4, dip, 0.0))

    group = written(monkeypatch, share)
    expected = 0.1 * math.exp(-math.sqrt(0.5 * math.log(2)))
    assert group.sizes.item() == pytest.approx(expected, rel=0.02)


def test_a_plateau_near_one_half_has_no_bounded_error(monkeypatch):
    group = written(monkeypatch, lambda a: 0.501 + 0.4 * torch.exp(-a), largest=16.0)
    assert math.isinf(group.sizes)
    assert math.isnan(group.errors)
    group = written(monkeypatch, lambda a: 0.49 + 0.4 * torch.exp(-a), largest=16.0)
    assert group.sizes.item() == pytest.approx(math.log(40), rel=0.3)
    assert math.isinf(group.errors)
    # Nothing is evaluated beyond `largest`.
    group = written(monkeypatch, lambda a: torch.exp(-a / 8), largest=4.0)
    assert math.isinf(group.sizes)


@pytest.mark.parametrize("noise", [SampleNoise, WeightNoise])
def test_a_sample_meets_the_same_noise_at_its_own_amplitude(subject, noise):
    model, x, y = subject(2300)
    passes = noise(read(model), x, y, 5)
    amplitudes = torch.tensor([[0.1], [0.4]]).double()
    by_amplitude = passes.correct(3, amplitudes)
    measure = MEASURES["sample" if noise is SampleNoise else "weight"]
    trials = [measure(model, x, y, [0.1, 0.4], t, 5) * t for t in (3, 4)]
    assert_close(by_amplitude.float(), trials[1] - trials[0])
    chosen = torch.tensor([0, 7, 999, 1000, 1500, 2299])
    assert torch.equal(passes.correct(3, amplitudes, chosen), by_amplitude[:, chosen])
    first = torch.arange(2300) % 3 == 0
    by_sample = torch.where(first, *amplitudes).unsqueeze(0)
    mixed = torch.where(first, by_amplitude[0], by_amplitude[1])
    assert torch.equal(passes.correct(3, by_sample)[0], mixed)
    assert torch.equal(passes.correct(3, by_sample[:, chosen], chosen)[0], mixed[chosen])


def test_the_same_seed_gives_the_same_bits_and_the_model_is_left(subject, unchanged):
    model, x, y = subject(200)
    state = torch.get_rng_state()
    for space in ("sample", "weight"):
        with unchanged(model):
            first, again, other = (
                find_basins(model, x, y, space, 3, seed, ("class", "average")) for seed in (0, 0, 1)
            )
        assert list(first.groups) == ["class", "average"]
        for kind, group in first.groups.items():
            assert torch.equal(group.sizes, again.groups[kind].sizes)
            assert_close(group.errors, again.groups[kind].errors, rtol=0, atol=0, equal_nan=True)
        assert first.passes == again.passes
        assert not torch.equal(first.groups["average"].sizes, other.groups["average"].sizes)
    assert torch.equal(state, torch.get_rng_state())


def test_trials_are_added_until_the_error_is_small_enough(subject):
    model, x, y = subject(1000)
    group, closer = (
        find_basins(model, x, y, "weight", 64, 0, error=error).groups["average"]
        for error in (0.3, 0.05)
    )
    assert group.trials < closer.trials
    for reached, error in ((group, 0.3), (closer, 0.05)):
        total = reached.errors.hypot(reached.trial_errors)
        assert (total <= error * reached.sizes) | (reached.trials == 64)
    # More trials in sample space do not reduce the error by samples.
    few = find_basins(model, x, y, "sample", 1000, 0, error=1e-9).groups["average"]
    assert few.trials < 1000
    exact = find_basins(model, x, y, "sample", few.trials, 0).groups["average"]
    assert exact.sizes.item() == pytest.approx(few.sizes.item(), abs=0.3 * few.errors.item())


def test_mistakes_are_named(subject):
    model, x, y = subject(20)
    for problem, changed in (
        ("space 'input': choose sample or weight", {"space": "input"}),
        ("trials 0", {"trials": 0}),
        ("groups .*: choose from average", {"groups": ("mean",)}),
        ("groups", {"groups": ()}),
        ("error 0", {"error": 0}),
        ("smallest 2", {"smallest": 2.0, "largest": 1.0}),
        ("one label per sample", {"y": y[:-1]}),
        ("noise_return 'wrap'", {"noise_return": "wrap"}),
    ):
        arguments = {"model": model, "x": x, "y": y, "space": "sample", "trials": 2, "seed": 0}
        with pytest.raises(NetdynError, match=problem):
            find_basins(**(arguments | changed))
