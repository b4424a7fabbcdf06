"""What a monitor measures at a step: quantities by name, as rows of site, value and error."""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from torch import Tensor, nn

from netdyn.analysis.measuring import Analysis
from netdyn.errors import NetdynError
from netdyn.networks.jacobian import sign_agreement
from netdyn.networks.training_mode import training_mode_logits

__all__ = ["DEFAULT", "QUANTITIES", "Snapshot", "Value", "checked_quantities"]

DEFAULT = ("accuracy", "loss", "rpd_gradient", "pruning")


class Value(NamedTuple):
    """A number that was measured."""

    quantity: str
    site: int  # 1 … S; 0 where it is of the whole network; S + 1 of pruning, where nothing is
    value: float
    error: float  # standard error; NaN where there is none


class Snapshot:
    """The network at one step, its samples, and how they are measured.

    Logits are computed once and serve several quantities.

    Args:
        network: what is measured.
        samples: "train", and "test" where there are any, each x, y.
        errors: whether g has standard errors.
        basins: further arguments of `Analysis.basins`.
    """

    def __init__(
        self,
        network: Analysis,
        samples: Mapping[str, tuple[Tensor, Tensor]],
        errors: bool,
        basins: Mapping[str, object],
    ):
        self.network, self.samples = network, samples
        self.errors, self._basins = errors, basins

    @functools.cached_property
    def logits(self) -> dict[str, Tensor]:
        """The logits (P, K), float64: of training samples in training mode, of test samples not.

        So accuracies and losses are what the workflow's histories have under their names, and what
        its rule of grokking takes.
        """
        of = {"train": training_mode_logits(self.network.network, self.samples["train"][0])}
        if "test" in self.samples:
            of["test"] = self.network.logits(self.samples["test"][0])
        return {name: logits.double() for name, logits in of.items()}

    @functools.cached_property
    def is_finite(self) -> bool:
        """Whether all logits are finite; otherwise the training diverged."""
        return all(bool(logits.isfinite().all()) for logits in self.logits.values())

    def accuracy(self) -> Iterator[Value]:
        """Yield the accuracies, NaN where logits are not finite; errors √(p(1 − p)/P)."""
        for name, (x, y) in self.samples.items():
            p = float((self.logits[name].argmax(dim=1) == y).double().mean())
            p = p if bool(self.logits[name].isfinite().all()) else math.nan
            yield Value(f"{name}_accuracy", 0, p, math.sqrt(p * (1 - p) / len(x)))

    def loss(self) -> Iterator[Value]:
        """Yield the mean cross-entropies and their standard errors over samples."""
        for name, (x, y) in self.samples.items():
            losses = nn.functional.cross_entropy(self.logits[name], y, reduction="none")
            error = math.nan if len(x) < 2 else float(losses.std()) / math.sqrt(len(x))
            yield Value(f"{name}_loss", 0, float(losses.mean()), error)

    def rpd_gradient(self) -> Iterator[Value]:
        """Yield g of each site, the mean over classes."""
        table = self.network.gradients(*self.samples["train"], errors=self.errors)
        yield from _rows("rpd_gradient", table[table["class"] == -1], "site", "g")

    def pruning(self) -> Iterator[Value]:
        """Yield training accuracies pruned from each site on; S + 1 is the network itself."""
        table = self.network.pruning(*self.samples["train"])
        yield from _rows("pruning", table, "start", "accuracy")

    def sign_agreement(self) -> Iterator[Value]:
        """Yield the share of signs of each L-map that are those of the mean Jacobian."""
        for site, share in enumerate(sign_agreement(self.network, self.samples["train"][0], 1), 1):
            yield Value("sign_agreement", site, share, math.nan)

    def sample_basin(self) -> Iterator[Value]:
        """Yield the size of the basin in sample space, in units of the range of values."""
        yield from self._basin("sample")

    def weight_basin(self) -> Iterator[Value]:
        """Yield the size of the basin in weight space, in standard deviations of the weights."""
        yield from self._basin("weight")

    def _basin(self, space: str) -> Iterator[Value]:
        samples = self.samples["train"]
        table = self.network.basins(*samples, space=space, by_class=False, **self._basins)
        yield Value(f"{space}_basin", 0, float(table["size"][0]), float(table["error"][0]))


QUANTITIES = {
    "accuracy": Snapshot.accuracy,
    "loss": Snapshot.loss,
    "rpd_gradient": Snapshot.rpd_gradient,
    "pruning": Snapshot.pruning,
    "sign_agreement": Snapshot.sign_agreement,
    "sample_basin": Snapshot.sample_basin,
    "weight_basin": Snapshot.weight_basin,
}


def checked_quantities(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, in the order of `QUANTITIES`; NetdynError for unknown ones, and none."""
    names = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in names if name not in QUANTITIES]
    if unknown or not names:
        wrong = f"quantity {unknown[0]!r}" if unknown else "no quantities"
        raise NetdynError(f"{wrong}: choose among {', '.join(QUANTITIES)}")
    return tuple(name for name in QUANTITIES if name in names)


def _rows(quantity: str, table: pd.DataFrame, site: str, value: str) -> Iterator[Value]:
    for row in table[[site, value, "error"]].itertuples(index=False):
        yield Value(quantity, int(row[0]), float(row[1]), float(row[2]))
