"""The time that `netdyn analyse` says beforehand, on a clock that networks move themselves."""

from types import SimpleNamespace

import pytest
import torch

from netdyn.errors import NetdynError
from netdyn.jobs import analysis_times
from netdyn.jobs.analysis_levels import LEVELS
from netdyn.jobs.analysis_times import seconds_of, time_network

WIDTHS = [400, 50]
SPACES = {"sample": 1.0, "weight": 3.0}


class Clocked:
    """A network whose measures take a + b·n seconds, by its own clock."""

    classes = 4

    def __init__(self, call: float, sample: float, first_is_slow: bool = False):
        self.now, self.call, self.sample, self.waits = 0.0, call, sample, first_is_slow

    def clock(self) -> float:
        return self.now

    def spend(self, n: float, factor: float = 1.0) -> None:
        self.now += factor * (self.call + self.sample * n) + (100.0 if self.waits else 0.0)
        self.waits = False

    def logits(self, x):
        self.spend(len(x))

    def linear_maps(self, x, **options):
        self.spend(len(x), 10.0)

    def noise_accuracy(self, x, y, *, space, amplitudes, trials, **options):
        self.spend(len(x), SPACES[space] * len(amplitudes) * trials)


@pytest.fixture
def ranks(monkeypatch):
    """Ranking, which takes 2 μs a sample and unit without the error, 30 with it."""
    running = SimpleNamespace(network=None)

    def taking(seconds):
        def work(fields, *rest):
            running.network.now += seconds * fields.numel()

        return work

    monkeypatch.setattr(analysis_times, "rank_probability", taking(2e-6))
    monkeypatch.setattr(analysis_times, "gradient_errors", taking(30e-6))
    return running


def estimated(network, ranks, level, samples=20_000, frozen=True):
    ranks.network = network
    x, y = torch.zeros(samples, 3), torch.arange(samples) % 4
    pace = time_network(network, x, y, (0.0, 1.0), network.clock)
    return seconds_of(pace, level, samples, WIDTHS, frozen)


@pytest.mark.parametrize(("call", "sample"), [(0.0, 0.001), (0.02, 0.0), (0.5, 0.03)])
@pytest.mark.parametrize("name", [*LEVELS])
def test_each_table_takes_what_its_passes_take(call, sample, name, ranks):
    level = LEVELS[name]
    said = estimated(Clocked(call, sample, first_is_slow=True), ranks, level)

    def passed(n):
        return call + sample * n

    ranked = level.samples * (min(400, level.units) + 50)
    fields = passed(level.samples) + 10 * passed(level.map_samples)
    assert said["gradients"] == pytest.approx(fields + 30e-6 * ranked)
    assert said["rank_probability"] == pytest.approx(fields + 2e-6 * ranked)
    assert said["projection"] == pytest.approx(passed(level.samples))
    assert said["noise_accuracy"] == pytest.approx(
        len(level.amplitudes) * level.trials * (1 + 3) * passed(level.noisy)
    )
    assert said["basins"] > 5 * level.trials * passed(level.noisy)


def test_levels_cost_more_from_one_to_the_next_and_few_samples_less(ranks):
    costs = [
        sum(estimated(Clocked(0.01, 0.01), ranks, level).values()) for level in LEVELS.values()
    ]
    assert costs == sorted(costs)
    few = estimated(Clocked(0.01, 0.01), ranks, LEVELS["standard"], samples=5)
    many = estimated(Clocked(0.01, 0.01), ranks, LEVELS["standard"])
    assert all(few[table] < many[table] for table in few)


def test_what_a_network_refuses_takes_no_time(ranks):
    network = Clocked(0.01, 0.01)

    def refused(x, y, **options):
        raise NetdynError("weights that are computed")

    network.noise_accuracy = refused
    said = estimated(network, ranks, LEVELS["quick"])
    assert said["noise_accuracy"] == said["basins"] == 0.0
    assert said["gradients"] > 0
