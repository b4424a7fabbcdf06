"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CheckpointSeconds",
    "ConfigFiles",
    "Data",
    "Device",
    "Engine",
    "Gpus",
    "Log",
    "Names",
    "Output",
    "Override",
    "Scale",
    "Settings",
    "Workflow",
]

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
