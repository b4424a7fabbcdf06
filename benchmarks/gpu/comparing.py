"""Times measured on an H200 beside the model's: of single steps, and of complete trainings."""

from collections.abc import Mapping

import pandas as pd

from gpu.groups import ROOT
from gpu.model import rounded_precision, step_seconds
from gpu.rates import GPUS
from netdyn.plan.settings import Run
from netdyn.records.files import read_json

__all__ = ["step_times", "training_times"]

MEASURED = ROOT / "docs" / "speed" / "gpu_h200.csv"
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


def training_times(grouped: Mapping[str, list[Run]], scale: str) -> pd.DataFrame:
    """Return a row per group of the trainings on record at a scale.

    Returns:
        group; trainings on record; steps, of all of them; measured_s, from their provenance, with
        evaluation, loading and recording of graphs; model_s, of their steps alone; ratio.
    """
    path = ROOT / "results" / scale / "reference" / "provenance" / "runs.json"
    records = read_json(path)
    rows = []
    for group, runs in grouped.items():
        recorded = [run for run in runs if run.id in records]
        if not recorded:
            continue
        measured = sum(records[run.id]["seconds"] for run in recorded)
        modelled = sum(_training_seconds(run.settings) for run in recorded)
        rows.append(
            {
                "group": group,
                "trainings": len(recorded),
                "steps": sum(run.settings["steps"] for run in recorded),
                "measured_s": _rounded(measured),
                "model_s": _rounded(modelled),
                "ratio": _rounded(measured / modelled),
            }
        )
    return pd.DataFrame(rows)


def _training_seconds(settings: Mapping) -> float:
    precision = rounded_precision(settings, settings["precision"])
    return settings["steps"] * step_seconds(settings, GPU, precision, "graphs")


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
