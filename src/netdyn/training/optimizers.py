"""The optimizers, by PyTorch's own fused kernels.

`torch.optim` calls the same kernels, bit for bit. Its classes import PyTorch's compiler when they
are first used, which costs a job two seconds, and their Python a tenth of a step of a small
network.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

__all__ = ["OPTIMIZERS", "Optimizer"]

OPTIMIZERS = ("sgd", "adam", "adamw")


class Optimizer:
    """SGD without momentum, Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019)."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        kind: str,
        learning_rate: float,
        weight_decay: float,
    ):
        """
        Args:
            parameters: with a gradient each, by the time of a step.
            kind: "sgd", "adam" or "adamw"; Adam's β = (0.9, 0.999), ε = 1e-8.
            weight_decay: decoupled for adamw, L2 for the others.
        """
        self.parameters = list(parameters)
        self._rates = {"lr": learning_rate, "weight_decay": weight_decay, "maximize": False}
        self.moments: dict[str, list[Tensor]] = {}
        self._taken = torch.zeros((), device=self.parameters[0].device)
        if kind == "sgd":
            return
        self._update = {"adam": torch._fused_adam_, "adamw": torch._fused_adamw_}[kind]
        zeros = torch.zeros_like
        self.moments = {
            "exp_avg": [zeros(p, requires_grad=False) for p in self.parameters],
            "exp_avg_sq": [zeros(p, requires_grad=False) for p in self.parameters],
        }

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter by its gradient."""
        gradients = [parameter.grad for parameter in self.parameters]
        if not self.moments:
            plain = {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "is_first_step": False}
            torch._fused_sgd_(self.parameters, gradients, [], **plain, **self._rates)
            return
        self._taken += 1
        self._update(
            *(self.parameters, gradients, self.moments["exp_avg"], self.moments["exp_avg_sq"]),
            *([], [self._taken] * len(gradients)),  # one count serves all
            **{"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "amsgrad": False},
            **self._rates,
        )

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs: "<parameter>/<moment>"."""
        if not self.moments:
            return {}
        return {
            "0/step": self._taken,
            **{
                f"{index}/{name}": tensor
                for name, tensors in self.moments.items()
                for index, tensor in enumerate(tensors)
            },
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
