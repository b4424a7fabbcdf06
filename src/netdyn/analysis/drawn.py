"""Which units of a site, and which classes, are measured where all are too many.

g is a mean over units, so units that are drawn estimate it. The draw depends on the seed, the site
and its width alone.
"""

import torch
from torch import Tensor

from netdyn.networks.inputs import as_count, as_whole
from netdyn.runtime.random_streams import generator

__all__ = ["drawn_classes", "drawn_units"]


def drawn_units(widths: list[int], units: int | None, seed: int) -> list[Tensor | None]:
    """Return per site the units that are measured, ascending; None for all of them.

    Args:
        widths: N_1 … N_S.
        units: most units of a site; None for all.
        seed: of the draw.
    """
    seed = as_whole(seed, "seed")
    if units is None:
        return [None] * len(widths)
    units = as_count(units, "units")
    return [
        _drawn(width, units, seed, "units of a site", site) if width > units else None
        for site, width in enumerate(widths, 1)
    ]


def drawn_classes(labels: Tensor, classes: int | None, seed: int) -> Tensor:
    """Return the classes that are measured, ascending: those with samples, at most `classes`."""
    present = labels.unique()
    if classes is None or len(present) <= as_count(classes, "classes"):
        return present
    return present[
        _drawn(len(present), classes, as_whole(seed, "seed"), "classes").to(labels.device)
    ]


def _drawn(count: int, most: int, seed: int, *stream: str | int) -> Tensor:
    order = torch.randperm(count, generator=generator(seed, *stream), device="cpu")
    return order[:most].sort().values
