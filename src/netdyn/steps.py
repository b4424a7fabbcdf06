"""The optimizer steps of a run: which samples each takes, its gradients and its update.

Batches follow from the seed and the epoch alone.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from netdyn import data
from netdyn.gradients import BlockGradients
from netdyn.optimizers import Optimizer
from netdyn.precision import logits_in_precision, multiplies_bfloat16
from netdyn.random_streams import generator
from netdyn.used_inputs import UsedInputs

__all__ = ["Batches", "Steps", "as_trained", "below"]


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
        self._batches = Batches(self._inputs.of(images), labels, settings)
        self._gradients = _gradients(self._inputs.network, settings, classes, images.device)

    def take(self, step: int) -> Tensor:
        """Take the step after `step` others; return the loss () of its batch before it."""
        loss = self._gradients(*self._batches.at(step))
        self._optimizer.step()
        return loss

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


def as_trained(images: Tensor, settings: Mapping) -> Tensor:
    """Return images (P, N_0) as the network takes them: in [0, 1], in the run's precision."""
    x = data.to_unit(images) if images.dtype == torch.uint8 else images
    return x.double() if settings["precision"] == "float64" else x


class Batches:
    """The batch of each step: one permutation an epoch, an incomplete last batch left out."""

    def __init__(self, images: Tensor, labels: Tensor, settings: Mapping):
        self.images, self.labels, self.settings = images, labels, settings
        full = settings["batch_size"] == "full"
        self.size = len(labels) if full else settings["batch_size"]
        self.per_epoch = len(labels) // self.size
        self.full = full
        self.epoch = -1
        self.taken: Tensor | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Return inputs (batch, N_0), good until the next call, and labels (batch,)."""
        if self.full:
            return as_trained(self.images, self.settings), self.labels
        epoch, index = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            stream = generator(self.settings["seed"], "batch order", epoch)
            order = torch.randperm(len(self.labels), generator=stream)
            self.order, self.epoch = order.to(self.labels.device), epoch
        chosen = self.order[index * self.size : (index + 1) * self.size]  # (batch,)
        if self.taken is None:
            self.taken = self.images[chosen]
        # In one place: fetching new pages of memory takes longer than filling them.
        torch.index_select(self.images, 0, chosen, out=self.taken)
        return as_trained(self.taken, self.settings), self.labels.index_select(0, chosen)


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
    loss_function = _loss_function(settings, classes)

    def differentiated(x: Tensor, labels: Tensor) -> Tensor:
        model.train()
        model.zero_grad(set_to_none=True)
        logits = logits_in_precision(model, x, settings["precision"])  # (batch, K)
        loss = loss_function(logits, labels)
        loss.backward()
        return loss.detach()

    return differentiated


def _loss_function(settings: Mapping, classes: int) -> Callable[[Tensor, Tensor], Tensor]:
    if settings["loss"] == "cross_entropy":
        return nn.functional.cross_entropy

    def mean_squared_error(logits: Tensor, labels: Tensor) -> Tensor:
        one_hot = nn.functional.one_hot(labels, classes).to(logits.dtype)
        return nn.functional.mse_loss(logits, one_hot)

    return mean_squared_error
