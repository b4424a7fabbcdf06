"""The command of `benchmarks/gpu.py`: model, measure, or compare both.

The model prints a table by group of runs and one by table that is measured, and writes the second
beside the first (`<output>_measurements.csv`). Measuring takes steps of the largest and of the
smallest run of every group, on its real sizes, and compares them with float64 on the processor.
Comparing writes one table of steps and one of complete trainings (`<output>_trainings.csv`).
"""

import math
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from gpu.comparing import step_times, training_times
from gpu.groups import groups, load
from gpu.measuring import measuring_costs
from gpu.model import training_costs
from gpu.rates import GPUS
from netdyn.plan import settings
from netdyn.records.files import atomic_write

# Columns of the printed table; the file has all.
SHOWN = ("group", "depth", "width", "batch", "precision", "engine", "taken_by")
SHOWN += ("error_after_one", "rounding_after_one", "error", "rounding")
SHOWN += ("equal_bits", "equals_plain", "ms_per_step", "model_ms", "launches_per_step")
SHOWN += ("tflop_per_second", "share_of_ceiling", "failed")


def main(
    model: Annotated[bool, typer.Option("--model", help="Compute; measure nothing.")] = False,
    scale: str = "paper",
    gpu: Annotated[
        str | None, typer.Option(help=f"Of the model: {' or '.join(GPUS)}; both unless given.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Put committed measurements beside the model.")
    ] = False,
    device: Annotated[
        str, typer.Option(envvar="NETDYN_DEVICE", help="Where steps are measured.")
    ] = "cuda",
    configfile: Annotated[
        list[Path] | None,
        typer.Option(envvar="NETDYN_CONFIGFILE", help="YAML laid over the settings."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Budget of measuring.")] = 60.0,
    data: Annotated[Path | None, typer.Option(help="A prepared data set.")] = None,
    output: Annotated[Path, typer.Option(help="The table, CSV.")] = Path("results/gpu.csv"),
) -> None:
    """Model or measure training on a GPU, or compare both; status 1 if a measurement failed."""
    if gpu is not None and gpu not in GPUS:
        raise typer.BadParameter(f"no GPU {gpu!r}: {', '.join(GPUS)}")
    config = load(scale, configfile or [])
    trained = settings.runs(config)
    grouped = groups(trained)
    if compare:
        beside = output.with_stem(output.stem + "_trainings")
        tables = {output: step_times(trained), beside: training_times(grouped)}
        for path, table in tables.items():
            _write(path, table)
            _show(table, path.stem)
        return
    if model:
        written = output.with_stem(output.stem + "_measurements")
        measurements = settings.measurements(config, trained)
        tables = {output: [], written: []}
        for name in [gpu] if gpu else GPUS:
            tables[output].append(training_costs(grouped, GPUS[name]).assign(gpu=name))
            tables[written].append(measuring_costs(measurements, GPUS[name]).assign(gpu=name))
        for path, each in tables.items():
            table = pd.concat(each, ignore_index=True)
            _write(path, table.assign(scale=scale))
            _show(table, f"scale {scale}, modelled")
        return
    if not _measured(grouped, device, seconds, data, output):
        raise typer.Exit(1)


def _measured(
    grouped: dict[str, list[settings.Run]],
    device: str,
    seconds: float,
    prepared: Path | None,
    output: Path,
) -> bool:
    """Measure every group, write and print the table; return whether all could be measured."""
    since = time.perf_counter()
    from gpu.cases import cases
    from gpu.ceilings import ceilings, machine
    from gpu.steps import measure
    from netdyn.runtime.devices import choose_device

    chosen = choose_device(device)
    description, limits = machine(chosen), ceilings(chosen)
    columns = description | {f"ceiling_{name}": value for name, value in limits.items()}
    print(", ".join(f"{name} {value}" for name, value in description.items()))
    print(", ".join(f"{name} {value / 1e12:.4g} T/s" for name, value in limits.items()))
    modelled = None
    if chosen.type == "cuda":
        modelled = GPUS["h200" if "H200" in description["device"] else "h100"]
    rows = measure(
        cases(grouped),
        chosen,
        limits,
        modelled,
        seconds - (time.perf_counter() - since),
        prepared,
        lambda so_far: _write(output, pd.DataFrame(so_far).assign(**columns)),
    )
    table = pd.DataFrame(rows)
    _show(table.reindex(columns=[*SHOWN]), "steps, measured")
    return bool((table["failed"] == "").all())


def _write(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False)


def _show(table: pd.DataFrame, title: str) -> None:
    shown = Table(title=title, title_justify="left")
    for column in table.columns:
        shown.add_column(column.replace("_", " "))
    for row in table.itertuples(index=False):
        shown.add_row(*(_cell(value) for value in row))
    console = Console(width=None if Console().is_terminal else 220)
    console.print(shown)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
