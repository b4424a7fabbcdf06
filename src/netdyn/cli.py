"""The command line: every stage of the workflow is a subcommand, with or without Snakemake.

It parses, shows progress and turns mistakes into one line; what is computed stands elsewhere, so
this file is no input of any rule.
"""

import importlib
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netdyn.errors import NetdynError
from netdyn.files import read_json, write_json
from netdyn.terminal import progress, say, stop_signals

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure how deep networks learn, stage by stage: prepare, train, measure, draw.",
)

Settings = Annotated[Path, typer.Argument(help="Resolved settings, as `netdyn resolve` writes.")]
Output = Annotated[Path, typer.Option("--output", help="Where the result goes.")]
Data = Annotated[Path, typer.Option("--data", help="Prepared data set (`netdyn prepare`).")]
Device = Annotated[
    str, typer.Option(envvar="NETDYN_DEVICE", help="auto, cpu, cuda or mps; auto takes the best.")
]

Gpus = Annotated[
    str, typer.Option(envvar="NETDYN_GPUS", help="Take one of these that no other job has: 0,1,2.")
]


@app.command()
def prepare(
    dataset: Annotated[str, typer.Argument(help="digits, mnist, fashion_mnist or kmnist.")],
    output: Output,
    data_root: Annotated[
        Path, typer.Option(envvar="NETDYN_DATA_ROOT", help="Folder with, or for, the IDX files.")
    ] = Path("data"),
    download: Annotated[bool, typer.Option(help="Download what is not there.")] = True,
) -> None:
    """Read or download a data set, check its content and write the prepared file."""
    from netdyn import datasets

    datasets.prepare(dataset, data_root, output, download)


@app.command()
def translate(
    source: Annotated[Path, typer.Argument(help="Prepared data set.")], output: Output
) -> None:
    """Write the 17 times larger translated set of a prepared data set (Sec. IV.B)."""
    from netdyn import translation

    translation.write_translated(source, output)


