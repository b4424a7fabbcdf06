"""The workflow on a real SLURM, through profiles/slurm as it is shipped.

Left out of the tests that run by default: `make test-slurm`. It needs root and apt-get, and leaves
Debian's SLURM and MariaDB installed.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import cluster
import psutil
import pytest
from comparing import bits
from dag import FULL, TINY, copy_repository, planned

from netdyn.records.files import read_json

pytestmark = pytest.mark.slurm

# Four trainings and what is measured on them.
TARGETS = ("fig2",)
PROFILE = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "5")
# Each training in a SLURM job of its own, so that one can be killed and another cancelled.
TRAININGS_APART = ("--groups", "measure_run=measurements", "tabulate=tables", "draw_figure=figures")
NO_ACCOUNT = ("--default-resources", "slurm_partition=cpu", "mem_mb=1000", "runtime=10")
RESULTS = Path("results/demo")
WAITING_SECONDS = 300


@pytest.fixture
def with_accounting():
    """A running cluster."""
    cluster.install()
    cluster.start()
    yield
    cluster.stop()


@pytest.fixture
def without_accounting():
    """A running cluster that knows of no accounts and forgets what has ended."""
    cluster.install()
    cluster.start(accounting=False)
    yield
    cluster.stop()


@pytest.fixture
def begin(tmp_path):
    """Start Snakemake in a copy of the repository: `begin(name, targets and options)`."""
    started = []

    def start(name, *arguments):
        folder = copy_repository(tmp_path / name)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NETDYN_")}
        environment |= {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
        command = [str(Path(sys.executable).with_name("snakemake")), FULL, *arguments]
        with (folder / "said.txt").open("w", encoding="utf-8") as said:
            job = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        started.append(job)
        return folder, job

    yield start
    for job in started:
        if job.poll() is None:
            job.kill()
            job.wait()


def running(kind):
    """The jobs of a kind that run now, told by their comment: SLURM's number → node."""
    listed = said("squeue", "--noheader", "--states=RUNNING", "--format=%i|%N|%k").splitlines()
    rows = [line.split("|") for line in listed]
    return {number: node for number, node, comment in rows if kind in comment}


def ended():
    """Every try of every job, in order: number, state, comment, memory in MB, GPUs."""
    fields = "--format=JobIDRaw,State,Comment,ReqMem,AllocTRES"
    listed = said("sacct", "-X", "--duplicates", "--noheader", "--parsable2", fields).splitlines()
    tries = []
    for line in listed:
        number, state, comment, memory, allocated = line.split("|")
        gpus = re.search(r"gres/gpu=(\d+)", allocated)
        megabytes = float(memory.rstrip("MG")) * (1000 if memory.endswith("G") else 1)
        tries.append((number, state.split()[0], comment, megabytes, int(gpus[1]) if gpus else 0))
    return tries


def said(*command):
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def processes_of(number, command):
    """The processes of a SLURM job whose command line holds `command`."""
    found = []
    for process in psutil.process_iter():
        try:
            of_job = process.environ().get("SLURM_JOB_ID") == number
            if of_job and command in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(condition, job):
    deadline = time.monotonic() + WAITING_SECONDS
    while not (found := condition()):
        assert job.poll() is None, "Snakemake ended too soon"
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.2)
    return found


def finish(folder, job):
    assert job.wait(timeout=900) == 0, (folder / "said.txt").read_text(encoding="utf-8")


def files_below(folder, *endings):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in endings
    }


