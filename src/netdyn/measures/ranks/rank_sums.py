"""Sums over the ranks of the samples, from which `ranks.rpd` computes RPDs and their gradients.

On CPUs they are computed by numpy, which sorts many times faster than torch, in several threads;
on other devices by torch.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.measures.ranks.neuron_sums import NeuronSums
from netdyn.runtime.threads import one_thread_each, workers

__all__ = ["RankSums", "sums_by_numpy", "sums_by_torch"]

# Number of transposed local fields that a thread holds at a time. Neurons are read from the rows of
# the input in complete cache lines, samples in runs short enough for these lines to stay cached.
FIELDS_AT_A_TIME = 2**22
# On a GPU, where a field takes up to some hundred bytes: 4 GB at a time.
FIELDS_AT_A_TIME_ON_GPU = 2**25
NEURONS_AT_A_TIME = 64
SAMPLES_AT_A_TIME = 512
PADDING = 1
# Numbers sorted at a time: few enough for the cache of a core, and so many that the cost of calls
# from Python is small.
SORTED_AT_A_TIME = 2**18


class RankSums(NamedTuple):
    """Sums in float64; None where they were not requested. Ranks ascend from the smallest field.

    ascending, descending: (K, bins − 1), by neurons of negative and of positive sign: sums over
        neurons of the distribution function of the class's ranks at the inner edges of the bins,
        minus that of the flat density. 0, exactly, where a neuron does not order the samples.
    twice_centres: (K, N): sums over the class of start + end of a sample's tied block. Exact.
    """

    ascending: Tensor | None
    descending: Tensor | None
    twice_centres: Tensor | None


def sums_by_numpy(
    fields: Tensor, labels: Tensor, counts: Tensor, signs: Tensor, bins: int, centres: bool
) -> RankSums:
    """Return the rank sums of local fields on the CPU, by `torch.get_num_threads()` threads.

    The number of threads does not change the result: sums over neurons are computed in an order
    that the shapes determine.

    Args:
        fields: (P, N).
        labels: (P,), in 0 … K−1.
        counts: samples of every class, (K,).
        signs: (K, N).
        bins: number of bins of [0, 1]; 0 for no distribution functions.
        centres: whether twice_centres are computed.

    Raises:
        NetdynError: for NaN among the fields.
    """
    samples, neurons = fields.shape
    classes = len(counts)
    sign = signs.detach().sign().double().numpy()
    rows = max(1, SORTED_AT_A_TIME // max(samples, 2 * bins * classes))
    width = min(max(neurons // 16, 16), max(NEURONS_AT_A_TIME, rows))
    width = max(1, min(width, FIELDS_AT_A_TIME // samples))
    rows = min(rows, width, neurons, 2**16)  # a row is numbered by 16 bits
    sums = NeuronSums(labels.numpy(), counts.numpy(), rows, bins, centres)

    def of_neurons(first: int) -> tuple[np.ndarray, np.ndarray]:
        chunk = _transposed(fields[:, first : first + width].detach())  # (C, P)
        excess = np.zeros((2, classes, max(bins - 1, 0)))
        twice = np.empty((classes, len(chunk)))
        for row in range(0, len(chunk), rows):
            some = slice(row, row + rows)
            part = sums(chunk[some])
            if part.excess is not None:
                chosen = sign[:, first : first + width][:, some]  # (K, C)
                for side, weight in zip(excess, (chosen < 0, chosen > 0), strict=True):
                    side += np.einsum("kc,cek->ke", weight.astype(np.float64), part.excess)
            if part.twice_centres is not None:
                twice[:, some] = part.twice_centres.T
        return excess, twice

    firsts = range(0, neurons, width)
    threads = min(torch.get_num_threads(), len(firsts))
    if threads == 1:
        parts = [of_neurons(first) for first in firsts]
    else:
        with one_thread_each(), workers(threads) as pool:
            parts = list(pool.map(of_neurons, firsts))
    excesses, twices = zip(*parts, strict=True)
    ascending, descending = torch.from_numpy(sum(excesses)) if bins else (None, None)
    twice = torch.from_numpy(np.concatenate(twices, axis=1)) if centres else None
    return RankSums(ascending, descending, twice)


def _transposed(fields: Tensor) -> np.ndarray:
    if fields.dtype != torch.float64:
        fields = fields.float()
    array = fields.numpy()  # (P, C)
    neurons = array.shape[1]
    out = np.empty(array.shape[::-1], array.dtype)
    # Columns at a distance of a power of two of bytes would share a few cache lines.
    padded = np.empty((SAMPLES_AT_A_TIME, neurons + PADDING), array.dtype)
    for first in range(0, len(array), SAMPLES_AT_A_TIME):
        part = array[first : first + SAMPLES_AT_A_TIME]
        buffer = padded[: len(part), :neurons]
        buffer[...] = part
        out[:, first : first + len(part)] = buffer.T
    return out


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
            start = opens.flatten().nonzero().squeeze(1)  # (blocks,), rows one after another
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
    most = FIELDS_AT_A_TIME_ON_GPU if fields.device.type == "cuda" else FIELDS_AT_A_TIME
    width = max(1, most // samples)
    for first in range(0, neurons, width):
        chosen = slice(first, first + width)
        part = fields[:, chosen].T  # (C, P)
        part = (part if part.dtype == torch.float64 else part.float()).contiguous()
        if part.isnan().any():
            raise NetdynError("local fields contain NaN: the network diverged")
        yield part, chosen