@app.command()
def resolve(
    output: Output,
    scale: Annotated[str, typer.Option(help="demo, cpu or paper.")] = "demo",
    workflow: Annotated[Path, typer.Option(help="Folder of config.yaml.")] = Path(),
    override: Annotated[str, typer.Option("--set", help="JSON laid over the settings.")] = "{}",
) -> None:
    """Write the resolved settings of every run and measurement, for work without Snakemake."""
    from netdyn import settings

    try:
        given = json.loads(override)
    except ValueError as error:
        raise NetdynError(f"--set {override!r} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise NetdynError(f'--set {override!r}: give keys and values, such as {{"threads": 2}}')
    config = settings.load(workflow, {"scale": scale, **given})
    for declared in settings.runs(config).values():
        for run in declared:
            write_json(output / "runs" / f"{run.id}.json", run.settings)
    for name, measurement in settings.measurements(config).items():
        write_json(output / "measurements" / f"{name}.json", measurement.settings)
    typer.echo(f"resolved settings of scale {scale} are in {output}")


@app.command()
def device(device: Device = "auto") -> None:
    """Say which device work would run on here, or that the one asked for is missing."""
    from netdyn.devices import choose_device

    typer.echo(choose_device(device))


@app.command()
def train(
    settings: Settings,
    data: Data,
    output: Output,
    checkpoints: Annotated[Path, typer.Option(help="Where a run is kept while it is made.")],
    device: Device = "auto",
    gpus: Gpus = "",
    checkpoint_seconds: Annotated[
        float,
        typer.Option(
            envvar="NETDYN_CHECKPOINT_SECONDS", help="Between checkpoints; 0 is each step."
        ),
    ] = 30.0,
) -> None:
    """Train one run, or go on where it was cut; SIGINT and SIGTERM leave a checkpoint."""
    _claim_gpu(gpus, device)
    from netdyn import finished, locks, training

    resolved = _read_settings(settings, "format", "steps", "threads")
    if output.exists() and not output.is_dir():
        raise NetdynError(f"{output} is a file: delete it, or name another --output")
    made = finished.place(checkpoints, resolved, data, device)
    with locks.alone(checkpoints):
        if finished.is_whole(made):
            say(f"{output.name}: was trained before, taken from {made}")
        else:
            with stop_signals() as stopping, progress(output.name, resolved["steps"]) as told:
                whole = training.train(
                    *(resolved, data, made, checkpoints, device, told),
                    *(lambda: bool(stopping), checkpoint_seconds),
                )
            if not whole:
                there = f"its checkpoint is in {checkpoints}, run again to go on"
                say(f"{output.name}: stopped; {there}")
                raise SystemExit(128 + stopping[0])
        finished.bring(made, output)


@app.command()
def measure(
    context: typer.Context,
    quantity: Annotated[str, typer.Argument(help="Module of netdyn.measurements.")],
    settings: Settings,
    output: Output,
    run: Annotated[
        Path | None, typer.Option(help="Run folder, where the settings name no runs.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="That run's prepared data set.")] = None,
    device: Device = "auto",
    gpus: Gpus = "",
) -> None:
    """Measure one quantity on one run, or on the runs that the settings name; write its table."""
    _claim_gpu(gpus, device)
    import torch

    from netdyn import locks
    from netdyn.arithmetic import fixed_arithmetic
    from netdyn.devices import measuring_device
    from netdyn.measured import measured_record
    from netdyn.provenance import Making
    from netdyn.tables import write_table

    try:
        measured = importlib.import_module(f"netdyn.measurements.{quantity}").measure
    except (ModuleNotFoundError, AttributeError) as error:
        raise NetdynError(f"no quantity {quantity!r}: see netdyn/measurements") from error
    making = Making(measured.__module__)
    found = _read_settings(settings)
    # As the workflow writes them, with the runs of a job, or as `netdyn resolve` does, without.
    block = found if found.keys() == {"settings", "runs"} else {"settings": found, "runs": []}
    if "threads" not in block["settings"]:
        raise NetdynError(f"{settings} holds no settings of a measurement (it needs threads)")
    torch.set_num_threads(block["settings"]["threads"])
    context.with_resource(locks.alone(output))
    if block["runs"] or run is not None:
        context.with_resource(fixed_arithmetic("float32", measuring_device(device)))
    if "subject" not in inspect.signature(measured).parameters:
        if run is not None:
            raise NetdynError(f"--run: {quantity} is measured on no run, leave it out")
        table = measured(block["settings"])
    elif block["runs"]:
        table = _measure_block(measured, block, device)
    else:
        from netdyn.measurements.subject import Subject

        if run is None:
            raise NetdynError(f"--run is missing: give the run that {quantity} is measured on")
        if data is None:
            raise NetdynError("--data is missing: give the data set that the run was trained on")
        table = measured(Subject.open(run, data, device), block["settings"])
    alone = [{"folder": str(run), "data": str(data)}] if run is not None else []
    of = quantity, block["settings"], block["runs"] or alone
    write_table(output, table, measured_record(*of, device, making))


def _measure_block(measured: Callable, block: Mapping, device: str) -> "pd.DataFrame":
    import pandas as pd

    from netdyn.measurements.subject import Subject
    from netdyn.tables import identified

    tables = []
    for number, run in enumerate(block["runs"], 1):
        if len(block["runs"]) > 1:
            say(f"run {number} of {len(block['runs'])}")
        data = Path(run["data"])
        if "folder" in run:
            subject = Subject.open(Path(run["folder"]), data, device)
        else:
            subject = Subject.of_data(read_json(Path(run["settings"])), data, device)
        tables.append(identified(measured(subject, block["settings"]), run["identity"]))
    return pd.concat(tables, ignore_index=True)


@app.command()
def tabulate(settings: Settings, output: Output) -> None:
    """Put the tables of single runs together into one, told apart by run, sweep and seed."""
    from netdyn import tables
    from netdyn.provenance import Making

    making = Making("netdyn.tables")
    found = _read_settings(settings, "parts")
    table, parts = tables.tabulate(found["parts"], found.get("order", []))
    record = {"kind": "table", "parts": parts, "made": making.record()}
    tables.write_table(output, table, record)


@app.command()
def keep(
    part: Annotated[Path, typer.Argument(help="A finished part of a table.")],
    settings: Settings,
    reference: Annotated[Path, typer.Option(help="Folder of committed results.")],
    output: Output,
    run: Annotated[list[Path] | None, typer.Option(help="The run folders in the part.")] = None,
) -> None:
    """Put a finished part into the committed table, with the provenance of its runs."""
    from netdyn import reference as committed

    wanted = _read_settings(settings, "name", "quantity", "settings", "runs")
    write_json(output, committed.keep(part, run or [], wanted, reference))


@app.command()
def draw(
    figure: Annotated[str, typer.Argument(help="fig1 … fig7 or supplement.")],
    settings: Settings,
    tables: Annotated[Path, typer.Option(help="Folder of the figure's tables.")],
    output: Output,
) -> None:
    """Draw a figure from its tables as OUTPUT.pdf and OUTPUT.png."""
    from netdyn import drawing

    drawing.draw(figure, tables, _read_settings(settings, "tables"), output)


@app.command()
def score(
    settings: Settings,
    claims: Annotated[Path, typer.Option(help="The claims and their thresholds.")],
    tables: Annotated[Path, typer.Option(help="Folder of the tables.")],
    output: Annotated[Path, typer.Option(help="The scorecard, CSV.")],
    page: Annotated[Path, typer.Option(help="The scorecard as a page, Markdown.")],
) -> None:
    """Judge every claim of the paper from tables: the scorecard."""
    from netdyn.claims import scorecard

    found = _read_settings(settings, "scale", "dataset", "tables")
    scorecard.write(found, claims, tables, output, page)


@app.command()
def page(
    kind: Annotated[str, typer.Argument(help="claims or runs.")],
    files: Annotated[
        list[Path], typer.Argument(help="The scorecard, or provenance.json of runs and runs.json.")
    ],
    output: Output,
) -> None:
    """Write a page of the report: the scorecard, or where every run came from."""
    from netdyn import pages

    if kind == "claims" and len(files) == 1:
        pages.claims_page(files[0], output)
    elif kind == "runs":
        found = {}
        for file in files:
            record = read_json(file)
            found |= record if file.name == "runs.json" else {file.parent.name: record}
        pages.runs_page(found, output)
    else:
        raise NetdynError(f"no page {kind!r} of {len(files)} files: give claims and one, or runs")


@app.command()
def provenance(
    file: Annotated[
        Path, typer.Argument(help="A run's folder, a table, a part, a scorecard, a PDF or PNG.")
    ],
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say what a file was made from: code, settings, data, seeds, machine, when, how long."""
    from netdyn import lineage

    found = lineage.trace(file, results)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        from netdyn import lineage_tree

        lineage_tree.show(found)


@app.command()
def index(
    scale: Annotated[str, typer.Argument(help="demo, cpu or paper.")],
    output: Output,
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
) -> None:
    """Put the records of all figures, tables, parts and runs of a scale into one file."""
    from netdyn import lineage

    write_json(output, lineage.known(results, scale)._asdict())


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="The figure's name, or claims.")],
    settings: Settings,
    output: Output,
    reference: Annotated[Path, typer.Option(help="Folder of committed results.")],
    file: Annotated[list[Path], typer.Option(help="The finished files.")],
    table: Annotated[list[Path], typer.Option(help="The tables they were made from.")],
    folder: Annotated[str, typer.Option(help="Where in it the files go.")] = "figures",
) -> None:
    """Copy a finished figure, or the scorecard, and its record to the committed results."""
    from netdyn import publishing

    record = publishing.publish(name, file, table, reference, folder, _read_settings(settings))
    write_json(output, record)


def _claim_gpu(gpus: str, device: str) -> None:
    if gpus and device in ("auto", "cuda"):
        from netdyn.gpus import claim_gpu

        say(f"on GPU {claim_gpu(gpus)}")


def _read_settings(path: Path, *needed: str) -> dict:
    """Read a file of resolved settings; one of another kind is a mistake, and named."""
    found = read_json(path)
    if not isinstance(found, dict) or not found.keys() >= set(needed):
        raise NetdynError(
            f"{path} holds no settings of this command (it needs {', '.join(needed)}): "
            "give a file that `netdyn resolve` or the workflow wrote for it"
        )
    return found


def main() -> None:
    """Run the command line; a mistake that can be mended ends in one line and exit status 1."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("netdyn").setLevel(logging.INFO)
    try:
        app()
    except NetdynError as error:
        say(f"error: {error}")
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(f"error: {where}{error.strerror or error}: mend this and run again")
        raise SystemExit(1) from None
