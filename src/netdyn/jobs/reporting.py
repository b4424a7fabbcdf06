"""Pages of the report."""

from collections.abc import Sequence
from pathlib import Path

from netdyn.claims import pages
from netdyn.errors import NetdynError
from netdyn.records.files import read_json

__all__ = ["write_page"]


def write_page(kind: str, files: Sequence[Path], output: Path) -> None:
    """Write a page of the report, HTML.

    Args:
        kind: "claims" or "runs".
        files: the scorecard, or the provenance.json of runs and the runs.json of committed runs.
        output: the page.

    Raises:
        NetdynError: there is no page of this kind, or a file is missing or damaged.
    """
    if kind == "claims" and len(files) == 1:
        pages.claims_page(files[0], output)
    elif kind == "runs":
        records: dict[str, dict] = {}
        for file in files:
            record = read_json(file)
            records |= record if file.name == "runs.json" else {file.parent.name: record}
        pages.runs_page(records, output)
    else:
        raise NetdynError(f"no page {kind!r} of {len(files)} files: give claims and one, or runs")
