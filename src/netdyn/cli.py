"""The command line: every stage of the workflow is a subcommand, with or without Snakemake.

It parses options and turns mistakes into one line. The work is done in `netdyn.jobs`, so this file
is no input of any rule.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import netdyn
from netdyn.errors import NetdynError
from netdyn.runtime import terminal
from netdyn.runtime.terminal import message

if TYPE_CHECKING:
    from netdyn.plan.targets import Plan

# Mistakes in options and commands. Versions of Typer have it in different packages, unnamed.
_UsageError = typer.BadParameter.__mro__[1]

# What brings the packages that not all commands need.
_EXTRAS = {"matplotlib": "plot", "plotly": "explorer", "torchvision": "workflow"}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Settings = Annotated[Path, typer.Argument(help="Resolved settings, as `netdyn resolve` writes.")]
Output = Annotated[Path, typer.Option("--output", help="Where the result goes.")]
Data = Annotated[Path, typer.Option("--data", help="Prepared data set (`netdyn prepare`).")]
Device = Annotated[
    str, typer.Option(envvar="NETDYN_DEVICE", help="auto, cpu, cuda or mps; auto takes the best.")
]
Engine = Annotated[
    str,
    typer.Option(
        envvar="NETDYN_ENGINE",
        help="auto, the fast one; plain, PyTorch's own steps; or stacked, several runs at once.",
    ),
]

Gpus = Annotated[
    str, typer.Option(envvar="NETDYN_GPUS", help="GPUs to choose a free one from: 0,1,2.")
]
Log = Annotated[
    Path | None, typer.Option(help="Log of this job; how far it is, for others, stands beside it.")
]
CheckpointSeconds = Annotated[
    float,
    typer.Option(envvar="NETDYN_CHECKPOINT_SECONDS", help="Between checkpoints; 0 is each step."),
]
Scale = Annotated[
    str | None,
    typer.Option(
        help="demo (unless configured), cpu, paper, or one of their readings: cpu/readings/NAME."
    ),
]
Override = Annotated[str, typer.Option("--set", help="JSON laid over the settings.")]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--configfile",
        envvar="NETDYN_CONFIGFILE",
        help="YAML laid over the settings; may be repeated.",
    ),
]
Names = Annotated[
    str | None,
    typer.Option(
        "--tables", envvar="NETDYN_TABLES", help="Tables or figures, by commas; default: all."
    ),
]
Workflow = Annotated[Path, typer.Option(help="Folder of config.yaml.")]


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"netdyn {netdyn.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Measure how deep networks learn, stage by stage: prepare, train, measure, draw."""


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
    scale: Scale = None,
    override: Override = "{}",
    configfile: ConfigFiles = None,
    tables: Names = None,
    workflow: Workflow = Path(),
) -> None:
    """Write the settings of every stage, and the commands that take them without Snakemake."""
    from netdyn.jobs import resolving

    plan = _plan(workflow, scale, override, configfile, output)
    typer.echo(resolving.resolve(plan, _names(tables)))


@app.command()
def device(device: Device = "auto") -> None:
    """Show the device that work would run on here; an unavailable one is an error."""
    from netdyn.runtime.devices import choose_device

    typer.echo(choose_device(device))


@app.command()
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
    log: Log = None,
) -> None:
    """Measure one quantity on one run, or on the runs that the settings name; write its table."""
    _claim_gpu(gpus, device)
    from netdyn.jobs.measuring import measure_file

    measure_file(quantity, settings, output, run, data, device, log)


