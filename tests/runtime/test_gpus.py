"""Jobs that share a machine's GPUs: each has one of its own, and gives it back however it ends."""

import subprocess
import sys

import pytest

from netdyn.errors import NetdynError
from netdyn.runtime.gpus import claim_gpu

# Claims a GPU, says which it sees, and holds it until its input ends.
HOLDER = (
    "import os, sys, netdyn.runtime.gpus; netdyn.runtime.gpus.claim_gpu(sys.argv[1]);"
    "print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path, monkeypatch):
    """Start a process that claims one of these GPUs, and holds it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    started = []

    def start(names):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", HOLDER, names], **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_each_process_has_a_gpu_of_its_own(holder):
    names = "0,1,GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
    seen = [holder(names).stdout.readline().strip() for _ in range(3)]
    assert sorted(seen) == sorted(names.split(","))


@pytest.mark.parametrize("end", [lambda p: p.kill(), lambda p: p.stdin.close()])
def test_one_too_many_waits_for_whichever_comes_free(holder, end):
    first, second = holder("0,1"), holder("0,1")
    held = {process.stdout.readline().strip(): process for process in (first, second)}
    waiting = holder("0,1")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=1)
    end(held["1"])
    assert waiting.stdout.readline().strip() == "1"


@pytest.mark.parametrize("names", ["", "0,", "0;1", "../0", "0 1"])
def test_what_names_no_gpus_is_refused(names):
    with pytest.raises(NetdynError, match="give indices or UUIDs"):
        claim_gpu(names)
