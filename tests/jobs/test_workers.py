"""Several processes make a scale together: the bytes of one process, whatever becomes of them."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from dag import copy_repository

from netdyn.jobs.schedule import RunJob
from netdyn.jobs.sharing import OwnJobs, SharedJobs
from netdyn.plan.settings import Run

DEMO = Path("results/demo/reference")
TABLES = "learning_rates_history,learning_rates_sample_basin,deep23_history,deep23_class_basin"


def jobs(*names):
    """Return a job for each name, of the run of that name."""
    return [RunJob(Run(name, name, {}, {}), ("table",)) for name in names]


def never():
    return False


def netdyn_run(folder, *arguments):
    (folder / "one_seed.yaml").write_text("seeds: [0]")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NETDYN_")}
    files = "--configfile", "tests/workflow_tiny.yaml", "--configfile", "one_seed.yaml"
    return subprocess.Popen(
        [sys.executable, "-m", "netdyn", "run", *files, "--device", "cpu", *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def committed(folder):
    return {path.name: path.read_bytes() for path in (folder / DEMO / "tables").iterdir()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The tables that one process makes."""
    folder = copy_repository(tmp_path_factory.mktemp("alone") / "here")
    assert netdyn_run(folder, "--tables", TABLES).wait() == 0
    return committed(folder)


def test_several_processes_make_the_bytes_of_one(tmp_path, alone):
    folder = copy_repository(tmp_path / "here")
    process = netdyn_run(folder, "--tables", TABLES, "--workers", "2", "--drop-snapshots")
    said = process.communicate()[1]
    assert (process.returncode, committed(folder)) == (0, alone), said
    # Each job was made by one worker, and more than one worked.
    trained = re.findall(r"worker (\d): \d+ of \d+: train (\S+)", said)
    assert len({worker for worker, _ in trained}) > 1
    assert len(trained) == len({run.rstrip(";") for _, run in trained})
    assert list((folder / "results/demo/runs").glob("*")) == []


@pytest.mark.workflow_runs
def test_what_a_killed_worker_leaves_the_others_make(tmp_path, alone):
    folder = copy_repository(tmp_path / "here")
    process = netdyn_run(folder, "--tables", TABLES, "--workers", "2", "--drop-snapshots")
    line = ""
    while ": train " not in line:
        line = process.stderr.readline()
    workers = [
        child
        for child in psutil.Process(process.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]
    workers[0].kill()
    said = process.communicate()[1]
    assert f"ended with status {-signal.SIGKILL}" in said
    assert (process.returncode, committed(folder)) == (0, alone), said


def test_a_signal_stops_every_worker(tmp_path):
    folder = copy_repository(tmp_path / "here")
    process = netdyn_run(folder, "--tables", "fig4,fig7", "--workers", "2")
    line = ""
    while ": train " not in line:
        line = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "stopped: the tables are in" in said


def test_jobs_of_one_run_are_not_made_at_once(tmp_path):
    shared = jobs("a", "a", "b")
    first, second = SharedJobs(tmp_path, shared), SharedJobs(tmp_path, shared)
    assert first.take(never) == 0
    assert second.take(never) == 2
    first.finished(0)
    assert first.take(never) == 1
    second.finished(2)
    assert (first.unfinished(), second.unfinished()) == ([1], [1])
    waited = time.monotonic()
    assert second.take(lambda: time.monotonic() > waited + 0.5) is None
    first.finished(1)
    assert second.take(never) is None


def test_a_job_is_committed_by_its_own_process_alone(tmp_path):
    shared = jobs("a", "b")
    first, second = SharedJobs(tmp_path, shared), SharedJobs(tmp_path, shared)
    first.finished(first.take(never))
    second.finished(second.take(never))
    second.committed([1])
    # The run of job 0 must not be deleted: its part is not in the committed table yet.
    assert second.uncommitted() == [0]
    second.failed("a_run-0.5")
    second.failed("a_run-0.5")
    assert first.all_failed() == ["a_run-0.5"]


@pytest.mark.parametrize(
    "of", [lambda path: OwnJobs(3), lambda path: SharedJobs(path, jobs(*"abc"))]
)
def test_jobs_come_in_their_order_until_none_is_left(tmp_path, of):
    left, taken = of(tmp_path), []
    while (number := left.take(never)) is not None:
        taken.append(number)
        left.finished(number)
    assert taken == [0, 1, 2]
    assert (left.unfinished(), left.uncommitted()) == ([], [0, 1, 2])
    assert left.take(lambda: True) is None
