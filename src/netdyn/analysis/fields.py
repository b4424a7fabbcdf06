"""Local fields, ranks' labels and L-maps of the units that are measured, site by site."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from netdyn.analysis.drawn import drawn_classes
from netdyn.analysis.samples import Samples
from netdyn.errors import NetdynError
from netdyn.networks.reading import Network
from netdyn.networks.traced.maps import maps as traced_maps
from netdyn.networks.traced.network import TracedNetwork

__all__ = ["MeasuredSite", "Site", "field_parts", "measured_sites", "sites_of", "weights"]

HELD = 2**30  # bytes of local fields that are held at a time
MOST_MAPS = 4 * 2**30  # bytes of L-maps


class Site(NamedTuple):
    """A place of activations: where a local field enters an activation."""

    name: str  # of the module in which the activation is called
    function: str  # the activation's
    shape: tuple[int, ...]  # of one sample's local field

    @property
    def width(self) -> int:
        """N_s, number of neurons."""
        return torch.Size(self.shape).numel()


class MeasuredSite(NamedTuple):
    """What is ranked at a site."""

    number: int  # s = 1 … S
    site: Site
    fields: Tensor  # (P, U), of the U units that are measured
    labels: Tensor  # (P,), as rows of the signs; the number of these where none is measured
    classes: Tensor  # (K',), those of the rows
    signs: Tensor  # (K', U)


def sites_of(network: Network | TracedNetwork) -> tuple[Site, ...]:
    """Return the sites 1 … S, as either reader finds them."""
    if isinstance(network, TracedNetwork):
        return tuple(Site(*site) for site in network.sites)
    sites = []
    for site, layer in zip(network.sites, network.layers, strict=False):
        kind = "identity" if layer.activation is None else type(layer.activation).__name__
        function = "leaky_relu" if kind == "LeakyReLU" else kind.lower()
        sites.append(Site(site.name, function, (site.width,)))
    return tuple(sites)


def field_parts(
    network: Network | TracedNetwork, x: Tensor, units: Sequence[Tensor | None], numbers: range
) -> list[Tensor]:
    """Return the local fields of a batch x at the numbers sites, (P, U_s) each.

    Args:
        units: of every site 1 … S.
        numbers: numbers of sites.
    """

    def chosen(site: int, h: Tensor) -> Tensor | None:
        if site not in numbers:
            return None
        unit = units[site - 1]
        return h.clone() if unit is None else h[:, unit.to(h.device)]

    if isinstance(network, TracedNetwork):
        return [torch.cat(parts) for parts in network.selected_fields(x, chosen) if parts]
    fields = enumerate(network.propagate(x), 1)
    return [chosen(site, h) for site, h in fields if site in numbers]


def weights(
    network: Network | TracedNetwork,
    x: Tensor | None,
    first: int,
    units: Sequence[Tensor | None],
    classes: Tensor | None,
) -> list[Tensor]:
    """Return the weights of the L-maps M_first … M_S, (K', U_s) each; args as for `maps`."""
    if isinstance(network, TracedNetwork):
        widths = network.widths()[first:]
        rows = network.classes if classes is None else len(classes)
        count = sum(n if u is None else len(u) for n, u in zip(widths, units, strict=True))
        if 8 * rows * count > MOST_MAPS:
            raise NetdynError(
                f"L-maps of {rows} classes and {count:,} units would take "
                f"{8 * rows * count / 2**30:.0f} GB: give fewer units=, classes="
            )
        return traced_maps(network, x, first, units, classes)
    maps = []
    for (weight, _), unit in zip(network.linear_maps(first), units, strict=True):
        weight = weight if classes is None else weight[classes]
        maps.append(weight if unit is None else weight[:, unit.to(weight.device)])
    return maps


def measured_sites(
    network: Network | TracedNetwork,
    samples: Samples,
    units: Sequence[Tensor | None],
    classes: int | None,
    seed: int,
    map_samples: int,
) -> Iterator[MeasuredSite]:
    """Yield what is ranked at each site; as many sites are passed together as memory allows.

    Args:
        samples: with labels.
        units: of every site 1 … S.
        classes: most classes.
        seed: of the draw of classes.
        map_samples: samples, the first, over which a frozen network's maps are averaged.
    """
    sites = sites_of(network)
    signs: list[Tensor] = []
    for numbers in _groups(sites, units, len(samples), network.dtype.itemsize):
        parts, labels = [], []
        for x, y in samples.batches():
            parts.append(field_parts(network, x, units, numbers))
            labels.append(y)
        y = torch.cat(labels)
        if not signs:
            chosen = drawn_classes(y, classes, seed)
            maps = weights(network, samples.first(map_samples), 1, units, chosen)
            signs = [one.sign() for one in maps]
            # Rows of the signs, and one more, all 0, for samples of classes that are not measured.
            row = torch.full_like(y[:1], len(chosen)).repeat(network.classes)
            row[chosen] = torch.arange(len(chosen), dtype=torch.int64, device=y.device)
        for place, number in enumerate(numbers):
            fields = torch.cat([part[place] for part in parts])
            for part in parts:
                part[place] = part[place][:0]  # what is joined is not held twice
            yield MeasuredSite(number, sites[number - 1], fields, row[y], chosen, signs[number - 1])


def _groups(
    sites: Sequence[Site], units: Sequence[Tensor | None], samples: int, size: int
) -> Iterator[range]:
    """Yield ranges of site numbers, each with fields of at most `HELD` bytes, one at least."""
    start, held = 1, 0
    for number, (site, unit) in enumerate(zip(sites, units, strict=True), 1):
        bytes_here = samples * size * (site.width if unit is None else len(unit))
        if held and held + bytes_here > HELD:
            yield range(start, number)
            start, held = number, 0
        held += bytes_here
    if sites:
        yield range(start, len(sites) + 1)
