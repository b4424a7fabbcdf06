"""The optimizer steps of several runs at once: their networks are one, with an axis of runs.

Each run has the initial weights, batches, rates and moments that it has alone, so its numbers are
those of a training alone within rounding. A run whose loss is no longer finite is left out: its
part is computed on, since the shapes of a recorded step are fixed, and nobody looks at it.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from netdyn.networks.layers import layers
from netdyn.records.run_settings import RunSettings
from netdyn.training.engine import cuda_graphs
from netdyn.training.engine.advancing import Advancing
from netdyn.training.engine.copies import Copies
from netdyn.training.engine.pacing import Pace
from netdyn.training.engine.precision import products
from netdyn.training.engine.recorded_steps import RecordedSteps
from netdyn.training.engine.stacked_batches import StackedBatches
from netdyn.training.engine.stacked_network import StackedGradients, StackedNetwork
from netdyn.training.engine.stacked_optimizer import StackedOptimizer

__all__ = ["RunOfStack", "StackedSteps"]


class StackedSteps(Advancing):
    """Makes the optimizer steps of R runs.

    Attributes:
        runs: each run's own network and state.
    """

    def __init__(
        self,
        models: Sequence[nn.Sequential],
        samples: Sequence[tuple[Tensor, Tensor]],
        settings: Sequence[RunSettings],
        classes: int,
    ):
        """Prepare the steps; they start from the models' weights and train them.

        Args:
            models: an `MLP` of each run, on the device of the samples.
            samples: images (P, N_0), bytes, or floats in [0, 1] in the networks' dtype, and classes
                (P,) of each run. Runs with the same samples may share the tensors.
            settings: those of each run, of one stack (see `stacking`).
            classes: number of classes K.
        """
        self._settings, self._device = settings[0], samples[0][0].device
        self._network = StackedNetwork(models)
        self._optimizer = StackedOptimizer(
            self._network.parameters(),
            self._settings["optimizer"],
            [(each["learning_rate"], each["weight_decay"]) for each in settings],
        )
        self._batches = StackedBatches(self._resident(samples), settings)
        self._gradients = StackedGradients(
            self._network, self._settings["precision"], self._settings["loss"], classes
        )
        self.runs = [RunOfStack(model, self._optimizer, run) for run, model in enumerate(models)]
        state = [
            *self._network.parameters(),
            *self._network.buffers(),
            *self._optimizer.tensors(),
        ]
        self._before = Copies(state)
        self._omitted = [False] * len(models)
        self._left_out = torch.zeros(len(models), dtype=torch.bool, device=self._device)
        self._recorded = self._recorded_steps(models[0], state)
        self._pace = Pace(bulk=self._device.type != "cpu" or self._recorded is not None)

    def record(self) -> dict[str, str | int]:
        """Return what a run's record says of its engine.

        Returns:
            engine: "stacked graphs", or "stacked autograd" (steps one by one).
            products: how the products of the runs' precision are made.
            runs_at_once: R.
        """
        precision = self._settings["precision"]
        made_by = products(precision, self._device)
        return {
            "engine": self.engine,
            # Of several matrices at once PyTorch makes products without oneDNN.
            "products": precision if self._device.type == "cpu" else made_by,
            "runs_at_once": len(self.runs),
        }

    @property
    def engine(self) -> str:
        """What makes the steps; see `record`."""
        return "stacked autograd" if self._recorded is None else "stacked graphs"

    def leave_out(self, runs: Sequence[bool]) -> None:
        """Set for each run whether steps go on where its loss is not finite; at first none does."""
        if list(runs) != self._omitted:
            self._omitted = list(runs)
            omitted = torch.tensor(self._omitted, dtype=torch.bool, device="cpu")
            self._left_out = omitted.to(self._device)

    def _are_finite(self, losses: Tensor) -> bool:
        return bool((losses.isfinite() | self._left_out).all())

    def _resident(self, samples: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """Return the samples as they are stored: rounded where each product would round them."""
        if self._settings["precision"] != "bfloat16" or self._device.type != "cuda":
            return list(samples)
        rounded = {id(x): x.bfloat16() if x.is_floating_point() else x for x, _ in samples}
        return [(rounded[id(x)], labels) for x, labels in samples]

    def _recorded_steps(self, model: nn.Sequential, state: list[Tensor]) -> RecordedSteps | None:
        widest = max(layer.linear.out_features for layer in layers(model))
        # As for one run: where its kernels are shorter than their launches, so are the stack's.
        values = self._batches.size // len(self.runs) * widest
        steps_of_a_graph = cuda_graphs.steps_of_a_graph(values)
        recorder = cuda_graphs.recorder(self._device)
        if recorder is None or not steps_of_a_graph:
            return None
        return RecordedSteps(self._update, self._batches, state, recorder, steps_of_a_graph)


class RunOfStack:
    """One run of a stack, as a checkpoint and an evaluation see it."""

    def __init__(self, model: nn.Sequential, optimizer: StackedOptimizer, run: int):
        """Args: a network whose weights are those of the stack; the stack's optimizer; which."""
        self._model, self._optimizer, self._run = model, optimizer, run

    def network(self) -> nn.Sequential:
        """Return the network after the steps so far."""
        return self._model

    def state(self) -> dict[str, Tensor]:
        """Return all that continuing later needs, by name."""
        weights, moments = self._model.state_dict(), self._optimizer.state(self._run)
        return {
            # Copied: files hold no two tensors of one memory.
            **{f"model/{name}": tensor.clone() for name, tensor in weights.items()},
            **{f"optimizer/{name}": tensor.clone() for name, tensor in moments.items()},
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned for the same stack."""
        parts = {"model": {}, "optimizer": {}}
        for name, tensor in state.items():
            part, _, rest = name.partition("/")
            if part in parts:
                parts[part][rest] = tensor
        self._model.load_state_dict(parts["model"])
        self._optimizer.load(self._run, parts["optimizer"])
