"""Sums over the ranks of the samples, from which `netdyn.rpd` makes RPDs and their gradients.

By numpy and threads on CPUs, where it sorts many times faster than torch; by torch elsewhere.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.ranking import Ranked, blocks_at, ranked_labels

__all__ = ["RankSums", "sums_by_numpy", "sums_by_torch"]

# Local fields, transposed, that a thread holds at a time; neurons are read from the rows of the
# input in whole cache lines, samples in runs short enough for these lines to stay cached.
FIELDS_AT_A_TIME = 2**22
NEURONS_AT_A_TIME = 64
SAMPLES_AT_A_TIME = 1024
# Numbers sorted at a time: what fits the cache of a core, and is long beside calls from Python.
SORTED_AT_A_TIME = 2**18
# A count and a sum of distances share a float64, whole numbers below 2^53: the sum of the distances
# to the start of a segment of at most LONGEST positions is smaller than ONE.
ONE, LONGEST = 2.0**33, 2**17


class RankSums(NamedTuple):
    """Sums of float64; None where they are not asked for. Ranks run from the smallest field up.

    ascending, descending: (K, bins − 1), by neurons of negative and of positive sign: sums over
        neurons of the distribution function of the class's ranks at the inner edges of the bins,
        minus that of the flat density. 0, exactly, where a neuron does not order the samples.
    twice_centres: (K, N): sums over the class of start + end of a sample's tied block. Exact.
    """

    ascending: Tensor | None
    descending: Tensor | None
    twice_centres: Tensor | None


class _Edges(NamedTuple):
    cell: np.ndarray  # (E,), the sample whose cell holds an inner edge
    place: np.ndarray  # (E,), the edge, in samples: e · P/bins


class _Segments(NamedTuple):
    """Positions cut into segments, in which each class is counted."""

    cuts: np.ndarray  # (S + 1,), from 0 to the number of positions
    group: np.ndarray  # (C · P,), K times the segment of every position
    weight: np.ndarray | None  # (C · P,), one, for the count, and the distance to the last cut


def sums_by_numpy(
    fields: Tensor, labels: Tensor, counts: Tensor, signs: Tensor, bins: int, centres: bool
) -> RankSums:
    """Return the rank sums of local fields on the CPU, by `torch.get_num_threads()` threads.

    Their number changes nothing: sums over neurons are taken in an order fixed by the shapes.

    Args:
        fields: (P, N).
        labels: (P,), in 0 … K−1.
        counts: samples of every class, (K,).
        signs: (K, N).
        bins: number of bins of [0, 1]; 0 asks for no distribution functions.
        centres: whether twice_centres are asked for.

    Raises:
        NetdynError: for NaN among the fields.
    """
    samples, neurons = fields.shape
    classes = len(counts)
    whole = np.arange(1, bins, dtype=np.int64) * samples
    edges = _Edges(whole // max(bins, 1), whole / max(bins, 1))
    of_sample = labels.numpy().astype(np.int32)
    share = np.maximum(counts.numpy(), 1).astype(np.float64)
    sign = signs.detach().sign().double().numpy()
    rows = max(1, SORTED_AT_A_TIME // max(samples, 2 * bins * classes))
    width = min(max(neurons // 16, 16), max(NEURONS_AT_A_TIME, rows))
    width = max(1, min(width, FIELDS_AT_A_TIME // samples))
    rows = min(rows, width, neurons, 2**16)  # told apart by 16 bits
    row_start = samples * np.arange(rows)[:, np.newaxis]  # (C, 1)
    cell = row_start + edges.cell  # (C, E)
    size = rows * samples
    segments = _segments(
        np.concatenate([row_start, cell, cell + 1], axis=1), size, classes, centres
    )

    def of_neurons(first: int) -> tuple[np.ndarray, np.ndarray]:
        chunk = _transposed(fields[:, first : first + width].detach())  # (C, P)
        excess = np.zeros((2, classes, len(edges.cell)))
        twice = np.empty((classes, len(chunk)))
        for row in range(0, len(chunk), rows):
            values = chunk[row : row + rows]
            ranked = ranked_labels(values, of_sample, classes)
            before, places = _sums(ranked, segments, classes)
            if bins:
                excess_here = _excess(ranked, edges, segments, before, share, samples)  # (C, E, K)
                chosen = sign[:, first + row : first + row + len(values)]  # (K, C)
                for side, weight in zip(excess, (chosen < 0, chosen > 0), strict=True):
                    side += np.einsum("kc,cek->ke", weight.astype(np.float64), excess_here)
            if centres:
                found = _twice_centres(ranked, segments.cuts, before, places, samples)
                twice[:, row : row + rows] = found.T
        return excess, twice

    firsts = range(0, neurons, width)
    threads = min(torch.get_num_threads(), len(firsts))
    if threads == 1:
        parts = [of_neurons(first) for first in firsts]
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(of_neurons, firsts))
    excesses, twices = zip(*parts, strict=True)
    ascending, descending = torch.from_numpy(sum(excesses)) if bins else (None, None)
    twice = torch.from_numpy(np.concatenate(twices, axis=1)) if centres else None
    return RankSums(ascending, descending, twice)


def _transposed(fields: Tensor) -> np.ndarray:
    if fields.dtype != torch.float64:
        fields = fields.float()
    array = fields.numpy()  # (P, C)
    out = np.empty(array.shape[::-1], array.dtype)
    for first in range(0, len(array), SAMPLES_AT_A_TIME):
        some = slice(first, first + SAMPLES_AT_A_TIME)
        out[:, some] = array[some].T
    return out


def _segments(cuts: np.ndarray, size: int, classes: int, centres: bool) -> _Segments:
    cuts = np.concatenate([cuts.ravel(), np.arange(0, size, LONGEST), [size]])
    cuts.sort()  # no count changes between cuts that fall together
    length = np.diff(cuts)
    group = np.repeat(classes * np.arange(len(length)), length)
    weight = None
    if centres:
        weight = ONE + (np.arange(size) - np.repeat(cuts[:-1], length))
    return _Segments(cuts, group, weight)


def _sums(
    ranked: Ranked, segments: _Segments, classes: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return how many of every class, and which sum of their positions, lie before every cut."""
    size, parts = len(ranked.labels), len(segments.cuts) - 1
    group = segments.group[:size] + ranked.labels
    weight = None if segments.weight is None else segments.weight[:size]
    sums = np.bincount(group, weight, minlength=classes * parts).reshape(parts, classes)
    counts = np.zeros((parts + 1, classes))
    if weight is None:
        np.cumsum(sums, axis=0, out=counts[1:])
        return counts, None
    own = np.floor(sums / ONE)
    np.cumsum(own, axis=0, out=counts[1:])
    places = np.zeros((parts + 1, classes))
    np.cumsum(sums - own * ONE + own * segments.cuts[:-1, np.newaxis], axis=0, out=places[1:])
    return counts, places


