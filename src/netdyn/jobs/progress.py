"""What a whole scale shows while it is made: a line now and then."""

import time
from collections.abc import Callable

from netdyn.runtime.terminal import message

__all__ = ["ScaleProgress"]


class ScaleProgress:
    """Shows which job is under way, of how many, how far it is and how long all jobs take."""

    # Seconds between two lines: from job to job, and within one.
    BETWEEN_JOBS = 5.0
    WITHIN_A_JOB = 20.0

    def __init__(self, jobs: int, seconds_left: Callable[[], float | None]):
        """Args: the number of jobs; how long those that are not finished take, None if unknown."""
        self._jobs, self._seconds_left = jobs, seconds_left
        self._job, self._left = "", None
        self._started = self._shown = float("-inf")

    def start(self, number: int, what: str) -> None:
        """Show that job `number` begins with a training or a measurement, unless one just did."""
        self._job, self._left = f"{number + 1} of {self._jobs}: {what}", self._seconds_left()
        self._started = time.monotonic()
        self._show(self.BETWEEN_JOBS, "")

    def step(self, step: int, steps: int, text: str) -> None:
        """Show how far the training is."""
        self._show(self.WITHIN_A_JOB, f": step {step:,} of {steps:,} ({step / steps:.0%}), {text}")

    def _show(self, pause: float, where: str) -> None:
        now = time.monotonic()
        if now - self._shown < pause:
            return
        self._shown, left = now, ""
        if self._left is not None:
            seconds = max(self._left - (now - self._started), 0.0)
            left = f"; about {seconds / 60:.1f} min left"
        message(f"{self._job}{where}{left}")
