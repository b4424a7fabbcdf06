"""The command line: every stage of the workflow is a subcommand, with or without Snakemake.

It parses options and turns mistakes into one line. Commands are in `netdyn.commands`, and the work
is done in `netdyn.jobs`, so this file is no input of any rule.
"""

import logging
import sys
from typing import Annotated

import typer

import netdyn
from netdyn.commands import committed, pages, scales, stages
from netdyn.errors import NetdynError
from netdyn.runtime import terminal
from netdyn.runtime.terminal import message

# Mistakes in options and commands. Versions of Typer have it in different packages, unnamed.
_UsageError = typer.BadParameter.__mro__[1]

# What brings the packages that not all commands need.
_EXTRAS = {"matplotlib": "plot", "plotly": "explorer", "torchvision": "workflow"}

# In the order in which they are listed.
_COMMANDS = (
    stages.prepare,
    stages.translate,
    scales.resolve,
    stages.device,
    stages.train,
    stages.measure,
    scales.run,
    pages.analyse,
    stages.tabulate,
    committed.keep,
    stages.draw,
    pages.score,
    pages.judge,
    pages.page,
    pages.explore,
    scales.clean,
    scales.status,
    committed.provenance,
    committed.index,
    committed.publish,
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


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


for _command in _COMMANDS:
    app.command()(_command)


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
