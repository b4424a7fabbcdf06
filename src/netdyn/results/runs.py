"""The on-disk format of a run: the only place that reads or writes it.

    <run>/manifest.json          settings, kept steps, best and last step, digests of the others
    <run>/history.csv            one row per evaluated step
    <run>/snapshots.safetensors  weights at the kept steps, tensors named <step>/<parameter>
    <run>/provenance.json        versions, machine, times: what may differ between equal runs

All but the last are the same bits for the same settings, versions and kind of device. Manifest and
provenance are sealed by a digest of their own content.
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.mlp import MLP
from netdyn.records.files import RUN_FILES, atomic_write, digest_file
from netdyn.records.run_settings import RunSettings
from netdyn.records.sealed import read_record, write_record
from netdyn.records.tensor_files import write_tensors
from netdyn.runtime.plain_mode import plain_mode

__all__ = [
    "build_model",
    "load_history",
    "load_manifest",
    "load_model",
    "select_steps",
    "weight_dtype",
    "write_run",
]

_MANIFEST = {"settings", "inputs", "classes", "steps", "best_step", "last_step", "diverged_step"}
_MANIFEST |= {"sha256"}
_DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.float32}
_DTYPES |= {"float64": torch.float64}


def weight_dtype(settings: RunSettings) -> torch.dtype:
    """Return the dtype of a run's weights: bfloat16 and tf32 are of the products alone."""
    return _DTYPES[settings["precision"]]


def build_model(
    settings: RunSettings, inputs: int, classes: int, device: torch.device | str = "cpu"
) -> MLP:
    """Return the untrained network of a run's resolved settings, for `inputs` and `classes`."""
    # PyTorch's layers draw their first weights from the global stream, which is the caller's.
    with torch.random.fork_rng(devices=[]), torch.device(device):
        model = MLP(
            [inputs, *settings["width"], classes],
            activation=settings["activation"],
            batch_norm=settings["batch_norm"],
            momentum=settings["momentum"],
        )
    return model.to(weight_dtype(settings))


def write_run(
    folder: Path,
    settings: RunSettings,
    shape: Mapping[str, int],
    history: pd.DataFrame,
    snapshots: Mapping[int, Mapping[str, Tensor]],
    best_step: int,
    diverged_step: int | None,
    provenance: Mapping,
) -> None:
    """Write a whole run into `folder`, each file beside its place first, the manifest last.

    Args:
        folder: the run's folder; made if need be.
        settings: the run's resolved settings.
        shape: `inputs` and `classes` of the data.
        history: one row per evaluated step, column `step` first.
        snapshots: state dict per kept step.
        best_step: the kept step of the best test accuracy.
        diverged_step: the step at which the loss was no longer finite, where training ended; None
            for a run that came to its last step.
        provenance: see `netdyn.records.provenance`.
    """
    folder = Path(folder)
    tensors = {
        f"{step:09d}/{name}": tensor.contiguous()
        for step, state in sorted(snapshots.items())
        for name, tensor in state.items()
    }
    write_tensors(folder / "snapshots.safetensors", tensors)
    with atomic_write(folder / "history.csv") as temporary:
        history.to_csv(temporary, index=False)
    write_record(folder / "provenance.json", provenance)
    manifest = {
        "settings": dict(settings),
        **shape,
        "steps": sorted(snapshots),
        "best_step": best_step,
        "last_step": max(snapshots),
        "diverged_step": diverged_step,
        "sha256": {name: digest_file(folder / name) for name in RUN_FILES[:2]},
    }
    write_record(folder / "manifest.json", manifest)


