"""The statistics of a batch as the running statistics of a module's batch norms."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from netdyn.errors import NetdynError
from netdyn.networks.inputs import check_finite

__all__ = ["batch_norms", "set_batch_statistics"]


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Return the module's batch norms, in the order of its modules."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


@torch.no_grad()
def set_batch_statistics(model: nn.Module, x: Tensor) -> None:
    """Set running means and (biased) variances to those of the batch x (P, …), α = 1 in Eq. 3.

    Every batch norm normalises by the batch's own statistics in this pass; all else is in
    evaluation mode, in which the module stays.

    Raises:
        NetdynError: for less than two samples, samples that are not finite, and a batch norm that
            is called twice, which holds the statistics of one place.
    """
    norms = batch_norms(model)
    if len(x) < 2:
        raise NetdynError(f"statistics of a batch of {len(x)}: give at least two samples")
    check_finite(x)
    values: dict[_BatchNorm, int] = {}  # of a channel

    def count(norm: _BatchNorm, args: tuple) -> None:
        if norm in values:
            raise NetdynError(
                "a batch norm is called in two places, and holds the statistics of one: give each "
                "its own (copy.deepcopy)"
            )
        values[norm] = args[0].numel() // args[0].shape[1]

    model.eval()
    momenta = [norm.momentum for norm in norms]
    hooks = [norm.register_forward_pre_hook(_hook(count)) for norm in norms]
    try:
        for norm in norms:
            norm.training, norm.momentum = True, 1.0
        model(x.clone())  # it may write to it
    finally:
        for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
            norm.training, norm.momentum = False, momentum
            hook.remove()
    for norm, n in values.items():
        norm.running_var.mul_((n - 1) / n)


def _hook(count: Callable) -> Callable:
    return lambda module, args: count(module, args)
