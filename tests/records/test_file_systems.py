"""Mounts without modes, links, locks or fsync are written to; where none can write, it is said."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HELPERS = Path(__file__).parents[1] / "helpers"
ACTIONS = (
    *("write_settings", "write_text", "write_weights", "finish_run", "hold_lock"),
    "publish_figure",
)
# What a mount may lack without any loss.
LACKING = {
    "no fault": "",
    "CIFS, NTFS": f"chmod:{errno.EPERM}",
    "gcsfuse": f"chmod:{errno.ENOTSUP},link:{errno.ENOSYS},flock:{errno.ENOTSUP}",
    "exFAT": f"link:{errno.EPERM},chmod:{errno.EPERM}",
    "folders under other quotas": f"link:{errno.EXDEV}",
    "NFS without lockd": f"flock:{errno.ENOLCK}",
    "Lustre without flock": f"flock:{errno.ENOSYS}",
    "FUSE without fsync": f"fsync:{errno.EINVAL}",
    "FUSE without anything": f"fsync:{errno.ENOSYS},flock:{errno.EINVAL},link:{errno.ENOTSUP}",
}
# What ends in an error that names the file.
REFUSING = {
    "quota": ("write", errno.EDQUOT),
    "full": ("write", errno.ENOSPC),
    "quota that shows late": ("fsync", errno.EDQUOT),
    "bad disk": ("fsync", errno.EIO),
    "a file that is a mount": ("rename", errno.EXDEV),
    "busy": ("rename", errno.EBUSY),
}
WRITING = ("write_settings", "write_text", "write_weights", "publish_figure")
FAULTS = [(action, calls) for calls in LACKING.values() for action in ACTIONS]
FAULTS += [(action, f"{call}:{number}") for call, number in REFUSING.values() for action in WRITING]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Of each fault what its action said: all in one process, whose start takes longest."""
    folder = tmp_path_factory.mktemp("mounts")
    library = folder / "failing_calls.so"
    words = ("cc", "-shared", "-fPIC", "-o", library, HELPERS / "failing_calls.c", "-ldl")
    subprocess.run(words, check=True)
    finished = subprocess.run(
        [sys.executable, HELPERS / "on_a_mount.py", folder],
        input=json.dumps(FAULTS),
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "LD_PRELOAD": str(library)},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return dict(zip(FAULTS, json.loads(finished.stdout), strict=True))


@pytest.mark.parametrize("mount", [*LACKING])
def test_what_a_mount_lacks_is_done_without(outcomes, mount):
    said = {action: outcomes[action, LACKING[mount]] for action in ACTIONS}
    assert {action: text for action, text in said.items() if text} == {}


@pytest.mark.parametrize("action", WRITING)
@pytest.mark.parametrize("fault", [*REFUSING])
def test_what_cannot_be_written_is_named_with_the_reason(outcomes, fault, action):
    call, number = REFUSING[fault]
    said = outcomes[action, f"{call}:{number}"]
    assert "/mount/target" in said
    assert said.endswith(f": {os.strerror(number)}")
