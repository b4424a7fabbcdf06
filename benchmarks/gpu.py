"""What training at a scale costs on a GPU: by a model, or measured.

    python benchmarks/gpu.py --model --output docs/speed/gpu_model.csv   # needs no GPU, no torch
    python benchmarks/gpu.py --output results/gpu.csv --seconds 60       # on this machine's GPU

The model prints a table by group of runs and one by table that is measured, and writes the second
beside the first (`<output>_measurements.csv`). Measuring takes steps of the largest and of the
smallest run of every group, on its real sizes, and compares them with float64 on the processor.
"""

import math
import time
from pathlib import Path
from typing import Annotated

import gpu_groups
import gpu_measuring
import gpu_model
import pandas as pd
import typer
from gpu_rates import GPUS
from rich.console import Console
from rich.table import Table

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
    gpu: Annotated[str, typer.Option(help=f"Of the model: {', '.join(GPUS)}.")] = "h100",
    device: Annotated[str, typer.Option(help="Where steps are measured.")] = "cuda",
    seconds: Annotated[float, typer.Option(help="Budget of measuring.")] = 60.0,
    data: Annotated[Path | None, typer.Option(help="A prepared data set.")] = None,
    output: Annotated[Path, typer.Option(help="The table, CSV.")] = Path("results/gpu.csv"),
) -> None:
    """Model or measure training at a scale on a GPU; status 1 if a case could not be measured."""
    if gpu not in GPUS:
        raise typer.BadParameter(f"no GPU {gpu!r}: {', '.join(GPUS)}")
    config = gpu_groups.load(scale)
    trained = settings.runs(config)
    grouped = gpu_groups.groups(trained)
    if model:
        written = output.with_stem(output.stem + "_measurements")
        measurements = settings.measurements(config, trained)
        costs = gpu_model.training_costs(grouped, GPUS[gpu])
        measuring = gpu_measuring.measuring_costs(measurements, GPUS[gpu])
        for path, table in ((output, costs), (written, measuring)):
            _write(path, table.assign(gpu=gpu, scale=scale))
            _show(table, f"scale {scale} on one {gpu}, modelled")
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
    import gpu_cases
    import gpu_ceilings
    import gpu_steps

    from netdyn.runtime.devices import choose_device

    chosen = choose_device(device)
    here = gpu_ceilings.machine(chosen)
    ceilings = gpu_ceilings.ceilings(chosen)
    columns = here | {f"ceiling_{name}": value for name, value in ceilings.items()}
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    print(", ".join(f"{name} {value / 1e12:.4g} T/s" for name, value in ceilings.items()))
    modelled = None
    if chosen.type == "cuda":
        modelled = GPUS["h200" if "H200" in here["device"] else "h100"]
    rows = gpu_steps.measure(
        gpu_cases.cases(grouped),
        chosen,
        ceilings,
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


if __name__ == "__main__":
    typer.run(main)
