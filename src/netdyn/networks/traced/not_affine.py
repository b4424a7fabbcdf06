"""Functions that are not affine though no activation, and what they are when frozen.

*Frozen* at what it does in a sample's own pass, each is affine in that sample's values:

    max pooling     takes the places that held the maxima
    normalisation   (x − mean x) / σ*, with the sample's own deviation σ*; the mean is linear
    softmax         the sample's own shares, a constant
    attention       the sample's own shares, times the values

A rule is a pair: `record` returns the output of the call and its state, `apply` the output of the
frozen call for other values.
"""

import types
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from netdyn.networks.traced.calls import base_name, is_aten
from netdyn.runtime.torch_internals import function_holders

__all__ = ["NOT_AFFINE", "OPENED", "Rule"]

F = nn.functional


class Rule(NamedTuple):
    """How a function is frozen."""

    name: str
    record: Callable[[Callable, tuple, dict], tuple[Any, Any]]
    apply: Callable[[Any, tuple, dict], Any]


def _input(args: tuple, kwargs: dict) -> Tensor:
    return args[0] if args else kwargs["input"]


def _pooling(name: str, dimensions: int) -> Rule:
    with_indices = getattr(F, f"{name}_with_indices")

    def record(function: Callable, args: tuple, kwargs: dict) -> tuple[Any, tuple]:
        kwargs = {key: value for key, value in kwargs.items() if key != "return_indices"}
        output, indices = with_indices(*args, **kwargs)
        both = _returns_indices(function)
        return (output, indices) if both else output, (indices, both)

    def apply(state: tuple, args: tuple, kwargs: dict) -> Any:
        indices, both = state
        flat = _input(args, kwargs).flatten(-dimensions)
        output = flat.gather(-1, indices.flatten(-dimensions)).view(indices.shape)
        return (output, indices) if both else output

    return Rule(name, record, apply)


def _returns_indices(function: Callable) -> bool:
    # ATen's adaptive pooling returns them always, PyTorch's own under another name.
    name = base_name(function)
    return name.endswith("with_indices") or (is_aten(function) and name.startswith("adaptive"))


def _scaled(x: Tensor, scale: Tensor, dims: tuple[int, ...], centred: bool) -> Tensor:
    return (x - x.mean(dims, keepdim=True) if centred else x) * scale


def _layer_norm(name: str, centred: bool) -> Rule:
    def bound(input, normalized_shape, weight=None, bias=None, eps=None, cudnn_enable=True):
        dims = tuple(range(-len(normalized_shape), 0))
        if eps is None:
            eps = 1e-5 if centred else torch.finfo(input.dtype).eps
        return input, dims, weight, bias, eps

    def rms(input, normalized_shape, weight=None, eps=None):
        return bound(input, normalized_shape, weight, None, eps)

    parts = bound if centred else rms

    def record(function: Callable, args: tuple, kwargs: dict) -> tuple[Tensor, Tensor]:
        x, dims, _, _, eps = parts(*args, **kwargs)
        if centred:
            x = x - x.mean(dims, keepdim=True)
        scale = (x.square().mean(dims, keepdim=True) + eps).rsqrt()
        return function(*args, **kwargs), scale

    def apply(scale: Tensor, args: tuple, kwargs: dict) -> Tensor:
        x, dims, weight, bias, _ = parts(*args, **kwargs)
        x = _scaled(x, scale, dims, centred)
        x = x if weight is None else x * weight
        return x if bias is None else x + bias

    return Rule(name, record, apply)


def _in_groups(x: Tensor, groups: int) -> Tensor:
    return x.reshape(len(x), groups, -1)


def _by_channel(parameter: Tensor | None, x: Tensor) -> Tensor | None:
    return None if parameter is None else parameter.view(-1, *[1] * (x.ndim - 2))


def _group_scale(x: Tensor, groups: int, eps: float) -> Tensor:
    variance = _in_groups(x, groups).var(2, correction=0, keepdim=True)
    return (variance + eps).rsqrt()


def _group_applied(x: Tensor, groups: int, scale: Tensor, weight, bias) -> Tensor:
    normalised = _scaled(_in_groups(x, groups), scale, (2,), True).view(x.shape)
    weight, bias = _by_channel(weight, x), _by_channel(bias, x)
    normalised = normalised if weight is None else normalised * weight
    return normalised if bias is None else normalised + bias


