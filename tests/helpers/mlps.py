"""Every kind of fully connected network that the tests build, one of each, with random weights."""

import torch
from any_network import spread_out
from torch import nn

from netdyn.networks.elementwise import ELEMENTWISE, Gaussian
from netdyn.networks.mlp import ACTIVATIONS, MLP


class Cube(nn.Module):
    """An activation of one's own."""

    def forward(self, h):
        return h**3


class SineInPlace(nn.Module):
    """An activation of one's own that writes to its input."""

    def forward(self, h):
        return h.sin_()


def _stack(*modules):
    return lambda: nn.Sequential(*[make() for make in modules])


def _linear(*args, **kwargs):
    return lambda: nn.Linear(*args, **kwargs)


def _norm(width, **kwargs):
    return lambda: nn.BatchNorm1d(width, **kwargs)


def _one_hidden(activation, width=5, outputs=4):
    return _stack(_linear(6, width), activation, _linear(width, outputs))


def _shared_activation():
    tanh = nn.Tanh()
    return nn.Sequential(nn.Linear(6, 5), tanh, nn.Linear(5, 5), tanh, nn.Linear(5, 4))


def _shared_weight():
    linear = nn.Linear(6, 6)
    return nn.Sequential(linear, nn.Tanh(), linear, nn.Tanh(), nn.Linear(6, 4))


def _weight_norm():
    computed = nn.utils.parametrizations.weight_norm(nn.Linear(6, 5))
    return nn.Sequential(computed, nn.ReLU(), nn.Linear(5, 4))


def _nested():
    block = nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.BatchNorm1d(5), nn.SiLU()))
    return nn.Sequential(
        nn.Flatten(), block, nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 4), nn.Identity()
    )


# By name, a network of 6 inputs that both readers read; with activations of one's own declared.
MLPS = {
    f"MLP, {activation}{', batch norm' * batch_norm}": (
        lambda activation=activation, batch_norm=batch_norm: MLP(
            (6, 9, 8, 4), activation, batch_norm
        )
    )
    for activation in ACTIVATIONS
    if activation != "identity"  # no site of the traced reader
    for batch_norm in (False, True)
}
# Threshold and its like need arguments; RReLU differs between two passes of training mode.
_ARGUMENTS = {nn.Threshold: (0.1, -0.2)}
MLPS |= {
    f"activation {kind.__name__}": _one_hidden(lambda kind=kind: kind(*_ARGUMENTS.get(kind, ())))
    for kind in ELEMENTWISE
    if kind is not nn.Identity
}
MLPS |= {
    "deep": lambda: MLP((6, *[12] * 22, 4), "tanh", batch_norm=False),
    "deep, batch norm": lambda: MLP((6, *[12] * 22, 4)),
    "one output": _one_hidden(nn.Tanh, outputs=1),
    "norm behind the activation": _stack(
        _linear(6, 5), nn.ReLU, _norm(5), _linear(5, 5), nn.GELU, _norm(5), _linear(5, 4)
    ),
    "norm before and behind": _stack(
        _linear(6, 5), _norm(5), nn.ReLU, _linear(5, 5), lambda: nn.PReLU(5), _norm(5),
        _linear(5, 4),
    ),
    "no biases, plain norm": _stack(
        _linear(6, 5, bias=False), _norm(5, affine=False), nn.Tanh, _linear(5, 4, bias=False)
    ),
    "two layers without activation between": _stack(
        nn.Flatten, _linear(6, 4), _linear(4, 5, bias=False), _norm(5, affine=False), nn.Tanh,
        _linear(5, 4),
    ),
    "identity": _stack(
        nn.Identity, _linear(6, 5), nn.Identity, _norm(5), nn.Identity, nn.ReLU, nn.Identity,
        _linear(5, 4), nn.Identity,
    ),
    "dropout": _stack(
        nn.Dropout, _linear(6, 5), nn.Dropout, nn.Tanh, nn.Dropout, _linear(5, 5), nn.ReLU,
        _linear(5, 4),
    ),
    "in place": _stack(
        _linear(6, 5), lambda: nn.ReLU(inplace=True), _linear(5, 5), lambda: nn.ELU(inplace=True),
        _linear(5, 4),
    ),
    "one slope": _one_hidden(nn.PReLU),
    "own activation": _one_hidden(Cube),
    "own activation in place": _one_hidden(SineInPlace),
    "an activation twice": _shared_activation,
    "a weight twice": _shared_weight,
    "weight norm": _weight_norm,
    "nested": _nested,
}  # fmt: skip
OWN = (Gaussian, Cube, SineInPlace)


def mlp(name, stream, dtype=torch.float32):
    """Return a network of `MLPS`, its weights spread out, in training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MLPS[name]()
    return spread_out(model, stream).to(dtype)