@app.command()
def run(
    scale: Scale = None,
    override: Override = "{}",
    configfile: ConfigFiles = None,
    tables: Names = None,
    until: Annotated[
        float | None, typer.Option(help="Seconds after which to stop; call again to go on.")
    ] = None,
    drop_snapshots: Annotated[
        bool, typer.Option("--drop-snapshots", help="Delete runs once their tables are committed.")
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
        str | None,
        typer.Option(envvar="NETDYN_ENGINE", help="auto, plain or stacked: what trains."),
    ] = None,
    checkpoint_seconds: CheckpointSeconds = 30.0,
    workers: Annotated[
        int, typer.Option(help="Processes that share the work, on one GPU or several.")
    ] = 1,
    workflow: Workflow = Path(),
) -> None:
    """Train and measure a whole scale without Snakemake; commit every finished table."""
    started = time.monotonic()
    from netdyn.jobs import packing
    from netdyn.jobs.scale import ScaleRun
    from netdyn.jobs.schedule import chosen_tables
    from netdyn.jobs.workers import run_in_workers
    from netdyn.plan.readings import plan_of

    if until is not None and not until > 0:
        raise NetdynError(f"--until {until:g}: give the seconds to work for, more than 0")
    if workers < 1:
        raise NetdynError(f"--workers {workers}: give the number of processes, 1 or more")
    planned = _planned(workflow, scale, override, configfile, reuse=True)
    plan = plan_of(*planned)
    groups = chosen_tables(plan, _names(tables))
    with terminal.received_signals() as signals:
        work = ScaleRun(
            plan,
            groups,
            data_root or Path(plan.config["data_root"]),
            device or plan.config["device"],
            engine or plan.config["engine"],
            drop_snapshots,
            lambda: (
                signals.stopping() or (until is not None and time.monotonic() - started > until)
            ),
            checkpoint_seconds,
            signals.checkpoint_due,
        )
        message(f"scale {plan.scale}: {work.describe()}")
        if workers > 1:
            ends = None if until is None else started + until
            complete, failed = run_in_workers(
                workers, work, planned, groups, ends, signals.stopping
            )
        else:
            complete, failed = work.run(), work.failed
    state = f"scale {plan.scale}: done" if complete else "stopped"
    hint = "" if complete else ", run again to go on"
    message(f"{state}: the tables are in {work.reference}{hint}")
    if failed:
        message(f"{len(failed)} failed, see above: {', '.join(failed)}")
    if pack is not None:
        message(f"{pack}: {packing.pack(work.reference, pack)} files of {work.reference}")
    if signals.stop or failed:
        raise SystemExit(128 + signals.stop if signals.stop else 1)


def _names(text: str | None) -> list[str]:
    """Return the names in a list by commas; none where the option is not given."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise NetdynError(
            f"--tables {text!r}: name tables or figures, by commas; all without this option"
        )
    return names


def _plan(
    workflow: Path,
    scale: str | None,
    override: str,
    files: list[Path] | None,
    settings_folder: Path | None = None,
    **settings: object,
) -> "Plan":
    """Return the plan of a scale with the settings laid over it."""
    from netdyn.plan.readings import plan_of

    return plan_of(*_planned(workflow, scale, override, files, **settings), settings_folder)


def _planned(
    workflow: Path, scale: str | None, override: str, files: list[Path] | None, **settings: object
) -> tuple[Path, dict, str]:
    """Return what a plan is made of: the workflow's folder, the overrides and the scale."""
    overrides = {**_overrides(override, files), **settings}
    return workflow, overrides, scale or overrides.get("scale", "demo")


def _overrides(override: str, files: list[Path] | None) -> dict:
    """Return the settings of the files, each laid over the one before, and `override` over all."""
    from netdyn.plan.settings import overlay
    from netdyn.records.files import read_yaml

    for file in files or ():
        if not file.is_file():
            raise NetdynError(f"--configfile {file}: there is no such file")
    try:
        last = json.loads(override)
    except ValueError as error:
        raise NetdynError(f"--set {override!r} is not JSON: {error}") from error
    if not isinstance(last, dict):
        raise NetdynError(f'--set {override!r}: give keys and values, such as {{"threads": 2}}')
    return overlay({}, *map(read_yaml, files or []), last)


