"""Rank probability distributions: how high a class stands in each neuron's order of the samples.

For class k and neuron i of hidden layer l the P samples are ordered by h_i(μ)·sign(M_l[k, i]), from
largest to smallest, M_l the L-map (Eq. 4). A sample occupies the cell [rank/P, (rank + 1)/P] of
[0, 1]; tied samples share the cell of their whole block; each is spread evenly over its cell. The
RPD is the density of the class-k samples on [0, 1]. It is 1 everywhere where the neuron does not
order the class, and falls with r where the class's samples rank high (the OPT mode).

A negative sign turns the order round and nothing else, so one sort of a neuron's local fields
serves all classes and both signs.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from netdyn.errors import NetdynError

__all__ = ["rank_probability", "rpd_gradient"]

# Local fields held, transposed, at a time: large enough to fill a GPU, small beside the input.
FIELDS_AT_A_TIME = 2**20


@torch.no_grad()
def rank_probability(fields: Tensor, labels: Tensor, signs: Tensor, bins: int = 100) -> Tensor:
    """Return the class RPDs of a layer: densities on [0, 1], averaged over its neurons.

    Bin b of class k is the mean over neurons of bins/n_k times the number of class-k samples, parts
    included, in [b/bins, (b + 1)/bins]; bin 0 is the top of the order. The mean over bins is 1. A
    constant local field and a zero sign give exactly 1, the order of the samples never matters, and
    the bins integrate the density exactly whether or not they divide P. The layer's RPD is the mean
    over classes.

    Args:
        fields: local fields h^(l), (P, N).
        labels: classes 0 … K−1 of the samples, integers, (P,).
        signs: the L-map M_l or its sign, (K, N); only the sign is used.
        bins: number of equal bins of [0, 1].

    Returns:
        (K, bins), in the dtype of `fields` (float32 for half precision), on its device; a class
        without samples has a row of NaN.

    Raises:
        NetdynError: for shapes that do not match, labels outside 0 … K−1, or NaN.
    """
    counts = _class_counts(fields, labels, signs)  # (K,)
    if bins < 1:
        raise NetdynError(f"bins {bins}: give at least one")
    samples, neurons = fields.shape
    by_class = labels.argsort(stable=True)  # (P,)
    edges = torch.arange(1, bins, device=fields.device) * samples  # inner bin edges, × bins/P
    cell = edges // bins  # the sample whose cell holds the edge
    edges = edges.double() / bins  # in samples
    # Distribution function minus that of the flat density: zero, exactly, where there is no order,
    # and turned round in r and in sign where the sign of the L-map is.
    ascending, descending = fields.new_zeros(2, len(counts), bins + 1, dtype=torch.float64)
    for part, chosen in _neuron_chunks(fields):
        part = part[:, by_class]  # (C, P)
        ordered = _sorted(part)  # (C, P), smallest first
        at_edge = ordered[:, cell]  # (C, bins − 1)
        start = torch.searchsorted(ordered, at_edge)
        end = torch.searchsorted(ordered, at_edge, right=True)
        within = (edges - start) / (end - start)  # how far into its tied block the edge lies
        for k, own in enumerate(part.split(counts.tolist(), dim=1)):
            if counts[k] == 0:
                continue
            own = _sorted(own)  # (C, n_k)
            below = torch.searchsorted(own, at_edge)
            tied = torch.searchsorted(own, at_edge, right=True) - below
            # Divided first, so that a block of all samples gives `within` itself.
            excess = below / counts[k].double() + within * (tied / counts[k].double())
            excess -= edges / samples  # (C, bins − 1)
            ascending[k, 1:-1] += (signs[k, chosen] < 0).double() @ excess
            descending[k, 1:-1] += (signs[k, chosen] > 0).double() @ excess
    density = 1 + bins / neurons * (ascending.diff() + descending.diff().flip(1))  # (K, bins)
    density[counts == 0] = torch.nan
    return density.to(_result_dtype(fields))


@torch.no_grad()
def rpd_gradient(fields: Tensor, labels: Tensor, signs: Tensor) -> Tensor:
    """Return the RPD gradient of every class and neuron: g = 12·(½ − mean r of the class).

    r is the centre of a sample's cell, so g is minus the least-squares slope of the RPD against r
    in the limit of fine bins, and needs no bins. The same number is 12·(P − n_k)/P · (AUC − ½), AUC
    the probability that a sample of class k outranks one of another class (ties count ½). It lies
    in [−6, 6]; 0 means isotropic; with ten equal classes perfect alignment gives 5.4. The layer's
    g_l is the mean over classes and neurons.

    Args:
        fields: local fields h^(l), (P, N).
        labels: classes 0 … K−1 of the samples, integers, (P,).
        signs: the L-map M_l or its sign, (K, N); only the sign is used, and 0 gives 0.

    Returns:
        (K, N), in the dtype of `fields` (float32 for half precision), on its device; a class
        without samples has a row of NaN.

    Raises:
        NetdynError: for shapes that do not match, labels outside 0 … K−1, or NaN.
    """
    counts = _class_counts(fields, labels, signs)  # (K,)
    samples, neurons = fields.shape
    classes = len(counts)
    mean_rank = fields.new_empty(neurons, classes, dtype=torch.float64)
    for part, chosen in _neuron_chunks(fields):
        rows = len(part)
        order = _argsorted(part)  # (C, P), smallest first
        ordered = part.gather(1, order)
        opens = torch.ones_like(ordered, dtype=torch.bool)
        opens[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        start = opens.flatten().nonzero().squeeze(1)  # (blocks,), rows one behind the other
        end = torch.cat([start[1:], start.new_tensor([rows * samples])])
        twice_centre = (start + end).repeat_interleave(
            end - start, output_size=rows * samples
        )  # (C · P,)
        row = torch.arange(rows, device=fields.device).unsqueeze(1)
        group = (labels[order] + classes * row).flatten()
        # Whole numbers below 2^53: the sum is exact in any order, on any device.
        sums = mean_rank.new_zeros(rows * classes)
        sums.index_add_(0, group, twice_centre.double())
        sums = sums.view(rows, classes) - 2 * samples * row * counts
        mean_rank[chosen] = sums / (2 * samples * counts)
    gradient = 12 * signs.sign() * (mean_rank.T - 0.5)  # smallest first: r = 1 − rank
    return gradient.to(_result_dtype(fields))


def _class_counts(fields: Tensor, labels: Tensor, signs: Tensor) -> Tensor:
    if fields.ndim != 2 or 0 in fields.shape:
        raise NetdynError(
            f"local fields of shape {tuple(fields.shape)}: give (samples, neurons), one at least"
        )
    samples, neurons = fields.shape
    if labels.shape != (samples,) or labels.is_floating_point():
        raise NetdynError(
            f"labels {tuple(labels.shape)} of {labels.dtype}: give one integer per sample, "
            f"({samples},)"
        )
    if signs.ndim != 2 or signs.shape[1] != neurons:
        raise NetdynError(
            f"signs of shape {tuple(signs.shape)}: give (classes, {neurons}), as the L-map of the "
            "layer is"
        )
    if signs.isnan().any():
        raise NetdynError("signs contain NaN: the network diverged")
    classes = len(signs)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise NetdynError(
            f"labels run from {low} to {high}, but signs has {classes} classes: "
            f"labels must lie in 0 … {classes - 1}"
        )
    return labels.bincount(minlength=classes)


def _neuron_chunks(fields: Tensor) -> Iterator[tuple[Tensor, slice]]:
    samples, neurons = fields.shape
    width = max(1, FIELDS_AT_A_TIME // samples)
    for first in range(0, neurons, width):
        chosen = slice(first, first + width)
        part = fields[:, chosen].T.to(_result_dtype(fields)).contiguous()  # (C, P)
        if part.isnan().any():
            raise NetdynError("local fields contain NaN: the network diverged")
        yield part, chosen


def _result_dtype(fields: Tensor) -> torch.dtype:
    return torch.float64 if fields.dtype == torch.float64 else torch.float32


# On CPUs numpy's sorts use vector instructions and are many times faster than torch's.
def _sorted(values: Tensor) -> Tensor:
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.sort(dim=1).values


def _argsorted(values: Tensor) -> Tensor:
    if values.device.type == "cpu":
        return torch.from_numpy(np.argsort(values.numpy(), axis=1))
    return values.argsort(dim=1)
