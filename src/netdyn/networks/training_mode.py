"""Logits with the statistics of a batch, of a network that stays as it is."""

from torch import Tensor

from netdyn.networks.comparing import evaluation_mode
from netdyn.networks.propagation import as_logits
from netdyn.networks.reading import Network
from netdyn.networks.traced.exchanged import exchanged
from netdyn.networks.traced.network import TracedNetwork
from netdyn.networks.traced.statistics import batch_norms
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["training_mode_logits"]


@plain_mode
def training_mode_logits(network: Network | TracedNetwork, x: Tensor) -> Tensor:
    """Return the logits (P, K) of the batch x, every batch norm normalising by its own statistics.

    That is α = 1 in Eq. 3; all else, dropout included, is in evaluation mode. Running statistics
    are neither used nor changed. All samples pass together.

    Args:
        network: what a reader returned; without batch norm these are its logits.
        x: samples, (P, …), at least two where there is batch norm.
    """
    if isinstance(network, Network):
        return network.batch_statistics(x)[0]
    model = network.model
    norms = batch_norms(model)
    if not norms or len(x) < 2:
        return network.logits(x)
    inputs = network.prepare(x).view(len(x), *network.shape)
    # What the pass would write to the running statistics, it writes to copies.
    copies = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with evaluation_mode(model):
        for norm in norms:
            norm.training = True
        try:
            with exchanged(model, copies):
                return as_logits(model(inputs.clone()))
        finally:
            for norm in norms:
                norm.training = False
