"""Loss and gradients of a network on a batch by PyTorch's automatic differentiation."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from netdyn.training.engine.precision import autocast_logits, logits_in_precision

__all__ = ["AutogradGradients"]


class AutogradGradients:
    """Computes loss and gradients of one network, batch after batch."""

    def __init__(
        self, model: nn.Sequential, precision: str, loss: str, classes: int, emulates: bool = True
    ):
        """Prepare the gradients of a network.

        Args:
            model: an `MLP`.
            precision: a run's.
            loss: "cross_entropy", or "mse" (the mean over samples and outputs, on one-hot targets).
            classes: number of classes K.
            emulates: whether products of bfloat16 are made in float32 where the processor has no
                instructions for them; else autocast makes them, which is very slow there.
        """
        self._model, self._precision = model, precision
        self._logits = logits_in_precision if emulates else autocast_logits
        self._loss = _loss_function(model, loss, classes)

    def __call__(self, x: Tensor, labels: Tensor) -> Tensor:
        """Fill every parameter's `grad`, update running statistics, return the mean loss ().

        Args: the batch, (P, N_0), and its classes, (P,).
        """
        self._model.train()
        self._model.zero_grad(set_to_none=True)
        loss = self._loss(self._logits(self._model, x, self._precision), labels)
        loss.backward()
        return loss.detach()


def _loss_function(
    model: nn.Sequential, loss: str, classes: int
) -> Callable[[Tensor, Tensor], Tensor]:
    if loss == "cross_entropy":
        return nn.functional.cross_entropy
    weight = next(model.parameters())
    one_hot = torch.eye(classes, dtype=weight.dtype, device=weight.device)

    def mean_squared_error(logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.mse_loss(logits, one_hot.index_select(0, labels))

    return mean_squared_error
