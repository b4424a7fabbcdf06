"""How much of their initial values the running statistics of batch norm retain.

With r the running mean or variance of a neuron and s the batch's, Eq. 3 reads

    r_t = (1 − α) r_{t−1} + α s_t    ⟹    r_t = (1 − α)^t r_0 + α Σ_{τ=1}^{t} (1 − α)^{t−τ} s_τ

PyTorch starts from r_0 = 0 (mean) and 1 (variance). Training does not use r, so the statistics of
another start follow without training again.
"""

import copy

import torch
from torch import nn

from netdyn.errors import NetdynError
from netdyn.networks.folding import norms, refuse_shared_norms
from netdyn.networks.kinds import ReadNetwork
from netdyn.networks.reading import Network, read
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["started_from_first_batch"]


@plain_mode
def started_from_first_batch(
    model: nn.Module | Network, after_one_step: nn.Module | Network
) -> Network:
    """Return a copy of `model` as if its running statistics had started from the first batch's.

        r'_t = r_t + (1 − α)^t (s_1 − r_0),    s_1 = r_0 + (r_1 − r_0) / α

    with s_1 the statistics of the first batch (mean and unbiased variance, as in PyTorch), which
    follow from the network after its first step. Weights and all else are those of `model`.

    Args:
        model: a network that `netdyn.read` reads, or what it returned, after t ≥ 0 steps, counted
            by its batch norms (`num_batches_tracked`).
        after_one_step: the same network in the same training, after one step.

    Returns:
        The copy, in the mode of `model`, which is left unchanged. Without batch norm nothing
        differs.

    Raises:
        NetdynError: for networks of different layers, an `after_one_step` after another number of
            batches, or α = 0, which learns no statistics.
    """
    network, after_one_step = read(model), read(after_one_step)
    if _shapes(network) != _shapes(after_one_step):
        raise NetdynError("after_one_step has other layers: it is not the same network")
    if isinstance(network, Network):
        refuse_shared_norms(network.layers)
    copied = copy.deepcopy(network)
    pairs = zip(_norms(copied), _norms(after_one_step), strict=True)
    for norm, first in pairs:
        if first.num_batches_tracked != 1:
            raise NetdynError(
                f"after_one_step has seen {int(first.num_batches_tracked)} batches: "
                "give the network after its first batch"
            )
        # A mean over all batches forgets its start with the first of them, as α = 1 does.
        alpha = 1.0 if norm.momentum is None else norm.momentum
        if alpha == 0:
            raise NetdynError("batch norm with α = 0 never changes its initial statistics")
        weight = (1 - alpha) ** int(norm.num_batches_tracked) / alpha
        norm.running_mean += weight * first.running_mean
        norm.running_var += weight * (first.running_var - 1)
        norm.running_var.clamp_(min=0)  # rounding could make a zero negative
    return copied


def _norms(network: ReadNetwork) -> list[nn.Module]:
    if isinstance(network, Network):
        return [*norms(network.layers)]
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return [module for module in network.model.modules() if isinstance(module, kinds)]


def _shapes(network: Network) -> list[torch.Size]:
    return [tensor.shape for tensor in network.model.state_dict().values()]
