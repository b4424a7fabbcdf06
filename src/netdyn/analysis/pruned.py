"""A traced network as a module whose later activations are the identity."""

import copy

from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_whole
from netdyn.networks.lmap import prune
from netdyn.networks.reading import Network
from netdyn.networks.traced.network import TracedNetwork

__all__ = ["Pruned", "pruned"]


class Pruned(nn.Module):
    """A network whose activations of sites s … S are the identity, in evaluation mode.

    `torch.export.export(module, (x,))` takes it. It holds a copy of the network's module.
    """

    def __init__(self, network: TracedNetwork, start: int):
        """Args: the network, and s = 1 … S + 1."""
        super().__init__()
        self.model = copy.deepcopy(network.model).eval()
        self._passed = network.pruned_pass(start)

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
