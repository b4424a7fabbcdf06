"""The checkpoint of an incomplete run, written so that a kill at any moment loses nothing.

    <checkpoints>/state.safetensors          weights, optimizer, best weights, history; one rename
    <checkpoints>/snapshot-<step>.safetensors  weights at a step of the schedule `snapshots`

A resumed run would make a snapshot that is newer than the state again. So snapshots stay in memory
until a state is written, and a run that takes a few seconds writes neither.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from netdyn.records import provenance
from netdyn.records.files import digest, digest_file
from netdyn.records.tensor_files import write_tensors
from netdyn.training.engine.steps import TrainingSteps

__all__ = ["Checkpoint"]

log = logging.getLogger(__name__)

# Snapshots of up to this size wait in memory for the next state.
UNWRITTEN_BYTES = 1_000_000_000
# How the names of the best weights begin in a state.
BEST = "best/"


class Checkpoint:
    """The progress of a run, in memory and on disk: its step, history and snapshots."""

    def __init__(
        self,
        folder: Path,
        steps: TrainingSteps,
        identity: Mapping,
    ):
        """Prepare the checkpoint of a run; nothing is read yet.

        Args:
            folder: where the checkpoint lies.
            steps: what trains.
            identity: all that the bits of the run depend on, beside code and PyTorch's version. A
                checkpoint of another identity, or by other code, is not resumed: the run starts
                again.
        """
        self.folder, self._steps = Path(folder), steps
        code = provenance.code_digest("netdyn.training.train")
        self.identity = digest({**identity, "code": code, "torch": torch.__version__})
        self.step = 0
        self.rows: list[dict[str, float]] = []
        self.best_step, self.best_accuracy = 0, -1.0
        self.best: dict[str, Tensor] = {}
        self.written: dict[str, str] = {}  # snapshot file → SHA-256
        self._unwritten: dict[int, dict[str, Tensor]] = {}
        self.started, self.sittings = provenance.now(), 1
        self._seconds_before, self._since = 0.0, time.monotonic()

    def seconds(self) -> float:
        """Return the wall-clock seconds spent on the run, over all sittings."""
        return self._seconds_before + time.monotonic() - self._since

    def has_row(self, step: int) -> bool:
        """Return whether the history reaches `step`."""
        return bool(self.rows) and self.rows[-1]["step"] >= step

    def add_row(self, row: dict[str, float], better: bool) -> None:
        """Add an evaluated step to the history; its weights become the best if it is `better`."""
        self.rows.append(row)
        if better:
            self.best_step, self.best_accuracy = int(row["step"]), row["test_accuracy"]
            self.best = {k: v.detach().clone() for k, v in self._weights().items()}

    def history(self) -> pd.DataFrame:
        """Return the evaluated steps so far, a row each."""
        return pd.DataFrame(self.rows)

    def add_snapshot(self, step: int) -> None:
        """Store a copy of the present weights as those of `step`."""
        # Cloned: on the processor training continues in the same memory.
        weights = {name: tensor.clone() for name, tensor in _on_cpu(self._weights()).items()}
        self._unwritten[step] = weights
        size = sum(t.nbytes for each in self._unwritten.values() for t in each.values())
        if size > UNWRITTEN_BYTES:
            self._write_snapshots()

    def _write_snapshots(self) -> None:
        for step, weights in self._unwritten.items():
            path = self._snapshot(step)
            write_tensors(path, weights)
            self.written[path.name] = digest_file(path)
        self._unwritten.clear()

    def snapshots(self) -> dict[int, dict[str, Tensor]]:
        """Return the weights of every snapshot and of the best step."""
        weights = {
            int(path.stem.split("-")[1]): safetensors.torch.load_file(path)
            for path in (self.folder / name for name in sorted(self.written))
        }
        weights |= self._unwritten
        if self.best:
            weights[self.best_step] = _on_cpu(self.best)
        return weights

    def write(self, step: int) -> None:
        """Write the state after `step` optimizer steps."""
        self._write_snapshots()
        tensors = self._steps.state() | {f"{BEST}{k}": v for k, v in self.best.items()}
        description = {
            "identity": self.identity,
            "step": step,
            "rows": self.rows,
            "best_step": self.best_step,
            "best_accuracy": self.best_accuracy,
            "kept": self.written,
            "started": self.started,
            "sittings": self.sittings,
            "seconds": self.seconds(),
        }
        tensors = _on_cpu(tensors)
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
        self._steps.load(tensors)
        device = next(self._steps.network().parameters()).device
        self.best = {
            k.removeprefix(BEST): v.to(device) for k, v in tensors.items() if k.startswith(BEST)
        }
        self.step, self.rows = description["step"], description["rows"]
        self.written = description["kept"]
        self.best_step = description["best_step"]
        self.best_accuracy = description["best_accuracy"]
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
            for name, sha256 in description["kept"].items():
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
        """Remove the checkpoint: the run is complete, or starts again."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _weights(self) -> dict[str, Tensor]:
        return self._steps.network().state_dict()

    def _snapshot(self, step: int) -> Path:
        return self.folder / f"snapshot-{step:09d}.safetensors"


def _digest(description: Mapping, tensors: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        content.update(name.encode())
        content.update(tensor.flatten().view(torch.uint8).numpy())
    return content.hexdigest()


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
