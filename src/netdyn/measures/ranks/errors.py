"""The standard error of RPD gradients over samples, by DeLong's variance of the AUC.

g_k = 12·(P − n_k)/P·(AUC_k − ½) (`rpd.rpd_gradient`). With s the sign of the L-map, a sample μ of
class k has the placement V(μ), the share of the samples of other classes that it outranks, and a
sample ν of another class the share of the class-k samples that outrank it (ties count ½); a
negative sign turns V into 1 − V. AUC_k is the mean of either, and its variance is

    var AUC_k = var V(μ)/n_k + var V(ν)/(P − n_k),     sample variances             (DeLong 1988)

The mean over neurons is linear in V, so its variance is that of the V averaged over neurons, which
contains the covariance of neurons. For the mean over classes a sample's contributions to all
classes are summed, and their variance is taken within each class of samples.

E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, *Comparing the areas under two or more correlated
receiver operating characteristic curves: a nonparametric approach*, Biometrics 44 (1988) 837–845.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.measures.ranks.rpd import checked
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["GradientErrors", "gradient_errors", "unaligned_deviation"]

HELD = 4_000_000  # counts of classes that are held at a time


class GradientErrors(NamedTuple):
    """RPD gradients, averaged over neurons, and their standard errors over samples, in float64."""

    gradients: Tensor  # (K,): g_k; NaN for a class without samples
    errors: Tensor  # (K,); NaN where a class has one sample, or all samples but one
    mean: float  # over the classes that have samples
    error: float  # of the mean


@plain_mode
def gradient_errors(
    fields: Tensor, labels: Tensor, signs: Tensor, classes: int | None = None
) -> GradientErrors:
    """Return the layer's RPD gradients by class and in the mean, each with its standard error.

    The error is what g would vary by if other samples of the same classes were measured on the same
    network: it says nothing of other networks. Args and Raises: as for `rpd.rpd_gradient`; only
    the first `classes` are measured, samples of others rank among them.
    """
    fields, labels, counts, signs = checked(fields, labels, signs)
    samples, neurons = fields.shape
    classes = len(signs) if classes is None else classes
    counts, signs = counts[:classes], signs[:classes]
    placements = torch.zeros(classes, samples, dtype=torch.float64, device=fields.device)
    step = max(1, HELD // (samples * classes))
    for first in range(0, neurons, step):
        chosen = slice(first, first + step)
        _add_placements(placements, fields[:, chosen].T, labels, counts, signs[:, chosen].sign())
    placements /= neurons  # (K, P): mean over neurons of s·(V − ½)
    return _with_errors(placements, labels, counts)


def _add_placements(
    sums: Tensor, values: Tensor, labels: Tensor, counts: Tensor, signs: Tensor
) -> None:
    """Add s·(V − ½) of each sample for each class, (K, P), summed over the neurons of values."""
    values = values.contiguous()  # (C, P)
    if values.isnan().any():
        raise NetdynError("local fields contain NaN: the network diverged")
    neurons, samples = values.shape
    classes = len(counts)
    signs = signs.double()
    ordered, order = values.sort(dim=1)
    has_ties = bool((ordered[:, 1:] == ordered[:, :-1]).any())
    if has_ties:
        start = torch.searchsorted(ordered, values)
        end = torch.searchsorted(ordered, values, right=True)
    else:
        places = torch.arange(samples, dtype=torch.int64, device=values.device)
        start = torch.empty_like(order).scatter_(1, order, places.expand_as(order))
        end = start + 1
    below_all = signs @ ((start + end).double() / 2)  # (K, P): samples below, ties and itself ½
    # How many of each class are among the first of every neuron's order, one neuron after another.
    kinds = torch.arange(classes, dtype=labels.dtype, device=labels.device)
    is_of = labels[order].unsqueeze(2) == kinds
    before = torch.zeros(neurons, samples + 1, classes, dtype=torch.float64, device=values.device)
    torch.cumsum(is_of, dim=1, dtype=torch.float64, out=before[:, 1:])
    neuron = (samples + 1) * torch.arange(neurons, dtype=torch.int64, device=values.device)
    rows = before.flatten(0, 1)
    picked = rows[(start + neuron.unsqueeze(1)).flatten()].view(neurons, samples, classes)
    if has_ties:
        picked += rows[(end + neuron.unsqueeze(1)).flatten()].view_as(picked)
    else:
        picked = picked.mul_(2).add_((labels.unsqueeze(1) == kinds).double())
    below = picked.mul_(signs.T.unsqueeze(1)).sum(dim=0).T / 2  # (K, P)
    total = signs.sum(dim=1)
    for k, count in enumerate(counts.tolist()):
        if 0 < count < samples:
            own = (below_all[k] - below[k]) / (samples - count)
            sums[k] += torch.where(labels == k, own, total[k] - below[k] / count) - total[k] / 2


def _with_errors(placements: Tensor, labels: Tensor, counts: Tensor) -> GradientErrors:
    samples = placements.shape[1]
    gradients, errors = placements.new_full((2, len(counts)), math.nan)
    influence = torch.zeros_like(placements[0])  # (P,): of each sample on the mean over classes
    present = [k for k, count in enumerate(counts.tolist()) if count]
    for k in present:
        count = int(counts[k])
        others = samples - count
        scale = 12 * others / samples
        own, other = placements[k, labels == k], placements[k, labels != k]
        gradients[k] = scale * own.mean() if others else 0.0
        if count > 1 and others > 1:
            variance = own.var() / count + other.var() / others
            errors[k] = scale * variance.sqrt()
        influence[labels == k] += scale * own / count
        if others:
            influence[labels != k] += scale * other / others
    influence /= len(present)
    variance = 0.0
    for k in labels.unique():
        own = influence[labels == k]
        variance += len(own) * own.var().item() if len(own) > 1 else math.nan
    return GradientErrors(gradients, errors, gradients[present].mean().item(), math.sqrt(variance))


def unaligned_deviation(samples: int, count: int) -> float:
    """Return the standard deviation of one neuron's g without alignment: √(12(1 − n_k/P)/n_k).

    That is over random orders of the samples. Means over neurons vary less, by how much depends on
    how the neurons' orders resemble one another.
    """
    return math.sqrt(12 * (1 - count / samples) / count) if count else math.nan
