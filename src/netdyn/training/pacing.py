"""How many steps are taken between two looks at the clock and at what a run is to do next."""

import time

__all__ = ["Pace"]

# Seconds that a run goes on before it looks, about.
SECONDS = 0.5


class Pace:
    """Measures steps, and says how many of them take about half a second."""

    def __init__(self, many: bool):
        """Args: whether many steps at once cost less than one by one; else it is always 1."""
        self._many = many
        self.steps = 1
        self._since = 0.0

    def start(self) -> None:
        self._since = time.monotonic()

    def stop(self, taken: int) -> None:
        """Learn that so many steps were taken since the start."""
        if not self._many:
            return
        seconds = max(time.monotonic() - self._since, 1e-6)
        fitting = int(SECONDS * taken / seconds)
        # Slowly, as the first steps of a kind take longer, and a few say little of many.
        self.steps = max(1, self.steps // 2, min(fitting, 4 * self.steps))