def load_manifest(run_folder: Path | str) -> dict:
    """Return the manifest of a whole run.

    Raises:
        NetdynError: the run is missing or half-written, or a file is not what was written.
    """
    run_folder = Path(run_folder)
    for name in RUN_FILES:
        if not (run_folder / name).is_file():
            raise NetdynError(
                f"run {run_folder} is not whole, {name} is missing: "
                "run the workflow again, it will finish the training"
            )
    # Manifests of earlier versions have no seal.
    manifest = read_record(run_folder / "manifest.json", needs_seal=False)
    if manifest.keys() != _MANIFEST:
        raise NetdynError(
            f"{run_folder / 'manifest.json'} is damaged: "
            f"delete {run_folder} and run the workflow again"
        )
    for name, expected in manifest["sha256"].items():
        path = run_folder / name
        stamp = path.stat()
        if _digest_once(path, stamp.st_ino, stamp.st_mtime_ns, stamp.st_size) != expected:
            raise NetdynError(
                f"{path} is damaged (its SHA-256 is not the manifest's): "
                f"delete {run_folder} and run the workflow again"
            )
    return manifest


@functools.lru_cache(maxsize=64)
def _digest_once(path: Path, _inode: int, _changed: int, _size: int) -> str:
    # Once per process and state of the file: a measurement loads many steps of one run. Dates alone
    # do not tell two files of one second apart where a file system has no finer ones.
    return digest_file(path)


def load_history(run_folder: Path | str) -> pd.DataFrame:
    """Return the history of a run, one row per evaluated step (see `evaluation`)."""
    load_manifest(run_folder)
    return pd.read_csv(Path(run_folder) / "history.csv")


@plain_mode
def load_model(run_folder: Path | str, step: int | str) -> MLP:
    """Return the network of a run as it was after `step` optimizer steps, in evaluation mode.

    Args:
        run_folder: the folder that training wrote.
        step: a kept step, or "best" or "last".

    Raises:
        NetdynError: the run is not whole or damaged, or the step was not kept.
    """
    manifest = load_manifest(run_folder)
    steps = select_steps(run_folder, step)
    if len(steps) != 1:
        raise NetdynError(f"step {step!r} means {len(steps)} steps of {run_folder}: name one")
    chosen = steps[0]
    # On "meta" no initial weights are drawn, all of which are replaced.
    shape = manifest["inputs"], manifest["classes"]
    model = build_model(manifest["settings"], *shape, device="meta")
    path = Path(run_folder) / "snapshots.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            # Cloned, since products of values that PyTorch aligned have the same bits everywhere.
            state = {
                name: file.get_tensor(f"{chosen:09d}/{name}").clone() for name in model.state_dict()
            }
    except SafetensorError as error:
        raise NetdynError(f"{path} is damaged ({error}): delete {run_folder}") from error
    # `to_empty` would import PyTorch's symbolic shapes, which take longer than most measurements.
    model.load_state_dict(state, assign=True)
    return model.eval()


def select_steps(run_folder: Path | str, selector: int | str | list) -> list[int]:
    """Return the kept steps that `selector` means, ascending.

    Args:
        selector: "all", "best" (test accuracy in evaluation mode), "last", a step, "train>=x" or
            "test>=x" (the first kept step with at least that training accuracy in training mode,
            or test accuracy in evaluation mode), or a list of these.

    Raises:
        NetdynError: nothing was kept at such a step.
    """
    manifest = load_manifest(run_folder)
    kept = manifest["steps"]
    if isinstance(selector, list):
        return sorted({step for each in selector for step in select_steps(run_folder, each)})
    if selector == "all":
        return kept
    if selector in ("best", "last"):
        return [manifest[f"{selector}_step"]]
    if isinstance(selector, str):
        threshold = re.fullmatch(r"(train|test)>=([0-9.]+)", selector)
        if threshold is None:
            raise NetdynError(f"step {selector!r}: give a number, all, best, last or train>=0.8")
        history = load_history(run_folder).set_index("step")
        column = f"{threshold[1]}_accuracy"
        # Every kept step is evaluated, so its accuracy is on record.
        reached = [s for s in kept if history.loc[s, column] >= float(threshold[2])]
        if not reached:
            raise NetdynError(
                f"run {run_folder} never reached {selector} at a kept step: "
                "train longer (steps) or keep more snapshots"
            )
        return reached[:1]
    if selector not in kept:
        raise NetdynError(f"run {run_folder} kept no step {selector}: kept are {kept}")
    return [selector]
