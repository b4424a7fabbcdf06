"""Traced networks whose activations of sites s … S are the identity."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from netdyn.networks.kinds import ReadNetwork
from netdyn.networks.traced.remembered import Products

__all__ = ["pruned_logits", "pruned_pass"]


def pruned_logits(network: ReadNetwork, x: Tensor, starts: Sequence[int]) -> Tensor:
    """Return the logits (starts, P, K) of prepared samples; s = S + 1 is the network itself."""
    states = network.frozen_states(x)
    # From the last start on: each pass has the products that come before its own start.
    products, logits = Products(), {}
    for s in sorted({*starts}, reverse=True):
        is_pruned = s < network.depth
        one = network.new_pass(
            linear_from=s if is_pruned else None,
            frozen=states if is_pruned else None,
            products=products if is_pruned or not network.is_frozen else None,
        )
        logits[s] = network.run_pass(x, one)
    return torch.stack([logits[s] for s in starts])


def pruned_pass(network: ReadNetwork, start: int) -> Callable[[nn.Module, Tensor], Tensor]:
    """Return what `TracedNetwork.pruned_pass` does."""

    def passed(model: nn.Module, x: Tensor) -> Tensor:
        states = None
        if network.is_frozen:
            true = network.new_pass()
            with true.around(model, x):
                model(x)
            states = true.states
        with network.new_pass(linear_from=start, frozen=states).around(model, x):
            return model(x)

    return passed
