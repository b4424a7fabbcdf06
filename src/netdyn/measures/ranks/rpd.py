"""Rank probability distributions: how high a class stands in each neuron's order of the samples.

For class k and neuron i of hidden layer l the P samples are ordered by h_i(μ)·sign(M_l[k, i]), from
largest to smallest, M_l the L-map (Eq. 4). A sample occupies the cell [rank/P, (rank + 1)/P] of
[0, 1]; tied samples share the cell of their block; each is spread evenly over its cell. The
RPD is the density of the class-k samples on [0, 1]. It is 1 everywhere where the neuron does not
order the class, and falls with r where the class's samples rank high (the OPT mode).

A negative sign only reverses the order, so one sort of a neuron's local fields serves all classes
and both signs, for the RPD and for its gradient.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.measures.ranks.rank_sums import RankSums, sums_by_numpy, sums_by_torch

__all__ = ["RankStatistics", "rank_probability", "rank_statistics", "rpd_gradient"]


class RankStatistics(NamedTuple):
    """The class RPDs of a layer, (K, bins), and the RPD gradients of its neurons, (K, N)."""

    rpd: Tensor
    gradient: Tensor


@torch.no_grad()
def rank_statistics(
    fields: Tensor, labels: Tensor, signs: Tensor, bins: int = 100
) -> RankStatistics:
    """Return class RPDs and RPD gradients from one sort per neuron, faster than separate calls.

    Args:
        fields: local fields h^(l), (P, N).
        labels: classes 0 … K−1 of the samples, integers, (P,).
        signs: the L-map M_l or its sign, (K, N); only the sign is used.
        bins: number of equal bins of [0, 1].

    Returns:
        rpd, as `rank_probability` returns it, and gradient, as `rpd_gradient` does, bit for bit.

    Raises:
        NetdynError: for shapes that do not match, labels outside 0 … K−1, or NaN.
    """
    counts = _class_counts(fields, labels, signs)
    _check_bins(bins)
    sums = _rank_sums(fields, labels, counts, signs, bins, centres=True)
    return RankStatistics(_density(sums, fields, counts), _gradient(sums, fields, counts, signs))


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
    _check_bins(bins)
    sums = _rank_sums(fields, labels, counts, signs, bins, centres=False)
    return _density(sums, fields, counts)


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
    sums = _rank_sums(fields, labels, counts, signs, bins=0, centres=True)
    return _gradient(sums, fields, counts, signs)


def _class_counts(fields: Tensor, labels: Tensor, signs: Tensor) -> Tensor:
    if fields.ndim != 2 or 0 in fields.shape:
        raise NetdynError(
            f"local fields of shape {tuple(fields.shape)}: give (samples, neurons), at least one "
            "of each"
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


def _check_bins(bins: int) -> None:
    if bins < 1:
        raise NetdynError(f"bins {bins}: give at least one")


def _rank_sums(
    fields: Tensor, labels: Tensor, counts: Tensor, signs: Tensor, bins: int, centres: bool
) -> RankSums:
    by = sums_by_numpy if fields.device.type == "cpu" else sums_by_torch
    return by(fields, labels, counts, signs, bins, centres)


def _density(sums: RankSums, fields: Tensor, counts: Tensor) -> Tensor:
    # A negative sign of the L-map reverses the distribution function, in r and in sign.
    ascending, descending = (
        torch.nn.functional.pad(side, (1, 1)) for side in (sums.ascending, sums.descending)
    )  # (K, bins + 1)
    bins = ascending.shape[1] - 1
    density = 1 + bins / fields.shape[1] * (ascending.diff() + descending.diff().flip(1))
    density[counts == 0] = torch.nan
    return density.to(_result_dtype(fields))


def _gradient(sums: RankSums, fields: Tensor, counts: Tensor, signs: Tensor) -> Tensor:
    mean_rank = sums.twice_centres / (2 * len(fields) * counts.unsqueeze(1))  # (K, N), 0/0: NaN
    gradient = 12 * signs.sign() * (mean_rank - 0.5)  # smallest first: r = 1 − rank
    return gradient.to(_result_dtype(fields))


def _result_dtype(fields: Tensor) -> torch.dtype:
    return torch.float64 if fields.dtype == torch.float64 else torch.float32
