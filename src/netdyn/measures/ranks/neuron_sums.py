"""Rank sums of some neurons, one after another: the work of one thread of `ranks.rank_sums`.

The positions of each neuron are cut into segments, at the inner edges of the bins. The rank sums
follow from the number of samples of every class in every segment and the sum of their distances to
its start; tied samples are corrected afterwards.
"""

from typing import NamedTuple

import numpy as np
import torch

from netdyn.measures.ranks.ranking import Ranked, blocks_at, ranked_labels

__all__ = ["NeuronSums", "SumsOfNeurons"]

# A count and a sum of distances share a float64, whole numbers below 2^53: the sum of the distances
# to the start of a segment of at most LONGEST positions is smaller than ONE.
ONE, LONGEST = 2.0**33, 2**17


class SumsOfNeurons(NamedTuple):
    """Rank sums of C neurons; None where they were not requested."""

    # (C, E, K): distribution functions at the edges, minus those of the flat density.
    excess: np.ndarray | None
    twice_centres: np.ndarray | None  # (C, K): sums over the class of start + end of tied blocks


class NeuronSums:
    """Computes the sums of a limited number of neurons at a time; threads may share an instance."""

    def __init__(
        self, labels: np.ndarray, counts: np.ndarray, neurons: int, bins: int, centres: bool
    ):
        """Allocate the arrays for the sums of a block of neurons.

        Args:
            labels: (P,), in 0 … K−1.
            counts: samples of every class, (K,).
            neurons: largest number of neurons at a time.
            bins: number of bins of [0, 1]; 0 for no distribution functions.
            centres: whether sums of the centres of tied blocks are computed.
        """
        self.samples, self.classes = len(labels), len(counts)
        self.bins, self.centres = bins, centres
        self.labels = labels.astype(np.int32)
        self.share = np.maximum(counts, 1).astype(np.float64)
        edges = np.arange(1, bins, dtype=np.int64) * self.samples  # times bins/P
        self.place = edges / max(bins, 1)  # (E,), inner edges, in samples
        self.cell = edges // max(bins, 1)  # (E,), the sample whose cell holds the edge
        cuts = np.concatenate([self.cell, np.arange(0, self.samples, LONGEST)])
        cuts.sort()  # equal cuts make an empty segment, which changes no count
        self.cuts = cuts  # (S,), where segments begin
        self.at_edge = np.searchsorted(cuts, self.cell)  # (E,)
        of_one = np.repeat(np.arange(len(cuts)), np.diff(cuts, append=self.samples))  # (P,)
        segment = np.add.outer(len(cuts) * np.arange(neurons), of_one).ravel()
        self.group = (self.classes * segment).astype(np.int32)  # (C · P,)
        if centres:
            weight = np.tile(ONE + (np.arange(self.samples) - cuts[of_one]), neurons)
        else:
            weight = np.ones(neurons * self.samples)
        self.weight = torch.from_numpy(weight)  # (C · P,), the count and the distance
        self.one_hot = np.eye(self.classes)

    def __call__(self, values: np.ndarray) -> SumsOfNeurons:
        """Return the sums of local fields, (C, P)."""
        ranked = ranked_labels(values, self.labels, self.classes)
        sums = self._sums(ranked, len(values))
        counts = np.floor(sums / ONE) if self.centres else sums
        return SumsOfNeurons(
            self._excess(ranked, counts) if self.bins else None,
            self._twice_centres(ranked, sums - counts * ONE, counts) if self.centres else None,
        )

    def _sums(self, ranked: Ranked, neurons: int) -> np.ndarray:
        """Return the sums of the weights of every segment and class, (C, S, K)."""
        shape = (neurons, len(self.cuts), self.classes)
        size = len(ranked.labels)
        group = (self.group[:size] + ranked.labels).astype(np.int64)
        sums = torch.zeros(shape, dtype=torch.float64, device="cpu")
        # numpy's bincount would block the other threads.
        sums.view(-1).scatter_add_(0, torch.from_numpy(group), self.weight[:size])
        return sums.numpy()

    def _excess(self, ranked: Ranked, counts: np.ndarray) -> np.ndarray:
        neurons = len(counts)
        before = np.zeros_like(counts)
        np.cumsum(counts[:, :-1], axis=1, out=before[:, 1:])
        below = before[:, self.at_edge]  # (C, E, K), of the class, before the edge's block
        at_edge = ranked.labels.reshape(neurons, self.samples)[:, self.cell]
        within = self.one_hot[at_edge]  # (C, E, K), of the class, in the edge's block
        row_start = self.samples * np.arange(neurons)[:, np.newaxis]  # (C, 1)
        start = row_start + self.cell  # (C, E), of the edge's block
        length = 1
        tied, block = blocks_at(ranked, start)
        if len(block):
            block, first, of_edge = np.unique(block, return_index=True, return_inverse=True)
            opens, closes = ranked.start[block], ranked.end[block]
            ahead = self._counts_between(ranked.labels, opens, start[tied][first])
            below[tied] = (below[tied][first] - ahead)[of_edge]
            within[tied] = self._counts_between(ranked.labels, opens, closes)[of_edge]
            length = np.ones_like(start)
            start[tied], length[tied] = opens[of_edge], (closes - opens)[of_edge]
        start -= row_start
        into = (self.place - start) / length  # how far into its block the edge is
        # Divided first, so that a block of all samples gives `into` itself.
        below /= self.share
        within /= self.share
        within *= into[:, :, np.newaxis]
        below += within
        below -= (self.place / self.samples)[:, np.newaxis]
        return below

    def _twice_centres(
        self, ranked: Ranked, distances: np.ndarray, counts: np.ndarray
    ) -> np.ndarray:
        places = distances + counts * self.cuts[:, np.newaxis]
        twice = (2 * places + counts).sum(axis=1)  # start + end: position and the next
        if len(ranked.start):
            length = ranked.end - ranked.start
            place = _between(ranked.start, ranked.end)  # of all that tie
            change = np.repeat(ranked.start + ranked.end, length) - (2 * place + 1)
            group = self.classes * (place // self.samples) + ranked.labels[place]
            twice += np.bincount(group, change, minlength=twice.size).reshape(twice.shape)
        return twice

    def _counts_between(self, labels: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return how many of every class lie in each stretch of positions, (stretches, K)."""
        stretch = np.repeat(self.classes * np.arange(len(start)), end - start)
        group = stretch + labels[_between(start, end)]
        counts = np.bincount(group, minlength=len(start) * self.classes)
        return counts.reshape(-1, self.classes)


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return all positions from start to before end, one stretch after another."""
    length = end - start
    stop = np.cumsum(length)
    return np.arange(length.sum()) + np.repeat(end - stop, length)
