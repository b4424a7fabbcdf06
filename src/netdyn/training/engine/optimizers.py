"""The optimizers: PyTorch's own, and the same kernels called directly.

`torch.optim` calls the same fused kernels, bit for bit. Its classes import PyTorch's compiler on
first use, which costs a job two seconds, and their Python takes a tenth of a step of a small
network.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from netdyn.runtime.torch_internals import fused_update

__all__ = ["OPTIMIZERS", "FusedOptimizer", "Optimizer", "TorchOptimizer", "direct_optimizer"]

OPTIMIZERS = ("sgd", "adam", "adamw")
BETAS, EPSILON = (0.9, 0.999), 1e-8
MOMENTS = ("exp_avg", "exp_avg_sq")


class Optimizer(Protocol):
    """SGD without momentum, Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019)."""

    def step(self) -> None:
        """Update every parameter by its gradient."""

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs, by "<parameter>/<moment>"; empty for SGD."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned."""


class FusedOptimizer:
    """An `Optimizer` that calls PyTorch's fused kernels directly."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        kind: str,
        learning_rate: float,
        weight_decay: float,
    ):
        """Start the optimizer with empty moments.

        Args:
            parameters: each has a gradient by the time of a step.
            kind: "sgd", "adam" or "adamw"; Adam's β = (0.9, 0.999), ε = 1e-8.
            learning_rate: η, above 0.
            weight_decay: decoupled for adamw, L2 for the others.
        """
        self.parameters = list(parameters)
        self._rates = {"lr": learning_rate, "weight_decay": weight_decay, "maximize": False}
        self.moments: dict[str, list[Tensor]] = {}
        self._count = torch.zeros((), dtype=torch.float32, device=self.parameters[0].device)
        self._update = fused_update(kind)
        if kind != "sgd":
            self.moments = {name: _zeros(self.parameters) for name in MOMENTS}

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter by its gradient."""
        gradients = [parameter.grad for parameter in self.parameters]
        if not self.moments:
            plain = {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "is_first_step": False}
            self._update(self.parameters, gradients, [], **plain, **self._rates)
            return
        self._count += 1
        self._update(
            *(self.parameters, gradients, *self.moments.values()),
            *([], [self._count] * len(gradients)),  # all parameters share one count
            **{"beta1": BETAS[0], "beta2": BETAS[1], "eps": EPSILON, "amsgrad": False},
            **self._rates,
        )

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs, by "<parameter>/<moment>"; empty for SGD."""
        return _state(self._count, self.moments)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


class TorchOptimizer:
    """An `Optimizer` by the classes of `torch.optim`; arguments as of `FusedOptimizer`."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        kind: str,
        learning_rate: float,
        weight_decay: float,
    ):
        self.parameters = list(parameters)
        rates = {"lr": learning_rate, "weight_decay": weight_decay, "fused": True}
        self._moments: dict[str, list[Tensor]] = {}
        self._count = torch.zeros((), dtype=torch.float32, device=self.parameters[0].device)
        if kind == "sgd":
            self._optimizer = torch.optim.SGD(self.parameters, **rates)
            return
        classes = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        self._optimizer = classes[kind](self.parameters, betas=BETAS, eps=EPSILON, **rates)
        self._moments = {name: _zeros(self.parameters) for name in MOMENTS}
        # Made here instead of in the first step, so that a state can be loaded before it.
        for index, parameter in enumerate(self.parameters):
            moments = {name: tensors[index] for name, tensors in self._moments.items()}
            count = torch.zeros((), dtype=torch.float32, device=parameter.device)
            self._optimizer.state[parameter] = {"step": count, **moments}

    def step(self) -> None:
        """Update every parameter by its gradient."""
        self._optimizer.step()
        self._count += 1

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs, by "<parameter>/<moment>"; empty for SGD."""
        return _state(self._count, self._moments)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        for moments in self._optimizer.state.values():
            moments["step"].copy_(self._count)


def direct_optimizer(
    parameters: Iterable[nn.Parameter], kind: str, learning_rate: float, weight_decay: float
) -> Optimizer:
    """Return a `FusedOptimizer`, or a `TorchOptimizer` where this PyTorch lacks the kernel."""
    chosen = TorchOptimizer if fused_update(kind) is None else FusedOptimizer
    return chosen(parameters, kind, learning_rate, weight_decay)


def _zeros(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    return [torch.zeros_like(parameter, requires_grad=False) for parameter in parameters]


def _state(count: Tensor, moments: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    if not moments:
        return {}
    return {
        "0/step": count,
        **{
            f"{index}/{name}": tensor
            for name, tensors in moments.items()
            for index, tensor in enumerate(tensors)
        },
    }
