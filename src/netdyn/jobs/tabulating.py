"""One table, put together from its parts."""

from pathlib import Path

from netdyn.jobs.settings_files import read_settings
from netdyn.records.provenance import Origin
from netdyn.results import tables

__all__ = ["tabulate"]


def tabulate(settings_file: Path, output: Path) -> None:
    """Put the parts of a table together and write it, with its record beside it.

    Args:
        settings_file: `parts` and `order` (see `netdyn.results.tables.tabulate`).
        output: the table, CSV.

    Raises:
        NetdynError: a part is missing or damaged, or the settings are another command's.
    """
    origin = Origin("netdyn.results.tables")
    settings = read_settings(settings_file, "parts")
    table, parts = tables.tabulate(settings["parts"], settings.get("order", []))
    tables.write_table(output, table, {"kind": "table", "parts": parts, "made": origin.record()})
