"""What is recorded at an evaluated step. It reads the network and leaves it as it was."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netdyn.data import prepared
from netdyn.networks.reading import Network, read

__all__ = ["Evaluator", "statistics_distance"]

# Samples passed through a network at once in evaluation mode, where they do not meet.
CHUNK = 10_000


class Evaluator:
    """Losses, accuracies, norms and statistics of a network on a fixed data set."""

    def __init__(
        self,
        loaded: prepared.Dataset,
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
        x = prepared.to_unit(images) if images.dtype == torch.uint8 else images
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
        network = read(model)
        train_loss, train_accuracy, met = self._training_samples(network)
        test_logits = network.logits(self.test_images, CHUNK)  # (P_test, K)
        own_logits = (
            network.batch_statistics(self.test_images)[0] if self.batch_norm else test_logits
        )
        judged = [self._judged(outputs, self.test_labels) for outputs in (test_logits, own_logits)]
        (test_loss, correct), (_, own_correct) = torch.stack(judged).tolist()
        row = {
            "step": step,
            "epoch": step / self.steps_per_epoch,
            "train_loss": train_loss,
            "test_loss": test_loss,
            "train_accuracy": train_accuracy,
            "test_accuracy": correct / len(self.test_labels),
            "test_accuracy_batch_statistics": own_correct / len(self.test_labels),
        }
        numbers = {
            f"weight_norm_{l}": layer.linear.weight.detach().norm()
            for l, layer in enumerate(network.layers, 1)
        }
        for l, (layer, statistics) in enumerate(zip(network.layers, met, strict=True), 1):
            if statistics is not None:
                numbers[f"statistics_distance_{l}"] = statistics_distance(layer.norm, *statistics)
        # All at once: a GPU is waited for whenever a number is read.
        row |= zip(numbers, torch.stack([*numbers.values()]).tolist(), strict=True)
        return row

    def _training_samples(
        self, network: Network
    ) -> tuple[float, float, list[tuple[Tensor, Tensor] | None]]:
        """Return loss, accuracy and the first batch's statistics, all in training mode."""
        size = self.batch if self.batch_norm else min(CHUNK, len(self.labels))
        first: list[tuple[Tensor, Tensor] | None] | None = None
        judged: list[Tensor] = []
        counts: list[int] = []
        for x, y in zip(self.images.split(size), self.labels.split(size), strict=True):
            if self.batch_norm and len(y) < size:
                break
            outputs, met = network.batch_statistics(self._input(x))
            first = met if first is None else first
            judged.append(self._judged(outputs, y))
            counts.append(len(y))
        loss = correct = 0.0
        for (mean, right), count in zip(torch.stack(judged).tolist(), counts, strict=True):
            loss += mean * count
            correct += right
        return loss / sum(counts), correct / sum(counts), first

    def _judged(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss, and how many samples are classified as their label, (2,).

        Their number, exact in float32 too, is NaN where outputs are not finite.
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
    0 when they agree, of order 1 when they are off by a standard deviation. A neuron that is
    constant over the batch counts with BN's own ε as its variance.
    """
    deviation = (variance + norm.eps).sqrt()
    running = (norm.running_var + norm.eps).sqrt()
    shift = (norm.running_mean - mean) / deviation
    return (shift.square() + (running / deviation - 1).square()).mean().sqrt()
