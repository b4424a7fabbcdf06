"""Times measured on an H200 beside the model's: of single steps, and of complete trainings."""

from collections.abc import Mapping

import pandas as pd

from gpu.groups import ROOT
from gpu.kernels import parameters
from gpu.measuring import history_cost
from gpu.model import rounded_precision, step_seconds
from gpu.rates import GPUS, KEPT_BYTES
from netdyn.plan.settings import Run
from netdyn.training.schedules import scheduled_steps

__all__ = ["step_times", "training_times"]

MEASURED = ROOT / "docs" / "speed" / "gpu_h200.csv"
TRAININGS = MEASURED.with_stem("gpu_h200_trainings")
GPU = GPUS["h200"]
# The ways of launching in the model, by the column `taken_by` of the measured table.
LAUNCHED = {"plain": "launches", "graphs": "graphs"}
KEYS = ["group", "depth", "width", "batch", "precision", "engine", "taken_by"]


def step_times(trained: Mapping[str, list[Run]]) -> pd.DataFrame:
    """Return a row per measured case that the settings still have.

    Args:
        trained: the trainings of every declared run, as `settings.runs` returns them.

    Returns:
        group, depth, width, batch, precision, engine and taken_by of docs/speed/gpu_h200.csv;
        measured_ms; estimated_ms, the model's before the measurement; model_ms, the model's now;
        ratio, measured over now.
    """
    settings = {run.id: run.settings for runs in trained.values() for run in runs}
    table = pd.read_csv(MEASURED)
    table = table[table["run"].isin(settings)]
    modelled = [
        1000 * step_seconds(settings[run], GPU, precision, LAUNCHED[taken_by])
        for run, precision, taken_by in table[["run", "precision", "taken_by"]].itertuples(
            index=False
        )
    ]
    measured = table["ms_per_step"]
    return table[KEYS].assign(
        measured_ms=measured.map(_rounded),
        estimated_ms=table["model_ms"].map(_rounded),
        model_ms=[_rounded(value) for value in modelled],
        ratio=(measured / modelled).map(_rounded),
    )


def training_times(grouped: Mapping[str, list[Run]]) -> pd.DataFrame:
    """Return a row per group of the complete trainings that had the GPU to themselves.

    Args:
        grouped: the trainings of the settings by group (`gpu.groups.groups`).

    Returns:
        group; trainings of docs/speed/gpu_h200_trainings.csv that the settings still have; steps,
        of all of them; measured_s; by the model: steps_s, evaluation_s, kept_s (writing weights)
        and their sum, model_s; ratio, measured over model.
    """
    measured = pd.read_csv(TRAININGS).set_index("run")["seconds"]
    rows = []
    for group, runs in grouped.items():
        timed = [run for run in runs if run.id in measured.index]
        if not timed:
            continue
        parts = pd.DataFrame([_training_seconds(run.settings) for run in timed]).sum()
        seconds = sum(measured[run.id] for run in timed)
        rows.append(
            {
                "group": group,
                "trainings": len(timed),
                "steps": sum(run.settings["steps"] for run in timed),
                "measured_s": _rounded(seconds),
                **{name: _rounded(value) for name, value in parts.items()},
                "model_s": _rounded(parts.sum()),
                "ratio": _rounded(seconds / parts.sum()),
            }
        )
    return pd.DataFrame(rows)


def _training_seconds(settings: Mapping) -> dict[str, float]:
    """Return the modelled seconds of a training's parts, in float32 weights."""
    precision = rounded_precision(settings, settings["precision"])
    kept = len(scheduled_steps(settings["snapshots"], settings["steps"])) + 1  # the best too
    return {
        "steps_s": settings["steps"] * step_seconds(settings, GPU, precision, "graphs"),
        "evaluation_s": history_cost(settings, {}, GPU)[1].seconds(),
        "kept_s": kept * 4.0 * parameters(settings) / KEPT_BYTES,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
