"""What the training of runs starts from: samples, initial weights, what makes the steps."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.data import prepared
from netdyn.networks.mlp import initialise
from netdyn.records.run_settings import RunSettings
from netdyn.results import runs as runs_files
from netdyn.runtime.arithmetic import fixed_arithmetic
from netdyn.training.course import Trained
from netdyn.training.engine.stacked_steps import StackedSteps
from netdyn.training.engine.steps import TrainingSteps, training_steps
from netdyn.training.evaluation import Evaluator

__all__ = ["RESIDENT_VALUES", "NewRun", "evaluation", "first_steps", "training_samples"]

# Training images of up to this many values are stored as float32 on the device (2 GB; almost twice
# that where training omits unused inputs, which takes a copy).
RESIDENT_VALUES = 500_000_000


class NewRun(NamedTuple):
    """A run that is to be trained: its resolved settings, and its folder."""

    settings: RunSettings
    output: Path


def training_samples(
    runs: Sequence[NewRun], loaded: prepared.Dataset, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """Return each run's training images, float in [0, 1] or bytes (P, N_0), and labels (P,).

    Runs with the same samples share them.
    """
    distinct: dict[tuple, tuple[Tensor, Tensor]] = {}
    samples = []
    for run in runs:
        settings = run.settings
        is_subset = settings["samples"] != len(loaded.train_labels)
        key = settings["samples"], settings["seed"] if is_subset else None
        if key not in distinct:
            images, labels = prepared.training_samples(loaded, settings)
            images, labels = images.to(device), labels.to(device)
            if images.numel() <= RESIDENT_VALUES:
                images = prepared.unit_floats(images, runs_files.weight_dtype(settings))
            distinct[key] = images, labels
        samples.append(distinct[key])
    return samples


def first_steps(
    runs: Sequence[NewRun],
    samples: Sequence[tuple[Tensor, Tensor]],
    classes: int,
    device: torch.device,
    engine: str,
) -> tuple[TrainingSteps | StackedSteps, Sequence[Trained]]:
    """Return what makes the steps, from the initial weights, and each run in it."""
    models = []
    for run, (images, _) in zip(runs, samples, strict=True):
        model = runs_files.build_model(run.settings, images.shape[1], classes).to(device)
        scale, weight_range = run.settings["initial_scale"], run.settings["initial_range"]
        fixed = None if weight_range == "fan_in" else weight_range
        initialise(model, run.settings["seed"], scale, fixed)
        models.append(model)
    if len(runs) > 1:
        stacked = StackedSteps(models, samples, [run.settings for run in runs], classes)
        return stacked, stacked.runs
    alone = training_steps(*(models[0], *samples[0], runs[0].settings, classes, engine))
    return alone, [alone]


def evaluation(
    loaded: prepared.Dataset,
    samples: tuple[Tensor, Tensor],
    settings: RunSettings,
    device: torch.device,
) -> Callable[[nn.Module, int], dict[str, float]]:
    """Return what makes the history's row of a network at a step."""
    evaluator = Evaluator(loaded, *samples, settings, device)

    def row(network: nn.Module, step: int) -> dict[str, float]:
        with fixed_arithmetic("float32", device):  # as all measuring, also of a run in tf32
            return evaluator.row(network, step)

    return row
