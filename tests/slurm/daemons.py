"""Daemons that are started here and ended here: each known by its process id and starting time.

The id alone could by then be another process's.
"""

import contextlib
import json
import subprocess
from pathlib import Path

import psutil

__all__ = ["begin", "end", "living"]


def begin(folder: Path, name: str, *command: str) -> None:
    """Start a daemon, its output in <folder>/<name>.out, and note it."""
    with (folder / f"{name}.out").open("a", encoding="utf-8") as out:
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    _note(folder, {**_noted(folder), name: (daemon.pid, psutil.Process(daemon.pid).create_time())})


def living(folder: Path) -> dict[str, psutil.Process]:
    """Return the daemons that were begun and still run, by name, in the order of their start."""
    found = {}
    for name, (pid, started) in _noted(folder).items():
        try:
            process = psutil.Process(pid)
            if process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE:
                found[name] = process
        except psutil.NoSuchProcess:
            continue
    return found


def end(folder: Path, name: str, seconds: float = 20) -> None:
    """Ask a daemon to end, and kill it where it does not; with no seconds, kill it at once."""
    process = living(folder).get(name)
    with contextlib.suppress(psutil.NoSuchProcess):
        if process is not None and seconds:
            process.terminate()
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(seconds)
        if process is not None:
            process.kill()
    _note(folder, {key: noted for key, noted in _noted(folder).items() if key != name})


def _noted(folder: Path) -> dict[str, list]:
    path = folder / "daemons.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _note(folder: Path, daemons: dict) -> None:
    (folder / "daemons.json").write_text(json.dumps(daemons), encoding="utf-8")
