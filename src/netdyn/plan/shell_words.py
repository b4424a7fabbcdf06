"""Values on their way to a shell: nothing in them is ever read as a command."""

import shlex
from collections.abc import Iterable
from pathlib import Path

__all__ = ["declarable", "first_in_path", "repeated"]


def declarable(value: str) -> bool:
    """Say whether Snakemake can hand a variable of this value on to a cluster's jobs.

    It writes it into their command as Python would, and a shell reads that otherwise where there is
    a quote, a backslash or a control character.
    """
    return value.isprintable() and not set(value) & set("'\\")


def first_in_path(folder: Path) -> str:
    """Return the command that puts a folder in front of PATH, to be formatted by Snakemake.

    >>> first_in_path(Path("/a {b}/bin"))
    "export PATH='/a {{b}}/bin':$PATH"
    """
    quoted = shlex.quote(str(folder)).replace("{", "{{").replace("}", "}}")
    return f"export PATH={quoted}:$PATH"


def repeated(option: str, values: Iterable[str]) -> list[str]:
    """Return a repeated option as words, to be quoted one by one.

    >>> repeated("--run", ["a", "b c"])
    ['--run', 'a', '--run', 'b c']
    """
    return [word for value in values for word in (option, value)]
