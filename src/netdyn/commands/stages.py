"""Single stages of the workflow: data, a training, a measurement, a table, a figure."""

from pathlib import Path
from typing import Annotated

import typer

from netdyn.commands.options import (
    CheckpointSeconds,
    Data,
    Device,
    Engine,
    Gpus,
    Log,
    Output,
    Settings,
)
from netdyn.runtime import terminal
from netdyn.runtime.terminal import message

__all__ = ["device", "draw", "measure", "prepare", "tabulate", "train", "translate"]


def prepare(
    dataset: Annotated[str, typer.Argument(help="digits, mnist, fashion_mnist or kmnist.")],
    output: Output,
    data_root: Annotated[
        Path, typer.Option(envvar="NETDYN_DATA_ROOT", help="Folder with, or for, the IDX files.")
    ] = Path("data"),
    download: Annotated[bool, typer.Option(help="Download what is not there.")] = True,
) -> None:
    """Read or download a data set, check its content and write the prepared file."""
    from netdyn.data import datasets

    datasets.prepare(dataset, data_root, output, download)


def translate(
    source: Annotated[Path, typer.Argument(help="Prepared data set.")], output: Output
) -> None:
    """Write the 17 times larger translated set of a prepared data set (Sec. IV.B)."""
    from netdyn.data import translation

    translation.write_translated(source, output)


def device(device: Device = "auto") -> None:
    """Show the device that work would run on here; an unavailable one is an error."""
    from netdyn.runtime.devices import choose_device

    typer.echo(choose_device(device))


def train(
    settings: Settings,
    data: Data,
    output: Output,
    checkpoints: Annotated[Path, typer.Option(help="Where an unfinished run is stored.")],
    device: Device = "auto",
    engine: Engine = "auto",
    gpus: Gpus = "",
    checkpoint_seconds: CheckpointSeconds = 30.0,
    shared: Annotated[
        Path | None,
        typer.Option(
            envvar="NETDYN_SHARED_TRAININGS",
            help="What else to train: jobs of one Snakemake share a block of runs by this file.",
        ),
    ] = None,
    log: Log = None,
) -> None:
    """Train one run, or resume it; SIGINT, SIGTERM and SIGHUP leave a checkpoint."""
    from netdyn.jobs.shared_trainings import SharedTrainings, Training, take_trained

    own: Training = {
        "settings": str(settings),
        "data": str(data),
        "output": str(output),
        "checkpoints": str(checkpoints),
    }
    # A file that is gone is that of a Snakemake that has ended.
    shared_trainings = SharedTrainings(shared) if shared and shared.is_file() else None
    if shared_trainings and take_trained(shared_trainings, own):
        message(f"{output.name}: was trained by the job of another run of its block")
        return
    _claim_gpu(gpus, device)
    from netdyn.jobs.training import train_file

    with terminal.received_signals() as signals:
        complete = train_file(
            own, shared_trainings, device, engine, checkpoint_seconds, signals, log
        )
    if not complete:
        message(f"{output.name}: stopped; its checkpoint is in {checkpoints}, run again to go on")
        raise SystemExit(128 + (signals.stop or 0))


def measure(
    quantity: Annotated[str, typer.Argument(help="Module of netdyn.quantities.")],
    settings: Settings,
    output: Output,
    run: Annotated[
        Path | None, typer.Option(help="Run folder, where the settings name no runs.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="That run's prepared data set.")] = None,
    device: Device = "auto",
    gpus: Gpus = "",
    log: Log = None,
) -> None:
    """Measure one quantity on one run, or on the runs that the settings name; write its table."""
    _claim_gpu(gpus, device)
    from netdyn.jobs.measuring import measure_file

    measure_file(quantity, settings, output, run, data, device, log)


def tabulate(settings: Settings, output: Output) -> None:
    """Put the parts of a table together, with run, swept values and seed as columns."""
    from netdyn.jobs import tabulating

    tabulating.tabulate(settings, output)


def draw(
    figure: Annotated[str, typer.Argument(help="fig1 … fig7 or supplement.")],
    settings: Settings,
    tables: Annotated[Path, typer.Option(help="Folder of the figure's tables.")],
    output: Output,
) -> None:
    """Draw a figure from its tables as OUTPUT.pdf and OUTPUT.png."""
    from netdyn.jobs import drawing

    drawing.draw_figure(figure, settings, tables, output)


def _claim_gpu(gpus: str, device: str) -> None:
    if gpus and device in ("auto", "cuda"):
        from netdyn.runtime.gpus import claim_gpu

        message(f"on GPU {claim_gpu(gpus)}")
