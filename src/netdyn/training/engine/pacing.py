"""How many steps are made between two looks at the clock and at what a run does next."""

__all__ = ["Pace"]

# Seconds between two looks, about.
SECONDS = 0.5


class Pace:
    """Chooses how many steps to make at once, from the time of those before.

    Attributes:
        steps: how many steps take about half a second; 1 without `bulk`.
    """

    def __init__(self, bulk: bool):
        """Args: whether many steps at once cost less than one by one."""
        self._bulk = bulk
        self.steps = 1

    def update(self, count: int, seconds: float) -> None:
        """Account for `count` steps that have taken so many seconds."""
        if not self._bulk:
            return
        fitting = int(SECONDS * count / max(seconds, 1e-6))
        # Slowly: the first steps of a kind take longer, and a few steps are a poor measure of many.
        self.steps = max(1, self.steps // 2, min(fitting, 4 * self.steps))
