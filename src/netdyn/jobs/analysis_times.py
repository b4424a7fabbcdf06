"""How long the tables of `netdyn analyse` take, by a short trial on the network itself.

A few samples are passed, mapped, ranked and put under noise; each time is a line a + b·n through
those of two numbers of samples n. Of passes that take milliseconds the shortest of three counts.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from netdyn.analysis.measuring import Analysis
from netdyn.errors import NetdynError
from netdyn.jobs.analysis_levels import Level
from netdyn.measures.ranks.errors import gradient_errors
from netdyn.measures.ranks.rpd import rank_probability
from netdyn.runtime.random_streams import generator

__all__ = ["Line", "Pace", "seconds_of", "time_network"]

FEW, MORE = 8, 24  # samples that are passed
RANKED = (300, 20)  # samples and units that are ranked
LONG = 0.3  # seconds: what takes longer is timed once
# Passes of all samples in one trial of a basin, about; with those of classes half as many more.
BASIN = 16

Clock = Callable[[], float]


class Line(NamedTuple):
    """Seconds that n samples take: first + each·n."""

    first: float
    each: float

    def of(self, n: float) -> float:
        """Return the seconds of n samples."""
        return self.first + self.each * n


class Pace(NamedTuple):
    """Seconds on this machine, of this network.

    Attributes:
        passed: of a pass of samples.
        mapped: of the L-maps over samples.
        ranked: of one unit's ranks, a sample, without and with the error of g.
        noisy: of one amplitude of one draw of the noise, in both spaces together.
    """

    passed: Line
    mapped: Line
    ranked: tuple[float, float]
    noisy: Line


def time_network(
    network: Analysis,
    x: Tensor,
    y: Tensor,
    value_range: tuple[float, float],
    clock: Clock = time.perf_counter,
) -> Pace:
    """Return the pace of a network; what it does not allow takes no time.

    Args:
        x, y: samples and labels, of which few are taken.
        value_range: of the samples, for noise on them.
        clock: in seconds.
    """

    def timed(work: Callable[[], object]) -> float:
        """Return the seconds of the shortest of three calls, or of one that takes long."""
        shortest = float("inf")
        for _ in range(3):
            _synchronise(x.device)
            started = clock()
            try:
                work()
            except NetdynError:
                return 0.0
            _synchronise(x.device)
            shortest = min(shortest, clock() - started)
            if shortest > LONG:
                break
        return shortest

    def line(work: Callable[[int], object], few: int, more: int) -> Line:
        few, more = min(few, len(x)), min(more, len(x))
        work_few = timed(lambda: work(few))
        if more == few:
            return Line(0.0, work_few / few)
        each = max(timed(lambda: work(more)) - work_few, 0.0) / (more - few)
        return Line(max(work_few - few * each, 0.0), each)

    def noisy(space: str) -> Callable[[int], object]:
        return lambda n: network.noise_accuracy(
            x[:n], y[:n], space=space, amplitudes=(0.25, 0.5), trials=1, value_range=value_range
        )

    timed(lambda: network.logits(x[:1]))  # what is done once: memory, choice of kernels
    passed = line(lambda n: network.logits(x[:n]), FEW, MORE)
    mapped = line(lambda n: network.linear_maps(x[:n], first=1, units=1), 1, 2)
    in_space = [line(noisy(space), FEW, MORE) for space in ("sample", "weight")]
    fields, labels, signs = _random_fields(network, x.device)
    work = fields.numel()
    plain = timed(lambda: rank_probability(fields, labels, signs, 50)) / work
    with_error = timed(lambda: gradient_errors(fields, labels, signs)) / work
    return Pace(
        passed,
        mapped,
        (plain, with_error),
        Line(*(sum(parts) / 2 for parts in zip(*in_space, strict=True))),
    )


def seconds_of(
    pace: Pace, level: Level, samples: int, widths: list[int], frozen: bool
) -> Mapping[str, float]:
    """Return the seconds of each table, by name.

    Args:
        pace: of the network.
        level: how much is measured.
        samples: P, of the data.
        widths: N_1 … N_S.
        frozen: whether L-maps are means over samples.
    """
    many, some, few = (min(samples, n) for n in (level.samples, level.pruned, level.noisy))
    units = sum(min(width, level.units) for width in widths)
    plain, with_error = (many * units * each for each in pace.ranked)
    fields = pace.passed.of(many) + pace.mapped.of(min(samples, level.map_samples) if frozen else 1)
    # The pass that is frozen at, and one for each site, from there on.
    pruned = 1 + frozen + len(widths) / 2
    noise = level.trials * pace.noisy.of(few)
    return {
        "gradients": fields + with_error,
        "rank_probability": fields + plain,
        "pruning": pruned * pace.passed.of(some),
        "projection": pace.passed.of(many),
        "noise_accuracy": noise * len(level.amplitudes),
        "basins": noise * BASIN * (1.5 if level.by_class else 1.0),
    }


def _random_fields(network: Analysis, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return fields, labels and signs to rank: any that are as many."""
    samples, units = RANKED
    stream = generator(0, "fields to time")
    fields = torch.randn(samples, units, generator=stream, dtype=torch.float32, device="cpu").to(
        device
    )
    classes = max(2, min(network.classes, 100))
    labels = torch.arange(samples, dtype=torch.int64, device=device) % classes
    return fields, labels, torch.ones(classes, units, dtype=torch.float32, device=device)


def _synchronise(device: torch.device) -> None:
    """Wait until a device has done all that it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
