"""Noise that is cached on a GPU: drawn once, the same numbers, within a limit."""

import pytest
import torch
from pretended_gpu import pretended_gpu
from torch.testing import assert_close

from netdyn.measures.basins import drawn_noise, noisy_passes
from netdyn.measures.basins.bracketing import find_basins
from netdyn.measures.basins.drawn_noise import forget_noise
from netdyn.measures.basins.sizes import sample_noise_correct, weight_noise_correct
from netdyn.measures.cones import perturbed_samples

AMPLITUDES = [0.0, 0.1, 0.5]


@pytest.fixture
def gpu(monkeypatch):
    forget_noise()
    with pretended_gpu(monkeypatch) as counts:
        yield counts
    forget_noise()


@pytest.fixture
def draws(monkeypatch):
    """The list of the sizes of all draws of normal numbers, in order."""
    sizes, randn = [], torch.randn

    def counted(*size, **more):
        drawn = randn(*size, **more)
        sizes.append(drawn.numel())
        return drawn

    monkeypatch.setattr(torch, "randn", counted)
    return sizes


@pytest.fixture
def samples(stream):
    return torch.rand(2500, 6, generator=stream), torch.arange(2500) % 3


def shares(measure, model, x, y, device="cpu"):
    result = measure(model.float().to(device), x.to(device), y.to(device), AMPLITUDES, 2, 0)
    return result.cpu()


MEASURES = [sample_noise_correct, weight_noise_correct]


@pytest.mark.parametrize("measure", MEASURES)
def test_networks_of_one_process_share_what_is_drawn(gpu, draws, make_network, samples, measure):
    expected = [shares(measure, make_network([6, 5, 3], seed=s), *samples) for s in (0, 1)]
    on_cpu = sum(draws)
    draws.clear()
    first = shares(measure, make_network([6, 5, 3], seed=0), *samples, "cuda")
    assert 2 * sum(draws) == on_cpu
    draws.clear()
    second = shares(measure, make_network([6, 5, 3], seed=1), *samples, "cuda")
    assert not draws
    assert_close([first, second], expected, atol=2e-3, rtol=0)  # a sample may be rounded across


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_kept_on_the_cpu(draws, make_network, samples, measure):
    forget_noise()
    shares(measure, make_network([6, 5, 3]), *samples)
    drawn = sum(draws)
    shares(measure, make_network([6, 5, 3]), *samples)
    assert sum(draws) == 2 * drawn
    assert not drawn_noise._cache


def test_no_more_is_kept_than_the_limit(gpu, monkeypatch, make_network, samples):
    expected = shares(sample_noise_correct, make_network([6, 5, 3]), *samples, "cuda")
    block = 1000 * 6 * 4
    for limit, blocks in ((block - 1, 0), (block, 1), (3 * block + 1, 3), (100 * block, 6)):
        forget_noise()
        monkeypatch.setattr(drawn_noise, "MOST_BYTES", limit)
        result = shares(sample_noise_correct, make_network([6, 5, 3]), *samples, "cuda")
        assert torch.equal(result, expected)
        assert len(drawn_noise._cache) == blocks


def test_other_seeds_trials_and_shapes_are_other_noise(gpu):
    x = torch.zeros(2, 6, device="cuda")
    seen = set()
    for seed, trials, width in ((0, 2, 6), (1, 2, 6), (0, 3, 6), (0, 2, 5)):
        for noisy in perturbed_samples(x[:, :width], [1.0], trials, seed):
            assert noisy.shape == (1, trials, width)
            seen.add(noisy[0, 0, 0].item())
    # Fewer trials are the first ones of more; fewer inputs are the first numbers of a trial.
    assert len(seen) == 4


@pytest.mark.parametrize("space", ["sample", "weight"])
@pytest.mark.parametrize("groups", [("average", "class"), ("sample",)], ids=["means", "singles"])
def test_basins_are_found_as_on_the_cpu(gpu, make_network, samples, space, groups):
    model = make_network([6, 5, 3]).float()
    x, y = samples if "average" in groups else [each[:200] for each in samples]
    expected = find_basins(model, x, y, space, 3, 0, groups).groups
    result = find_basins(model.to("cuda"), x.to("cuda"), y.to("cuda"), space, 3, 0, groups).groups
    for kind in groups:
        close = result[kind].sizes.isclose(expected[kind].sizes, rtol=1e-2, equal_nan=True)
        assert close.double().mean() > 0.99


@pytest.mark.parametrize("measure", MEASURES)
def test_waits_do_not_grow_with_the_amplitudes(gpu, monkeypatch, make_network, samples, measure):
    monkeypatch.setattr(noisy_passes, "SAMPLES_PER_PASS_ON_GPU", 1000)
    model, (x, y) = make_network([6, 5, 3]).float().to("cuda"), samples
    x, y = x.to("cuda"), y.to("cuda")
    waits = []
    for amplitudes in ([0.1], [0.1, 0.2, 0.3, 0.4]):
        forget_noise()
        before = gpu.waits.total()
        measure(model, x, y, amplitudes, 2, 0)
        waits.append(gpu.waits.total() - before)
    assert waits[0] == waits[1]
