"""The batches of several runs, each from its run's own random streams, fetched by one kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from netdyn.data import prepared
from netdyn.records.run_settings import RunSettings
from netdyn.training.engine.batches import Batches

__all__ = ["StackedBatches"]

# Steps whose samples are chosen on the processor and copied to the device together.
STEPS_AT_ONCE = 64


class StackedBatches:
    """The batch of each step and run; stands where `Batches` stands for one run.

    Attributes:
        images, labels: those of all runs, one after another; equal ones once.
        size: samples of a step, of all runs together.
        full: whether a batch is all samples.
        losses: shape of a step's losses.
    """

    def __init__(self, samples: Sequence[tuple[Tensor, Tensor]], settings: Sequence[RunSettings]):
        """Args: of each run, images (P, N_0) and labels (P,), and settings.

        Runs whose images are one and the same tensor share it.
        """
        self._each = [
            Batches(*own, settings) for own, settings in zip(samples, settings, strict=True)
        ]
        distinct = {id(images): (images, labels) for images, labels in samples}
        self._starts, start = {}, 0
        for key, (images, _) in distinct.items():
            self._starts[key] = start
            start += len(images)
        self._offsets = [self._starts[id(images)] for images, _ in samples]
        images, labels = zip(*distinct.values(), strict=True)
        self._shared = len(distinct) == 1
        self.images = images[0] if self._shared else torch.cat(images)
        self.labels = labels[0] if self._shared else torch.cat(labels)
        first = self._each[0]
        self.full, self.dtype, self.losses = first.full, first.dtype, (len(samples),)
        self.size = len(samples) * first.size
        self._buffer: Tensor | None = None
        self._chosen, self._first = torch.empty(0, dtype=torch.int64, device="cpu"), 0
        if self.full:
            images = self.images.expand(len(samples), *self.images.shape)
            if not self._shared:
                images = torch.stack([own[0] for own in samples])
            self._all = images, torch.stack([own[1] for own in samples])

    def at(self, index: int) -> tuple[Tensor, Tensor]:
        """Return inputs (R, batch, N_0), valid until the next call, and labels (R, batch)."""
        if self.full:
            return self.all()
        if not self._first <= index < self._first + len(self._chosen):
            self._first = index
            self._chosen = self.orders(index, STEPS_AT_ONCE).to(self.labels.device)
        return self.of(self._chosen[index - self._first])

    def all(self) -> tuple[Tensor, Tensor]:
        """Return all inputs (R, P, N_0) and labels (R, P)."""
        images, labels = self._all
        return prepared.unit_floats(images, self.dtype), labels

    def of(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs, valid until the next call, and labels of chosen samples (R·batch,)."""
        if self._buffer is None:
            self._buffer = self.images[chosen]
        torch.index_select(self.images, 0, chosen, out=self._buffer)
        inputs = prepared.unit_floats(self._buffer, self.dtype)
        labels = self.labels.index_select(0, chosen)
        return inputs.view(*self.losses, -1, inputs.shape[1]), labels.view(*self.losses, -1)

    def orders(self, index: int, count: int) -> Tensor:
        """Return the samples of `count` steps after `index` others, (count, R·batch), on the CPU.

        They are places in `images`.
        """
        of_runs = [
            batches.orders(index, count) + offset
            for batches, offset in zip(self._each, self._offsets, strict=True)
        ]
        return torch.stack(of_runs, 1).view(count, -1)
