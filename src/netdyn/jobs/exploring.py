"""The explorer of some runs or of a monitored training, a page to scrub training time on."""

from collections.abc import Sequence
from pathlib import Path

from netdyn.analysis.course_file import course_table, is_course, read_course
from netdyn.errors import NetdynError
from netdyn.explorer.courses import course_sources
from netdyn.explorer.explorer import all_sources, write_page_of
from netdyn.explorer.sources import Run, Source, choose_runs, gather_runs
from netdyn.runtime.terminal import message

__all__ = ["explore"]

MEASURABLE = {"gradient", "rpd", "projection_course"}  # kinds of tables, from snapshots


def explore(
    sources: Sequence[Path],
    output: Path,
    runs: Sequence[str] = (),
    overwrite: bool = False,
    *,
    measure: bool = False,
    data: Path | None = None,
    device: str = "auto",
) -> None:
    """Write the explorer of some runs, and say how large it is and what was left out.

    Args:
        sources: run folders, tables, folders of tables, folders of committed results, or what
            monitors have saved.
        output: the page, HTML.
        runs: names of the runs to show; none for those given, or those with g over steps.
        overwrite: whether a page of this name may be replaced.
        measure: whether what tables lack of run folders is measured from their snapshots, into
            tables beside the page, which the next call takes.
        data: the prepared data set of the run folders; None for that in results/data.
        device: that measures: "auto", "cpu", "cuda" or "mps".

    Raises:
        NetdynError: the page exists, there is nothing to measure from, or what `write_explorer`
            raises it for.
    """
    if output.exists() and not overwrite:
        raise NetdynError(f"{output} exists: choose another --output, or give --overwrite")
    tables = [output.with_name(f"{output.stem}_tables")]
    if measure:
        # Of tables beside the page, which another version may have measured, each is checked.
        folders = _with_folders(_read(sources), runs)
        if not folders:
            raise NetdynError("--measure: no run's folder is given: give results/SCALE/runs/RUN")
        from netdyn.jobs.measured_runs import measure_runs  # brings PyTorch

        measure_runs(folders, tables[0], data, device)
    read = _read(sources, tables)
    if not measure and any(MEASURABLE - {*run.parts} for run in _with_folders(read, runs)):
        message("some panels have no table: --measure measures g, RPDs and projections")
    write_page_of(output, read, runs=runs, report=message)


def _read(sources: Sequence[Path], tables: Sequence[Path] = ()) -> list[Source]:
    courses = [path for path in sources if is_course(path)]
    others = [path for path in sources if path not in courses]
    read = all_sources(others, tables)
    for path in courses:
        read += course_sources(path.stem, course_table(read_course(path).rows))
    return read


def _with_folders(read: Sequence[Source], names: Sequence[str]) -> list[Run]:
    return [run for run in choose_runs(gather_runs(read), names) if run.folder]
