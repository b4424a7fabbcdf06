"""The levels of `netdyn analyse`: what each measures, and how long that takes, said beforehand."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from netdyn.analysis.measuring import Analysis
from netdyn.analysis.noise import AMPLITUDES

__all__ = ["LEVELS", "Level", "passes", "seconds_a_sample"]


class Level(NamedTuple):
    """How much is measured.

    Attributes:
        samples: most samples of g, RPDs and the projection.
        units: most units of a site.
        map_samples: samples over which a frozen network's L-maps are averaged.
        pruned: most samples of pruning, which passes each once for every site.
        noisy: most samples under noise.
        trials: draws of the noise.
        amplitudes: of the noise.
        by_class: whether each class has basins of its own, for which few samples are too few.
    """

    samples: int
    units: int
    map_samples: int
    pruned: int
    noisy: int
    trials: int
    amplitudes: tuple[float, ...]
    by_class: bool = False


LEVELS: Mapping[str, Level] = {
    "quick": Level(300, 100, 4, 100, 50, 2, AMPLITUDES[:1] + AMPLITUDES[5::3]),
    "standard": Level(1000, 300, 10, 200, 100, 3, AMPLITUDES[:1] + AMPLITUDES[5::2]),
    "thorough": Level(10_000, 1000, 100, 2000, 500, 10, AMPLITUDES, by_class=True),
}
# Passes of all samples in one trial of a basin, about; with those of classes half as many more.
_BASIN = 12
_RANKED = 3e-9  # seconds to rank one sample of one unit for one class, about
_ERRORS = 20  # times as long takes g with its error
_TIMED = 64  # samples: fewer take longer each


def passes(
    level: Level, samples: int, sites: int, classes: int, frozen: bool
) -> dict[str, tuple[float, float]]:
    """Return of each table, by name, about how many samples are passed, and seconds of ranking.

    Args:
        samples: P, of the data.
        sites: S.
        classes: K, with samples.
        frozen: whether L-maps are means over samples.
    """
    many, some, few = (min(samples, n) for n in (level.samples, level.pruned, level.noisy))
    maps = (level.map_samples if frozen else 1) * (2 + 1.5 * classes)
    ranked = _RANKED * many * sites * level.units * classes
    noise = 2 * few * level.trials
    return {
        "gradients": (many + maps, _ERRORS * ranked),
        "rank_probability": (many + maps, ranked),
        "pruning": (some * (sites + (2 if frozen else 1)), 0.0),
        "projection": (many, 0.0),
        "noise_accuracy": (noise * len(level.amplitudes), 0.0),
        "basins": (noise * _BASIN * (1.5 if level.by_class else 1.0), 0.0),
    }


def seconds_a_sample(network: Analysis, x: Tensor) -> float:
    """Return how long a sample takes to pass, by the shortest of three passes of a few."""
    few, seconds = x[:_TIMED], []
    for _ in range(3):
        started = time.perf_counter()
        network.logits(few)
        seconds.append(time.perf_counter() - started)
    return min(seconds) / len(few)