def _group_norm() -> Rule:
    def parts(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
        return input, num_groups, weight, bias, eps

    def record(function: Callable, args: tuple, kwargs: dict) -> tuple[Tensor, Tensor]:
        x, groups, _, _, eps = parts(*args, **kwargs)
        return function(*args, **kwargs), _group_scale(x, groups, eps)

    def apply(scale: Tensor, args: tuple, kwargs: dict) -> Tensor:
        x, groups, weight, bias, _ = parts(*args, **kwargs)
        return _group_applied(x, groups, scale, weight, bias)

    return Rule("group_norm", record, apply)


def _instance_norm(compiled: bool) -> Rule:
    def functional(
        input, running_mean=None, running_var=None, weight=None, bias=None,
        use_input_stats=True, momentum=0.1, eps=1e-5,
    ):  # fmt: skip
        return input, weight, bias, use_input_stats, eps

    def inner(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn=True
    ):
        return input, weight, bias, use_input_stats, eps

    parts = inner if compiled else functional

    def record(function: Callable, args: tuple, kwargs: dict) -> tuple[Tensor, Any]:
        x, _, _, own, eps = parts(*args, **kwargs)
        state = _group_scale(x, x.shape[1], eps) if own else function
        return function(*args, **kwargs), state

    def apply(state: Any, args: tuple, kwargs: dict) -> Tensor:
        x, weight, bias, own, _ = parts(*args, **kwargs)
        if not own:
            return state(*args, **kwargs)
        return _group_applied(x, x.shape[1], state, weight, bias)

    return Rule("instance_norm", record, apply)


def _softmax() -> Rule:
    def record(function: Callable, args: tuple, kwargs: dict) -> tuple[Tensor, Tensor]:
        shares = function(*args, **kwargs)
        return shares, shares.detach()

    def apply(shares: Tensor, args: tuple, kwargs: dict) -> Tensor:
        return shares

    return Rule("softmax", record, apply)


def _attention() -> Rule:
    def parts(query, key, value, *rest, **kwargs):
        return query, key, value, rest, kwargs

    def record(function: Callable, args: tuple, kwargs: dict) -> tuple[Tensor, tuple]:
        query, key, *_ = parts(*args, **kwargs)
        return function(*args, **kwargs), (query.detach(), key.detach())

    def apply(state: tuple, args: tuple, kwargs: dict) -> Tensor:
        _, _, value, rest, kwargs = parts(*args, **kwargs)
        return F.scaled_dot_product_attention(*state, value, *rest, **kwargs)

    return Rule("scaled_dot_product_attention", record, apply)


def _rules() -> dict[Callable, Rule]:
    rules: dict[Callable, Rule] = {F.scaled_dot_product_attention: _attention()}
    for dimensions in (1, 2, 3):
        for kind in ("max_pool", "adaptive_max_pool"):
            name = f"{kind}{dimensions}d"
            rule = _pooling(name, dimensions)
            spellings = (name, f"{name}_with_indices", f"_{name}")
            for holder in function_holders():
                for spelled in spellings:
                    if hasattr(holder, spelled):
                        rules[getattr(holder, spelled)] = rule
    for names, rule in (
        ("layer_norm", _layer_norm("layer_norm", centred=True)),
        ("rms_norm", _layer_norm("rms_norm", centred=False)),
        ("group_norm", _group_norm()),
        ("instance_norm", _instance_norm(compiled=True)),
        ("softmax", _softmax()),
        ("_softmax", _softmax()),
    ):
        for holder in (F, torch, torch.Tensor):
            if hasattr(holder, names):
                rules[getattr(holder, names)] = rule
    rules[F.instance_norm] = _instance_norm(compiled=False)
    return rules


NOT_AFFINE = _rules()


def _opened(function: types.FunctionType) -> types.FunctionType:
    """Return a function of PyTorch whose own inner calls are seen by a TorchFunctionMode.

    It first hands itself over to the mode, which then runs it with its inner calls unseen; the copy
    believes that there is none to hand itself over to.
    """
    hidden = {name: lambda *_: False for name in function.__globals__ if "has_torch_func" in name}
    copied = types.FunctionType(
        function.__code__,
        {**function.__globals__, **hidden},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


# Functions made of others, of which some are not affine.
OPENED = {F.multi_head_attention_forward: _opened(F.multi_head_attention_forward)}
