"""Training: settings of runs and a data set in, complete runs on disk out.

One loop trains a run, or a stack of them at once. The data stay on the device, as bytes where
floats would not fit. Evaluating more often, stopping and resuming change no bit of the weights.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.records import provenance
from netdyn.records.run_settings import RunSettings
from netdyn.results import runs as runs_files
from netdyn.runtime.arithmetic import device_name, gpu_identity, gpu_record
from netdyn.runtime.devices import choose_device
from netdyn.training import checkpoints
from netdyn.training.course import Course
from netdyn.training.engine import steps as engine_steps
from netdyn.training.engine.stacked_steps import StackedSteps
from netdyn.training.new_runs import NewRun, evaluation, first_steps, training_samples

__all__ = ["NewRun", "train", "train_stack"]

log = logging.getLogger(__name__)

# Seconds between two checkpoints: a killed job loses at most these.
CHECKPOINT_SECONDS = 30.0


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
        engine: what makes the steps: "auto", or "plain" for PyTorch's own (docs/engine.md);
            "stacked" for those of auto, of a run that may have its place in a stack.
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
    return _train_on(
        *([NewRun(settings, output)], data_file, checkpoint_folder, device, engine),
        *(progress, stopping, checkpoint_seconds, checkpoint_due),
    )


def train_stack(
    runs: Sequence[NewRun],
    data_file: Path,
    checkpoint_folder: Path,
    device: str = "auto",
    progress: Callable[[int, int, str], None] = lambda step, steps, accuracies: None,
    stopping: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    checkpoint_due: Callable[[], bool] = lambda: False,
) -> bool:
    """Train runs at once, or resume them, and write each into its folder once all are complete.

    The engine is "stacked". Each run is within rounding of what `train` makes of it; its last bits
    depend on the runs beside it. A run that diverges ends alone, the others go on.

    Args:
        runs: at least two, of one stack (see `engine.stacking`).
        checkpoint_folder: holds the checkpoint of all, which only the same runs in the same order
            resume.
        data_file, device, progress, stopping, checkpoint_seconds, checkpoint_due: as of `train`.

    Returns:
        True when the runs are complete, False when `stopping` ended them before.

    Raises:
        NetdynError: as `train` does.
    """
    return _train_on(
        *(list(runs), data_file, checkpoint_folder, device, "stacked"),
        *(progress, stopping, checkpoint_seconds, checkpoint_due),
    )


def _train_on(
    runs: Sequence[NewRun],
    data_file: Path,
    checkpoint_folder: Path,
    device: str,
    engine: str,
    progress: Callable[[int, int, str], None],
    stopping: Callable[[], bool],
    checkpoint_seconds: float,
    checkpoint_due: Callable[[], bool],
) -> bool:
    if not checkpoint_seconds >= 0:
        raise NetdynError(f"checkpoint_seconds {checkpoint_seconds}: give 0 or more")
    chosen = choose_device(device)
    with engine_steps.arithmetic(runs[0].settings["precision"], chosen, engine):
        return _train(
            *(runs, data_file, checkpoint_folder, chosen, engine),
            *(progress, stopping, checkpoint_seconds, checkpoint_due),
        )


def _train(
    runs: Sequence[NewRun],
    data_file: Path,
    checkpoint_folder: Path,
    device: torch.device,
    engine: str,
    progress: Callable[[int, int, str], None],
    stopping: Callable[[], bool],
    checkpoint_seconds: float,
    checkpoint_due: Callable[[], bool],
) -> bool:
    origin = provenance.Origin(__name__)
    torch.set_num_threads(runs[0].settings["threads"])
    loaded = prepared.load(data_file)
    for run in runs:
        prepared.check_name(loaded, run.settings, data_file)
    samples = training_samples(runs, loaded, device)
    steps, trained = first_steps(runs, samples, loaded.classes, device, engine)
    courses = [
        Course(each, evaluation(loaded, own, run.settings, device), run.settings)
        for run, own, each in zip(runs, samples, trained, strict=True)
    ]
    last_step = runs[0].settings["steps"]
    data_sha256 = prepared.metadata(data_file)["sha256"]
    state = checkpoints.Checkpoint(
        checkpoint_folder,
        courses,
        {
            "runs": [run.settings for run in runs],
            "device": device.type,
            "engine": engine,
            "data_sha256": data_sha256,
            **gpu_identity(device),
        },
    )
    state.resume()
    if state.step:
        log.info("resumed at step %d of %d", state.step, last_step)

    step, losses = state.step, [0.0] * len(runs)
    last_checkpoint = time.monotonic()
    while True:
        added = [course.visit(step, loss) for course, loss in zip(courses, losses, strict=True)]
        if any(added):
            progress(step, last_step, _accuracies(courses))
        state.limit_memory()
        going = [course for course in courses if course.diverged_step is None]
        if step == last_step or not going:
            break
        due = checkpoint_due() or time.monotonic() - last_checkpoint > checkpoint_seconds
        if stopping() or due:
            state.write(step)
            last_checkpoint = time.monotonic()
            progress(step, last_step, _accuracies(courses))
            if stopping():
                return False
        if isinstance(steps, StackedSteps):
            steps.leave_out([course.diverged_step is not None for course in courses])
        until = min(course.next_evaluated(step) for course in going)
        count, losses = steps.advance_paced(step, until - step)
        step += count

    for run, course in zip(runs, courses, strict=True):
        runs_files.write_run(
            run.output,
            run.settings,
            {"inputs": loaded.train_images.shape[1], "classes": loaded.classes},
            course.history(),
            state.snapshots(course),
            course.best_step,
            course.diverged_step,
            origin.record(
                started=state.started,
                seconds=round(state.seconds(), 1),
                device=device.type,
                device_name=device_name(device),
                **gpu_record(device),
                **steps.record(),
                threads=run.settings["threads"],
                sittings=state.sittings,
                data_sha256=data_sha256,
            ),
        )
    state.remove()
    return True


def _accuracies(courses: Sequence[Course]) -> str:
    row: Mapping = courses[0].rows[-1]
    text = f"training accuracy {row['train_accuracy']:.4f}, test {row['test_accuracy']:.4f}"
    return text if len(courses) == 1 else f"{len(courses)} runs at once, the first: {text}"