@app.command()
def analyse(
    model: Annotated[
        str,
        typer.Argument(
            help="FILE.pt2, which torch.export.save writes, or package:factory, whose code is run."
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            help="FILE.npz or FILE.safetensors with arrays x and y, or a data set: digits, mnist, "
            "fashion_mnist, kmnist, cifar10, cifar100, svhn, stl10, usps."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder that is made.")],
    weights: Annotated[
        Path | None, typer.Option(help="Of the factory's module: its state_dict, .safetensors.")
    ] = None,
    level: Annotated[
        str, typer.Option(help="quick, standard or thorough: how much is measured.")
    ] = "standard",
    not_affine: Annotated[
        str,
        typer.Option(help="refuse or freeze: what becomes of max pooling, normalisation, softmax."),
    ] = "refuse",
    seed: Annotated[int, typer.Option(help="Of drawn units and of noise.")] = 0,
    data_root: Annotated[
        Path, typer.Option(envvar="NETDYN_DATA_ROOT", help="Folder with, or for, data sets.")
    ] = Path("data"),
    device: Device = "auto",
) -> None:
    """Measure a network from its file: tables, figures and one page, in a new folder."""
    from netdyn.jobs import analysing

    request = analysing.Request(
        model, data, output, weights, device, level, not_affine, data_root, seed
    )
    if not analysing.analyse(request):
        kept = f"{output} holds what was measured" if output.exists() else "nothing was measured"
        message(f"stopped: {kept}")
        raise SystemExit(130)
    message(f"{output / 'index.html'}: the page, with tables and figures beside it")


@app.command()
def tabulate(settings: Settings, output: Output) -> None:
    """Put the parts of a table together, with run, swept values and seed as columns."""
    from netdyn.jobs import tabulating

    tabulating.tabulate(settings, output)


@app.command()
def keep(
    part: Annotated[Path, typer.Argument(help="A finished part of a table.")],
    settings: Settings,
    reference: Annotated[Path, typer.Option(help="Folder of committed results.")],
    output: Output,
    run: Annotated[list[Path] | None, typer.Option(help="The run folders in the part.")] = None,
) -> None:
    """Put a finished part into the committed table, with the provenance of its runs."""
    from netdyn.jobs import keeping

    keeping.keep_part(part, settings, run or [], reference, output)


@app.command()
def draw(
    figure: Annotated[str, typer.Argument(help="fig1 … fig7 or supplement.")],
    settings: Settings,
    tables: Annotated[Path, typer.Option(help="Folder of the figure's tables.")],
    output: Output,
) -> None:
    """Draw a figure from its tables as OUTPUT.pdf and OUTPUT.png."""
    from netdyn.jobs import drawing

    drawing.draw_figure(figure, settings, tables, output)


@app.command()
def score(
    settings: Settings,
    claims: Annotated[Path, typer.Option(help="The claims and their thresholds.")],
    tables: Annotated[Path, typer.Option(help="Folder of the tables.")],
    output: Annotated[Path, typer.Option(help="The scorecard, CSV.")],
    page: Annotated[Path, typer.Option(help="The scorecard as a page, Markdown.")],
) -> None:
    """Judge every claim of the paper from tables: the scorecard."""
    from netdyn.jobs import scoring

    scoring.score_claims(settings, claims, tables, output, page)


@app.command()
def judge(
    settings: Settings,
    claims: Annotated[Path, typer.Option(help="The claims and their criteria.")],
    output: Annotated[Path, typer.Option(help="A row per claim, reading and criterion, CSV.")],
    page: Annotated[Path, typer.Option(help="What the verdicts say, Markdown.")],
) -> None:
    """Judge the paper's claims under every reading of it."""
    from netdyn.jobs import scoring

    scoring.judge_readings(settings, claims, output, page)


@app.command()
def page(
    kind: Annotated[str, typer.Argument(help="claims or runs.")],
    files: Annotated[
        list[Path], typer.Argument(help="The scorecard, or provenance.json of runs and runs.json.")
    ],
    output: Output,
) -> None:
    """Write a page of the report: the scorecard, or the provenance of every run."""
    from netdyn.jobs import reporting

    reporting.write_page(kind, files, output)


@app.command()
def explore(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Run folders, tables, folders of tables, or results/SCALE/reference."),
    ],
    output: Output,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Run to show; may be repeated. Default: those with g over steps."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a page that exists.")
    ] = False,
) -> None:
    """Write a page to scrub training time on: accuracies, gradients, basins of some runs."""
    from netdyn.jobs import exploring

    exploring.explore(sources, output, run or [], overwrite)


