"""Samples and labels, in memory or from a DataLoader, batch by batch."""

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_labels
from netdyn.networks.integer_samples import as_samples_or_tokens

__all__ = ["Samples"]

BATCH = 1000  # samples of a batch of those in memory


class Samples:
    """Samples, with labels or without, that can be passed several times.

    Args:
        network: that they are for, whose device they are moved to.
        x: (P, …), as all functions of netdyn take them, or a DataLoader of batches (x, y) or x.
        y: labels (P,); None for a DataLoader, which has them.
        labelled: whether labels are needed.

    Raises:
        NetdynError: for samples and labels that do not fit; for a DataLoader's, when passed.
    """

    def __init__(self, network, x: object, y: object = None, labelled: bool = True):
        self._network, self._labelled = network, labelled
        self._loader = x if isinstance(x, DataLoader) else None
        if self._loader is not None:
            if y is not None:
                raise NetdynError("labels beside a DataLoader: leave y out, its batches are (x, y)")
            return
        self._x = network.samples(x)
        if labelled and not len(self._x):
            raise NetdynError("no samples: give at least one")
        if labelled and y is None:
            raise NetdynError("labels are missing: give y, (samples,), or a DataLoader of (x, y)")
        self._y = as_labels(y, self._x, network.classes) if labelled else None

    def __len__(self) -> int:
        """P, of a DataLoader by its data set."""
        return len(self._x) if self._loader is None else len(self._loader.dataset)

    def batches(self, size: int | None = BATCH) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the samples of each batch, on the network's device, and their labels.

        Args:
            size: of a batch of samples in memory; None for all. A DataLoader has its own.
        """
        if self._loader is None:
            size = max(1, len(self._x)) if size is None else size
            parts = self._x.split(size)
            labels = [None] * len(parts) if self._y is None else self._y.split(size)
            yield from zip(parts, labels, strict=True)
            return
        for batch in self._loader:
            yield self._of_loader(batch)

    def _of_loader(self, batch: object) -> tuple[Tensor, Tensor | None]:
        pair = batch if isinstance(batch, list | tuple) else (batch,)
        if self._labelled and len(pair) != 2:
            raise NetdynError(
                f"the DataLoader yields batches of {len(pair)} parts: it must yield (x, y)"
            )
        x = as_samples_or_tokens(pair[0]).to(self._network.device)
        x = self._network.samples(x)
        return x, as_labels(pair[1], x, self._network.classes) if self._labelled else None

    def first(self, count: int) -> Tensor:
        """Return the first samples, at most `count`."""
        parts, missing = [], count
        for x, _ in self.batches():
            parts.append(x[:missing])
            missing -= len(parts[-1])
            if not missing:
                break
        return torch.cat(parts)

    def all(self) -> tuple[Tensor, Tensor | None]:
        """Return all samples and labels: they must fit into memory."""
        if self._loader is None:
            return self._x, self._y
        parts, labels = zip(*islice(self.batches(), None), strict=True)
        return torch.cat(parts), torch.cat(labels) if self._labelled else None
