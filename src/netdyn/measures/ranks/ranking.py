"""The samples in the order of every neuron's local fields, by one sort: the core of `ranks.rpd`.

On CPUs the sort takes most of the time. 32-bit integers sort more than twice as fast as the 64 bits
of a field with its label, so a code is sorted: the field on a grid of its neuron's range in the
upper bits, the label in the lower. Neighbours on the same grid point, few among fields that are not
tied, are then sorted by their values. No result depends on the grid.
"""

from typing import NamedTuple

import numpy as np
import torch

from netdyn.errors import NetdynError

__all__ = ["Ranked", "blocks_at", "ranked_labels"]


class Ranked(NamedTuple):
    """Ranked samples of C neurons, one neuron after another; positions are numbered throughout."""

    labels: np.ndarray  # (C · P,) int32, in the order of the neuron's fields, smallest first
    start: np.ndarray  # (blocks,), first position of every block of tied samples (two at least)
    end: np.ndarray  # (blocks,), position after its last


def ranked_labels(values: np.ndarray, labels: np.ndarray, classes: int) -> Ranked:
    """Return the labels of the samples, (P,), in the order of each row of values, (C, P)."""
    samples = len(labels)
    bits = (classes - 1).bit_length()
    codes = _codes(values, labels, bits)
    ordered = np.sort(codes, axis=1).ravel()
    joined = np.zeros(values.size + 1, dtype=bool)  # with the previous position
    np.less((ordered[1:] ^ ordered[:-1]).view(np.uint32), 2**bits, out=joined[1:-1])
    joined[samples::samples] = False  # the previous position is another neuron's
    places = np.flatnonzero(joined[1:] | joined[:-1])  # on the same grid point as another
    if len(places) == 0:
        ordered &= 2**bits - 1
        return Ranked(ordered, places, places)
    if len(places) > values.size // 8:  # searching for them costs more than sorting all
        places = chosen = np.arange(values.size)
    else:
        chosen = _search(codes, ordered[places], places // samples)
    ordered &= 2**bits - 1
    tied_values = values.ravel()[chosen]
    # By neuron and value; numpy sorts 16-bit integers, stably, in linear time.
    order = np.argsort(tied_values)
    if len(values) > 1:
        row = (chosen // samples).astype(np.uint16)
        order = order[np.argsort(row[order], kind="stable")]
    tied_values = tied_values[order]
    ordered[places] = labels[chosen[order] % samples]
    opens = np.ones(len(places), dtype=bool)
    opens[1:] = tied_values[1:] != tied_values[:-1]
    opens[1:] |= places[1:] // samples != places[:-1] // samples
    first = np.flatnonzero(opens)
    length = np.concatenate([first[1:], [len(places)]]) - first
    first, length = first[length > 1], length[length > 1]
    return Ranked(ordered, places[first], places[first] + length)


def _codes(values: np.ndarray, labels: np.ndarray, bits: int) -> np.ndarray:
    """Return codes that never order two values the wrong way round, the label last, (C, P)."""
    largest = np.maximum(values.max(axis=1), -values.min(axis=1))
    if np.isnan(largest).any():
        raise NetdynError("local fields contain NaN: the network diverged")
    # Scaling by a power of two does not round; 2^127 is the largest one in float32.
    scale = np.ldexp(1.0, np.minimum(31 - np.frexp(largest)[1], 127)).astype(values.dtype)
    infinite = np.isinf(largest)
    scale[infinite] = 1
    codes = np.empty(values.shape, np.int32)
    with np.errstate(invalid="ignore", under="ignore"):
        np.multiply(values, scale[:, np.newaxis], out=codes, casting="unsafe")
    codes &= -(2**bits)
    codes |= labels
    codes[infinite] = labels  # without a grid: only the values decide
    return codes


def _search(codes: np.ndarray, requested: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the flat indices of all elements of codes (C, P) that are requested in their row."""
    samples = codes.shape[1]
    flat = codes.ravel()
    # Few codes pass both tables. The first look-up is by torch: numpy's is slower.
    low, high = np.zeros((2, 2**16), dtype=bool)
    low[requested.astype(np.uint16)] = True
    high[requested >> 16] = True
    index = torch.from_numpy(flat.astype(np.uint16).astype(np.int64))
    maybe = np.flatnonzero(torch.from_numpy(low).index_select(0, index).numpy())
    maybe = maybe[high[flat[maybe] >> 16]]
    requested = (rows << 32) + requested  # sorted by row, then by code
    candidates = (maybe // samples << 32) + flat[maybe]
    place = np.searchsorted(requested, candidates)
    place[place == len(requested)] = 0
    return maybe[requested[place] == candidates]


def blocks_at(ranked: Ranked, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which positions lie in a block of tied samples, and in which block these do."""
    if len(ranked.start) == 0:
        return np.zeros(places.shape, dtype=bool), ranked.start
    block = np.searchsorted(ranked.start, places, side="right") - 1
    tied = (block >= 0) & (places < ranked.end[block])
    return tied, block[tied]
