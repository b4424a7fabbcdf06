"""Values on their way to a shell: nothing in them is ever read as a command."""

from collections.abc import Iterable

__all__ = ["declarable", "repeated"]


def declarable(value: str) -> bool:
    """Say whether Snakemake can hand a variable of this value on to a cluster's jobs.

    It writes it into their command as Python would, and a shell reads that otherwise where there is
    a quote, a backslash or a control character.
    """
    return value.isprintable() and not set(value) & set("'\\")


def repeated(option: str, values: Iterable[str]) -> list[str]:
    """Return a repeated option as words, to be quoted one by one.

    >>> repeated("--run", ["a", "b c"])
    ['--run', 'a', '--run', 'b c']
    """
    return [word for value in values for word in (option, value)]
