"""The explorer: one page on which training time is scrubbed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.colors import to_hex

from netdyn.errors import NetdynError
from netdyn.explorer.beside import sources_beside
from netdyn.explorer.landmarks import THRESHOLDS
from netdyn.explorer.page import document
from netdyn.explorer.payload import payload, thinned
from netdyn.explorer.sources import (
    Run,
    Source,
    choose_runs,
    gather_runs,
    read_sources,
    reading_names,
    verdict_tables,
)
from netdyn.explorer.verdicts import claims_of
from netdyn.plots.style import CLASS_COLOURS, COLOURS, layer_colours
from netdyn.records.files import atomic_write

__all__ = ["LARGEST", "all_sources", "write_explorer", "write_page_of"]

LARGEST = 8_000_000  # bytes of a page
TITLE = "Network dynamics over training"
_SCRIPTS = ("series", "shared", "time_panels", "sample_panels", "points", "tables", "explorer")
_SHADES = 64  # of the layers' colours, from the first to the last
_STRIDES = (1, 2, 4, 8, 16)
_SUMMARY = (
    "Move the slider through training, or press the arrow keys, Home, End, or space to play. All "
    "panels show the same step; where a quantity was not measured at it, its panel says which step "
    "it shows. Downloaded numbers carry 16 bits."
)


def write_explorer(
    path: Path | str,
    sources: Sequence[Path | str],
    *,
    runs: Sequence[str] = (),
    tables: Iterable[Path] = (),
    title: str = TITLE,
    largest: int = LARGEST,
    report: Callable[[str], None] = lambda text: None,
) -> None:
    """Write the explorer of some runs as one self-contained HTML page.

    Args:
        path: the page; a file of this name is replaced once the new one is finished.
        sources: run folders, tables, folders of tables, or folders of committed results. Where all
            are run folders, what the tables of their scale have of these runs is shown, too.
        runs: names of the runs to show; none for the run folders, or those with g over steps.
        tables: folders of further tables with rows of the run folders.
        title: the page's heading.
        largest: bytes that the page may have; beyond, steps between others are left out.
        report: is given one line on the size, and on what is left out.

    Raises:
        NetdynError: a source is none or is damaged, a run is unknown, no run is in the sources, or
            the page is too large even with few steps.
    """
    write_page_of(
        path, all_sources(sources, tables), runs=runs, title=title, largest=largest, report=report
    )


def all_sources(paths: Sequence[Path | str], tables: Iterable[Path] = ()) -> list[Source]:
    """Return what `write_explorer` shows of these sources; takes and raises what it does."""
    read = read_sources(paths)
    folders = [source for source in read if source.run_folder]
    return [*read, *sources_beside(folders, tables, scales=len(folders) == len(read))]


def write_page_of(
    path: Path | str,
    read: Sequence[Source],
    *,
    runs: Sequence[str] = (),
    title: str = TITLE,
    largest: int = LARGEST,
    report: Callable[[str], None] = lambda text: None,
) -> None:
    """Write the explorer of sources that were read; takes and raises what `write_explorer` does."""
    gathered = gather_runs(read)
    chosen = choose_runs(gathered, runs)
    tables, names = verdict_tables(read), reading_names(read)
    scripts = [f"{name}.js" for name in _SCRIPTS]
    for stride in _STRIDES:
        content = _content([thinned(run, stride) for run in chosen], tables, names)
        text = document(title, _SUMMARY, _BODY, content, scripts)
        size = len(text.encode())
        if stride == 1 and size > largest:
            report(
                f"{path}: {len(chosen)} runs make {_megabytes(size)}, more than "
                f"{_megabytes(largest)}: finer steps are left out"
            )
        if size <= largest:
            break
    else:
        raise NetdynError(
            f"{path}: {len(chosen)} runs make {_megabytes(size)} even at every {stride}th step, "
            f"more than {_megabytes(largest)}: choose fewer by --run"
        )
    with atomic_write(Path(path)) as temporary:
        temporary.write_text(text, "utf-8")
    kept = "" if stride == 1 else f", every {stride}{'nd' if stride == 2 else 'th'} step"
    report(f"{path}: {len(chosen)} runs, {_megabytes(size)}{kept}")


def _content(
    runs: Sequence[Run], tables: dict[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    alike: dict[str, list[Run]] = {}
    for run in runs:
        alike.setdefault(run.name, []).append(run)
    return {
        "thresholds": THRESHOLDS,
        "colours": COLOURS,
        "classes": CLASS_COLOURS,
        "layers": [to_hex(colour) for colour in layer_colours(_SHADES)],
        "runs": [
            {**payload(run, alike[run.name]), "claims": claims_of(run, tables, names)}
            for run in runs
        ],
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


_BODY = """
<form class="controls" id="controls" aria-label="What is shown">
<label>Run <select id="run"></select></label>
<label>beside it <select id="beside"></select></label>
<label>statistics of <select id="mode"><option value="evaluation">running averages</option>
<option value="training">the batch</option></select></label>
<label>layer <select id="layer"></select></label>
<span class="time"><button type="button" id="play" aria-pressed="false">Play</button>
<label for="step">step</label><input type="range" id="step" min="0" max="0" value="0" step="1">
<output id="shown" for="step"></output></span>
<span class="landmarks" id="landmarks" role="group" aria-label="Moments of training"></span>
</form>
<p class="story" id="story" role="status"></p>
<div class="panels" id="panels"></div>
"""
