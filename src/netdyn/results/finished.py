"""A finished run outlives what happens to the workflow around it.

Snakemake deletes a job's outputs when the job is said to have failed or is run again: also when
the training was whole, and only Snakemake was killed before it took note, the log could not be
written on a full disk, the clock jumped, or new code then failed to train. So a run is written
beside its checkpoint and gets its place in runs/ as a second name, a hard link, which takes no
room of its own:

    <checkpoints>.whole/<digest>/   the run's four files; the digest is that of `identity`
"""

from pathlib import Path

import torch

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.records import provenance
from netdyn.records.files import digest
from netdyn.records.run_settings import RunSettings
from netdyn.records.sealed import read_record
from netdyn.results import runs
from netdyn.results.placing import folder_of
from netdyn.runtime.arithmetic import gpu_identity
from netdyn.runtime.devices import choose_device

__all__ = ["is_complete", "storage_folder"]


def storage_folder(
    checkpoints: Path, settings: RunSettings, data_file: Path, device: str, engine: str = "auto"
) -> Path:
    """Return the folder that a run is written to: named by all that its bits depend on.

    These are settings, data, code, PyTorch's version, the engine ("auto", "plain" or
    "stacked") and the kind of device, or which GPU it is.

    Raises:
        NetdynError: the data are missing or damaged, or the device is not there.
    """
    prepared.load(data_file)  # that the file is what it says of itself
    chosen = choose_device(device)
    identity = {
        "settings": settings,
        "data": prepared.metadata(data_file)["sha256"],
        "device": chosen.type,
        "engine": engine,
        "code": provenance.code_digest("netdyn.training.train"),
        "torch": torch.__version__,
        **gpu_identity(chosen),
    }
    return folder_of(checkpoints) / digest(identity)[:10]


def is_complete(run_folder: Path) -> bool:
    """Say whether a run is there with every byte that was written."""
    try:
        runs.load_manifest(run_folder)
        read_record(run_folder / "provenance.json")
    except NetdynError:
        return False
    return True
