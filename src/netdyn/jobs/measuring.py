"""One quantity, measured on one run or on a block of runs."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import torch

from netdyn import quantities as measurements
from netdyn.errors import NetdynError
from netdyn.jobs.settings_files import read_settings
from netdyn.quantities.modules import module_of, quantity_of
from netdyn.quantities.subject import MeasurementSettings, Subject
from netdyn.records.files import read_json
from netdyn.records.job_settings import MeasuredRun
from netdyn.records.progress_files import ProgressFile
from netdyn.records.provenance import Origin
from netdyn.results.measured import measured_record
from netdyn.results.tables import identified, write_table
from netdyn.runtime import locks
from netdyn.runtime.arithmetic import fixed_arithmetic
from netdyn.runtime.devices import measuring_device
from netdyn.runtime.terminal import message

__all__ = ["measure_block", "measure_file", "quantities", "quantity"]


def quantities() -> list[str]:
    """Return the names of all quantities."""
    modules = pkgutil.iter_modules(measurements.__path__)
    names = sorted(quantity_of(module.name) for module in modules)
    return [name for name in names if _measure(name) is not None]


def _measure(name: str) -> Callable[..., pd.DataFrame] | None:
    try:
        module = importlib.import_module(module_of(name))
    except ModuleNotFoundError as error:
        if error.name == module_of(name):
            return None
        raise
    return getattr(module, "measure", None)


def quantity(name: str) -> Callable[..., pd.DataFrame]:
    """Return the function that measures a quantity.

    Raises:
        NetdynError: there is no such quantity; the message lists those that there are.
    """
    is_name = name.isidentifier() and quantity_of(name) == name
    measure = _measure(name) if is_name else None
    if measure is None:
        raise NetdynError(f"no quantity {name!r}: choose one of {', '.join(quantities())}")
    return measure


def measure_file(
    name: str,
    settings_file: Path,
    output: Path,
    run_folder: Path | None = None,
    data: Path | None = None,
    device: str = "auto",
    log: Path | None = None,
) -> None:
    """Measure a quantity by a file of settings, on its runs or on one of the caller's.

    Args:
        name: the quantity.
        settings_file: `settings` and `runs` of a block, or the measurement's settings alone.
        output: the table.
        run_folder: a run to measure instead of those that the file names.
        data: the prepared data set that this run was trained on.
        device: "auto", "cpu", "cuda" or "mps".
        log: the job's log, beside which its progress is written; None writes none.

    Raises:
        NetdynError: the file holds no such settings, `data` is missing, or as `measure_block`.
    """
    quantity(name)
    content = read_settings(settings_file)
    block = content if content.keys() == {"settings", "runs"} else {"settings": content, "runs": []}
    if "threads" not in block["settings"]:
        raise NetdynError(f"{settings_file} holds no settings of a measurement (it needs threads)")
    runs = block["runs"]
    if run_folder is not None:
        if data is None:
            raise NetdynError("--data is missing: give the data set that the run was trained on")
        runs = [{"folder": str(run_folder), "data": str(data)}]
    with ProgressFile(log).kept() as progress:
        measure_block(name, block["settings"], runs, output, device, progress=progress)


def measure_block(
    name: str,
    settings: MeasurementSettings,
    runs: Sequence[MeasuredRun],
    output: Path,
    device: str,
    open_subject: Callable[[MeasuredRun, str], Subject] | None = None,
    progress: ProgressFile | None = None,
) -> None:
    """Measure a quantity on a block of runs and write its table, with its record beside it.

    Args:
        name: the quantity.
        settings: the measurement's resolved settings.
        runs: of each run its `data` (the prepared data set), its `folder` (or `settings`, a file,
            where it need not be trained) and, where rows are to carry it, its `identity`. Empty
            for a quantity that is measured on no run.
        output: the table.
        device: "auto", "cpu", "cuda" or "mps".
        open_subject: opens a run; `subject_of` unless something else is given.
        progress: where it is written how many of the runs are measured.

    Raises:
        NetdynError: for an unknown quantity, or runs where there should be none or the other way
            round.
    """
    measure = quantity(name)
    origin = Origin(measure.__module__)
    torch.set_num_threads(settings["threads"])
    on_run = "subject" in inspect.signature(measure).parameters
    if on_run and not runs:
        raise NetdynError(f"--run is missing: give the run that {name} is measured on")
    if runs and not on_run:
        raise NetdynError(f"--run: {name} is measured on no run, leave it out")
    arithmetic = fixed_arithmetic("float32", measuring_device(device)) if runs else nullcontext()
    with locks.alone(output), arithmetic:
        tables = []
        for number, run in enumerate(runs, 1):
            if len(runs) > 1:
                message(f"run {number} of {len(runs)}")
                if progress is not None:
                    progress.step(name, number - 1, len(runs))
            table = measure((open_subject or subject_of)(run, device), settings)
            tables.append(identified(table, run["identity"]) if "identity" in run else table)
        table = pd.concat(tables, ignore_index=True) if runs else measure(settings)
        write_table(output, table, measured_record(name, settings, runs, device, origin))


def subject_of(run: MeasuredRun, device: str) -> Subject:
    """Open a run, or the samples of one that need not be trained (see `measure_block`)."""
    if "folder" in run:
        return Subject.open(Path(run["folder"]), Path(run["data"]), device)
    return Subject.of_data(read_json(Path(run["settings"])), Path(run["data"]), device)
