import hashlib

import torch
from scipy.stats import kstest

from netdyn.runtime.random_streams import generator, stream_seed


def first_draws(*streams):
    return torch.stack([torch.rand(4, generator=generator(*stream)) for stream in streams])


def test_a_stream_is_the_head_of_the_hash_of_its_name():
    digest = hashlib.sha256(b"7\x1fstr:noise\x1fint:3").hexdigest()
    assert stream_seed(7, "noise", 3) == int(digest[:16], 16) // 2


def test_same_name_same_numbers_whatever_was_drawn_before():
    before = first_draws((1, "noise", 5))
    torch.rand(1000, generator=generator(1, "noise", 4))
    assert torch.equal(before, first_draws((1, "noise", 5)))


def test_seeds_names_counters_and_their_types_separate_streams():
    names = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", "1"), (0, "a", 1, 0)]
    assert len({stream_seed(*name) for name in names}) == len(names)
    assert all(0 <= stream_seed(*name) < 2**63 for name in names)
    assert len(first_draws(*names).unique(dim=0)) == len(names)


def test_neighbouring_streams_are_independent():
    draws = first_draws(*[(0, "trial", trial) for trial in range(2000)]).double()
    assert kstest(draws[:, 0].numpy(), "uniform").pvalue > 1e-3
    steps = draws[1:, 0] - draws[:-1, 0]  # correlation of neighbours, by its five-sigma band
    assert abs(1 - steps.square().mean() / (2 * draws[:, 0].var())) < 5 / 2000**0.5


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    torch.randn(10, generator=generator(0, "anything"))
    assert torch.equal(before, torch.get_rng_state())
