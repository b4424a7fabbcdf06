"""At which steps something is recorded: a fixed set, computed before training starts."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping

__all__ = ["scheduled_steps", "upcoming"]


def scheduled_steps(schedule: Mapping[str, int], steps: int) -> list[int]:
    """Return the steps of a schedule, ascending, always with 0 and `steps`.

    Args:
        schedule: `every_step_until`, the last step of the dense part, and `per_decade`, the number
            of steps per factor of ten from there on, at 10^(i / per_decade) rounded.
        steps: how many optimizer steps the run makes.

    >>> scheduled_steps({"every_step_until": 3, "per_decade": 2}, 100)
    [0, 1, 2, 3, 10, 32, 100]
    """
    dense, per_decade = schedule["every_step_until"], schedule["per_decade"]
    chosen = {0, steps, *range(min(dense, steps) + 1)}
    if per_decade > 0:
        last = math.ceil(per_decade * math.log10(max(steps, 1)))
        logarithmic = {round(10 ** (i / per_decade)) for i in range(last + 1)}
        chosen |= {step for step in logarithmic if dense < step <= steps}
    return sorted(chosen)


def upcoming(steps: Iterable[int]) -> Callable[[int], int]:
    """Return a function from a step, below the last of `steps`, to the first of them after it.

    >>> upcoming({0, 3, 10})(3)
    10
    """
    ascending = sorted(steps)
    return lambda step: ascending[bisect_right(ascending, step)]
