"""Tables of RPD gradients and of RPDs, by site and class."""

import math

import pandas as pd
import torch
from torch import Tensor

from netdyn.analysis.fields import MeasuredSite
from netdyn.measures.ranks.errors import gradient_errors, unaligned_deviation
from netdyn.measures.ranks.rpd import rank_probability, rpd_gradient

__all__ = ["GRADIENTS", "RANK_PROBABILITY", "density_rows", "gradient_rows", "table"]

GRADIENTS = [
    "site", "name", "function", "shape", "units", "class", "samples", "g", "error", "unaligned",
]  # fmt: skip
RANK_PROBABILITY = ["site", "name", "function", "shape", "units", "class", "r", "density"]


def table(rows: list[dict], columns: list[str]) -> pd.DataFrame:
    """Return a table of these columns, which it has without rows, too."""
    return pd.DataFrame(rows, columns=columns)


def gradient_rows(one: MeasuredSite, errors: bool) -> list[dict]:
    """Return the rows of a site: of its classes, and −1, the mean over them."""
    signs = _with_others(one)
    counts = one.labels.bincount(minlength=len(signs))[: len(one.classes)].tolist()
    if errors:
        measured = gradient_errors(one.fields, one.labels, signs, len(one.classes))
        means, deviations = measured.gradients.tolist(), measured.errors.tolist()
        overall = measured.mean, measured.error
    else:
        gradient = rpd_gradient(one.fields, one.labels, signs)[: len(one.classes)]
        means = gradient.mean(dim=1, dtype=torch.float64).tolist()
        deviations = [math.nan] * len(means)
        overall = sum(means) / len(means), math.nan
    samples = len(one.labels)
    rows = [
        {"class": k, "samples": n, "g": g, "error": e, "unaligned": unaligned_deviation(samples, n)}
        for k, n, g, e in zip(one.classes.tolist(), counts, means, deviations, strict=True)
    ]
    rows.append(
        {
            "class": -1,
            "samples": samples,
            "g": overall[0],
            "error": overall[1],
            "unaligned": math.nan,
        }
    )
    return [_of_site(one) | row for row in rows]


def density_rows(one: MeasuredSite, bins: int) -> list[dict]:
    """Return the rows of a site: a class's density in every bin, and that of −1, the mean."""
    density = rank_probability(one.fields, one.labels, _with_others(one), bins)
    density = density[: len(one.classes)].double().cpu()
    density = torch.cat([density, density.mean(dim=0, keepdim=True)])
    return [
        _of_site(one) | {"class": k, "r": (b + 0.5) / bins, "density": value}
        for k, row in zip([*one.classes.tolist(), -1], density.tolist(), strict=True)
        for b, value in enumerate(row)
    ]


def _of_site(one: MeasuredSite) -> dict:
    site = one.site
    return {
        "site": one.number, "name": site.name, "function": site.function,
        "shape": "x".join(map(str, site.shape)), "units": one.fields.shape[1],
    }  # fmt: skip


def _with_others(one: MeasuredSite) -> Tensor:
    """Return the signs, and a row of zeros for samples of classes that are not measured."""
    return torch.cat([one.signs, torch.zeros_like(one.signs[:1])])
