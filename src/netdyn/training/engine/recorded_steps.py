"""Optimizer steps that are recorded once and then replayed together.

A recording reads and writes fixed tensors: the samples, the weights and moments, the order of its
batches, its losses. Before it is used, it is compared bit for bit with the same steps made one by
one. Where it cannot be made, or differs, training continues without it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from netdyn.training.engine.batches import Batches
from netdyn.training.engine.copies import Copies, same_bits
from netdyn.training.engine.cuda_graphs import Recorder
from netdyn.training.engine.stacked_batches import StackedBatches

__all__ = ["RecordedSteps"]

log = logging.getLogger(__name__)

# In the first of these kernels are chosen, buffers allocated and workspaces fetched.
WARM_UPS = 3


class RecordedSteps:
    """Makes steps by two recordings: one of a single step, one of several."""

    def __init__(
        self,
        update: Callable[[Tensor, Tensor], Tensor],
        batches: Batches | StackedBatches,
        state: Sequence[Tensor],
        recorder: Recorder,
        several: int,
    ):
        """Prepare the recordings; none is made yet.

        Args:
            update: makes a step on inputs (batch, N_0) and labels (batch,), returns its loss ();
                with a leading axis of runs each where `batches` are of several.
            batches: those of the steps.
            state: all tensors that a step changes for the next.
            recorder: what records.
            several: number of steps of the larger recording, at least 1.
        """
        self._batches, self._recorder, self._several = batches, recorder, several
        self._update, self._state = update, state
        self._recordings: dict[int, _Recording] = {}

    def prepare(self, index: int, count: int) -> bool:
        """Make the recordings that `count` steps after `index` others need.

        The state is left unchanged.

        Returns:
            Whether all could be made.
        """
        for steps in {size for _, size in self._replays(count)} - self._recordings.keys():
            before = Copies(self._state)
            before.save()
            try:
                recording = _Recording(self._update, self._batches, self._state, steps)
                self._recordings[steps] = recording
                recording.record(self._recorder, before, index)
            except RuntimeError as error:
                reason = str(error).strip().split("\n")[0]
                log.warning("steps are made one by one: they cannot be recorded (%s)", reason)
                self._recordings.clear()
                return False
            finally:
                before.restore()
        return True

    def replay(self, index: int, count: int) -> Tensor:
        """Make `count` steps after `index` others, which `prepare` has prepared; return losses."""
        return torch.cat(
            [self._recordings[size].replay(index + done) for done, size in self._replays(count)]
        )

    def _replays(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield, for each replay, how many steps come before it and how many it makes."""
        in_bulk = count // self._several * self._several
        for done in range(0, in_bulk, self._several):
            yield done, self._several
        for done in range(in_bulk, count):
            yield done, 1


class _Recording:
    """A recording of a fixed number of steps."""

    def __init__(
        self,
        update: Callable[[Tensor, Tensor], Tensor],
        batches: Batches | StackedBatches,
        state: Sequence[Tensor],
        steps: int,
    ):
        self._update, self._batches, self._state, self._steps = update, batches, state, steps
        device = batches.labels.device
        self._orders = torch.zeros(steps, batches.size, dtype=torch.int64, device=device)
        self._losses = torch.zeros(steps, *batches.losses, dtype=batches.dtype, device=device)
        self._launch: Callable[[], None] | None = None

    def record(self, recorder: Recorder, before: Copies, index: int) -> None:
        """Record the steps and compare them with those after `index` others, from `before` on.

        Raises:
            RuntimeError: they cannot be recorded, or give other bits.
        """
        self._set_orders(index)
        written = [*self._state, self._losses]
        expected = Copies(written)
        for _ in range(WARM_UPS):
            before.restore()
            recorder.warm_up(self._work)
        expected.save()
        before.restore()
        self._launch = recorder.record(self._work)
        before.restore()
        self._losses.zero_()
        self._launch()
        if not same_bits(written, expected.copies):
            raise RuntimeError("a recording gives other bits")

    def replay(self, index: int) -> Tensor:
        """Make the steps after `index` others; return their losses (steps,)."""
        self._set_orders(index)
        self._launch()
        return self._losses.clone()

    def _set_orders(self, index: int) -> None:
        if not self._batches.full:
            orders = self._batches.orders(index, self._steps)
            # The processor does not wait for a copy from pinned memory; PyTorch reuses the memory
            # only after the copy.
            pinned = orders.pin_memory() if self._orders.is_cuda else orders
            self._orders.copy_(pinned, non_blocking=True)

    def _work(self) -> None:
        for place, order in enumerate(self._orders):
            batch = self._batches.all() if self._batches.full else self._batches.of(order)
            self._losses[place].copy_(self._update(*batch))