@app.command()
def clean(
    remove: Annotated[bool, typer.Option("--remove", help="Delete them.")] = False,
    override: Override = "{}",
    configfile: ConfigFiles = None,
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
    workflow: Workflow = Path(),
) -> None:
    """List runs that no scale's settings ask for any more; none that is committed or in training.

    Give the settings that you run with: runs that only they ask for are listed otherwise.
    """
    from netdyn.jobs import cleaning

    configured = cleaning.configured_runs(workflow, _overrides(override, configfile))
    unused = cleaning.leftovers(configured, results)
    for left in unused:
        typer.echo(f"{left.size / 1e6:10.1f} MB  {left.checkpoints.parent.parent}: {left.name}")
        if remove:
            cleaning.remove(left)
    total = f"{len(unused)} runs, {sum(left.size for left in unused) / 1e6:.1f} MB"
    done = "removed" if remove else "nothing was removed: --remove does it"
    message(f"{total}: {done}" if unused else "no run is left over")


@app.command()
def status(
    scale: Scale = None,
    override: Override = "{}",
    configfile: ConfigFiles = None,
    workflow: Workflow = Path(),
) -> None:
    """Show which jobs run, how far they are, how long the rest takes, and where figures will be.

    It is called in the folder in which Snakemake runs, on any machine that sees it. With a scale or
    settings it also counts what is done of these: runs, tables and figures.
    """
    from netdyn.watch import status

    counted = scale is not None or override != "{}" or bool(configfile)
    status.show(_plan(workflow, scale, override, configfile) if counted else None)


@app.command()
def provenance(
    file: Annotated[
        Path, typer.Argument(help="A run's folder, a table, a part, a scorecard, a PDF or PNG.")
    ],
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show what a file was made from: code, settings, data, seeds, machine, when, how long."""
    from netdyn.results import lineage, lineage_tree

    traced = lineage.trace(file, results)
    if as_json:
        typer.echo(json.dumps(traced, indent=2))
    else:
        lineage_tree.show(traced)


@app.command()
def index(
    scale: Annotated[str, typer.Argument(help="demo, cpu or paper.")],
    output: Output,
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
) -> None:
    """Put the records of all figures, tables, parts and runs of a scale into one file."""
    from netdyn.records.files import write_json
    from netdyn.results import lineage

    records = lineage.read_records(results, scale)
    write_json(output, {"made": records.files, "runs": records.runs})


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="The figure's name, or claims.")],
    settings: Settings,
    output: Output,
    reference: Annotated[Path, typer.Option(help="Folder of committed results.")],
    file: Annotated[list[Path], typer.Option(help="The finished files.")],
    table: Annotated[
        list[Path] | None,
        typer.Option(help="The tables they were made from, if not committed ones."),
    ] = None,
    folder: Annotated[str, typer.Option(help="Where in it the files go.")] = "figures",
) -> None:
    """Copy a finished figure, or the scorecard, and its record to the committed results."""
    from netdyn.jobs import keeping

    keeping.publish(name, settings, file, table or [], reference, folder, output)


def _claim_gpu(gpus: str, device: str) -> None:
    if gpus and device in ("auto", "cuda"):
        from netdyn.runtime.gpus import claim_gpu

        message(f"on GPU {claim_gpu(gpus)}")


def main() -> None:
    """Run the command line; a user's mistake ends in one line.

    The exit status is 2 where the words are no command, else 1.
    """
    terminal.escape_unknown_characters()
    terminal.ignore_checkpoint_signal()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("netdyn").setLevel(logging.INFO)
    try:
        status = app(standalone_mode=False)
    except _UsageError as error:
        if len(sys.argv) == 1:
            error.show()
        else:
            usage = error.ctx.command_path if error.ctx else "netdyn"
            text = " ".join(error.format_message().split()).rstrip(".")
            message(f"error: {text}: see {usage} --help")
        raise SystemExit(2) from None
    except NetdynError as error:
        message(f"error: {error}")
        raise SystemExit(1) from None
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        extra = f"pip install 'netdyn[{_EXTRAS[error.name]}]'"
        message(f"error: this needs {error.name}, which is not installed: {extra}")
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message(f"error: {where}{error.strerror or error}: correct this and run again")
        raise SystemExit(1) from None
    except UnicodeEncodeError as error:
        message(
            f"error: {error.object!a} cannot be written in the encoding {error.encoding} of this "
            "shell's locale: set PYTHONUTF8=1 and run again"
        )
        raise SystemExit(1) from None
    if status:
        raise SystemExit(status)  # 130 after Ctrl-C
