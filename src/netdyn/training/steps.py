"""The optimizer steps of a run: each one's gradients and its update, one by one or many at once."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from netdyn.networks.layers import layers
from netdyn.training.batches import Batches
from netdyn.training.engine import cuda_graphs
from netdyn.training.engine.copies import Copies
from netdyn.training.engine.gradients import BlockGradients
from netdyn.training.engine.precision import logits_in_precision, multiplies_bfloat16
from netdyn.training.engine.used_inputs import UsedInputs
from netdyn.training.optimizers import Optimizer
from netdyn.training.recorded_steps import RecordedSteps

__all__ = ["Steps", "below"]


class Steps:
    """Takes one optimizer step after the other.

    The network given is brought up to date by `network` alone: between steps its first layer may
    be as it was.
    """

    def __init__(
        self, model: nn.Module, images: Tensor, labels: Tensor, settings: Mapping, classes: int
    ):
        """Args: an `MLP`, the run's training samples (P, N_0) and (P,), its settings."""
        self._model = model
        self._inputs = UsedInputs(model, images)
        self._optimizer = Optimizer(
            self._inputs.parameters(),
            settings["optimizer"],
            settings["learning_rate"],
            settings["weight_decay"],
        )
        self._batches = Batches(_kept(self._inputs.of(images), settings), labels, settings)
        self._gradients = _gradients(self._inputs.network, settings, classes, images.device)
        changed = [
            *self._inputs.parameters(),
            *self._inputs.network.buffers(),
            *self._optimizer.state().values(),
        ]
        self._before = Copies(changed)
        self._recorded = self._recorder_of(changed, images.device)
        # Whether many steps at once cost less than one by one.
        self.many = images.device.type != "cpu" or self._recorded is not None

    @property
    def engine(self) -> str:
        """How steps are taken, for the run's record: "graphs" or "plain"."""
        return "plain" if self._recorded is None else "graphs"

    def take(self, step: int) -> Tensor:
        """Take the step after `step` others; return the loss () of its batch before it."""
        return self._taken(step, 1)[0]

    def advance_many(self, step: int, count: int) -> Tensor:
        """Take up to `count` steps after `step` others; return their losses (taken,), none empty.

        The last step taken is the first whose loss is not finite, if there is one. That is looked
        at on the device, and waited for once.
        """
        if count == 1:
            return self._taken(step, 1)
        self._before.keep()
        losses = self._taken(step, count)
        if losses.isfinite().all():
            return losses
        self._before.restore()
        losses = []
        while len(losses) < count and (not losses or losses[-1].isfinite()):
            losses.append(self.take(step + len(losses)))
        return torch.stack(losses)

    def _taken(self, step: int, count: int) -> Tensor:
        if self._recorded is not None:
            if self._recorded.ready(step, count):
                return self._recorded.take(step, count)
            self._recorded = None
        return torch.stack([self._update(*self._batches.at(step + i)) for i in range(count)])

    def _update(self, x: Tensor, labels: Tensor) -> Tensor:
        loss = self._gradients(x, labels)
        self._optimizer.step()
        return loss

    def _recorder_of(self, changed: list[Tensor], device: torch.device) -> RecordedSteps | None:
        widest = max(layer.linear.out_features for layer in layers(self._inputs.network))
        several = cuda_graphs.steps_of_a_graph(self._batches.size * widest)
        recorder = cuda_graphs.recorder(device)
        if recorder is None or not several:
            return None
        return RecordedSteps(self._update, self._batches, changed, recorder, several)

    def network(self) -> nn.Module:
        """Return the network as the steps so far have left it."""
        self._inputs.write()
        return self._model

    def state(self) -> dict[str, Tensor]:
        """Return what going on later needs."""
        return {
            **{f"model/{name}": tensor for name, tensor in self.network().state_dict().items()},
            **{f"optimizer/{name}": tensor for name, tensor in self._optimizer.state().items()},
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` returned, of the same samples and settings."""
        self._model.load_state_dict(below("model/", state))
        self._inputs.read()
        self._optimizer.load(below("optimizer/", state))


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _kept(images: Tensor, settings: Mapping) -> Tensor:
    """Return a run's images as they are best kept: rounded where each product would round them."""
    rounded = settings["precision"] == "bfloat16" and images.device.type == "cuda"
    return images.bfloat16() if rounded and images.is_floating_point() else images


def _gradients(
    model: nn.Module, settings: Mapping, classes: int, device: torch.device
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what fills the parameters' gradients from a batch (P, N_0), (P,), returning its loss.

    Processors take blocks that stay in their cache, where they have instructions for the products;
    GPUs automatic differentiation.
    """
    model.train()
    rounded = settings["precision"] == "bfloat16"
    normalised = any(isinstance(module, nn.BatchNorm1d) for module in model)
    if device.type == "cpu" and (not rounded or (normalised and multiplies_bfloat16(device))):
        factors = torch.bfloat16 if rounded else None
        return BlockGradients(model, settings["loss"], settings["threads"], factors)
    loss = _loss_function(settings, classes, device)
    return _differentiated(model, settings["precision"], loss)


def _differentiated(
    model: nn.Module, precision: str, loss_function: Callable[[Tensor, Tensor], Tensor]
) -> Callable[[Tensor, Tensor], Tensor]:
    def gradients(x: Tensor, labels: Tensor) -> Tensor:
        model.train()
        model.zero_grad(set_to_none=True)
        logits = logits_in_precision(model, x, precision)  # (batch, K)
        loss = loss_function(logits, labels)
        loss.backward()
        return loss.detach()

    return gradients


def _loss_function(
    settings: Mapping, classes: int, device: torch.device
) -> Callable[[Tensor, Tensor], Tensor]:
    if settings["loss"] == "cross_entropy":
        return nn.functional.cross_entropy
    dtype = torch.float64 if settings["precision"] == "float64" else torch.float32
    one_hot = torch.eye(classes, dtype=dtype, device=device)

    def mean_squared_error(logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.mse_loss(logits, one_hot.index_select(0, labels))

    return mean_squared_error
