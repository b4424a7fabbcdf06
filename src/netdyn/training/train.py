"""Training: a run's settings and a data set in, a complete run on disk out.

The data stay on the device, as bytes where floats would not fit. Evaluating more often, stopping
and resuming change no bit of the weights.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.networks.mlp import initialise
from netdyn.records import provenance
from netdyn.records.run_settings import RunSettings
from netdyn.results import runs
from netdyn.runtime.arithmetic import device_name, fixed_arithmetic, gpu_identity, gpu_record
from netdyn.runtime.devices import choose_device
from netdyn.training import checkpoints
from netdyn.training.engine import steps as engine_steps
from netdyn.training.evaluation import Evaluator
from netdyn.training.schedules import scheduled_steps, upcoming

__all__ = ["train"]

log = logging.getLogger(__name__)

# Seconds between two checkpoints: a killed job loses at most these.
CHECKPOINT_SECONDS = 30.0
# Training images of up to this many values are stored as float32 on the device (2 GB; almost twice
# that where training omits unused inputs, which takes a copy).
RESIDENT_VALUES = 500_000_000


def train(
    settings: RunSettings,
    data_file: Path,
    output: Path,
    checkpoint_folder: Path,
    device: str = "auto",
    engine: str = "auto",
    progress: Callable[[int, int, str], None] = lambda step, steps, accuracies: None,
    stopping: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    checkpoint_due: Callable[[], bool] = lambda: False,
) -> bool:
    """Train the run of `settings`, or resume it, and write it into `output` once it is complete.

    Args:
        settings: the run's resolved settings.
        data_file: the prepared data set.
        output: the run's folder.
        checkpoint_folder: holds the checkpoint of an incomplete run; removed at the end.
        device: "auto", "cpu", "cuda" or "mps".
        engine: what makes the steps: "auto", or "plain" for PyTorch's own (docs/engine.md).
        progress: called with the step, the number of steps and the latest accuracies.
        stopping: called at every step, on a GPU every half second; once it returns True, a
            checkpoint is written and training ends.
        checkpoint_seconds: between two checkpoints, at least 0, which writes one with each call of
            `stopping`.
        checkpoint_due: called as `stopping` is; where it returns True, a checkpoint is written and
            training goes on.

    Returns:
        True when the run is complete, False when `stopping` ended it before.

    A run whose loss is no longer finite ends there: its history ends with a row that says so, and
    its manifest names the step; its earlier snapshots are valid.

    Raises:
        NetdynError: the data do not fit the settings, the device is missing or lacks the precision,
            the engine is unknown, or checkpoint_seconds is negative.
    """
    if not checkpoint_seconds >= 0:
        raise NetdynError(f"checkpoint_seconds {checkpoint_seconds}: give 0 or more")
    chosen = choose_device(device)
    with engine_steps.arithmetic(settings["precision"], chosen, engine):
        return _train(
            *(settings, data_file, output, checkpoint_folder, chosen, engine),
            *(progress, stopping, checkpoint_seconds, checkpoint_due),
        )


def _train(
    settings: RunSettings,
    data_file: Path,
    output: Path,
    checkpoint_folder: Path,
    device: torch.device,
    engine: str,
    progress: Callable[[int, int, str], None],
    stopping: Callable[[], bool],
    checkpoint_seconds: float,
    checkpoint_due: Callable[[], bool],
) -> bool:
    origin = provenance.Origin(__name__)
    torch.set_num_threads(settings["threads"])
    loaded = prepared.load(data_file)
    prepared.check_name(loaded, settings, data_file)
    images, labels = _training_samples(loaded, settings, device)
    model = runs.build_model(settings, images.shape[1], loaded.classes).to(device)
    initialise(model, settings["seed"], settings["initial_scale"], _initial_range(settings))
    steps = engine_steps.training_steps(model, images, labels, settings, loaded.classes, engine)
    data_sha256 = prepared.metadata(data_file)["sha256"]
    state = checkpoints.Checkpoint(
        checkpoint_folder,
        steps,
        {
            **settings,
            "device": device.type,
            "engine": engine,
            "data_sha256": data_sha256,
            **gpu_identity(device),
        },
    )
    state.resume()
    if state.step:
        log.info("resumed at step %d of %d", state.step, settings["steps"])

    evaluator = Evaluator(loaded, images, labels, settings, device)
    evaluated = set(scheduled_steps(settings["evaluate"], settings["steps"]))
    snapshots = set(scheduled_steps(settings["snapshots"], settings["steps"]))
    evaluated |= snapshots  # so that every snapshot has its accuracies on record
    next_evaluated = upcoming(evaluated)
    last_checkpoint = time.monotonic()

    step, diverged = state.step, False
    while True:
        if (step in evaluated or diverged) and not state.has_row(step):
            with fixed_arithmetic("float32", device):  # as all measuring, also of a run in tf32
                row = evaluator.row(steps.network(), step)
            diverged = diverged or not math.isfinite(row["train_loss"])
            if diverged:
                row["train_loss"] = math.nan  # also where only the last batch's was not finite
            state.add_row(row, better=not diverged and row["test_accuracy"] > state.best_accuracy)
            progress(step, settings["steps"], _accuracies(row))
        if step in snapshots and (step == 0 or not diverged):
            state.add_snapshot(step)
        if diverged:
            log.warning(
                "training diverged at step %d of %d; lower learning_rate (now %g) or initial_scale "
                "(now %g)",
                *(step, settings["steps"], settings["learning_rate"], settings["initial_scale"]),
            )
            break
        if step == settings["steps"]:
            break
        due = checkpoint_due() or time.monotonic() - last_checkpoint > checkpoint_seconds
        if stopping() or due:
            state.write(step)
            last_checkpoint = time.monotonic()
            progress(step, settings["steps"], _accuracies(state.rows[-1]))
            if stopping():
                return False
        count, loss = steps.advance_paced(step, next_evaluated(step) - step)
        step += count
        diverged = not math.isfinite(loss)

    runs.write_run(
        output,
        settings,
        {"inputs": images.shape[1], "classes": loaded.classes},
        state.history(),
        state.snapshots(),
        state.best_step,
        step if diverged else None,
        origin.record(
            started=state.started,
            seconds=round(state.seconds(), 1),
            device=device.type,
            device_name=device_name(device),
            **gpu_record(device),
            **steps.record(),
            threads=settings["threads"],
            sittings=state.sittings,
            data_sha256=data_sha256,
        ),
    )
    state.remove()
    return True


def _training_samples(
    loaded: prepared.Dataset, settings: RunSettings, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the run's training images, float in [0, 1] or bytes (P, N_0), and labels (P,)."""
    images, labels = prepared.training_samples(loaded, settings)
    images, labels = images.to(device), labels.to(device)
    if images.numel() <= RESIDENT_VALUES:
        images = prepared.unit_floats(images, runs.weight_dtype(settings))
    return images, labels


def _initial_range(settings: RunSettings) -> float | None:
    return None if settings["initial_range"] == "fan_in" else settings["initial_range"]


def _accuracies(row: Mapping) -> str:
    return f"training accuracy {row['train_accuracy']:.4f}, test {row['test_accuracy']:.4f}"
