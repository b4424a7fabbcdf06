"""Do what the workflow does with files while system calls fail; needs LD_PRELOAD of failing_calls.

    python on_a_mount.py FOLDER < faults.json > outcomes.json

Faults are lists of an action's name and the calls that fail. An outcome is "" where the action did
what it does otherwise, else the message of its error.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import torch

from netdyn.errors import NetdynError
from netdyn.records.files import RUN_FILES, atomic_write, read_json, write_json
from netdyn.records.tensor_files import write_tensors
from netdyn.results.placing import link_into_place
from netdyn.results.publishing import publish
from netdyn.runtime.locks import alone


def write_settings(folder: Path) -> bool:
    write_json(folder / "target.json", {"a": 1})
    return read_json(folder / "target.json") == {"a": 1}


def write_text(folder: Path) -> bool:
    with atomic_write(folder / "target.csv") as temporary:
        temporary.write_text("a,b\n", encoding="utf-8")
    return (folder / "target.csv").read_bytes() == b"a,b\n"


def write_weights(folder: Path) -> bool:
    write_tensors(folder / "target.safetensors", {"a": torch.zeros(1000, dtype=torch.float32)})
    mode = (folder / "target.safetensors").stat().st_mode & 0o777
    return mode in (0o644, 0o600)  # 0600 is safetensors' own, where it cannot be changed


def finish_run(folder: Path) -> bool:
    complete, output = folder / "run.whole" / "digest", folder / "target"
    complete.mkdir(parents=True)
    for name in RUN_FILES:
        (complete / name).write_bytes(name.encode())
    link_into_place(complete, output)
    found = {path.name: path.read_bytes() for path in output.iterdir()}
    return found == {name: name.encode() for name in RUN_FILES}


def hold_lock(folder: Path) -> bool:
    with alone(folder / "target"):
        return True


def publish_figure(folder: Path) -> bool:
    figure = Path(__file__)  # any file will do
    publish("fig1", [figure], [], folder / "target", "figures", {})
    return (folder / "target/figures" / figure.name).read_bytes() == figure.read_bytes()


ACTIONS = (write_settings, write_text, write_weights, finish_run, hold_lock, publish_figure)


def outcome(action: str, calls: str, folder: Path) -> str:
    """Return what an action in an empty folder says while calls fail."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    old = folder / "target.csv"
    old.write_bytes(b"old")
    os.environ["FAILING_CALLS"] = calls
    try:
        is_right = {each.__name__: each for each in ACTIONS}[action](folder)
        said = "" if is_right else "wrong content"
    except (OSError, NetdynError) as error:
        name = getattr(error, "filename", None)
        said = f"{name}: {error.strerror}" if name else str(error)
    finally:
        os.environ["FAILING_CALLS"] = ""
    left = [path.name for path in folder.rglob(".*") if not path.name.endswith(".lock")]
    if left or (said and old.read_bytes() != b"old"):
        said += f" and left {left}"
    return said


if __name__ == "__main__":
    place = Path(sys.argv[1]) / "mount"
    os.environ["FAILING_FOLDER"] = str(place)
    json.dump([outcome(*fault, place) for fault in json.load(sys.stdin)], sys.stdout)
