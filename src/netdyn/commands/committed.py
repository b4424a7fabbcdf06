"""Committed results: what is kept and published, and where a file comes from."""

import json
from pathlib import Path
from typing import Annotated

import typer

from netdyn.commands.options import Output, Settings

__all__ = ["index", "keep", "provenance", "publish"]


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
