"""Networks whose later activations are the identity: as a module, and their accuracies."""

import copy
import math
from collections.abc import Iterable, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from netdyn.analysis.fields import Site
from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_whole
from netdyn.networks.lmap import prune
from netdyn.networks.lmap import pruned as pruned_network
from netdyn.networks.reading import Network
from netdyn.networks.traced.network import TracedNetwork

__all__ = ["Pruned", "pruned", "pruning_table"]


class Pruned(nn.Module):
    """A network whose activations of sites s … S are the identity, in evaluation mode.

    `torch.export.export(module, (x,))` takes it. It holds a copy of the network's module.
    """

    def __init__(self, network: TracedNetwork, start: int):
        """Args: the network, and s = 1 … S + 1."""
        super().__init__()
        self.model = copy.deepcopy(network.model).eval()
        self._passed = network.pruned_pass(start)
        super().train(False)

    def train(self, mode: bool = True) -> "Pruned":
        """Stay in evaluation mode, in which L-maps are."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of samples x, (P, …), shaped as the network's own."""
        return self._passed(self.model, x)


def pruned(network: Network | TracedNetwork, start: int) -> nn.Module:
    """Return the network pruned from site s = 1 … S + 1 on; S + 1 is the network's function."""
    if isinstance(network, Network):
        return prune(network, start)
    start = as_whole(start, "start")
    if not 1 <= start <= network.depth:
        raise NetdynError(
            f"start {start}: a network of {network.depth - 1} sites can be pruned from "
            f"1 … {network.depth}"
        )
    return Pruned(network, start)


def pruning_table(
    network: Network | TracedNetwork,
    sites: Sequence[Site],
    batches: Iterable[tuple[Tensor, Tensor]],
) -> pd.DataFrame:
    """Return the table of `Analysis.pruning` of the samples and labels in the batches."""
    starts = range(1, network.depth + 1)
    correct, count = torch.zeros(len(starts), dtype=torch.int64, device="cpu"), 0
    layers = isinstance(network, Network)
    cut = [pruned_network(network, s) for s in starts] if layers else []
    for part, labels in batches:
        if layers:
            logits = torch.stack([one.logits(part) for one in cut])
        else:
            logits = network.pruned_logits(part, starts)
        correct += (logits.argmax(dim=2) == labels).sum(dim=1).cpu()
        count += len(labels)
    rows = []
    places = [*sites, Site("", "", ())]
    for start, site, right in zip(starts, places, correct.tolist(), strict=True):
        p = right / count
        error = math.sqrt(p * (1 - p) / count)
        rows.append((start, site.name, site.function, p, error))
    return pd.DataFrame(rows, columns=["start", "name", "function", "accuracy", "error"])
