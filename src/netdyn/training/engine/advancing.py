"""Many optimizer steps at once, with one look at their losses: of a run, or of a stack of runs."""

import time
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from netdyn.training.engine.batches import Batches
from netdyn.training.engine.copies import Copies
from netdyn.training.engine.pacing import Pace
from netdyn.training.engine.recorded_steps import RecordedSteps
from netdyn.training.engine.stacked_batches import StackedBatches

__all__ = ["Advancing"]


class _Updating(Protocol):
    def step(self) -> None: ...


class Advancing:
    """Makes steps from the parts that a subclass sets up.

    The loss of a step is () for a run, (R,) for a stack of R runs.
    """

    _batches: Batches | StackedBatches
    _gradients: Callable[[Tensor, Tensor], Tensor]
    _optimizer: _Updating
    _before: Copies  # of all tensors that a step changes for the next
    _recorded: RecordedSteps | None
    _pace: Pace

    def step(self, index: int) -> Tensor:
        """Make the step after `index` others; return the loss of its batch before it."""
        return self._steps(index, 1)[0]

    def advance(self, index: int, count: int) -> Tensor:
        """Make up to `count` ≥ 1 steps after `index` others; return their losses, at least one.

        Where a loss is not finite, the steps end with the first such. Whether one is, is decided on
        the device, which is waited for once.
        """
        if count == 1:
            return self._steps(index, 1)
        self._before.save()
        losses = self._steps(index, count)
        if self._are_finite(losses):
            return losses
        self._before.restore()
        losses = []
        while len(losses) < count and (not losses or self._are_finite(losses[-1])):
            losses.append(self.step(index + len(losses)))
        return torch.stack(losses)

    def advance_paced(self, index: int, limit: int) -> tuple[int, list[float]]:
        """Make as many steps as take about half a second, up to `limit`, after `index` others.

        On a processor this is one step, unless steps are recorded. Steps end as those of `advance`
        do.

        Returns:
            The number of steps and the loss of the last, of each run.
        """
        since = time.monotonic()
        losses = self.advance(index, min(limit, self._pace.steps))
        last = losses[-1].reshape(-1).tolist()  # waits for the device
        self._pace.update(len(losses), time.monotonic() - since)
        return len(losses), last

    def _are_finite(self, losses: Tensor) -> bool:
        return bool(losses.isfinite().all())

    def _steps(self, index: int, count: int) -> Tensor:
        if self._recorded is not None:
            if self._recorded.prepare(index, count):
                return self._recorded.replay(index, count)
            self._recorded = None
        return torch.stack([self._update(*self._batches.at(index + i)) for i in range(count)])

    def _update(self, x: Tensor, labels: Tensor) -> Tensor:
        loss = self._gradients(x, labels)
        self._optimizer.step()
        return loss
