"""The batch of each optimizer step. Batches follow from the seed and the epoch alone."""

from collections.abc import Mapping

import torch
from torch import Tensor

from netdyn.data import prepared
from netdyn.runtime.random_streams import generator

__all__ = ["Batches", "as_trained"]


def as_trained(images: Tensor, settings: Mapping) -> Tensor:
    """Return images (P, N_0) as the network takes them: in [0, 1], in the run's precision."""
    x = prepared.to_unit(images) if images.dtype == torch.uint8 else images
    return x.double() if settings["precision"] == "float64" else x


class Batches:
    """The batch of each step: one permutation an epoch, an incomplete last batch left out."""

    def __init__(self, images: Tensor, labels: Tensor, settings: Mapping):
        self.images, self.labels, self.settings = images, labels, settings
        full = settings["batch_size"] == "full"
        self.size = len(labels) if full else settings["batch_size"]
        self.per_epoch = len(labels) // self.size
        self.full = full
        self.epoch, self.drawn_epoch = -1, -1
        self.taken: Tensor | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Return inputs (batch, N_0), good until the next call, and labels (batch,)."""
        if self.full:
            return self.all()
        epoch, index = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.order, self.epoch = self._drawn(epoch).to(self.labels.device), epoch
        return self.of(self.order[index * self.size : (index + 1) * self.size])

    def all(self) -> tuple[Tensor, Tensor]:
        """Return all inputs (P, N_0) and labels (P,)."""
        return as_trained(self.images, self.settings), self.labels

    def of(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the chosen (batch,) samples' inputs, good until the next call, and labels."""
        if self.taken is None:
            self.taken = self.images[chosen]
        # In one place: fetching new pages of memory takes longer than filling them.
        torch.index_select(self.images, 0, chosen, out=self.taken)
        return as_trained(self.taken, self.settings), self.labels.index_select(0, chosen)

    def orders(self, step: int, count: int) -> Tensor:
        """Return the samples of `count` steps after `step` others, (count, batch), on the CPU."""
        parts = []
        while count:
            epoch, index = divmod(step, self.per_epoch)
            steps = min(count, self.per_epoch - index)
            whole = self._drawn(epoch)[: self.per_epoch * self.size].view(self.per_epoch, self.size)
            parts.append(whole[index : index + steps])
            step, count = step + steps, count - steps
        return torch.cat(parts)

    def _drawn(self, epoch: int) -> Tensor:
        if epoch != self.drawn_epoch:
            stream = generator(self.settings["seed"], "batch order", epoch)
            self.drawn = torch.randperm(len(self.labels), generator=stream)
            self.drawn_epoch = epoch
        return self.drawn
