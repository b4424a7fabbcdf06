"""Optimizer steps that are recorded once and then done again as a whole.

A recording reads and writes fixed places: the samples, the weights and moments, the order of its
batches, its losses. Before it is used it is compared, bit for bit, with the same steps taken one by
one; where it cannot be made or differs, training goes on without.
"""

import logging
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from netdyn.training.batches import Batches
from netdyn.training.engine.copies import Copies, same_bits
from netdyn.training.engine.cuda_graphs import Recorder

__all__ = ["RecordedSteps"]

log = logging.getLogger(__name__)

# Kernels are chosen, buffers made and workspaces fetched in the first of these.
WARM_UPS = 3


class RecordedSteps:
    """Takes steps by two recordings: of one step, and of several."""

    def __init__(
        self,
        update: Callable[[Tensor, Tensor], Tensor],
        batches: Batches,
        state: Sequence[Tensor],
        recorder: Recorder,
        several: int,
    ):
        """
        Args:
            update: takes a step on inputs (batch, N_0) and labels (batch,), returns its loss ().
            batches: those of the steps.
            state: all tensors that a step changes for the next.
            recorder: what records.
            several: number of steps of the larger recording, at least 1.
        """
        self._batches, self._recorder, self._several = batches, recorder, several
        self._update, self._state = update, state
        self._recordings: dict[int, _Recording] = {}

    def ready(self, step: int, count: int) -> bool:
        """Make the recordings that `count` steps after `step` others need; say if all could be.

        The state is left as it was.
        """
        for steps in {many for _, many in self._parts(count)} - self._recordings.keys():
            before = Copies(self._state)
            before.keep()
            try:
                recording = _Recording(self._update, self._batches, self._state, steps)
                self._recordings[steps] = recording
                recording.make(self._recorder, before, step)
            except RuntimeError as error:
                reason = str(error).strip().split("\n")[0]
                log.warning("steps are taken one by one: they cannot be recorded (%s)", reason)
                self._recordings.clear()
                return False
            finally:
                before.restore()
        return True

    def take(self, step: int, count: int) -> Tensor:
        """Take `count` steps after `step` others, for which it is `ready`; return their losses."""
        return torch.cat(
            [self._recordings[many].take(step + done) for done, many in self._parts(count)]
        )

    def _parts(self, count: int) -> Iterator[tuple[int, int]]:
        """How many steps come before each replay, and how many it takes."""
        whole = count // self._several * self._several
        for done in range(0, whole, self._several):
            yield done, self._several
        for done in range(whole, count):
            yield done, 1


class _Recording:
    """The same number of steps again and again."""

    def __init__(
        self,
        update: Callable[[Tensor, Tensor], Tensor],
        batches: Batches,
        state: Sequence[Tensor],
        steps: int,
    ):
        self._update, self._batches, self._state, self._steps = update, batches, state, steps
        device = batches.labels.device
        self._orders = torch.zeros(steps, batches.size, dtype=torch.int64, device=device)
        dtype = torch.float64 if batches.settings["precision"] == "float64" else torch.float32
        self._losses = torch.zeros(steps, dtype=dtype, device=device)
        self._replay: Callable[[], None] | None = None

    def make(self, recorder: Recorder, before: Copies, step: int) -> None:
        """Record the steps and compare them with those after `step` others, from `before` on.

        Raises:
            RuntimeError: they cannot be recorded, or give other bits.
        """
        self._set_orders(step)
        written = [*self._state, self._losses]
        expected = Copies(written)
        for _ in range(WARM_UPS):
            before.restore()
            recorder.warm_up(self._work)
        expected.keep()
        before.restore()
        self._replay = recorder.record(self._work)
        before.restore()
        self._losses.zero_()
        self._replay()
        if not same_bits(written, expected.copies):
            raise RuntimeError("a recording gives other bits")

    def take(self, step: int) -> Tensor:
        self._set_orders(step)
        self._replay()
        return self._losses.clone()

    def _set_orders(self, step: int) -> None:
        if not self._batches.full:
            orders = self._batches.orders(step, self._steps)
            # From pinned memory, which the processor does not wait for; PyTorch takes the memory
            # again only after the copy.
            pinned = orders.pin_memory() if self._orders.is_cuda else orders
            self._orders.copy_(pinned, non_blocking=True)

    def _work(self) -> None:
        for index, order in enumerate(self._orders):
            batch = self._batches.all() if self._batches.full else self._batches.of(order)
            self._losses[index].copy_(self._update(*batch))
