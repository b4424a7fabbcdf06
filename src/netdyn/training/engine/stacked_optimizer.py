"""The optimizer of a stacked network: runs share kernels, never moments or rates."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from netdyn.training.engine.optimizers import direct_optimizer

__all__ = ["StackedOptimizer"]

COUNT = "0/step"


class StackedOptimizer:
    """Updates stacked parameters, each (R, …), with one optimizer for all runs of equal rates."""

    def __init__(
        self, parameters: Sequence[nn.Parameter], kind: str, rates: Sequence[tuple[float, float]]
    ):
        """Args: the parameters; sgd, adam or adamw; each run's learning rate and weight decay."""
        self._stacked = list(parameters)
        members: dict[tuple[float, float], list[int]] = {}
        for run, rate in enumerate(rates):
            members.setdefault(rate, []).append(run)
        self._members = list(members.values())
        self._is_one = len(members) == 1
        # By parameter, then run.
        self._updated = [
            [nn.Parameter(each.detach()[run]) for each in self._stacked for run in runs]
            for runs in self._members
        ]
        if self._is_one:
            self._updated = [self._stacked]
        self._optimizers = [
            direct_optimizer(updated, kind, *rate)
            for updated, rate in zip(self._updated, members, strict=True)
        ]

    def step(self) -> None:
        """Update every parameter by its gradient."""
        if not self._is_one:
            for runs, updated in zip(self._members, self._updated, strict=True):
                gradients = (each.grad[run] for each in self._stacked for run in runs)
                for parameter, gradient in zip(updated, gradients, strict=True):
                    parameter.grad = gradient
        for optimizer in self._optimizers:
            optimizer.step()

    def tensors(self) -> list[Tensor]:
        """Return all that a step changes beside the parameters."""
        return [tensor for each in self._optimizers for tensor in each.state().values()]

    def state(self, run: int) -> dict[str, Tensor]:
        """Return what a checkpoint of a run needs, by "<parameter>/<moment>"; empty for SGD."""
        number, place = self._place(run)
        state = self._optimizers[number].state()
        if self._is_one:
            return {name: t if name == COUNT else t[run] for name, t in state.items()}
        own = {COUNT: state[COUNT]} if state else {}
        for name, tensor in state.items():
            index, moment = name.split("/")
            parameter, member = divmod(int(index), len(self._members[number]))
            if name != COUNT and member == place:
                own[f"{parameter}/{moment}"] = tensor
        return own

    @torch.no_grad()
    def load(self, run: int, state: Mapping[str, Tensor]) -> None:
        """Continue a run from what `state` returned of it."""
        number, _ = self._place(run)
        for name, tensor in self.state(run).items():
            tensor.copy_(state[name])
        optimizer = self._optimizers[number]
        optimizer.load(optimizer.state())  # which sets counts that it keeps elsewhere

    def _place(self, run: int) -> tuple[int, int]:
        """Return which optimizer updates a run, and the run's place among its runs."""
        return next(
            (number, runs.index(run)) for number, runs in enumerate(self._members) if run in runs
        )
