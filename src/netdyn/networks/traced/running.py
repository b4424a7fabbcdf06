"""A module's own forward in evaluation mode, within a pass or alone."""

import contextlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.comparing import evaluation_mode
from netdyn.networks.traced.exchanged import exchanged
from netdyn.networks.traced.passes import Pass

__all__ = ["run"]


def run(
    model: nn.Module,
    x: Tensor,
    one: Pass | None = None,
    parameters: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Return the outputs (P, K) of samples x (P, …) in evaluation mode; nothing else changes.

    Args:
        model: the module.
        x: samples, in its precision and on its device.
        one: the pass; None for the module alone.
        parameters: by name, instead of its own, without which a graph is of the samples alone.

    Raises:
        NetdynError: where the forward fails or returns no tensor (P, K).
    """
    on_gpu = x.device.type == "cuda" and torch.cuda.is_available()
    x = x.clone()  # the module may write to it
    context = contextlib.nullcontext() if one is None else one.around(model, x)
    try:
        with (
            evaluation_mode(model),
            torch.random.fork_rng([x.device] if on_gpu else []),
            exchanged(model, parameters or {}),
            context,
        ):
            outputs = model(x)
    except NetdynError as error:
        # What interprets an exported program adds lines on where that was.
        raise NetdynError(str(error).partition("\n")[0]) from error
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NetdynError(
            f"the model's own forward fails on samples of shape {tuple(x.shape)}: {reason}"
        ) from error
    if not isinstance(outputs, Tensor):
        raise NetdynError(
            f"the model returns a {type(outputs).__name__}: give a module whose forward returns "
            "the logits, (samples, classes)"
        )
    if outputs.ndim != 2 or outputs.shape[0] != len(x) or not outputs.is_floating_point():
        raise NetdynError(
            f"the model returns the shape {tuple(outputs.shape)}, {outputs.dtype}, for {len(x)} "
            "samples: give a module whose forward returns the logits, (samples, classes)"
        )
    return outputs
