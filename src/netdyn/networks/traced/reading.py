"""Tracing: a module and example samples become a `TracedNetwork`, or a sentence on why not."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.comparing import TOLERANCES
from netdyn.networks.elementwise import refuse_if_not_elementwise
from netdyn.networks.folding import wide
from netdyn.networks.foreign import not_a_module
from netdyn.networks.inputs import as_input, check_finite
from netdyn.networks.integer_samples import as_samples_or_tokens, is_tokens
from netdyn.networks.traced.activations import ACTIVATION_CALLS, declared
from netdyn.networks.traced.maps import changes, not_affine_places
from netdyn.networks.traced.network import TracedNetwork
from netdyn.networks.traced.passes import BRANCHES, Pass, Rules
from netdyn.networks.traced.running import run
from netdyn.runtime.plain_mode import plain_mode
from netdyn.runtime.random_streams import generator

__all__ = ["NOT_AFFINE_CHOICES", "trace"]

NOT_AFFINE_CHOICES = ("refuse", "freeze")
_NOTHING = torch.empty(0, dtype=torch.float32, device="cpu")
TRIED = 4  # samples of the example that pass one by one
# How far an affine function may seem to be from its gradient times the difference of two inputs,
# relative to the root of the sum of squares of the terms.
AFFINE = {torch.float64: 1e-9, torch.float32: 1e-3}
ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-5}  # of the outputs


@plain_mode
def trace(
    model: nn.Module,
    example: Tensor,
    activations: Sequence[object] = (),
    not_affine: str = "refuse",
) -> TracedNetwork:
    """Return what `netdyn.read` returns for a network that is not read layer by layer.

    Args:
        model: any module whose forward takes samples (P, …) and returns logits (P, K).
        example: samples, (P, …), floats, bytes or tokens, at least one; a few are passed.
        activations: further classes of elementwise modules, and functions of PyTorch.
        not_affine: "refuse" or "freeze", what is not affine though no activation.

    Raises:
        NetdynError: naming what is not supported.
    """
    if not_affine not in NOT_AFFINE_CHOICES:
        raise NetdynError(
            f"not_affine {not_affine!r}: choose one of {', '.join(NOT_AFFINE_CHOICES)}"
        )
    foreign = not_a_module(model)
    if foreign:
        raise NetdynError(foreign)
    functions, classes = declared(activations)
    rules = Rules({**ACTIVATION_CALLS, **functions}, classes, not_affine == "freeze")
    x = _example(model, example)
    constants = {name: parameter.detach() for name, parameter in model.named_parameters()}
    _check_modules(model, classes)
    one, outputs = _traced(model, rules, x[:1], constants, named=True)
    plain = run(model, x)
    _check_outputs(plain, outputs)
    alone = []
    for place, sample in enumerate(x[:TRIED].split(1)):
        if place:
            again, outputs = _traced(model, rules, sample, constants)
            if [c[1:] for c in again.calls] != [c[1:] for c in one.calls]:
                raise NetdynError(BRANCHES)
        alone.append(run(model, sample))
        _refuse_other_values(outputs, alone[-1])
    if not _close(plain[:TRIED], torch.cat(alone)):
        raise NetdynError(
            "the model's outputs for a sample depend on the other samples of a batch, or are "
            "random: netdyn measures samples one by one, in evaluation mode (batch norm needs "
            "track_running_stats=True)"
        )
    if not any(call.depends for call in one.calls):
        raise NetdynError(
            "the forward pass calls no activation: netdyn knows relu, tanh, gelu and the like; "
            "declare others by netdyn.read(model, x, activations=[...])"
        )
    dtype, inputs = x.dtype, x[0].numel()
    if one.entrance is not None:
        dtype, inputs = outputs.dtype, one.entrance.inputs().shape[1]
    network = TracedNetwork(
        model, rules, x, one.calls, outputs.shape[1], one.weights, bool(one.states), dtype, inputs
    )
    network.has_computed_weights = one.has_computed_weights
    _refuse_not_affine(network, x)
    return network


def _example(model: nn.Module, example: Tensor) -> Tensor:
    tensors = [*model.parameters(), *model.buffers()]
    like = next((one for one in tensors if one.is_floating_point()), _NOTHING)
    if like.is_meta:
        raise NetdynError("the model is on the meta device and has no values: load it first")
    x = as_samples_or_tokens(example, like.device)
    if x.ndim < 2 or not len(x):
        raise NetdynError(
            f"an example of shape {tuple(x.shape)}: give a batch of samples, (samples, …), at "
            "least one"
        )
    check_finite(x)
    if is_tokens(x):
        return x.long()
    return as_input(x).to(like.dtype)


def _check_modules(model: nn.Module, classes: tuple[type[nn.Module], ...]) -> None:
    for name, module in model.named_modules():
        if getattr(module, "_compiled_call_impl", None) is not None:
            raise NetdynError(
                f"module {name!r} is compiled (module.compile()), so its calls cannot be seen: "
                "give the model before it was compiled"
            )
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.max_norm is not None:
            raise NetdynError(
                f"module {name!r} ({type(module).__name__}) has a max_norm: its forward rescales "
                "its own weights; set module.max_norm = None once they are as they should be"
            )
        if isinstance(module, classes):
            widths = [len(p.flatten()) for p in module.parameters() if p.numel() > 1] or [8]
            like = next((p.detach() for p in model.parameters()), _NOTHING)
            text = f"module {name!r} ({type(module).__name__})"
            refuse_if_not_elementwise(module, text, like.new_empty(widths[0]))


def _traced(
    model: nn.Module, rules: Rules, x: Tensor, constants: dict[str, Tensor], named: bool = False
) -> tuple[Pass, Tensor]:
    with torch.enable_grad():
        tokens = is_tokens(x)
        one = Pass(rules, watched=constants if named else None, tokens=tokens, named=named)
        try:
            outputs = run(model, x if tokens else x.clone().requires_grad_(), one, constants)
        except NetdynError as error:
            if tokens and "own forward fails" in str(error):
                raise NetdynError(
                    f"{error}; samples of {x.dtype} are taken for tokens, which an embedding "
                    "takes: give floats, or bytes (uint8) from 0 to 255, if they are none"
                ) from error
            raise
    if tokens and not one.entrance.outputs:
        raise NetdynError(
            "integer samples enter the network by no embedding (torch.nn.Embedding): embed them "
            "first and read the module behind, or give floats"
        )
    if one.last is outputs:
        raise NetdynError(
            f"the model's outputs are those of an activation ({one.calls[-1].function}): remove "
            "it, the measurements need the logits"
        )
    return one, outputs.detach()


def _check_outputs(plain: Tensor, outputs: Tensor) -> None:
    if not plain.isfinite().all():
        raise NetdynError(
            "the forward pass returns NaN or infinite values for the example: the network "
            "diverged, or its samples are on another scale"
        )
    if not outputs.numel():
        raise NetdynError("the model returns no outputs")


def _close(one: Tensor, other: Tensor) -> bool:
    scale = torch.maximum(one.abs().amax(), other.abs().amax()).double()
    off = (one.double() - other.double()).abs().amax()
    return bool(off <= TOLERANCES[one.dtype] * scale)


def _refuse_other_values(traced: Tensor, plain: Tensor) -> None:
    if not _close(traced, plain):
        raise NetdynError(
            "the model returns other values when it is traced, or at a second call: netdyn "
            "measures networks that are functions of their samples, in evaluation mode"
        )


def _refuse_not_affine(network: TracedNetwork, x: Tensor) -> None:
    """Raise NetdynError unless the network is affine with its activations the identity.

    A sum of the logits with random weights changes from one input to another by its gradient times
    the difference, in an affine network, and in no other but by chance. The graph is looked at
    besides: in an untrained network what is not affine may be too weak to be seen beside biases.
    """
    dtype = wide(network.dtype)
    base = network.in_precision(network.prepare(x[:1]), dtype)
    gates, functions = not_affine_places(network, base, dtype)
    if gates:
        raise NetdynError(
            "the network multiplies two functions of the samples, at "
            f"{', '.join(gates[:3])}{', …' if len(gates) > 3 else ''}: gates are not affine "
            "with activations the identity, and are not measured"
        )
    stream = generator(0, "affine check")
    first = network.first_activations(base, network.constants(dtype))
    spread = first.std(correction=0) + first.abs().mean() + 1e-3

    def drawn(*shape: int) -> Tensor:
        numbers = torch.randn(*shape, generator=stream, dtype=torch.float32, device="cpu")
        return numbers.to(first)

    # Far steps, both ways, cross the kinks of what is affine in parts.
    steps = [step * spread * drawn(*first.shape) for step in (1, 30)]
    steps += [-step for step in steps]
    mix = drawn(network.classes)
    gradient, values = changes(network, base, steps, mix)
    terms = torch.cat(steps) * gradient  # (steps, N_0)
    change = values[1:] - values[0]
    off = (change - terms.sum(dim=1)).abs()
    rounding = ROUNDING[dtype] * (values[0].abs() + values[1:].abs())
    is_affine = off <= AFFINE[dtype] * (terms.norm(dim=1) + change.abs()) + rounding
    if functions or not is_affine.all():
        named = f"{', '.join(functions)} in it" if functions else "something in it"
        raise NetdynError(
            f"with its activations the identity the network is not affine: {named} is no "
            "activation that netdyn knows; declare an elementwise one by activations=[...]"
        )
