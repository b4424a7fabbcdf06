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
from netdyn.networks.inputs import as_count, as_labels, as_tensor
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["RankStatistics", "checked", "rank_probability", "rank_statistics", "rpd_gradient"]


class RankStatistics(NamedTuple):
    """The class RPDs of a layer, (K, bins), and the RPD gradients of its neurons, (K, N)."""

    rpd: Tensor
    gradient: Tensor


@plain_mode
def rank_statistics(
    fields: Tensor, labels: Tensor, signs: Tensor, bins: int = 100
) -> RankStatistics:
    """Return class RPDs and RPD gradients from one sort per neuron, faster than separate calls.

    Args:
        fields: local fields h^(l), (P, N); a tensor, a numpy array or a list, as are the others.
        labels: classes 0 … K−1 of the samples, integers, (P,), or bools, of which True is class 1.
        signs: the L-map M_l or its sign, (K, N); only the sign is used.
        bins: number of equal bins of [0, 1].

    Returns:
        rpd, as `rank_probability` returns it, and gradient, as `rpd_gradient` does, bit for bit.

    Raises:
        NetdynError: for shapes that do not match, labels outside 0 … K−1, or NaN.
    """
    ranked = checked(fields, labels, signs)
    sums = _rank_sums(ranked, as_count(bins, "bins"), centres=True)
    return RankStatistics(_density(sums, ranked), _gradient(sums, ranked))


@plain_mode
def rank_probability(fields: Tensor, labels: Tensor, signs: Tensor, bins: int = 100) -> Tensor:
    """Return the class RPDs of a layer: densities on [0, 1], averaged over its neurons.

    Bin b of class k is the mean over neurons of bins/n_k times the number of class-k samples, parts
    included, in [b/bins, (b + 1)/bins]; bin 0 is the top of the order. The mean over bins is 1. A
    constant local field and a zero sign give exactly 1, the order of the samples never matters, and
    the bins integrate the density exactly whether or not they divide P. The layer's RPD is the mean
    over the classes that have samples, `.nanmean(dim=0)`.

    Args:
        fields: local fields h^(l), (P, N); a tensor, a numpy array or a list, as are the others.
        labels: classes 0 … K−1 of the samples, integers, (P,), or bools, of which True is class 1.
        signs: the L-map M_l or its sign, (K, N); only the sign is used.
        bins: number of equal bins of [0, 1].

    Returns:
        (K, bins), in the dtype of `fields` (float32 for half precision, float64 for integers), on
        its device; a class without samples has a row of NaN.

    Raises:
        NetdynError: for shapes that do not match, labels outside 0 … K−1, or NaN.
    """
    ranked = checked(fields, labels, signs)
    return _density(_rank_sums(ranked, as_count(bins, "bins"), centres=False), ranked)


@plain_mode
def rpd_gradient(fields: Tensor, labels: Tensor, signs: Tensor) -> Tensor:
    """Return the RPD gradient of every class and neuron: g = 12·(½ − mean r of the class).

    r is the centre of a sample's cell, so g is minus the least-squares slope of the RPD against r
    in the limit of fine bins, and needs no bins. The same number is 12·(P − n_k)/P · (AUC − ½), AUC
    the probability that a sample of class k outranks one of another class (ties count ½). It lies
    in [−6, 6]; 0 means isotropic; with ten equal classes perfect alignment gives 5.4. The layer's
    g_l is the mean over neurons and the classes that have samples, `.nanmean()`.

    Args:
        fields: local fields h^(l), (P, N); a tensor, a numpy array or a list, as are the others.
        labels: classes 0 … K−1 of the samples, integers, (P,), or bools, of which True is class 1.
        signs: the L-map M_l or its sign, (K, N); only the sign is used, and 0 gives 0.

    Returns:
        (K, N), in the dtype of `fields` (float32 for half precision, float64 for integers), on its
        device; a class without samples has a row of NaN.

    Raises:
        NetdynError: for shapes that do not match, labels outside 0 … K−1, or NaN.
    """
    ranked = checked(fields, labels, signs)
    return _gradient(_rank_sums(ranked, bins=0, centres=True), ranked)


class _Checked(NamedTuple):
    """What is ranked, on the device of the fields."""

    fields: Tensor  # (P, N), floats
    labels: Tensor  # (P,), int64
    counts: Tensor  # (K,), samples of every class
    signs: Tensor  # (K, N)


def checked(fields: Tensor, labels: Tensor, signs: Tensor) -> _Checked:
    """Return what is ranked, checked; args and Raises: as for `rpd_gradient`."""
    fields = as_tensor(fields, "local fields")
    fields = fields if fields.is_floating_point() else fields.double()
    signs = as_tensor(signs, "signs").to(fields.device)
    if fields.ndim != 2 or 0 in fields.shape:
        raise NetdynError(
            f"local fields of shape {tuple(fields.shape)}: give (samples, neurons), at least one "
            "of each"
        )
    neurons = fields.shape[1]
    if signs.ndim != 2 or signs.shape[1] != neurons or signs.dtype == torch.bool:
        raise NetdynError(
            f"signs of shape {tuple(signs.shape)}, {signs.dtype}: give the L-map of the layer or "
            f"its sign, (classes, {neurons})"
        )
    signs = signs if signs.is_floating_point() else signs.double()
    if signs.isnan().any():
        raise NetdynError("signs contain NaN: the network diverged")
    labels = as_labels(labels, fields, len(signs), "signs have rows for")
    return _Checked(fields, labels, labels.bincount(minlength=len(signs)), signs)


def _rank_sums(ranked: _Checked, bins: int, centres: bool) -> RankSums:
    by = sums_by_numpy if ranked.fields.device.type == "cpu" else sums_by_torch
    return by(*ranked, bins, centres)


def _density(sums: RankSums, ranked: _Checked) -> Tensor:
    # A negative sign of the L-map reverses the distribution function, in r and in sign.
    ascending, descending = (
        torch.nn.functional.pad(side, (1, 1)) for side in (sums.ascending, sums.descending)
    )  # (K, bins + 1)
    bins = ascending.shape[1] - 1
    neurons = ranked.fields.shape[1]
    density = 1 + bins / neurons * (ascending.diff() + descending.diff().flip(1))
    density[ranked.counts == 0] = torch.nan
    return density.to(_result_dtype(ranked.fields))


def _gradient(sums: RankSums, ranked: _Checked) -> Tensor:
    fields, _, counts, signs = ranked
    mean_rank = sums.twice_centres / (2 * len(fields) * counts.unsqueeze(1))  # (K, N), 0/0: NaN
    gradient = 12 * signs.sign() * (mean_rank - 0.5)  # smallest first: r = 1 − rank
    return gradient.to(_result_dtype(fields))


def _result_dtype(fields: Tensor) -> torch.dtype:
    return torch.float64 if fields.dtype == torch.float64 else torch.float32
