"""What `netdyn.read` returns: a network that was read, and the paper's measures of it as tables."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from netdyn.analysis.drawn import drawn_units
from netdyn.analysis.fields import Site, field_parts, measured_sites, sites_of, weights
from netdyn.analysis.noise import AMPLITUDES, basin_table, noise_table
from netdyn.analysis.pruned import pruned, pruning_table
from netdyn.analysis.ranks import (
    GRADIENTS,
    RANK_PROBABILITY,
    density_rows,
    gradient_rows,
    table,
)
from netdyn.analysis.samples import Samples
from netdyn.measures.projections import bottleneck
from netdyn.networks.inputs import as_count
from netdyn.networks.kinds import Holder
from netdyn.networks.reading import Network
from netdyn.networks.traced.maps import offsets
from netdyn.networks.traced.network import TracedNetwork
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["Analysis"]

UNITS, CLASSES, MAP_SAMPLES = 1000, 100, 20


class Analysis(Holder):
    """A network that was read, and the paper's measures of it.

    Everything is in evaluation mode, of the model's present weights, and changes nothing in it. All
    functions of netdyn that measure a network take this object, too.

    Sites s = 1 … S are the places of activations, 0 is the input. Tables have a row of class −1,
    the mean over the classes measured. Where `x, y` are samples and labels, `x` may be a
    `torch.utils.data.DataLoader` of batches (x, y), and `y` is then left out.

    Attributes:
        network: what the reader returned, whose further attributes (`depth`, `dtype`, `prepare`, …)
            are this object's as well.
    """

    def __init__(self, network: Network | TracedNetwork):
        """Args: what a reader returned."""
        self.network = network

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or name == "network":
            raise AttributeError(name)
        return getattr(self.network, name)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites 1 … S, each with `name`, `function` and the `shape` of a sample's field."""
        return sites_of(self.network)

    @property
    def is_frozen(self) -> bool:
        """Whether functions that are not affine are frozen: then L-maps are means over samples."""
        return isinstance(self.network, TracedNetwork) and self.network.is_frozen

    @plain_mode
    def logits(self, x: object, chunk: int | None = None) -> Tensor:
        """Return the logits (P, K) of samples x, [0, z] of a network of one output z.

        Args:
            chunk: samples that pass together; None for as many as memory allows.
        """
        options = () if chunk is None else (chunk,)
        batches = self._samples(x, None, labelled=False).batches(size=None)
        return torch.cat([self.network.logits(part, *options) for part, _ in batches])

    @plain_mode
    def local_fields(self, x: object, units: int | None = None, seed: int = 0) -> list[Tensor]:
        """Return the local fields h^(1) … h^(S), (P, U_s) each, batch by batch.

        Args:
            units: most units of a site, drawn by `seed` where it has more; None for all.
        """
        chosen = drawn_units([site.width for site in self.sites], units, seed)
        numbers = range(1, len(chosen) + 1)
        samples = self._samples(x, None, labelled=False)
        parts = [
            field_parts(self.network, part, chosen, numbers)
            for part, _ in samples.batches(size=None)
        ]
        return [torch.cat(site) for site in zip(*parts, strict=True)]

    @plain_mode
    def linear_maps(
        self, x: object = None, *, first: int = 0, units: int | None = None, seed: int = 0
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the L-maps M_first … M_S: weight (K, U_s) and bias (K,) of each.

        logits ≈ W x^(s) + b with all activations behind site s the identity. Where the network is
        affine then, W is the same for all samples; where functions are frozen, W is the mean over
        samples. b is the mean over samples of the logits at x^(s) = 0, with what skip connections
        carry past the site.

        Args:
            x: samples of the means; None for the example. A layered network needs none.
            first: the first site, 0 … S.
            units: most units of a site, drawn by `seed`; None for all.
        """
        if x is not None:
            x = self._samples(x, None, labelled=False).all()[0]
        if isinstance(self.network, Network):
            biases = [bias for _, bias in self.network.linear_maps(first)]
        else:
            biases = [one.mean(dim=0) for one in offsets(self.network, x, first)]
        widths = [self.network.inputs, *(site.width for site in self.sites)]
        # Units of site s are those that `local_fields` draws; the input has a draw of its own.
        chosen = [*drawn_units(widths[:1], units, seed), *drawn_units(widths[1:], units, seed)]
        maps = weights(self.network, x, first, chosen[first:], None)
        return [*zip(maps, biases, strict=True)]

    @plain_mode
    def gradients(
        self,
        x: object,
        y: object = None,
        *,
        errors: bool = True,
        units: int | None = UNITS,
        classes: int | None = CLASSES,
        map_samples: int = MAP_SAMPLES,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Return the RPD gradients g of every site and class.

        A rank needs all samples of a unit at once: at a site P × U_s local fields are held.

        Args:
            errors: whether standard errors over samples are computed (DeLong's variance).
            units, classes: most units of a site and classes, drawn by `seed`; None for all.
            map_samples: over how many samples, the first, a frozen network's L-maps are averaged.

        Returns:
            Columns `site` (1 … S), `name`, `function`, `shape` (of a sample's local field, such as
            64x8x8), `units` (measured), `class` (−1: the mean), `samples` (of the class), `g` (the
            mean over units, −6 … 6), `error` (of g, over samples of this network) and `unaligned`
            (the standard deviation of a single unit's g where nothing is aligned). Networks differ,
            too: between seeds at initial weights the standard deviation of g is .05 to .08.

        Raises:
            NetdynError: for samples or labels that do not fit, and a network that diverged.
        """
        rows = []
        for one in self._measured(x, y, units, classes, map_samples, seed):
            rows += gradient_rows(one, errors)
        return table(rows, GRADIENTS)

    @plain_mode
    def rank_probability(
        self,
        x: object,
        y: object = None,
        *,
        bins: int = 100,
        units: int | None = UNITS,
        classes: int | None = CLASSES,
        map_samples: int = MAP_SAMPLES,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Return the RPDs of every site and class, means over units.

        Args: as for `gradients`, and the number of bins of [0, 1].

        Returns:
            Columns as `gradients` has up to `class`, then `r` (a bin's centre, 0 is the top of the
            order) and `density` (mean 1).
        """
        bins = as_count(bins, "bins")
        rows = []
        for one in self._measured(x, y, units, classes, map_samples, seed):
            rows += density_rows(one, bins)
        return table(rows, RANK_PROBABILITY)

    @plain_mode
    def pruning(self, x: object, y: object = None) -> pd.DataFrame:
        """Return the accuracy of the network pruned from each site on.

        Returns:
            Columns `start` (s = 1 … S + 1: activations of sites s … S are the identity, S + 1 is
            the network itself), `name` and `function` of site s, `accuracy` and its standard
            `error` over samples, √(p(1 − p)/P).
        """
        return pruning_table(self.network, self.sites, self._samples(x, y).batches())

    @plain_mode
    def basins(
        self,
        x: object,
        y: object = None,
        *,
        space: str = "sample",
        value_range: tuple[float, float] = (0.0, 1.0),
        trials: int = 10,
        seed: int = 0,
        by_class: bool = True,
        noise_return: str = "affine",
    ) -> pd.DataFrame:
        """Return the sizes of attraction basins: the noise at which accuracy falls below one half.

        A DataLoader's samples are all held in memory, as a sample's noise depends on its place.

        Args:
            space: "sample", noise on samples in units of `value_range`, or "weight", noise on every
                weight matrix (kernel) in units of its standard deviation.
            value_range: (low, high) of the data; samples outside of it are refused.
            trials: draws of the noise, by `seed`.
            by_class: whether classes are measured, too.
            noise_return: "affine", "clip" or "range": how noisy samples return to the range.

        Returns:
            Columns `space`, `class` (−1: all samples), `size` (inf where accuracy stays above one
            half up to 16), `error` (by resampling samples), `trial_error` (by trials), `accuracy`
            (without noise) and `trials`.
        """
        return basin_table(
            self.network, *self._samples(x, y).all(),
            space, trials, seed, by_class, value_range, noise_return,
        )  # fmt: skip

    @plain_mode
    def noise_accuracy(
        self,
        x: object,
        y: object = None,
        *,
        space: str = "sample",
        amplitudes: Sequence[float] = AMPLITUDES,
        value_range: tuple[float, float] = (0.0, 1.0),
        trials: int = 10,
        seed: int = 0,
        by_class: bool = False,
        noise_return: str = "affine",
    ) -> pd.DataFrame:
        """Return the accuracy under noise of each amplitude, whose fall to 50 % ends the basin.

        Args: as for `basins`, and the amplitudes, ascending, in the unit of the space.

        Returns:
            Columns `space`, `class` (−1: all samples), `amplitude`, `accuracy` (mean over samples
            and trials), `error` (over samples) and `trials`.
        """
        return noise_table(
            self.network, *self._samples(x, y).all(),
            space, amplitudes, trials, seed, by_class, value_range, noise_return,
        )  # fmt: skip

    @plain_mode
    def projection(self, x: object) -> pd.DataFrame:
        """Return the samples in the plane of the logits (Fig. 6).

        x^(S) times the two leading right-singular vectors of M_S, the map from the last site to the
        logits; of a frozen network that of the example.

        Returns:
            Columns `sample`, `coordinate_1` and `coordinate_2`.
        """
        batches = self._samples(x, None, labelled=False).batches()
        points = torch.cat([bottleneck(self.network, part) for part, _ in batches]).double().cpu()
        plane = pd.DataFrame(points.numpy(), columns=["coordinate_1", "coordinate_2"])
        return plane.rename_axis("sample").reset_index()

    def pruned(self, start: int) -> nn.Module:
        """Return a module in evaluation mode that is the network pruned from site `start` on.

        Of a layered network it is a Sequential of `start` Linear layers (`netdyn.prune`); of others
        a copy of the module whose later activations are the identity, which `torch.export` takes.

        Args:
            start: s = 1 … S + 1; S + 1 is the network's own function.
        """
        return pruned(self.network, start)

    @plain_mode
    def with_batch_statistics(self, x: object) -> "Analysis":
        """Return a copy whose batch norms have the statistics of the batch x (training mode)."""
        return Analysis(self.network.with_batch_statistics(x))

    def _samples(self, x: object, y: object, labelled: bool = True) -> Samples:
        self.network.refuse_changes()
        return Samples(self.network, x, y, labelled)

    def _measured(self, x, y, units, classes, map_samples, seed):
        samples = self._samples(x, y)
        chosen = drawn_units([site.width for site in self.sites], units, seed)
        map_samples = as_count(map_samples, "map_samples")
        return measured_sites(self.network, samples, chosen, classes, seed, map_samples)
