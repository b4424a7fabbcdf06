"""The levels of `netdyn analyse`: what each measures."""

from collections.abc import Mapping
from typing import NamedTuple

from netdyn.analysis.noise import AMPLITUDES

__all__ = ["LEVELS", "Level"]


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
