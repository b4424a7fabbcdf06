"""The explorer of some runs, a page to scrub training time on."""

from collections.abc import Sequence
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.explorer.explorer import write_explorer
from netdyn.runtime.terminal import message

__all__ = ["explore"]


def explore(
    sources: Sequence[Path], output: Path, runs: Sequence[str] = (), overwrite: bool = False
) -> None:
    """Write the explorer of some runs, and say how large it is and what was left out.

    Args:
        sources: run folders, tables, folders of tables, or folders of committed results.
        output: the page, HTML.
        runs: names of the runs to show; none for those with gradients over steps.
        overwrite: whether a page of this name may be replaced.

    Raises:
        NetdynError: the page exists, or what `write_explorer` raises it for.
    """
    if output.exists() and not overwrite:
        raise NetdynError(f"{output} exists: choose another --output, or give --overwrite")
    write_explorer(output, sources, runs=runs, report=message)