def _excess(
    ranked: Ranked,
    edges: _Edges,
    segments: _Segments,
    before: np.ndarray,
    share: np.ndarray,
    samples: int,
) -> np.ndarray:
    """Return distribution functions at the edges, minus those of the flat density, (C, E, K)."""
    classes = len(share)
    row_start = np.arange(0, len(ranked.labels), samples)[:, np.newaxis]  # (C, 1)
    start = row_start + edges.cell  # (C, E)
    end = start + 1
    below = before[np.searchsorted(segments.cuts, start)]  # (C, E, K)
    within = before[np.searchsorted(segments.cuts, end)] - below
    tied, block = blocks_at(ranked, start)
    if len(block):
        block, first, of_edge = np.unique(block, return_index=True, return_inverse=True)
        opens, closes = ranked.start[block], ranked.end[block]
        ahead = _counts_between(ranked.labels, opens, start[tied][first], classes)
        below[tied] = (below[tied][first] - ahead)[of_edge]
        within[tied] = _counts_between(ranked.labels, opens, closes, classes)[of_edge]
        start[tied], end[tied] = opens[of_edge], closes[of_edge]
    below -= before[np.searchsorted(segments.cuts, row_start)]
    into = (edges.place - (start - row_start)) / (end - start)  # how far into its block the edge is
    # Divided first, so that a block of all samples gives `into` itself.
    excess = below / share + into[:, :, np.newaxis] * (within / share)
    excess -= (edges.place / samples)[:, np.newaxis]
    return excess


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return all positions from start to before end, one stretch behind the other."""
    length = end - start
    behind = np.cumsum(length)
    return np.arange(length.sum()) + np.repeat(end - behind, length)


def _counts_between(
    labels: np.ndarray, start: np.ndarray, end: np.ndarray, classes: int
) -> np.ndarray:
    """Return how many of every class lie in each stretch of positions, (stretches, K)."""
    group = np.repeat(classes * np.arange(len(start)), end - start) + labels[_between(start, end)]
    return np.bincount(group, minlength=len(start) * classes).reshape(-1, classes)


def _twice_centres(
    ranked: Ranked, cuts: np.ndarray, counts: np.ndarray, places: np.ndarray, samples: int
) -> np.ndarray:
    """Return the sums over classes of start + end of a sample's block, (C, K)."""
    rows, classes = len(ranked.labels) // samples, counts.shape[1]
    row_start = samples * np.arange(rows)
    first, last = np.searchsorted(cuts, row_start), np.searchsorted(cuts, row_start + samples)
    own = counts[last] - counts[first]  # (C, K)
    twice = 2 * (places[last] - places[first] - own * row_start[:, np.newaxis]) + own
    if len(ranked.start):
        length = ranked.end - ranked.start
        place = _between(ranked.start, ranked.end)  # of all that tie
        change = np.repeat(ranked.start + ranked.end, length) - (2 * place + 1)
        group = classes * (place // samples) + ranked.labels[place]
        twice += np.bincount(group, change, minlength=rows * classes).reshape(rows, classes)
    return twice


def sums_by_torch(
    fields: Tensor, labels: Tensor, counts: Tensor, signs: Tensor, bins: int, centres: bool
) -> RankSums:
    """Return the rank sums of local fields on any device (see `sums_by_numpy`)."""
    samples, neurons = fields.shape
    classes = len(counts)
    ascending = descending = twice_centres = None
    if bins:
        edges = torch.arange(1, bins, device=fields.device) * samples  # inner bin edges, × bins/P
        cell = edges // bins  # the sample whose cell holds the edge
        edges = edges.double() / bins  # in samples
        ascending, descending = fields.new_zeros(2, classes, bins - 1, dtype=torch.float64)
    if centres:
        twice_centres = fields.new_empty(classes, neurons, dtype=torch.float64)
    for part, chosen in _neuron_chunks(fields):
        rows = len(part)
        ordered, order = part.sort(dim=1)  # (C, P), smallest first
        ranked = labels[order]
        if bins:
            at_edge = ordered[:, cell]  # (C, bins − 1)
            start = torch.searchsorted(ordered, at_edge)
            end = torch.searchsorted(ordered, at_edge, right=True)
            within = (edges - start) / (end - start)  # how far into its tied block the edge lies
            before = torch.zeros(rows, samples + 1, dtype=torch.long, device=fields.device)
            for k in range(classes):
                before[:, 1:] = (ranked == k).cumsum(dim=1)
                below = before.gather(1, start)
                tied = before.gather(1, end) - below
                # Divided first, so that a block of all samples gives `within` itself.
                share = counts[k].clamp(min=1).double()
                excess = below / share + within * (tied / share) - edges / samples
                ascending[k] += (signs[k, chosen] < 0).double() @ excess
                descending[k] += (signs[k, chosen] > 0).double() @ excess
        if centres:
            opens = torch.ones_like(ordered, dtype=torch.bool)
            opens[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
            start = opens.flatten().nonzero().squeeze(1)  # (blocks,), rows one behind the other
            end = torch.cat([start[1:], start.new_tensor([rows * samples])])
            twice = (start + end).repeat_interleave(
                end - start, output_size=rows * samples
            )  # (C · P,)
            row = torch.arange(rows, device=fields.device).unsqueeze(1)
            group = (ranked + classes * row).flatten()
            # Whole numbers below 2^53: the sum is exact in any order, on any device.
            sums = twice_centres.new_zeros(rows * classes)
            sums.index_add_(0, group, twice.double())
            sums = sums.view(rows, classes) - 2 * samples * row * counts
            twice_centres[:, chosen] = sums.T
    return RankSums(ascending, descending, twice_centres)


def _neuron_chunks(fields: Tensor) -> Iterator[tuple[Tensor, slice]]:
    samples, neurons = fields.shape
    width = max(1, FIELDS_AT_A_TIME // samples)
    for first in range(0, neurons, width):
        chosen = slice(first, first + width)
        part = fields[:, chosen].T  # (C, P)
        part = (part if part.dtype == torch.float64 else part.float()).contiguous()
        if part.isnan().any():
            raise NetdynError("local fields contain NaN: the network diverged")
        yield part, chosen
