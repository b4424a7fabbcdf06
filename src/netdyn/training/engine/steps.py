"""The optimizer steps of a run, by one of three engines.

    auto     the fast one (docs/engine.md): gradients in blocks and products by oneDNN on
             processors, CUDA graphs on GPUs, no products with inputs that no sample uses
    plain    PyTorch's automatic differentiation, products and optimizers, on every device
    stacked  auto for a run that trains alone; runs of equal shape train at once, as one network
             (see `stacked_steps`)

All give the same numbers within rounding. The engine is no setting of a run; since it changes last
bits, it is part of the identity of checkpoints and complete runs, and the record of a run names it.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.layers import layers
from netdyn.records.run_settings import RunSettings
from netdyn.runtime.arithmetic import fixed_arithmetic
from netdyn.runtime.products import without_onednn
from netdyn.training.engine import cuda_graphs
from netdyn.training.engine.advancing import Advancing
from netdyn.training.engine.autograd import AutogradGradients
from netdyn.training.engine.batches import Batches
from netdyn.training.engine.copies import Copies
from netdyn.training.engine.gradients import BlockGradients
from netdyn.training.engine.optimizers import TorchOptimizer, direct_optimizer
from netdyn.training.engine.pacing import Pace
from netdyn.training.engine.precision import multiplies_bfloat16, products
from netdyn.training.engine.recorded_steps import RecordedSteps
from netdyn.training.engine.used_inputs import AllInputs, UsedInputs

__all__ = ["ENGINES", "TrainingSteps", "arithmetic", "check_engine", "training_steps"]

ENGINES = ("auto", "plain", "stacked")


def training_steps(
    model: nn.Sequential,
    images: Tensor,
    labels: Tensor,
    settings: RunSettings,
    classes: int,
    engine: str = "auto",
) -> "TrainingSteps":
    """Return the steps of a run; they start from the model's weights and train it.

    Args:
        model: an `MLP`, on the device of the samples.
        images: the training samples (P, N_0): bytes, or floats in [0, 1] in the network's dtype.
        labels: their classes (P,).
        settings: the run's.
        classes: number of classes K.
        engine: "auto" or "plain"; "stacked" makes the steps of auto.

    Raises:
        NetdynError: an engine of another name.
    """
    check_engine(engine)
    return TrainingSteps(model, images, labels, settings, classes, engine)


def check_engine(engine: str) -> None:
    """Raise NetdynError where an engine is none of `ENGINES`."""
    if engine not in ENGINES:
        raise NetdynError(f"engine {engine!r}: choose one of {', '.join(ENGINES)}")


@contextlib.contextmanager
def arithmetic(precision: str, device: torch.device, engine: str) -> Iterator[None]:
    """Train and evaluate within this context: `fixed_arithmetic`, with the engine's products.

    Raises:
        NetdynError: an engine of another name, or as `fixed_arithmetic` does.
    """
    check_engine(engine)
    own_products = without_onednn() if engine == "plain" else contextlib.nullcontext()
    with fixed_arithmetic(precision, device), own_products:
        yield


class TrainingSteps(Advancing):
    """Makes the optimizer steps of a run.

    Only `network` updates the given model: between steps its first layer may be out of date.
    """

    def __init__(
        self,
        model: nn.Sequential,
        images: Tensor,
        labels: Tensor,
        settings: RunSettings,
        classes: int,
        engine: str,
    ):
        """Args: as of `training_steps`."""
        self._model, self._settings, self._device = model, settings, images.device
        self._plain = engine == "plain"
        self._inputs = AllInputs(model) if self._plain else UsedInputs(model, images)
        optimizer = TorchOptimizer if self._plain else direct_optimizer
        self._optimizer = optimizer(
            self._inputs.parameters(),
            settings["optimizer"],
            settings["learning_rate"],
            settings["weight_decay"],
        )
        resident = self._resident(self._inputs.select(images))
        self._batches = Batches(resident, labels, settings)
        self._inputs.network.train()
        self._gradients = self._gradients_of(self._inputs.network, classes)
        state = [
            *self._inputs.parameters(),
            *self._inputs.network.buffers(),
            *self._optimizer.state().values(),
        ]
        self._before = Copies(state)
        self._recorded = self._recorded_steps(state)
        self._pace = Pace(bulk=self._device.type != "cpu" or self._recorded is not None)

    def record(self) -> dict[str, str]:
        """Return what a run's record says of its engine.

        Returns:
            engine: "plain"; or of the others "blocks", "graphs", or "autograd" (steps one by one,
            with automatic differentiation).
            products: how the products of the run's precision are made.
        """
        return {"engine": self.engine, "products": self._products()}

    @property
    def engine(self) -> str:
        """What makes the steps; see `record`."""
        if self._plain:
            return "plain"
        if self._recorded is not None:
            return "graphs"
        return "blocks" if isinstance(self._gradients, BlockGradients) else "autograd"

    def network(self) -> nn.Sequential:
        """Return the network after the steps so far."""
        self._inputs.write()
        return self._model

    def state(self) -> dict[str, Tensor]:
        """Return all that continuing later needs, by name."""
        return {
            **{f"model/{name}": tensor for name, tensor in self.network().state_dict().items()},
            **{f"optimizer/{name}": tensor for name, tensor in self._optimizer.state().items()},
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned for the same samples, settings and engine."""
        self._model.load_state_dict(_without_prefix("model/", state))
        self._inputs.read()
        self._optimizer.load(_without_prefix("optimizer/", state))

    def _resident(self, images: Tensor) -> Tensor:
        """Return the images as they are stored: rounded where each product would round them."""
        rounded = self._settings["precision"] == "bfloat16" and images.device.type == "cuda"
        if self._plain or not rounded or not images.is_floating_point():
            return images
        return images.bfloat16()

    def _gradients_of(
        self, network: nn.Sequential, classes: int
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Return what fills the gradients from a batch (P, N_0), (P,) and returns its loss ().

        On processors these are blocks that stay in the cache, where the processor has instructions
        for the products; on GPUs it is automatic differentiation.
        """
        settings = self._settings
        rounded = settings["precision"] == "bfloat16"
        normalised = any(isinstance(module, nn.BatchNorm1d) for module in network)
        possible = not rounded or (normalised and multiplies_bfloat16(self._device))
        if self._device.type == "cpu" and possible and not self._plain:
            factors = torch.bfloat16 if rounded else None
            return BlockGradients(network, settings["loss"], settings["threads"], factors)
        return AutogradGradients(
            network, settings["precision"], settings["loss"], classes, emulates=not self._plain
        )

    def _recorded_steps(self, state: list[Tensor]) -> RecordedSteps | None:
        if self._plain:
            return None
        widest = max(layer.linear.out_features for layer in layers(self._inputs.network))
        steps_of_a_graph = cuda_graphs.steps_of_a_graph(self._batches.size * widest)
        recorder = cuda_graphs.recorder(self._device)
        if recorder is None or not steps_of_a_graph:
            return None
        return RecordedSteps(self._update, self._batches, state, recorder, steps_of_a_graph)

    def _products(self) -> str:
        if self._plain:
            return f"{self._settings['precision']} by PyTorch"
        return products(self._settings["precision"], self._device)


def _without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
