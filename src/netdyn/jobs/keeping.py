"""Finished parts and figures on their way into the committed results."""

from collections.abc import Sequence
from pathlib import Path

from netdyn.jobs.settings_files import read_settings
from netdyn.records.files import write_json
from netdyn.results import publishing, reference

__all__ = ["keep_part", "publish"]


def keep_part(
    part: Path, settings_file: Path, run_folders: Sequence[Path], committed: Path, output: Path
) -> None:
    """Put a finished part into the committed table, with the provenance of its runs.

    Args:
        part: a table of one block of runs, or the history of one run.
        settings_file: what identifies the table: name, quantity, settings and runs.
        run_folders: the folders of the runs in the part.
        committed: folder of committed results.
        output: file for the table's new record.

    Raises:
        NetdynError: as `netdyn.results.reference.keep` does.
    """
    measurement = read_settings(settings_file, "name", "quantity", "settings", "runs")
    write_json(output, reference.keep(part, run_folders, measurement, committed))


def publish(
    name: str,
    settings_file: Path,
    files: Sequence[Path],
    tables: Sequence[Path],
    committed: Path,
    folder: str,
    output: Path,
) -> None:
    """Copy a finished figure, or the scorecard, to the committed results.

    Args:
        name: the figure, or "claims".
        settings_file: the figure's settings, or the scorecard's.
        files: the finished files.
        tables: the tables that they were made from.
        committed: folder of committed results.
        folder: where in it the files go.
        output: file for the record.

    Raises:
        NetdynError: as `netdyn.results.publishing.publish` does.
    """
    settings = read_settings(settings_file)
    write_json(output, publishing.publish(name, files, tables, committed, folder, settings))
