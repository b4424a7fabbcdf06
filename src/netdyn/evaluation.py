"""What is recorded at an evaluated step. It reads the network and leaves it as it was."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netdyn import data
from netdyn.layers import layers
from netdyn.propagation import batch_statistics, logits

__all__ = ["Evaluator", "statistics_distance"]

# Samples passed through a network at once in evaluation mode, where they do not meet.
CHUNK = 10_000


class Evaluator:
    """Losses, accuracies, norms and statistics of a network on a fixed data set."""

    def __init__(
        self,
        loaded: data.Dataset,
        images: Tensor,
        labels: Tensor,
        settings: Mapping,
        device: torch.device,
    ):
        """Args: the data set, the run's training samples (P, N_0) and (P,), its settings."""
        self.dtype = torch.float64 if settings["precision"] == "float64" else torch.float32
        self.images, self.labels, self.loss = images, labels, settings["loss"]
        self.test_images = self._input(loaded.test_images.to(device))
        self.test_labels = loaded.test_labels.to(device)
        self.batch_norm = settings["batch_norm"]
        full = settings["batch_size"] == "full"
        self.batch = len(labels) if full else settings["batch_size"]
        self.steps_per_epoch = len(labels) // self.batch

    def _input(self, images: Tensor) -> Tensor:
        x = data.to_unit(images) if images.dtype == torch.uint8 else images
        return x.to(self.dtype)

    def row(self, model: nn.Module, step: int) -> dict[str, float]:
        """Return one row of the history: the network after `step` optimizer steps.

        Returns:
            step, epoch (passes over the training samples);
            train_loss and train_accuracy: training samples in training mode, in batches of the
            training's size, an incomplete last one left out;
            test_loss and test_accuracy: test samples in evaluation mode;
            test_accuracy_batch_statistics: the whole test set as one batch in training mode
            (α = 1 in Eq. 3), the running statistics neither used nor changed;
            weight_norm_l, l = 1 … L: Frobenius norm of W^(l);
            statistics_distance_l: see `statistics_distance`, NaN-free, only with batch norm.
            Accuracies lie in [0, 1], NaN where the outputs are not finite; losses are means over
            samples.
        """
        train_loss, train_accuracy, met = self._training_samples(model)
        test_logits = logits(model, self.test_images, CHUNK)  # (P_test, K)
        own_logits = (
            batch_statistics(model, self.test_images)[0] if self.batch_norm else test_logits
        )
        row = {
            "step": step,
            "epoch": step / self.steps_per_epoch,
            "train_loss": train_loss,
            "test_loss": self._mean_loss(test_logits, self.test_labels),
            "train_accuracy": train_accuracy,
            "test_accuracy": _correct(test_logits, self.test_labels) / len(self.test_labels),
            "test_accuracy_batch_statistics": _correct(own_logits, self.test_labels)
            / len(self.test_labels),
        }
        for l, layer in enumerate(layers(model), 1):
            row[f"weight_norm_{l}"] = layer.linear.weight.detach().norm().item()
        for l, (layer, statistics) in enumerate(zip(layers(model), met, strict=True), 1):
            if statistics is not None:
                row[f"statistics_distance_{l}"] = statistics_distance(layer.norm, *statistics)
        return row

    def _training_samples(
        self, model: nn.Module
    ) -> tuple[float, float, list[tuple[Tensor, Tensor] | None]]:
        """Return loss, accuracy and the first batch's statistics, all in training mode."""
        size = self.batch if self.batch_norm else min(CHUNK, len(self.labels))
        first: list[tuple[Tensor, Tensor] | None] | None = None
        loss = correct = count = 0.0
        for x, y in zip(self.images.split(size), self.labels.split(size), strict=True):
            if self.batch_norm and len(y) < size:
                break
            outputs, met = batch_statistics(model, self._input(x))
            first = met if first is None else first
            loss += self._mean_loss(outputs, y) * len(y)
            correct += _correct(outputs, y)
            count += len(y)
        return loss / count, correct / count, first

    def _mean_loss(self, outputs: Tensor, labels: Tensor) -> float:
        if self.loss == "cross_entropy":
            return nn.functional.cross_entropy(outputs, labels).item()
        one_hot = nn.functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
        return nn.functional.mse_loss(outputs, one_hot).item()


def _correct(outputs: Tensor, labels: Tensor) -> float:
    """Return how many samples are classified as their label, NaN where outputs are not finite."""
    if not outputs.isfinite().all():
        return math.nan
    return (outputs.argmax(1) == labels).sum().item()


def statistics_distance(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> float:
    """Return the normalised distance between running and current statistics of a batch norm.

        sqrt( mean_i [ ((μ̂_i − μ_i) / σ_i)² + (σ̂_i / σ_i − 1)² ] )

    with μ̂, σ̂ the running estimates of Eq. 3 and μ, σ those of the current batch, each (N_l,);
    0 when they agree, of order 1 when they are off by a standard deviation. A neuron that is
    constant over the batch counts with BN's own ε as its variance.
    """
    deviation = (variance + norm.eps).sqrt()
    running = (norm.running_var + norm.eps).sqrt()
    shift = (norm.running_mean - mean) / deviation
    return (shift.square() + (running / deviation - 1).square()).mean().sqrt().item()
