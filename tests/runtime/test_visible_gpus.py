"""Whether jobs ask for a GPU: by what the driver, its tool and the environment say of one."""

import subprocess
import sys

import pytest

from netdyn.runtime import visible_gpus
from netdyn.runtime.visible_gpus import a_gpu_is_visible


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A machine without a driver, and with an nvidia-smi of these words once it is called."""
    monkeypatch.setattr(visible_gpus, "DRIVERS_GPUS", tmp_path / "gpus")
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(words):
        script = tmp_path / "nvidia-smi"
        script.write_text(f"#!/bin/sh\n{words}\n")
        script.chmod(0o755)

    return install


LISTED = "echo 'GPU 0: NVIDIA H100 (UUID: GPU-8932f937)'"


def test_a_machine_without_a_driver_has_none(tool):
    assert a_gpu_is_visible({}) is False


def test_the_drivers_gpus_count(tool, tmp_path):
    (tmp_path / "gpus").mkdir()
    assert a_gpu_is_visible({}) is False
    (tmp_path / "gpus/0000:4e:00.0").mkdir()
    assert a_gpu_is_visible({}) is True


@pytest.mark.parametrize(
    ("words", "expected"),
    [(LISTED, True), ("echo 'No devices found.'", False), (f"{LISTED}; exit 9", False)],
)
def test_the_tools_list_counts_where_the_driver_is_not_seen(tool, words, expected):
    tool(words)
    assert a_gpu_is_visible({}) is expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        *(("0", True), ("1,0", True), ("GPU-8932f937", True), ("MIG-8932f937", True), (" 0", True)),
        *(("", False), ("-1", False), ("-1,0", False), ("NoDevFiles", False), ("none", False)),
    ],
)
def test_the_environment_hides_them(tool, shown, expected):
    tool(LISTED)
    assert a_gpu_is_visible({"CUDA_VISIBLE_DEVICES": shown}) is expected


def test_it_brings_no_pytorch():
    program = (
        "import sys, netdyn.runtime.visible_gpus as v; v.a_gpu_is_visible(); "
        "print('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"
