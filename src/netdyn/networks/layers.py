"""A `torch.nn.Sequential`, module by module, as the layers of a network.

Input: Linear, BatchNorm1d and elementwise activations. Output: its `Layer`s.
"""

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from netdyn.errors import NetdynError
from netdyn.networks.elementwise import ELEMENTWISE, checked_classes, refuse_if_not_elementwise
from netdyn.networks.folding import Layer, wide
from netdyn.networks.foreign import not_a_sequential, not_supported
from netdyn.networks.own_code import refuse_global_hooks, refuse_own_code
from netdyn.networks.parametrized import EvaluatedLinear, in_evaluation

__all__ = ["layers", "named_layers"]

# In evaluation mode they return what they are given.
DROPOUT = (
    nn.AlphaDropout,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.FeatureAlphaDropout,
)
PLAIN = (nn.Linear, nn.BatchNorm1d, nn.Flatten, *DROPOUT)
PRECISIONS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def layers(model: nn.Module, activations: Sequence[type[nn.Module]] = ()) -> list[Layer]:
    """Read a `Sequential` of Linear, BatchNorm1d and elementwise activations as its layers 1 … L.

    Args and Raises: as for `named_layers`.
    """
    return [layer for _, layer in named_layers(model, activations)]


def named_layers(
    model: nn.Module, activations: Sequence[type[nn.Module]] = ()
) -> list[tuple[str, Layer]]:
    """Read a `Sequential` as its layers 1 … L, each with the name of its activation.

    Where it has none, the name is that of its last module. Nested Sequentials are unrolled. A
    leading Flatten and, as in evaluation mode, Dropout are skipped, and so is an Identity beside
    another activation. A Linear directly behind another counts as a layer with the identity as its
    activation.

    Args:
        activations: module classes that are elementwise and without state, beside `ELEMENTWISE`.

    Raises:
        NetdynError: naming the module that is not supported (a convolution, softmax, batch norm
            behind the output, a forward or a forward hook of one's own, …), why, and what to do.
    """
    if not isinstance(model, nn.Sequential):
        raise NetdynError(not_a_sequential(model))
    refuse_global_hooks()
    walk = _Walk(checked_classes(activations))
    for name, module in _leaves(model, walk.elementwise):
        walk.take(name, module)
    return walk.result()


