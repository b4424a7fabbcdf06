"""Runs that no settings ask for any more: which there are, and their removal."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from netdyn.errors import NetdynError
from netdyn.plan import settings
from netdyn.plan.written import RESULTS
from netdyn.records.files import read_json
from netdyn.results import placing
from netdyn.runtime import locks

__all__ = ["Leftover", "configured_runs", "leftovers", "remove"]

SCALES = ("demo", "cpu", "paper")


class Leftover(NamedTuple):
    """A run that no settings ask for.

    Attributes:
        name: its id.
        checkpoints: where it is while it is trained, whether or not there is such a folder.
        folders: those that it has, of the finished run, its copy and its checkpoints.
        size: bytes in them; hard links count once.
    """

    name: str
    checkpoints: Path
    folders: tuple[Path, ...]
    size: int


def configured_runs(workflow: Path, overrides: Mapping) -> set[str]:
    """Return the ids of all runs that a scale's settings ask for, as they are or overridden.

    Args:
        workflow: folder of config.yaml.
        overrides: laid over the settings of every scale that they fit.

    Raises:
        NetdynError: the settings of a scale cannot be read, or the overrides fit none.
    """
    configured = {run for scale in SCALES for run in _runs_of(workflow, {"scale": scale})}
    mistakes = []
    for scale in SCALES if overrides else ():
        try:
            configured |= _runs_of(workflow, {**overrides, "scale": scale})
        except NetdynError as error:
            mistakes.append(error)
    if len(mistakes) == len(SCALES):
        raise mistakes[0]
    return configured


def _runs_of(workflow: Path, overrides: Mapping) -> set[str]:
    declared = settings.runs(settings.read(workflow, overrides))
    return {run.id for runs in declared.values() for run in runs}


def leftovers(configured: Collection[str], results: Path = RESULTS) -> list[Leftover]:
    """Return the runs in `results` that are not `configured`, nor committed, nor being trained."""
    unused = []
    for scale in SCALES:
        needed = {*configured, *_committed(results / scale / "reference")}
        unused += [left for left in _runs_in(results / scale) if left.name not in needed]
    return [left for left in unused if not locks.is_held(left.checkpoints)]


def remove(left: Leftover) -> None:
    """Delete a run; raises NetdynError if a training of it has begun meanwhile."""
    if locks.is_held(left.checkpoints):
        raise NetdynError(f"{left.name} is being trained: nothing of it was removed")
    with locks.alone(left.checkpoints):
        for folder in left.folders:
            if folder.is_symlink():
                folder.unlink()
                continue
            # First, so that a removal that is cut leaves no run that seems complete.
            for manifest in folder.rglob("manifest.json"):
                manifest.unlink()
            shutil.rmtree(folder)


def _runs_in(scale: Path) -> Iterator[Leftover]:
    """Yield every run of a scale's folder, by name."""
    runs, checkpoints = scale / "runs", scale / "checkpoints"
    names = {folder.name for folder in _folders(runs)}
    names |= {folder.name.removesuffix(".whole") for folder in _folders(checkpoints)}
    for name in sorted(names):
        places = (runs / name, placing.folder_of(checkpoints / name), checkpoints / name)
        folders = tuple(place for place in places if place.is_dir())
        yield Leftover(name, checkpoints / name, folders, _size(folders))


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return [path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _size(folders: tuple[Path, ...]) -> int:
    files = [path.lstat() for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values())


def _committed(reference: Path) -> set[str]:
    """Return the ids of the runs that committed tables are of."""
    records = reference / "provenance"
    named = {
        run["id"] for path in (records / "tables").glob("*.json") for run in read_json(path)["runs"]
    }
    path = records / "runs.json"
    return named | set(read_json(path) if path.is_file() else ())
