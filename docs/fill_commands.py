"""The reference of the command line, from what `netdyn --help` is made of."""

from pathlib import Path

import typer

from netdyn.cli import app

__all__ = ["page"]

INTRODUCTION = """# Commands

<!-- Written by docs/fill.py from netdyn/commands. -->

Each job of the workflow is one call of `netdyn`, and runs without Snakemake just as well. `netdyn
resolve --output settings` writes the settings of every stage, and all commands, in order. Options
that name an environment variable take their value from it when they are not given. A mistake ends
in one line on standard error and status 1 (2 where the words are no command).
"""


def page(_root: Path) -> str:
    """Return the page; the commands are those of the package that is imported."""
    parts = [INTRODUCTION]
    for name, command in typer.main.get_command(app).commands.items():
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        words = " ".join(_argument(p) for p in arguments)
        parts += [f"## netdyn {name}\n", f"{command.help}\n"]
        parts.append(f"```text\nnetdyn {name} {words} [OPTIONS]\n```\n".replace("  ", " "))
        rows = [_row(parameter) for parameter in [*arguments, *options]]
        if rows:
            parts += ["| option | default | meaning |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(parts).rstrip() + "\n"


def _argument(parameter: object) -> str:
    dots = "..." if parameter.nargs != 1 else ""
    word = parameter.name.upper() + dots
    return word if parameter.required else f"[{word}]"


def _row(parameter: object) -> str:
    is_option = parameter.param_type_name == "option"
    names = parameter.opts + parameter.secondary_opts if is_option else [parameter.name.upper()]
    if parameter.required:
        default = "required"
    else:
        empty = parameter.default in (None, "", [], ())
        default = "" if empty or callable(parameter.default) else f"`{parameter.default}`"
    meaning = getattr(parameter, "help", None) or ""
    if parameter.envvar:
        meaning = f"{meaning} (`{parameter.envvar}`)".strip()
    shown = ", ".join(f"`{name}`" for name in names)
    return f"| {shown} | {default} | {meaning.replace('|', chr(92) + '|')} |"
