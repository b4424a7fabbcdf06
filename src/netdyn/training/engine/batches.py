"""The batch of each optimizer step. Batches follow from the seed and the epoch alone."""

import torch
from torch import Tensor

from netdyn.data import prepared
from netdyn.records.run_settings import RunSettings
from netdyn.results.runs import weight_dtype
from netdyn.runtime.random_streams import generator

__all__ = ["Batches"]


class Batches:
    """The batch of each step: one permutation an epoch, without an incomplete last batch.

    Attributes:
        losses: shape of a step's loss.
    """

    losses: tuple[int, ...] = ()

    def __init__(self, images: Tensor, labels: Tensor, settings: RunSettings):
        """Args: samples (P, N_0), bytes or floats in [0, 1], and labels (P,); the run's settings.

        Floats are passed on in the dtype that they have.
        """
        self.images, self.labels, self._seed = images, labels, settings["seed"]
        self.dtype = weight_dtype(settings)
        self.full = settings["batch_size"] == "full"
        self.size = len(labels) if self.full else settings["batch_size"]
        self.per_epoch = len(labels) // self.size
        self._epoch, self._permuted_epoch = -1, -1
        self._buffer: Tensor | None = None

    def at(self, index: int) -> tuple[Tensor, Tensor]:
        """Return inputs (batch, N_0), valid until the next call, and labels (batch,) of a step."""
        if self.full:
            return self.all()
        epoch, place = divmod(index, self.per_epoch)
        if epoch != self._epoch:
            self._order, self._epoch = self._permutation(epoch).to(self.labels.device), epoch
        return self.of(self._order[place * self.size : (place + 1) * self.size])

    def all(self) -> tuple[Tensor, Tensor]:
        """Return all inputs (P, N_0) and labels (P,)."""
        return prepared.unit_floats(self.images, self.dtype), self.labels

    def of(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs, valid until the next call, and labels of chosen samples (batch,)."""
        if self._buffer is None:
            self._buffer = self.images[chosen]
        # One buffer: fetching new pages of memory takes longer than filling them.
        torch.index_select(self.images, 0, chosen, out=self._buffer)
        inputs = prepared.unit_floats(self._buffer, self.dtype)
        return inputs, self.labels.index_select(0, chosen)

    def orders(self, index: int, count: int) -> Tensor:
        """Return the samples of `count` steps after `index` others, (count, batch), on the CPU."""
        parts = []
        while count:
            epoch, place = divmod(index, self.per_epoch)
            steps = min(count, self.per_epoch - place)
            order = self._permutation(epoch)[: self.per_epoch * self.size]
            parts.append(order.view(self.per_epoch, self.size)[place : place + steps])
            index, count = index + steps, count - steps
        return torch.cat(parts)

    def _permutation(self, epoch: int) -> Tensor:
        if epoch != self._permuted_epoch:
            stream = generator(self._seed, "batch order", epoch)
            self._permuted = torch.randperm(len(self.labels), generator=stream, device="cpu")
            self._permuted_epoch = epoch
        return self._permuted
