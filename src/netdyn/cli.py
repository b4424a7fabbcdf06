"""The command line: every stage of the workflow is a subcommand, with or without Snakemake.

It parses, shows progress and turns mistakes into one line; what is computed stands elsewhere, so
this file is no input of any rule.
"""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from netdyn.errors import NetdynError
from netdyn.records.files import read_json, write_json
from netdyn.runtime.terminal import message, progress, stop_signals

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
Engine = Annotated[
    str,
    typer.Option(envvar="NETDYN_ENGINE", help="auto, the fast one, or plain, PyTorch's own steps."),
]

Gpus = Annotated[
    str, typer.Option(envvar="NETDYN_GPUS", help="Take one of these that no other job has: 0,1,2.")
]

CheckpointSeconds = Annotated[
    float,
    typer.Option(envvar="NETDYN_CHECKPOINT_SECONDS", help="Between checkpoints; 0 is each step."),
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
    from netdyn.data import datasets

    datasets.prepare(dataset, data_root, output, download)


@app.command()
def translate(
    source: Annotated[Path, typer.Argument(help="Prepared data set.")], output: Output
) -> None:
    """Write the 17 times larger translated set of a prepared data set (Sec. IV.B)."""
    from netdyn.data import translation

    translation.write_translated(source, output)


@app.command()
def resolve(
    output: Output,
    scale: Annotated[str, typer.Option(help="demo, cpu or paper.")] = "demo",
    workflow: Annotated[Path, typer.Option(help="Folder of config.yaml.")] = Path(),
    override: Annotated[str, typer.Option("--set", help="JSON laid over the settings.")] = "{}",
) -> None:
    """Write the resolved settings of every run and measurement, for work without Snakemake."""
    from netdyn.plan import settings

    config = settings.load(workflow, {"scale": scale, **_overrides(override, [])})
    for declared in settings.runs(config).values():
        for run in declared:
            write_json(output / "runs" / f"{run.id}.json", run.settings)
    for name, measurement in settings.measurements(config).items():
        write_json(output / "measurements" / f"{name}.json", measurement.settings)
    typer.echo(f"resolved settings of scale {scale} are in {output}")


@app.command()
def device(device: Device = "auto") -> None:
    """Say which device work would run on here, or that the one asked for is missing."""
    from netdyn.runtime.devices import choose_device

    typer.echo(choose_device(device))


@app.command()
def train(
    settings: Settings,
    data: Data,
    output: Output,
    checkpoints: Annotated[Path, typer.Option(help="Where a run is kept while it is made.")],
    device: Device = "auto",
    engine: Engine = "auto",
    gpus: Gpus = "",
    checkpoint_seconds: CheckpointSeconds = 30.0,
) -> None:
    """Train one run, or go on where it was cut; SIGINT and SIGTERM leave a checkpoint."""
    _claim_gpu(gpus, device)
    from netdyn.jobs.training import train_run

    resolved = _read_settings(settings, "format", "steps", "threads")
    with stop_signals() as signals, progress(output.name, resolved["steps"]) as report:
        stopping = lambda: bool(signals)  # noqa: E731
        complete = train_run(
            *(resolved, data, output, checkpoints, device, engine),
            *(report, stopping, checkpoint_seconds),
        )
    if not complete:
        there = f"its checkpoint is in {checkpoints}, run again to go on"
        message(f"{output.name}: stopped; {there}")
        raise SystemExit(128 + signals[0])


@app.command()
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
) -> None:
    """Measure one quantity on one run, or on the runs that the settings name; write its table."""
    _claim_gpu(gpus, device)
    from netdyn.jobs.measuring import measure_block

    given = _read_settings(settings)
    # As the workflow writes them, with the runs of a job, or as `netdyn resolve` does, without.
    block = given if given.keys() == {"settings", "runs"} else {"settings": given, "runs": []}
    if "threads" not in block["settings"]:
        raise NetdynError(f"{settings} holds no settings of a measurement (it needs threads)")
    runs = block["runs"]
    if run is not None:
        if data is None:
            raise NetdynError("--data is missing: give the data set that the run was trained on")
        runs = [{"folder": str(run), "data": str(data)}]
    measure_block(quantity, block["settings"], runs, output, device)