def _leaves(
    model: nn.Sequential, elementwise: tuple[type[nn.Module], ...], prefix: str = ""
) -> Iterator[tuple[str, nn.Module]]:
    text = f"module {prefix[:-1]!r} ({type(model).__name__})" if prefix else type(model).__name__
    refuse_own_code(
        model,
        [nn.Sequential],
        text,
        "give a Sequential whose modules do all that it does, and inputs as they enter the first",
    )
    # named_children() would skip a module that is used a second time.
    for name, module in model.named_modules(remove_duplicate=False):
        if not name or "." in name:
            continue  # the network itself, or inside one of its modules
        if isinstance(module, nn.Sequential) and not isinstance(module, elementwise):
            yield from _leaves(module, elementwise, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


class _Walk:
    """The layers of the modules so far, in the order in which samples pass them."""

    def __init__(self, declared: tuple[type[nn.Module], ...]):
        self.elementwise = (*ELEMENTWISE, *declared)
        self._declared = declared
        self._names: list[str] = []
        self._read: list[Layer] = []
        self._input_norm: nn.BatchNorm1d | None = None  # of the layer to come

    def take(self, name: str, module: nn.Module) -> None:
        """Add the next module."""
        text = f"module {name!r} ({type(module).__name__})"
        self._check_lazy(module, text)
        if isinstance(module, PLAIN):
            use = f"give a plain {_plain(module).__name__} that does the same"
            refuse_own_code(module, PLAIN, text, use)
        if isinstance(module, DROPOUT) or self._is_leading_flatten(module, text):
            return
        if isinstance(module, nn.Linear):
            self._take_linear(name, module, text)
        elif isinstance(module, nn.BatchNorm1d):
            self._take_norm(name, module, text)
        elif isinstance(module, self.elementwise):
            self._take_activation(name, module, text)
        else:
            raise NetdynError(not_supported(module, text))

    def result(self) -> list[tuple[str, Layer]]:
        """Return each layer's name and the layer."""
        if not self._read:
            raise NetdynError("the network has no Linear layer")
        last = self._read[-1]
        if last.norm is not None:
            raise NetdynError("batch norm follows the output layer, which must be the last module")
        if last.activation is not None and not isinstance(last.activation, nn.Identity):
            raise NetdynError(
                f"{type(last.activation).__name__} follows the output layer: remove it, "
                "the measurements need the logits"
            )
        for l, (before, after) in enumerate(itertools.pairwise(self._read), 1):
            if before.linear.out_features != after.linear.in_features:
                raise NetdynError(
                    f"layer {l} returns {before.linear.out_features} values but layer {l + 1} "
                    f"expects {after.linear.in_features}"
                )
        return [*zip(self._names, self._read, strict=True)]

    @staticmethod
    def _check_lazy(module: nn.Module, text: str) -> None:
        if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
            raise NetdynError(f"{text} has no weights yet: pass a batch through the network first")

    def _is_leading_flatten(self, module: nn.Module, text: str) -> bool:
        if not isinstance(module, nn.Flatten) or self._read:
            return False
        if (module.start_dim, module.end_dim) != (1, -1):
            raise NetdynError(f"{text} must flatten each sample: build it as torch.nn.Flatten()")
        return True

    def _take_linear(self, name: str, module: nn.Linear, text: str) -> None:
        linear = in_evaluation(module)
        first = self._read[0].linear.weight if self._read else None
        _check_weight(linear.weight, first, text)
        self._read.append(Layer(linear, None, None, self._input_norm))
        self._names.append(name)
        self._input_norm = None

    def _take_norm(self, name: str, module: nn.BatchNorm1d, text: str) -> None:
        if not self._read:
            raise NetdynError(
                f"{text} stands before the first Linear layer: give the modules behind it, "
                "torch.nn.Sequential(*model[1:]), and samples that are normalised already"
            )
        last = self._read[-1]
        if module.running_mean is None:
            raise NetdynError(
                f"{text} keeps no running statistics, which evaluation mode needs: "
                "build it with track_running_stats=True"
            )
        _check_norm(module, last.linear, text)
        is_active = last.activation is not None and not isinstance(last.activation, nn.Identity)
        if last.norm is None and not is_active:
            self._read[-1] = last._replace(norm=module)
            self._names[-1] = name
        elif last.activation is not None and self._input_norm is None:
            self._input_norm = module
        else:
            raise NetdynError(f"{text} follows another batch norm: merge the two into one")

    def _take_activation(self, name: str, module: nn.Module, text: str) -> None:
        kind = next(one for one in type(module).__mro__ if one in self.elementwise)
        if kind in ELEMENTWISE:
            use = f"declare it by netdyn.read(model, activations=[{type(module).__name__}])"
            refuse_own_code(module, ELEMENTWISE, text, use)
        is_identity = kind is nn.Identity
        if not self._read:
            if is_identity:
                return
            raise NetdynError(
                f"{text} stands before the first Linear layer: apply it to the samples and give "
                "the modules behind it"
            )
        last = self._read[-1]
        if kind in self._declared or any(True for _ in module.parameters()):
            refuse_if_not_elementwise(module, text, _like(last.linear))
        if is_identity and last.activation is not None:
            return
        if self._input_norm is not None:
            raise NetdynError(
                f"{text} follows a batch norm behind another activation: put a Linear layer between"
            )
        if last.activation is not None and not isinstance(last.activation, nn.Identity):
            raise NetdynError(f"{text} follows another activation: merge the two into one")
        self._read[-1] = last._replace(activation=module)
        self._names[-1] = name


def _plain(module: nn.Module) -> type[nn.Module]:
    return next(kind for kind in type(module).__mro__ if kind in PLAIN)


def _like(linear: nn.Linear | EvaluatedLinear) -> Tensor:
    return linear.weight.detach().new_empty(linear.out_features)


def _check_weight(weight: Tensor, first: Tensor | None, text: str) -> None:
    if weight.dtype not in PRECISIONS:
        raise NetdynError(
            f"{text} has weights of {weight.dtype}: give a network of float64, float32, bfloat16 "
            "or float16"
        )
    if weight.device.type == "meta":
        raise NetdynError(
            f"{text} is on the meta device and has no values: load it (model.to_empty, "
            "load_state_dict) first"
        )
    if first is not None and weight.dtype != first.dtype:
        raise NetdynError(
            f"{text} has weights of {weight.dtype}, the first layer of {first.dtype}: convert the "
            f"network (model.to({first.dtype}))"
        )
    if first is not None and weight.device != first.device:
        raise NetdynError(
            f"{text} is on {weight.device}, the first layer on {first.device}: move the network to "
            "one device"
        )


def _check_norm(norm: nn.BatchNorm1d, linear: nn.Linear | EvaluatedLinear, text: str) -> None:
    if norm.num_features != linear.out_features:
        raise NetdynError(
            f"{text} normalises {norm.num_features} values, the Linear layer before it returns "
            f"{linear.out_features}"
        )
    weight = linear.weight
    for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        if tensor is None:
            continue
        if tensor.device != weight.device:
            raise NetdynError(
                f"{text} is on {tensor.device}, its Linear layer on {weight.device}: move the "
                "network to one device"
            )
        # As PyTorch, which computes the statistics of half precision in float32.
        if tensor.dtype not in (weight.dtype, wide(weight.dtype)):
            raise NetdynError(
                f"{text} is of {tensor.dtype} in a network of {weight.dtype}: convert the network "
                f"(model.to({weight.dtype}))"
            )
