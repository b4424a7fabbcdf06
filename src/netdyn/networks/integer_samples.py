"""Samples that are integers, such as tokens, which an embedding takes; bytes (uint8) are pixels."""

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_samples, as_tensor
from netdyn.networks.kinds import ReadNetwork

__all__ = ["as_samples_or_tokens", "as_tokens", "is_tokens", "refuse_tokens"]


def is_tokens(x: Tensor) -> bool:
    """Return whether samples are integers other than bytes."""
    return x.dtype in (torch.int64, torch.int32, torch.int16, torch.int8)


def as_samples_or_tokens(x: object, device: torch.device | None = None) -> Tensor:
    """Return samples (P, …) as a tensor of floats, bytes or other integers.

    Args and Raises: as for `inputs.as_samples`, which takes floats and bytes alone.
    """
    x = as_tensor(x, "samples", device)
    if not is_tokens(x):
        return as_samples(x, device)
    as_samples(x[:0].byte(), device)  # refuses another device
    return x


def as_tokens(x: object, device: torch.device | None = None) -> Tensor:
    """Return samples (P, …) of a network of integers; NetdynError for others."""
    x = as_samples_or_tokens(x, device)
    if not is_tokens(x):
        raise NetdynError(
            f"samples of {x.dtype}: the network was read with an example of integers, give "
            "integers (int64)"
        )
    return x


def refuse_tokens(network: ReadNetwork, what: str) -> None:
    """Raise NetdynError for what changes samples a little, if the network's are integers."""
    if getattr(network, "takes_tokens", False):
        raise NetdynError(
            f"{what} of integer samples: no integer changes a little; embed them first, and "
            "read the module behind the embedding with the embedded samples"
        )
