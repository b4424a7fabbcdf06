"""What an explorer shows of run folders beside their histories, measured from their snapshots."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.explorer.sources import Run
from netdyn.jobs.measuring import quantity
from netdyn.quantities.subject import Subject
from netdyn.records.files import digest_file, read_json
from netdyn.records.provenance import Origin
from netdyn.records.sealed import read_record, record_path
from netdyn.results import runs
from netdyn.results.measured import measured_record
from netdyn.results.tables import identified, write_table
from netdyn.runtime.arithmetic import fixed_arithmetic
from netdyn.runtime.devices import measuring_device
from netdyn.runtime.terminal import message, progress

__all__ = ["measure_runs"]

_SAMPLES = 2000  # training samples: g of a class is then good to some 0.1
_MODES = ["evaluation", "training"]
_RANKS = {"samples": _SAMPLES, "modes": _MODES}
_VIEWS = [["train", "training"], ["test", "evaluation"], ["test", "training"]]
# What is measured at every kept step, by the kind of table that the explorer knows it by.
_MEASURED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "gradient": ("rpd_gradient", {**_RANKS, "classes": True}),
    "rpd": ("rank_probability", {**_RANKS, "classes": False, "bins": 50}),
    "projection_course": (
        "projection_course",
        {"samples": _SAMPLES, "views": _VIEWS, "digits": [*range(10)], "points": 20},
    ),
}
_WORDS = {"gradient": "g", "rpd": "RPDs", "projection_course": "projections"}


def measure_runs(chosen: Iterable[Run], folder: Path, data: Path | None, device: str) -> None:
    """Measure what tables lack of run folders, at every kept step, into tables of `folder`.

    What was measured before by the same code and settings of the same run is left as it is.

    Args:
        chosen: runs that have folders, with the tables that there are.
        folder: of the tables, which are named as run and quantity.
        data: the prepared data set of the runs; None for that in results/data.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        NetdynError: the data set is not there or is another one, or a run is damaged.
    """
    for run in chosen:
        missing = [kind for kind in _MEASURED if kind not in run.parts]
        kinds = [kind for kind in missing if not _is_measured(run.folder, kind, folder)]
        if kinds:
            _measure_run(run.folder, kinds, folder, data or _data_of(run.folder), device)


def _table(run_folder: Path, kind: str, folder: Path) -> Path:
    return folder / f"{run_folder.name}_{_MEASURED[kind][0]}.csv"


def _settings(kind: str) -> dict[str, Any]:
    return {"threads": torch.get_num_threads(), "steps": "all", **_MEASURED[kind][1]}


def _is_measured(run_folder: Path, kind: str, folder: Path) -> bool:
    path = _table(run_folder, kind, folder)
    if not (path.is_file() and record_path(path).is_file()):
        return False
    record = read_record(record_path(path))
    now, then = _settings(kind), dict(record["settings"])
    return (
        now | {"threads": None} == then | {"threads": None}
        and record["runs"][0]["manifest_sha256"] == digest_file(run_folder / "manifest.json")
        and record["made"]["code_sha256"] == Origin(_module(kind)).code_sha256
    )


def _module(kind: str) -> str:
    return quantity(_MEASURED[kind][0]).__module__


def _data_of(run_folder: Path) -> Path:
    """Return the file of results/data with the data set that a run was trained on."""
    trained_on = read_json(run_folder / "provenance.json")["data_sha256"]
    for path in sorted((run_folder.parents[2] / "data").glob("*.safetensors")):
        if prepared.metadata(path)["sha256"] == trained_on:
            return path
    raise NetdynError(
        f"--measure: {run_folder.parents[2] / 'data'} does not hold the data set that "
        f"{run_folder.name} was trained on: give its prepared file by --data"
    )


def _measure_run(
    run_folder: Path, kinds: Sequence[str], folder: Path, data: Path, device: str
) -> None:
    origins = {kind: Origin(_module(kind)) for kind in kinds}
    with fixed_arithmetic("float32", measuring_device(device)):
        subject = Subject.open(run_folder, data, device)
        steps = [step for step in subject.steps("all") if _is_finite(run_folder, step)]
        if len(steps) < len(subject.steps("all")):
            message(f"{run_folder.name}: steps at which it had diverged are left out")
        tables = _measured(subject, kinds, steps)
    name = run_folder.name.rpartition("_seed-")[0] or run_folder.name
    identity = {"run": name, "seed": subject.settings["seed"]}
    run = {"folder": str(run_folder), "data": str(data), "identity": identity}
    folder.mkdir(parents=True, exist_ok=True)
    for kind, table in tables.items():
        of = measured_record(_MEASURED[kind][0], _settings(kind), [run], device, origins[kind])
        write_table(_table(run_folder, kind, folder), identified(table, identity), of)


def _measured(
    subject: Subject, kinds: Sequence[str], steps: Sequence[int]
) -> dict[str, pd.DataFrame]:
    """Return the tables of these steps; how long that takes is said after the first of them."""
    name, tables = subject.run_folder.name, {kind: [] for kind in kinds}
    with progress(name, len(steps)) as shown:
        for number, step in enumerate(steps):
            began = time.monotonic()
            for kind in kinds:
                measure = quantity(_MEASURED[kind][0])
                tables[kind].append(measure(subject, {**_settings(kind), "steps": step}))
            if number == 0:
                seconds = (time.monotonic() - began) * len(steps)
                words = ", ".join(_WORDS[kind] for kind in kinds)
                message(f"{name}: {words} at {len(steps)} steps take about {seconds:.0f} s")
            shown(number + 1, len(steps), words)
    return {kind: pd.concat(parts, ignore_index=True) for kind, parts in tables.items() if parts}


def _is_finite(run_folder: Path, step: int) -> bool:
    weights = runs.load_model(run_folder, step).state_dict().values()
    return all(bool(each.isfinite().all()) for each in weights)
