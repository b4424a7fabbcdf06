"""When a measurement is due: as often as a share of the training's time pays for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Budget"]


class Budget:
    """The time that training took and that measurements may take.

    Training earns `share` seconds of measuring a second; a measurement is due once these cover what
    the last one took. No more than that is saved up, so that a long pause, such as an idle
    notebook, does not pay for measurements at every step after it. What a measurement takes beyond
    is owed: the next one comes later.

    Attributes:
        share: of the training's time.
        trained: seconds of training so far.
        spent: seconds of measuring so far.
        expected: seconds that the next measurement is expected to take, 0 before the first.
        credit: seconds that measuring may take now; negative where they are owed.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter):
        """Args: the share, and a clock in seconds."""
        self.share, self._clock = share, clock
        self.trained = self.spent = self.expected = self.credit = 0.0
        self._since: float | None = None  # when training began, or went on

    @property
    def is_due(self) -> bool:
        """Whether a measurement is paid for."""
        return self.credit >= self.expected

    def train_until_now(self) -> None:
        """Count the time since the last call, or the last measurement, as training."""
        now = self._clock()
        seconds = 0.0 if self._since is None else now - self._since
        self._since = now
        if seconds > 0:
            self.trained += seconds
            self.credit = min(self.credit + self.share * seconds, self.expected)

    @contextmanager
    def spending(self, is_typical: bool = True) -> Iterator[None]:
        """Count the block's time as measuring.

        Args:
            is_typical: whether the next measurement is expected to take as long; one that was
                interrupted never is.
        """
        start = self._clock()
        complete = False
        try:
            yield
            complete = True
        finally:
            end = self._clock()
            seconds = end - start
            if self._since is not None:
                self._since = end
            self.spent += seconds
            self.credit -= seconds
            if complete and is_typical:
                self.expected = seconds

    def resume(self, trained: float, spent: float, expected: float) -> None:
        """Go on from the times of an earlier process."""
        self.trained, self.spent, self.expected = trained, spent, expected
        earned = self.share * trained if trained else 0.0
        self.credit = min(earned - spent, expected)
        self._since = None
