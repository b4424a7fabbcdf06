"""A whole scale: its settings, what is done of it, all of its work, and what is left over."""

import time
from pathlib import Path
from typing import Annotated

import typer

from netdyn.commands.options import (
    CheckpointSeconds,
    ConfigFiles,
    Names,
    Output,
    Override,
    Scale,
    Workflow,
)
from netdyn.commands.settings_options import chosen_names, overrides_of, plan_for, planned
from netdyn.errors import NetdynError
from netdyn.runtime import terminal
from netdyn.runtime.terminal import message

__all__ = ["clean", "resolve", "run", "status"]


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

    plan = plan_for(workflow, scale, override, configfile, output)
    typer.echo(resolving.resolve(plan, chosen_names(tables)))


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
    chosen = planned(workflow, scale, override, configfile, reuse=True)
    plan = plan_of(*chosen)
    groups = chosen_tables(plan, chosen_names(tables))
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
            complete, failed = run_in_workers(workers, work, chosen, groups, ends, signals.stopping)
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

    configured = cleaning.configured_runs(workflow, overrides_of(override, configfile))
    unused = cleaning.leftovers(configured, results)
    for left in unused:
        typer.echo(f"{left.size / 1e6:10.1f} MB  {left.checkpoints.parent.parent}: {left.name}")
        if remove:
            cleaning.remove(left)
    total = f"{len(unused)} runs, {sum(left.size for left in unused) / 1e6:.1f} MB"
    done = "removed" if remove else "nothing was removed: --remove does it"
    message(f"{total}: {done}" if unused else "no run is left over")


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
    status.show(plan_for(workflow, scale, override, configfile) if counted else None)
