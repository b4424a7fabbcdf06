"""Activations: the modules that may stand between two linear layers, and a test of one's own.

An activation is elementwise: each of its outputs depends on the input at the same place alone.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError

__all__ = ["ACTIVATIONS", "ELEMENTWISE", "Gaussian", "checked_classes", "refuse_if_not_elementwise"]

# The inputs of the test lie within ±SPREADS, one a sample: some activations act otherwise far out.
SPREADS = (3.0, 3.0, 3.0, 3.0, 30.0, 30.0, 1e3, 1e4)


class Gaussian(nn.Module):
    """The non-monotonic activation f(h) = exp(−h²): a single neuron of it is in the NPT mode."""

    def forward(self, h: Tensor) -> Tensor:
        """Return f(h), of the shape of h."""
        return torch.exp(-h.square())


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
    "gaussian": Gaussian,
}

# Elementwise, and the same in training and in evaluation mode, which RReLU is not.
ELEMENTWISE = (
    *ACTIVATIONS.values(),
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.PReLU,
    nn.ReLU6,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanhshrink,
    nn.Threshold,
)


def checked_classes(activations: Sequence[type[nn.Module]]) -> tuple[type[nn.Module], ...]:
    """Return the declared classes; NetdynError where they are no classes of modules."""
    if isinstance(activations, type):
        raise NetdynError(f"activations: give a list of classes, [{activations.__name__}]")
    if isinstance(activations, nn.Module) or not hasattr(activations, "__iter__"):
        raise NetdynError(
            f"activations: give a list of classes, not a {type(activations).__name__}"
        )
    for kind in activations:
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise NetdynError(f"activations hold {kind!r}: give classes of torch.nn.Module")
    return (*activations,)


@torch.no_grad()
def refuse_if_not_elementwise(module: nn.Module, text: str, like: Tensor) -> None:
    """Raise NetdynError unless a copy of the module acts elementwise, the same at each call.

    Half of the inputs are changed at random places: the outputs at all other places must stay.

    Args:
        module: an activation that was declared, or that has parameters.
        text: the module's name in messages.
        like: a tensor (N,) of the width, precision and device of the local fields.
    """
    width = len(like)
    samples = len(SPREADS)
    places = torch.arange(samples * width, dtype=torch.float64, device="cpu").view(samples, width)
    spreads = torch.tensor(SPREADS, dtype=torch.float64, device="cpu").unsqueeze(1)
    h = (spreads * (2 * ((places * 0.7548776662) % 1) - 1)).to(like)  # at no two places alike
    changed = ((places * 0.5698402910) % 1 < 0.5).to(like.device)
    other = torch.where(changed, 0.5 - h, h)
    try:
        with torch.random.fork_rng(devices=[]):
            probed = copy.deepcopy(module).eval()
            state, attributes = copy.deepcopy(probed.state_dict()), _attributes(probed)
            outputs = [probed(one.clone()) for one in (h, other, h)]
            kept = _attributes(probed) == attributes and all(
                _same(state[name], now) for name, now in probed.state_dict().items()
            )
            outputs.append(probed.train()(h.clone()))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NetdynError(
            f"{text} is no activation of {width} values a sample: it fails on them ({reason})"
        ) from error
    if not all(isinstance(one, Tensor) and one.shape == h.shape for one in outputs):
        raise NetdynError(
            f"{text} is no activation: it does not return one value for each of its inputs"
        )
    first, second, again, in_training = outputs
    if not _same(first[~changed], second[~changed]):
        raise NetdynError(
            f"{text} is not elementwise, an output depends on other inputs than its own: netdyn "
            "cannot take it as an activation"
        )
    if not (kept and _same(first, again)):
        raise NetdynError(
            f"{text} returns other values at a second call, or changes what it stores: an "
            "activation must have no state"
        )
    if not _same(first, in_training):
        raise NetdynError(f"{text} acts in training mode otherwise than in evaluation mode")


def _attributes(module: nn.Module) -> dict[tuple[str, str], int]:
    # By what they are, not by their values: a module that stores its input stores another object.
    return {
        (name, key): len(value) if isinstance(value, list | dict | set) else id(value)
        for name, part in module.named_modules()
        for key, value in vars(part).items()
    }


def _same(one: Tensor, other: Tensor) -> bool:
    # Places are computed by vector instructions or one by one, which may round differently.
    tolerance = 16 * torch.finfo(one.dtype).eps if one.is_floating_point() else 0
    return torch.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
