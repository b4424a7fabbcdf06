"""How far a job is, in a small file beside its log that others read while it runs."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from netdyn.records.files import atomic_write

__all__ = ["Progress", "ProgressFile", "progress_file", "read_progress"]

# Seconds between two writes: nobody looks more often, and the file may lie on a network.
BETWEEN_WRITES = 1.0


class Progress(TypedDict):
    """How far a job is.

    Attributes:
        name: what it is at, such as a run's id.
        step, steps: of how many steps the last one is.
        text: what else there is to say, such as accuracies.
        first, started: the step at which the job began with this, and the time, in seconds since
            1970.
        updated: when this was written.
        host, pid: which process writes it.
    """

    name: str
    step: int
    steps: int
    text: str
    first: int
    started: float
    updated: float
    host: str
    pid: int


def progress_file(log: Path | str) -> Path:
    """Return where the progress of the job with this log is."""
    return Path(f"{log}.progress")


class ProgressFile:
    """Writes how far a job is. What cannot be written is left out: the work goes on."""

    def __init__(self, log: Path | None):
        """Args: the job's log; None writes nothing."""
        self._path = None if log is None else progress_file(log)
        self._name, self._first, self._started = "", 0, 0.0
        self._written = float("-inf")

    @contextlib.contextmanager
    def kept(self) -> Iterator["ProgressFile"]:
        """Remove the file at the end of the block, however it ends."""
        try:
            yield self
        finally:
            if self._path is not None:
                with contextlib.suppress(OSError):
                    self._path.unlink()

    def step(self, name: str, step: int, steps: int, text: str = "") -> None:
        """Write that step `step` of `steps` of `name` is done, at most once a second."""
        if self._path is None:
            return
        now = time.monotonic()
        if name == self._name and now - self._written < BETWEEN_WRITES and step < steps:
            return
        if name != self._name:
            self._name, self._first, self._started = name, step, time.time()
        self._written = now
        content: Progress = {
            "name": name,
            "step": step,
            "steps": steps,
            "text": text,
            "first": self._first,
            "started": self._started,
            "updated": time.time(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        with contextlib.suppress(OSError), atomic_write(self._path, durable=False) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")


def read_progress(log: Path | str) -> Progress | None:
    """Return how far the job with this log is; None where nothing says so."""
    try:
        content = json.loads(progress_file(log).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(content, dict) and content.keys() >= Progress.__annotations__.keys()
    return content if is_whole else None
