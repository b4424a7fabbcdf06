"""Training: a run's settings and a data set in, a whole run on disk out.

The data stays on the device, as bytes where float would not fit. Measuring more often, stopping and
resuming change no bit of the weights.
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
from netdyn.results import runs
from netdyn.runtime.arithmetic import device_name, fixed_arithmetic, gpu_identity, gpu_record
from netdyn.runtime.devices import choose_device
from netdyn.training import checkpoints
from netdyn.training.batches import as_trained
from netdyn.training.engine.precision import products
from netdyn.training.evaluation import Evaluator
from netdyn.training.pacing import Pace
from netdyn.training.schedules import scheduled_steps, upcoming
from netdyn.training.steps import Steps

__all__ = ["train"]

log = logging.getLogger(__name__)

# Seconds between two checkpoints: what a killed job loses at most.
CHECKPOINT_SECONDS = 30.0
# Up to this many values the training images are kept as float32 on the device (2 GB; almost twice
# that where training leaves inputs out, which takes a copy).
RESIDENT_VALUES = 500_000_000


def train(
    settings: Mapping,
    data_file: Path,
    output: Path,
    checkpoint_folder: Path,
    device: str = "auto",
    progress: Callable[[int, int, str], None] = lambda step, steps, said: None,
    stopping: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> bool:
    """Train the run of `settings` and write it whole into `output`, or go on where it was cut.

    Args:
        settings: the run's resolved settings (`settings.Run.settings`).
        data_file: the prepared data set.
        output: the run's folder.
        checkpoint_folder: where the run is kept while it is not whole; removed at the end.
        device: "auto", "cpu", "cuda" or "mps".
        progress: told the step, the number of steps and the latest accuracies.
        stopping: asked at every step, on a GPU every half second; once true, a checkpoint is
            written and training ends.
        checkpoint_seconds: between two checkpoints, from 0, which writes one each time that
            `stopping` is asked.

    Returns:
        True when the run is whole, False when `stopping` ended it before.

    A run whose loss is no longer finite ends there: its history ends with a row that says so, and
    its manifest names the step; what it kept before is whole.

    Raises:
        NetdynError: the data do not fit the settings, the device is missing or lacks the precision,
            or checkpoint_seconds is negative.
    """
    if not checkpoint_seconds >= 0:
        raise NetdynError(f"checkpoint_seconds {checkpoint_seconds}: give 0 or more")
    chosen = choose_device(device)
    with fixed_arithmetic(settings["precision"], chosen):
        return _train(
            *(settings, data_file, output, checkpoint_folder, chosen),
            *(progress, stopping, checkpoint_seconds),
        )


def _train(
    settings: Mapping,
    data_file: Path,
    output: Path,
    checkpoint_folder: Path,
    chosen: torch.device,
    progress: Callable[[int, int, str], None],
    stopping: Callable[[], bool],
    checkpoint_seconds: float,
) -> bool:
    origin = provenance.Origin(__name__)
    torch.set_num_threads(settings["threads"])
    loaded = prepared.load(data_file)
    prepared.check_name(loaded, settings, data_file)
    images, labels = _training_samples(loaded, settings, chosen)
    model = runs.build_model(settings, images.shape[1], loaded.classes).to(chosen)
    initialise(model, settings["seed"], settings["initial_scale"], _initial_range(settings))
    taking = Steps(model, images, labels, settings, loaded.classes)
    data_sha256 = prepared.metadata(data_file)["sha256"]
    state = checkpoints.Checkpoint(
        checkpoint_folder,
        taking,
        {
            **settings,
            "device": chosen.type,
            "data_sha256": data_sha256,
            **gpu_identity(chosen),
        },
    )
    state.resume()
    if state.step:
        log.info("resumed at step %d of %d", state.step, settings["steps"])

    evaluator = Evaluator(loaded, images, labels, settings, chosen)
    evaluated = set(scheduled_steps(settings["evaluate"], settings["steps"]))
    kept = set(scheduled_steps(settings["snapshots"], settings["steps"]))
    evaluated |= kept  # so that every kept step has its accuracies on record
    next_evaluated = upcoming(evaluated)
    last_checkpoint = time.monotonic()
    pace = Pace(taking.many)

    step, diverged = state.step, False
    while True:
        if (step in evaluated or diverged) and not state.has_row(step):
            with fixed_arithmetic("float32", chosen):  # measuring, also of a run in tf32
                row = evaluator.row(taking.network(), step)
            diverged = diverged or not math.isfinite(row["train_loss"])
            if diverged:
                row["train_loss"] = math.nan  # also where only the last batch's was not finite
            state.add_row(row, better=not diverged and row["test_accuracy"] > state.best_accuracy)
            progress(step, settings["steps"], _said(row))
        if step in kept and (step == 0 or not diverged):
            state.keep(step)
        if diverged:
            log.warning(
                "training diverged at step %d of %d; lower learning_rate (now %g) or initial_scale "
                "(now %g)",
                *(step, settings["steps"], settings["learning_rate"], settings["initial_scale"]),
            )
            break
        if step == settings["steps"]:
            break
        due = time.monotonic() - last_checkpoint > checkpoint_seconds
        if stopping() or due:
            state.write(step)
            last_checkpoint = time.monotonic()
            progress(step, settings["steps"], _said(state.rows[-1]))
            if stopping():
                return False
        pace.start()
        losses = taking.advance_many(step, min(next_evaluated(step) - step, pace.steps))
        step += len(losses)
        diverged = not math.isfinite(losses[-1].item())  # waits for the device
        pace.stop(len(losses))

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
            device=chosen.type,
            device_name=device_name(chosen),
            **gpu_record(chosen),
            engine=taking.engine,
            threads=settings["threads"],
            products=products(settings["precision"], chosen),
            sittings=state.sittings,
            data_sha256=data_sha256,
        ),
    )
    state.remove()
    return True


def _training_samples(
    loaded: prepared.Dataset, settings: Mapping, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the run's training images, float in [0, 1] or bytes (P, N_0), and labels (P,)."""
    images, labels = prepared.training_samples(loaded, settings)
    images, labels = images.to(device), labels.to(device)
    if images.numel() <= RESIDENT_VALUES:
        images = as_trained(images, settings)
    return images, labels


def _initial_range(settings: Mapping) -> float | None:
    return None if settings["initial_range"] == "fan_in" else settings["initial_range"]


def _said(row: Mapping) -> str:
    return f"training accuracy {row['train_accuracy']:.4f}, test {row['test_accuracy']:.4f}"
