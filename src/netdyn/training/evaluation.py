"""What is recorded at an evaluated step. Evaluating leaves the network unchanged."""

import math

import torch
from torch import Tensor, nn

from netdyn.data import prepared
from netdyn.networks.reading import Network, read
from netdyn.records.run_settings import RunSettings
from netdyn.results.runs import weight_dtype

__all__ = ["Evaluator", "statistics_distance"]

# Samples that pass through a network at once in evaluation mode, where they are independent.
CHUNK = 10_000


class Evaluator:
    """Losses, accuracies, norms and statistics of a network on a fixed data set."""

    def __init__(
        self,
        loaded: prepared.Dataset,
        images: Tensor,
        labels: Tensor,
        settings: RunSettings,
        device: torch.device,
    ):
        """Args: the data set, the run's training samples (P, N_0) and (P,), its settings."""
        self.dtype = weight_dtype(settings)
        self.images, self.labels, self.loss = images, labels, settings["loss"]
        self.test_images = prepared.unit_floats(loaded.test_images.to(device), self.dtype)
        self.test_labels = loaded.test_labels.to(device)
        self.batch_norm = settings["batch_norm"]
        full = settings["batch_size"] == "full"
        self.batch = len(labels) if full else settings["batch_size"]
        self.steps_per_epoch = len(labels) // self.batch

    def row(self, model: nn.Module, step: int) -> dict[str, float]:
        """Return one row of the history: the network after `step` optimizer steps.

        Returns:
            step, epoch (passes over the training samples);
            train_loss and train_accuracy: training samples in training mode, in batches of the
            training's size, without an incomplete last one;
            test_loss and test_accuracy: test samples in evaluation mode;
            test_accuracy_batch_statistics: the whole test set as one batch in training mode
            (α = 1 in Eq. 3); the running statistics are neither used nor changed;
            weight_norm_l, l = 1 … L: Frobenius norm of W^(l);
            statistics_distance_l: see `statistics_distance`, never NaN, only with batch norm.
            Accuracies lie in [0, 1], NaN where the outputs are not finite; losses are means over
            samples.
        """
        network = read(model)
        train_loss, train_accuracy, batch_moments = self._training_samples(network)
        test_logits = network.logits(self.test_images, CHUNK)  # (P_test, K)
        batch_logits = (
            network.batch_statistics(self.test_images)[0] if self.batch_norm else test_logits
        )
        scores = [self._score(outputs, self.test_labels) for outputs in (test_logits, batch_logits)]
        (test_loss, correct), (_, batch_correct) = torch.stack(scores).tolist()
        row = {
            "step": step,
            "epoch": step / self.steps_per_epoch,
            "train_loss": train_loss,
            "test_loss": test_loss,
            "train_accuracy": train_accuracy,
            "test_accuracy": correct / len(self.test_labels),
            "test_accuracy_batch_statistics": batch_correct / len(self.test_labels),
        }
        numbers = {
            f"weight_norm_{l}": layer.linear.weight.detach().norm()
            for l, layer in enumerate(network.layers, 1)
        }
        for l, (layer, moments) in enumerate(zip(network.layers, batch_moments, strict=True), 1):
            if moments is not None:
                numbers[f"statistics_distance_{l}"] = statistics_distance(layer.norm, *moments)
        # All at once: each number that is read waits for the GPU.
        row |= zip(numbers, torch.stack([*numbers.values()]).tolist(), strict=True)
        return row

    def _training_samples(
        self, network: Network
    ) -> tuple[float, float, list[tuple[Tensor, Tensor] | None]]:
        """Return loss, accuracy and the first batch's mean and variance by layer.

        All are those of training mode.
        """
        size = self.batch if self.batch_norm else min(CHUNK, len(self.labels))
        first: list[tuple[Tensor, Tensor] | None] | None = None
        scores: list[Tensor] = []
        counts: list[int] = []
        for x, y in zip(self.images.split(size), self.labels.split(size), strict=True):
            if self.batch_norm and len(y) < size:
                break
            outputs, moments = network.batch_statistics(prepared.unit_floats(x, self.dtype))
            first = moments if first is None else first
            scores.append(self._score(outputs, y))
            counts.append(len(y))
        loss = correct = 0.0
        for (mean_loss, hits), count in zip(torch.stack(scores).tolist(), counts, strict=True):
            loss += mean_loss * count
            correct += hits
        return loss / sum(counts), correct / sum(counts), first

    def _score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss and the number of samples classified as their label, (2,).

        The number is exact, in float32 too, and NaN where outputs are not finite.
        """
        loss = self._mean_loss(outputs, labels)
        correct = (outputs.argmax(1) == labels).sum().to(loss.dtype)
        return torch.stack([loss, torch.where(outputs.isfinite().all(), correct, math.nan)])

    def _mean_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        if self.loss == "cross_entropy":
            return nn.functional.cross_entropy(outputs, labels)
        one_hot = nn.functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
        return nn.functional.mse_loss(outputs, one_hot)


def statistics_distance(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> Tensor:
    """Return the normalised distance, (), between running and current statistics of a batch norm.

        sqrt( mean_i [ ((μ̂_i − μ_i) / σ_i)² + (σ̂_i / σ_i − 1)² ] )

    with μ̂, σ̂ the running estimates of Eq. 3 and μ, σ those of the current batch, each (N_l,);
    0 where they agree, of order 1 where they differ by a standard deviation. A neuron that is
    constant over the batch has BN's ε as its variance.
    """
    deviation = (variance + norm.eps).sqrt()
    running = (norm.running_var + norm.eps).sqrt()
    shift = (norm.running_mean - mean) / deviation
    return (shift.square() + (running / deviation - 1).square()).mean().sqrt()
