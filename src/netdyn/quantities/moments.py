"""Views of digits before and after grokking in one plane, for projections and regions."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from netdyn.measures.projections import bottleneck
from netdyn.quantities.subject import MeasurementSettings, Subject, in_mode

__all__ = ["MomentSettings", "views"]


class MomentSettings(MeasurementSettings):
    """Which samples are seen when and how."""

    moments: dict[str, int | str]  # by name, a step, best, last, train>=x or test>=x: one snapshot
    views: list[tuple[str, str]]  # [train or test, evaluation or training]: split and mode
    digits: list[int]  # 0 … 9


def views(subject: Subject, settings: MomentSettings) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Yield the columns and the coordinates (P_digit, 2) of each moment, view and digit.

    The coordinates are those of `netdyn.measures.projections.bottleneck`. In training mode all
    samples of the split form the batch, not only those of the digits.

    Args:
        settings: moments (name → step selector), views ([split, mode]), digits.
    """
    for moment, selector in settings["moments"].items():
        (step,) = subject.steps(selector)
        network = subject.network(step)
        for split, mode in settings["views"]:
            x, y = subject.samples(split)
            points = bottleneck(in_mode(network, x, mode), x)  # (P, 2)
            for digit in settings["digits"]:
                columns = {"moment": moment, "step": step, "split": split, "mode": mode}
                yield {**columns, "digit": digit}, points[y == digit].cpu()
