"""What one run leaves behind while it trains: its history, its kept weights, where it diverged."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Protocol

import pandas as pd
from torch import Tensor, nn

from netdyn.records.run_settings import RunSettings
from netdyn.training.schedules import scheduled_steps, upcoming

__all__ = ["Course", "Trained", "on_cpu"]

log = logging.getLogger(__name__)

# How the names of the best weights begin in a state.
BEST = "best/"


class Trained(Protocol):
    """A run whose steps are made: alone (`TrainingSteps`), or in a stack (`RunOfStack`)."""

    def network(self) -> nn.Sequential:
        """Return the network after the steps so far."""

    def state(self) -> dict[str, Tensor]:
        """Return all that continuing later needs, by name."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned."""


class Course:
    """The course of a run.

    Attributes:
        rows: the history so far.
        best_step: the evaluated step of the best test accuracy.
        diverged_step: the step at which the loss was no longer finite, where the run ended.
        snapshots: weights by step that no file holds yet.
        files: snapshots in files, by name, with their SHA-256.
    """

    def __init__(
        self,
        trained: Trained,
        evaluate: Callable[[nn.Module, int], dict[str, float]],
        settings: RunSettings,
    ):
        """Args: what trains; returns the history's row of a network at a step; the settings."""
        self.trained, self.settings, self._evaluate = trained, settings, evaluate
        self._evaluated = set(scheduled_steps(settings["evaluate"], settings["steps"]))
        self._kept = set(scheduled_steps(settings["snapshots"], settings["steps"]))
        self._evaluated |= self._kept  # so that every snapshot has its accuracies on record
        self.next_evaluated = upcoming(self._evaluated)
        self.rows: list[dict[str, float]] = []
        self.best_step, self._best_accuracy = 0, -1.0
        self._best: dict[str, Tensor] = {}
        self.diverged_step: int | None = None
        self.snapshots: dict[int, dict[str, Tensor]] = {}
        self.files: dict[str, str] = {}

    def visit(self, step: int, loss: float) -> bool:
        """Record what is due after `step` steps, of which the last had this loss.

        A run whose loss is not finite ends: its history ends with a row that says so.

        Returns:
            Whether a row was added to the history.
        """
        if self.diverged_step is not None:
            return False
        diverged, adds = not math.isfinite(loss), False
        if (step in self._evaluated or diverged) and not self._has_row(step):
            row, adds = self._evaluate(self.trained.network(), step), True
            diverged = diverged or not math.isfinite(row["train_loss"])
            if diverged:
                row["train_loss"] = math.nan  # also where only the last batch's was not finite
            self._add_row(row, better=not diverged and row["test_accuracy"] > self._best_accuracy)
        if step in self._kept and (step == 0 or not diverged):
            # Cloned: on the processor training continues in the same memory.
            weights = on_cpu(self.trained.network().state_dict())
            self.snapshots[step] = {name: tensor.clone() for name, tensor in weights.items()}
        if diverged:
            self.diverged_step = step
            log.warning(
                "training diverged at step %d of %d; lower learning_rate (now %g) or initial_scale "
                "(now %g)",
                *(step, self.settings["steps"], self.settings["learning_rate"]),
                self.settings["initial_scale"],
            )
        return adds

    def _has_row(self, step: int) -> bool:
        return bool(self.rows) and self.rows[-1]["step"] >= step

    def _add_row(self, row: dict[str, float], better: bool) -> None:
        self.rows.append(row)
        if better:
            self.best_step, self._best_accuracy = int(row["step"]), row["test_accuracy"]
            weights = self.trained.network().state_dict()
            self._best = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def history(self) -> pd.DataFrame:
        """Return the evaluated steps so far, a row each."""
        return pd.DataFrame(self.rows)

    def best(self) -> dict[int, dict[str, Tensor]]:
        """Return the weights of the best step under its number; empty before the first."""
        return {self.best_step: on_cpu(self._best)} if self._best else {}

    def description(self) -> dict:
        """Return what a checkpoint says of the run beside its tensors."""
        return {
            "rows": self.rows,
            "best_step": self.best_step,
            "best_accuracy": self._best_accuracy,
            "diverged_step": self.diverged_step,
            "kept": self.files,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint."""
        best = {f"{BEST}{name}": tensor for name, tensor in self._best.items()}
        return on_cpu(self.trained.state() | best)

    def load(self, description: Mapping, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `description` and `tensors` returned."""
        self.trained.load(tensors)
        device = next(self.trained.network().parameters()).device
        self._best = {
            k.removeprefix(BEST): v.to(device) for k, v in tensors.items() if k.startswith(BEST)
        }
        self.rows, self.files = description["rows"], description["kept"]
        self.best_step = description["best_step"]
        self._best_accuracy = description["best_accuracy"]
        self.diverged_step = description["diverged_step"]


def on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the CPU, contiguous: those that are there already are not copied."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
