"""The record of a measured part: of what, by which code and settings, where, when and how long."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from netdyn.data import prepared
from netdyn.records.files import digest_file
from netdyn.records.provenance import Origin
from netdyn.runtime.arithmetic import device_name, gpu_record
from netdyn.runtime.devices import measuring_device

__all__ = ["measured_record"]


def measured_record(
    quantity: str,
    settings: Mapping,
    runs: Sequence[Mapping],
    device: str,
    origin: Origin,
) -> dict:
    """Return the record of a part.

    Args:
        quantity: module of `netdyn.quantities`.
        settings: the measurement's resolved settings.
        runs: for each run, as the workflow writes them, its `folder` (or `settings`, where it is
            not trained), its `data` and, where it has one, its `identity`.
        device: the requested device.
        origin: begun before the measurement.
    """
    where = {}
    if runs:
        chosen = measuring_device(device)
        where = {"device": chosen.type, "device_name": device_name(chosen), **gpu_record(chosen)}
    return {
        "kind": "part",
        "quantity": quantity,
        "settings": dict(settings),
        "runs": [_run(run) for run in runs],
        "made": origin.record(**where, threads=settings["threads"]),
    }


def _run(run: Mapping) -> dict:
    if "folder" in run:
        folder = Path(run["folder"])
        record = {"id": folder.name, "manifest_sha256": digest_file(folder / "manifest.json")}
    else:
        file = Path(run["settings"])
        record = {"id": file.stem, "settings_sha256": digest_file(file)}
    if "identity" in run:
        record["identity"] = run["identity"]
    return {**record, "data_sha256": prepared.metadata(run["data"])["sha256"]}
