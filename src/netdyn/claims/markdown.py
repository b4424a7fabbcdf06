"""Texts and tables in Markdown."""

import re
from collections.abc import Sequence

__all__ = ["plain", "table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(text: object) -> str:
    """Return the text on one line, with Markdown's special characters escaped."""
    return re.sub(r"([|*<])", r"\\\1", " ".join(str(text).split()))
