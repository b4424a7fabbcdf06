"""The checkpoint of an incomplete run, or stack of runs: a kill at any moment loses nothing.

    <checkpoints>/state.safetensors            weights, optimizer, best weights, history; one rename
    <checkpoints>/snapshot-<step>.safetensors  weights at a step of the schedule `snapshots`; of a
                                               stack snapshot-<run>-<step>, the first run being 0

A resumed run would make a snapshot that is newer than the state again. So snapshots stay in memory
until a state is written, and a run that takes a few seconds writes neither. The runs of a stack go
on from one step, so they have one state.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from netdyn.records import provenance
from netdyn.records.files import digest, digest_file
from netdyn.records.tensor_files import write_tensors
from netdyn.training.course import Course

__all__ = ["Checkpoint"]

log = logging.getLogger(__name__)

# Snapshots of up to this size wait in memory for the next state.
UNWRITTEN_BYTES = 1_000_000_000


class Checkpoint:
    """The progress of runs on disk: their common step and their courses."""

    def __init__(self, folder: Path, courses: Sequence[Course], identity: Mapping):
        """Prepare the checkpoint; nothing is read yet.

        Args:
            folder: where the checkpoint lies.
            courses: the course of the run, or of each run of a stack.
            identity: all that the bits of the runs depend on, beside code and PyTorch's version. A
                checkpoint of another identity, or by other code, is not resumed: the runs start
                again.
        """
        self.folder, self._courses = Path(folder), list(courses)
        code = provenance.code_digest("netdyn.training.train")
        self.identity = digest({**identity, "code": code, "torch": torch.__version__})
        self.step = 0
        self.started, self.sittings = provenance.now(), 1
        self._seconds_before, self._since = 0.0, time.monotonic()
        several = len(self._courses) > 1
        self._names = [str(run) if several else "" for run in range(len(self._courses))]

    def seconds(self) -> float:
        """Return the wall-clock seconds spent on the runs, over all sittings."""
        return self._seconds_before + time.monotonic() - self._since

    def limit_memory(self) -> None:
        """Write snapshots to files where more of them wait in memory than fits there."""
        waiting = (weights for course in self._courses for weights in course.snapshots.values())
        if sum(t.nbytes for weights in waiting for t in weights.values()) > UNWRITTEN_BYTES:
            self._write_snapshots()

    def _write_snapshots(self) -> None:
        for name, course in zip(self._names, self._courses, strict=True):
            for step, weights in course.snapshots.items():
                path = self.folder / f"snapshot-{name}{'-' * bool(name)}{step:09d}.safetensors"
                write_tensors(path, weights)
                course.files[path.name] = digest_file(path)
            course.snapshots.clear()

    def snapshots(self, course: Course) -> dict[int, dict[str, Tensor]]:
        """Return the weights of every snapshot and of the best step of a run."""
        weights = {
            int(path.stem.split("-")[-1]): safetensors.torch.load_file(path)
            for path in (self.folder / name for name in sorted(course.files))
        }
        return weights | course.snapshots | course.best()

    def write(self, step: int) -> None:
        """Write the state after `step` optimizer steps."""
        self._write_snapshots()
        tensors = {
            f"{name}{'/' * bool(name)}{key}": tensor
            for name, course in zip(self._names, self._courses, strict=True)
            for key, tensor in course.tensors().items()
        }
        description = {
            "identity": self.identity,
            "step": step,
            "runs": [course.description() for course in self._courses],
            "started": self.started,
            "sittings": self.sittings,
            "seconds": self.seconds(),
        }
        description["sha256"] = _digest(description, tensors)
        state = {"state": json.dumps(description)}
        write_tensors(self.folder / "state.safetensors", tensors, state)

    def resume(self) -> None:
        """Continue from the last written state; start again where none is valid."""
        state = self._read()
        if state is None:
            self.remove()
            # On NFS an open file of a dead process may keep the folder.
            self.folder.mkdir(parents=True, exist_ok=True)
            return
        description, tensors = state
        for name, course, own in zip(self._names, self._courses, description["runs"], strict=True):
            prefix = f"{name}/" if name else ""
            parts = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
            course.load(own, parts)
        self.step = description["step"]
        self.started, self.sittings = description["started"], description["sittings"] + 1
        self._seconds_before = description["seconds"]

    def _read(self) -> tuple[dict, dict[str, Tensor]] | None:
        path = self.folder / "state.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                description = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if description.pop("sha256") != _digest(description, tensors):
                raise ValueError("its content is not what was written")
            kept = [file for run in description["runs"] for file in run["kept"].items()]
            for name, sha256 in kept:
                if digest_file(self.folder / name) != sha256:
                    raise ValueError(f"{name} is not what was written")
        except FileNotFoundError:
            return None
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            log.warning("%s is damaged (%s): training starts again", path, error)
            return None
        if description["identity"] != self.identity:
            log.warning("%s is of other settings, code or versions: training starts again", path)
            return None
        return description, tensors

    def remove(self) -> None:
        """Remove the checkpoint: the runs are complete, or start again."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _digest(description: Mapping, tensors: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        content.update(name.encode())
        content.update(tensor.flatten().view(torch.uint8).numpy())
    return content.hexdigest()