@app.command()
def run(
    scale: Annotated[str, typer.Option(help="demo, cpu or paper.")] = "demo",
    override: Annotated[str, typer.Option("--set", help="JSON laid over the settings.")] = "{}",
    configfile: Annotated[
        list[Path] | None, typer.Option(help="YAML laid over the settings; may be given again.")
    ] = None,
    tables: Annotated[
        str, typer.Option(help="Tables or figures, by commas; default: all, by what they decide.")
    ] = "",
    until: Annotated[
        float | None, typer.Option(help="Seconds after which to stop; call again to go on.")
    ] = None,
    drop_snapshots: Annotated[
        bool, typer.Option("--drop-snapshots", help="Delete runs once their tables are kept.")
    ] = False,
    pack: Annotated[
        Path | None, typer.Option(help="Write the committed results into this .tar.gz at the end.")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(envvar="NETDYN_DATA_ROOT", help="Folder of the IDX files.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(envvar="NETDYN_DEVICE", help="auto, cpu, cuda or mps.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(envvar="NETDYN_ENGINE", help="auto or plain: what trains.")
    ] = None,
    checkpoint_seconds: CheckpointSeconds = 30.0,
    workflow: Annotated[Path, typer.Option(help="Folder of config.yaml.")] = Path(),
) -> None:
    """Train and measure a whole scale in this process, and keep what is finished."""
    import time

    started = time.monotonic()
    from netdyn.jobs import packing
    from netdyn.jobs.scale import ScaleRun
    from netdyn.jobs.schedule import chosen_tables
    from netdyn.plan.targets import Plan

    plan = Plan(workflow, {**_overrides(override, configfile or []), "reuse": True}, scale)
    groups = chosen_tables(plan, [name for name in tables.split(",") if name])
    with stop_signals() as signals:

        def stopping() -> bool:
            return bool(signals) or (until is not None and time.monotonic() - started > until)

        work = ScaleRun(
            plan,
            groups,
            data_root or Path(plan.config["data_root"]),
            device or plan.config["device"],
            engine or plan.config["engine"],
            drop_snapshots,
            stopping,
            checkpoint_seconds,
        )
        done = work.run()
    kept = f"the tables are in {work.reference}"
    message(f"scale {scale}: done, {kept}" if done else f"stopped: {kept}, run again to go on")
    if pack is not None:
        message(f"{pack}: {packing.pack(work.reference, pack)} files of {work.reference}")
    if work.failed:
        raise NetdynError(f"{len(work.failed)} jobs failed, see above: {', '.join(work.failed)}")
    if signals:
        raise SystemExit(128 + signals[0])


def _overrides(text: str, files: list[Path]) -> dict:
    """Return the settings of --configfile, one laid over the other, and --set over them."""
    from netdyn.plan.settings import overlay
    from netdyn.records.files import read_yaml

    try:
        given = json.loads(text)
    except ValueError as error:
        raise NetdynError(f"--set {text!r} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise NetdynError(f'--set {text!r}: give keys and values, such as {{"threads": 2}}')
    return overlay({}, *map(read_yaml, files), given)


@app.command()
def tabulate(settings: Settings, output: Output) -> None:
    """Put the tables of single runs together into one, told apart by run, sweep and seed."""
    from netdyn.records.provenance import Origin
    from netdyn.results import tables

    origin = Origin("netdyn.results.tables")
    found = _read_settings(settings, "parts")
    table, parts = tables.tabulate(found["parts"], found.get("order", []))
    record = {"kind": "table", "parts": parts, "made": origin.record()}
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
    from netdyn.results import reference as committed

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
    from netdyn.figures import drawing

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
    from netdyn.claims import pages

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
    from netdyn.results import lineage

    found = lineage.trace(file, results)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        from netdyn.results import lineage_tree

        lineage_tree.show(found)


@app.command()
def index(
    scale: Annotated[str, typer.Argument(help="demo, cpu or paper.")],
    output: Output,
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
) -> None:
    """Put the records of all figures, tables, parts and runs of a scale into one file."""
    from netdyn.results import lineage

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
    from netdyn.results import publishing

    record = publishing.publish(name, file, table, reference, folder, _read_settings(settings))
    write_json(output, record)


def _claim_gpu(gpus: str, device: str) -> None:
    if gpus and device in ("auto", "cuda"):
        from netdyn.runtime.gpus import claim_gpu

        message(f"on GPU {claim_gpu(gpus)}")


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
        message(f"error: {error}")
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message(f"error: {where}{error.strerror or error}: mend this and run again")
        raise SystemExit(1) from None