def test_what_is_disturbed_on_the_cluster_ends_in_the_files_of_a_local_run(with_accounting, begin):
    folder, job = begin("cluster", *TARGETS, *PROFILE, *TRAININGS_APART, *TINY)

    # Two nodes of two GPUs: four trainings at once.
    jobs = wait_for(lambda: len(r := running("train_run")) == 4 and r, job)
    spared, lost = cluster.NODES
    died, cancelled = sorted(number for number, node in jobs.items() if node == spared)
    went_down = sorted(number for number, node in jobs.items() if node == lost)
    assert len(went_down) == 2

    subprocess.run(["scancel", cancelled], check=True)
    cluster.kill_node(lost)
    for process in wait_for(lambda: processes_of(died, "-m netdyn train"), job):
        assert process.environ()["CUDA_VISIBLE_DEVICES"] in ("0", "1")
        process.kill()

    # SLURM takes two minutes before it starts the lost node's jobs again: time for a local run.
    local, elsewhere = begin("local", *TARGETS, *TINY)
    finish(local, elsewhere)
    finish(folder, job)
    tries = ended()
    comments = {number: comment for number, _, comment, _, _ in tries}

    def fate(number):
        return [(s, mb) for _, s, comment, mb, _ in tries if comment == comments[number]]

    assert fate(died) == [("FAILED", 6000), ("COMPLETED", 12000)]
    assert fate(cancelled) == [("CANCELLED", 6000), ("COMPLETED", 12000)]
    for number in went_down:
        assert fate(number) == [("NODE_FAIL", 6000), ("COMPLETED", 6000)]
    whole = [(comment, gpus) for _, state, comment, _, gpus in tries if state == "COMPLETED"]
    on_gpus = [comment for comment, gpus in whole if gpus == 1]
    assert len(on_gpus) == 4 + 1  # trainings, and a group of measurements
    assert all("train_run" in comment or "measure_run" in comment for comment in on_gpus)
    without = {comment for comment, gpus in whole if gpus == 0}
    assert without == {
        "rule_prepare_data_wildcards_digits",
        "rule_tables_tabulate",
        "rule_figures_draw_figure",
    }

    for ending in ("tables", "figures"):
        made, wanted = (
            files_below(f / RESULTS / ending, ".csv", ".pdf", ".png") for f in (folder, local)
        )
        assert made == wanted
        assert made
    runs = sorted(path.name for path in (local / RESULTS / "runs").iterdir())
    assert runs == sorted(path.name for path in (folder / RESULTS / "runs").iterdir())
    for run in runs:
        assert bits(folder / RESULTS / "runs" / run) == bits(local / RESULTS / "runs" / run)
        # The node has no GPU that torch could use, and the record doesn't claim one.
        record = read_json(folder / RESULTS / "runs" / run / "provenance.json")
        assert record["device"] == "cpu"
    assert planned(folder, *TARGETS, *TINY) == {}


def test_a_cluster_without_accounting_does_too(without_accounting, begin):
    asked = ("slurm_partition=short", "runtime=31", "gpu=1")
    short = [f"train_run:{resource}" for resource in asked]
    folder, job = begin(
        "refused", *TARGETS, *PROFILE, *NO_ACCOUNT, *TINY, "--set-resources", *short
    )
    assert job.wait(WAITING_SECONDS) != 0
    text = (folder / "said.txt").read_text(encoding="utf-8")
    assert "train_run asks for 124 minutes, partition short has 30: SLURM would let" in text
    assert said("squeue", "-h", "--me") == ""

    folder, job = begin("cluster", *TARGETS, *PROFILE, *NO_ACCOUNT, *TINY)
    assert len(wait_for(lambda: running("train_run"), job)) == 1
    measured = wait_for(lambda: running("measure_run"), job)
    assert "gpu:fake:1" in said("scontrol", "-d", "show", "job", *measured)
    subprocess.run(["scancel", *measured], check=True)
    finish(folder, job)
    assert (folder / RESULTS / "figures/fig2.pdf").is_file()
    logs = [path.read_text("utf-8") for path in (folder / RESULTS / "logs/train_run").iterdir()]
    assert len(logs) == 4
    assert sum("was trained by the job of another run" in text for text in logs) == 3
    assert planned(folder, *TARGETS, *TINY) == {}
