"""A model's own forward pass against the passes of netdyn: what is read must be what is run.

Reading refuses all that it knows to change a forward pass. This catches the rest, such as an
activation whose test shows nothing. Both passes call the same operations, so they agree in every
bit unless the model fuses some; the tolerance is for that.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks import propagation
from netdyn.networks.folding import Layer

__all__ = ["COMPARED", "TOLERANCES", "evaluation_mode", "refuse_other_logits"]

COMPARED = 8  # samples
# Largest deviation of a logit, relative to the largest logit of these samples.
TOLERANCES = {
    torch.float64: 1e-9,
    torch.float32: 1e-4,
    torch.float16: 0.02,
    torch.bfloat16: 0.1,
}


@torch.no_grad()
def refuse_other_logits(module: nn.Module, layers: Sequence[Layer], x: Tensor) -> None:
    """Raise NetdynError unless the model returns the logits that its layers give.

    Mode, running statistics, gradients and random numbers are afterwards what they were.

    Args:
        module: the network that was read.
        layers: its layers.
        x: samples as the network takes them, (P, N_0), of which the first few are passed.
    """
    x = x[:COMPARED].detach()
    with torch.autocast(x.device.type, enabled=False):
        own, expected = _own_logits(module, x), _logits_by_layer(layers, x)  # (P, K) each
    if torch.equal(own, expected):
        return
    if own.shape != expected.shape:
        raise NetdynError(
            f"the model's own forward pass returns the shape {tuple(own.shape)}, its layers one by "
            f"one {tuple(expected.shape)}: give a plain torch.nn.Sequential"
        )
    own, expected = own.to(torch.float64), expected.to(torch.float64)
    # Logits that are not finite have no scale; they must agree as they are.
    scale = torch.where(expected.isfinite(), expected.abs(), 0.0).amax()
    bound = TOLERANCES[x.dtype] * scale
    if not torch.allclose(own, expected, rtol=0, atol=bound.item(), equal_nan=True):
        off = (own - expected).abs().nan_to_num(torch.inf).amax()
        raise NetdynError(
            f"the model's own forward pass returns other logits than its layers one by one, off by "
            f"{off:.2g} where the largest is {scale:.2g}: give a plain torch.nn.Sequential, read "
            "after its last change"
        )


def _logits_by_layer(layers: Sequence[Layer], x: Tensor) -> Tensor:
    # As the passes of `propagation`, but with PyTorch's own products, so that bits can agree.
    x = x.clone()
    for linear, norm, activation, input_norm in layers:
        h = propagation.apply_norm(norm, linear(propagation.apply_norm(input_norm, x)))
        x = h if activation is None else activation(h)
    return propagation.as_logits(x)


@contextlib.contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Set the module and all in it to evaluation mode, and each back to its own mode afterwards."""
    training = [one for one in module.modules() if one.training]
    for one in training:
        one.training = False
    try:
        yield
    finally:
        for one in training:
            one.training = True


def _own_logits(module: nn.Module, x: Tensor) -> Tensor:
    on_gpu = x.device.type == "cuda" and torch.cuda.is_available()
    generators = [x.device] if on_gpu else []
    try:
        with evaluation_mode(module), torch.random.fork_rng(generators):
            # Not module(x), which would start a compiler after module.compile().
            outputs = module.forward(x.clone())
            return propagation.as_logits(outputs)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NetdynError(f"the model's own forward pass fails: {reason}") from error
