"""The state of a run that is not whole yet: written so that a kill at any moment loses nothing.

    <checkpoints>/state.safetensors          weights, optimizer, best weights, history; one rename
    <checkpoints>/snapshot-<step>.safetensors  weights at a kept step

A snapshot newer than the state would be made again when the run goes on, so it stays in memory
until a state is written: a run that is trained within seconds writes none of either.
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
from netdyn.records.files import atomic_write, digest, digest_file
from netdyn.training.steps import Steps, below

__all__ = ["Checkpoint"]

log = logging.getLogger(__name__)

# Kept weights that may wait in memory for the next state.
UNWRITTEN_BYTES = 1_000_000_000


class Checkpoint:
    """What a run has come to: its step, history and kept weights, and their place on disk."""

    def __init__(
        self,
        folder: Path,
        taking: Steps,
        identity: Mapping,
    ):
        """Args: where to keep it; what trains; all that the bits of the run depend on.

        A checkpoint of another identity, or made by other code, is not resumed but begun again.
        """
        self.folder, self.taking = Path(folder), taking
        code = provenance.code_digest("netdyn.training.train")
        self.identity = digest({**identity, "code": code, "torch": torch.__version__})
        self.step = 0
        self.rows: list[dict[str, float]] = []
        self.best_step, self.best_accuracy = 0, -1.0
        self.best: dict[str, Tensor] = {}
        self.kept: dict[str, str] = {}  # snapshot file → SHA-256
        self._unwritten: dict[int, dict[str, Tensor]] = {}
        self.started, self.sittings = provenance.now(), 1
        self._seconds_before, self._since = 0.0, time.monotonic()

    def seconds(self) -> float:
        """Return the wall-clock seconds spent on the run, over all sittings."""
        return self._seconds_before + time.monotonic() - self._since

    def has_row(self, step: int) -> bool:
        return bool(self.rows) and self.rows[-1]["step"] >= step

    def add_row(self, row: dict[str, float], better: bool) -> None:
        """Add an evaluated step; `better` ones are kept as the best so far."""
        self.rows.append(row)
        if better:
            self.best_step, self.best_accuracy = int(row["step"]), row["test_accuracy"]
            self.best = {k: v.detach().clone() for k, v in self._weights().items()}

    def history(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)

    def keep(self, step: int) -> None:
        """Keep the weights as they are now, as those of `step`."""
        # A copy: on the processor the weights go on being trained in their place.
        weights = {name: tensor.clone() for name, tensor in _on_cpu(self._weights()).items()}
        self._unwritten[step] = weights
        size = sum(t.nbytes for each in self._unwritten.values() for t in each.values())
        if size > UNWRITTEN_BYTES:
            self._write_snapshots()

    def _write_snapshots(self) -> None:
        for step, weights in self._unwritten.items():
            path = self._snapshot(step)
            with atomic_write(path) as temporary:
                safetensors.torch.save_file(weights, temporary)
            self.kept[path.name] = digest_file(path)
        self._unwritten.clear()

    def snapshots(self) -> dict[int, dict[str, Tensor]]:
        """Return the weights of every kept step and of the best one."""
        found = {
            int(path.stem.split("-")[1]): safetensors.torch.load_file(path)
            for path in (self.folder / name for name in sorted(self.kept))
        }
        found |= self._unwritten
        if self.best:
            found[self.best_step] = _on_cpu(self.best)
        return found

    def write(self, step: int) -> None:
        """Write the state after `step` optimizer steps."""
        self._write_snapshots()
        tensors = self.taking.state() | {f"best/{k}": v for k, v in self.best.items()}
        said = {
            "identity": self.identity,
            "step": step,
            "rows": self.rows,
            "best_step": self.best_step,
            "best_accuracy": self.best_accuracy,
            "kept": self.kept,
            "started": self.started,
            "sittings": self.sittings,
            "seconds": self.seconds(),
        }
        tensors = _on_cpu(tensors)
        said["sha256"] = _digest(said, tensors)
        with atomic_write(self.folder / "state.safetensors") as temporary:
            safetensors.torch.save_file(tensors, temporary, {"state": json.dumps(said)})

    def resume(self) -> None:
        """Take up the last written state; begin anew where there is none that fits and is whole."""
        found = self._read()
        if found is None:
            self.remove()
            self.folder.mkdir(parents=True)
            return
        said, tensors = found
        self.taking.load(tensors)
        device = next(self.taking.network().parameters()).device
        self.best = {k: v.to(device) for k, v in below("best/", tensors).items()}
        self.step, self.rows, self.kept = said["step"], said["rows"], said["kept"]
        self.best_step, self.best_accuracy = said["best_step"], said["best_accuracy"]
        self.started, self.sittings = said["started"], said["sittings"] + 1
        self._seconds_before = said["seconds"]

    def _read(self) -> tuple[dict, dict[str, Tensor]] | None:
        path = self.folder / "state.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                said = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if said.pop("sha256") != _digest(said, tensors):
                raise ValueError("its content is not what was written")
            for name, sha256 in said["kept"].items():
                if digest_file(self.folder / name) != sha256:
                    raise ValueError(f"{name} is not what was written")
        except FileNotFoundError:
            return None
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            log.warning("%s is damaged (%s): training starts again", path, error)
            return None
        if said["identity"] != self.identity:
            log.warning("%s is of other settings, code or versions: training starts again", path)
            return None
        return said, tensors

    def remove(self) -> None:
        """Remove the checkpoint: the run is whole, or begins again."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _weights(self) -> dict[str, Tensor]:
        return self.taking.network().state_dict()

    def _snapshot(self, step: int) -> Path:
        return self.folder / f"snapshot-{step:09d}.safetensors"


def _digest(said: Mapping, tensors: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        content.update(name.encode())
        content.update(tensor.flatten().view(torch.uint8).numpy())
    return content.hexdigest()


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
