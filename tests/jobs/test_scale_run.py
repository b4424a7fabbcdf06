"""A whole scale in one process: Snakemake's bytes, also when it is cut, and nothing made again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from dag import TINY, copy_repository, planned, run

from netdyn.errors import NetdynError
from netdyn.jobs.schedule import TimeLeft, chosen_tables, run_jobs, training_work
from netdyn.plan.targets import Plan

ROOT = Path(__file__).parents[2]
DEMO = Path("results/demo")
# One of each kind: no run, history, measured, of the samples alone, shared run, two runs.
NAMES = (
    "toy_neurons",
    "learning_rates_history",
    "learning_rates_sample_basin",
    "grokking_test_distance",
    "grokking_gradient",
    "deep23_pruning",
)
ARGUMENTS = ("--configfile", "tests/workflow_tiny.yaml", "--tables", ",".join(NAMES))


def started(folder, *arguments):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NETDYN_")}
    return subprocess.Popen(
        [sys.executable, "-m", "netdyn", "run", *ARGUMENTS, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def scale_run(folder, *arguments):
    process = started(folder, *arguments)
    output, _ = process.communicate()
    return process.returncode, output


def tables(folder, place="reference/tables"):
    return {name: (folder / DEMO / place / f"{name}.csv").read_bytes() for name in NAMES}


@pytest.fixture(scope="module")
def by_snakemake(tmp_path_factory):
    """The tables as Snakemake makes them."""
    folder = copy_repository(tmp_path_factory.mktemp("snakemake"))
    run(folder, *(str(DEMO / "tables" / f"{name}.csv") for name in NAMES), *TINY)
    return tables(folder, "tables")


@pytest.mark.workflow
def test_the_tables_are_snakemakes_and_nothing_is_made_again(tmp_path, by_snakemake):
    folder = copy_repository(tmp_path)
    status, output = scale_run(folder, "--pack", "all.tar.gz")
    assert status == 0, output
    assert tables(folder) == by_snakemake
    # Nothing but what is committed goes to a fresh copy.
    clone = copy_repository(tmp_path / "clone")
    with tarfile.open(folder / "all.tar.gz") as archive:
        archive.extractall(clone, filter="data")
    assert tables(clone) == by_snakemake
    (clone / "reuse.yaml").write_text("reuse: true")
    wanted = [str(DEMO / "tables" / f"{name}.csv") for name in NAMES]
    assert planned(clone, *wanted, *TINY, "reuse.yaml") == {"tabulate": len(NAMES)}
    run(clone, *wanted, *TINY, "reuse.yaml")
    assert tables(clone, "tables") == by_snakemake
    status, output = scale_run(clone)
    assert (status, "0 runs to train, 0 measurements" in output) == (0, True), output


@pytest.mark.workflow
def test_cut_at_random_moments_it_ends_in_the_same_bytes(tmp_path, by_snakemake):
    folder, moments = copy_repository(tmp_path), random.Random(0)
    for cut in range(5):
        process = started(folder, *["--drop-snapshots"] * (cut > 2))
        # The first second or two are spent on imports.
        time.sleep(2 + 6 * moments.random())
        process.send_signal((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[cut % 3])
        process.communicate()
    status, output = scale_run(folder, "--drop-snapshots")
    assert status == 0, output
    assert tables(folder) == by_snakemake
    assert not list((folder / DEMO / "runs").glob("*/snapshots.safetensors"))
    assert not list((folder / DEMO / "checkpoints").glob("*"))


@pytest.mark.workflow
def test_time_that_is_up_leaves_what_is_finished(tmp_path):
    folder = copy_repository(tmp_path)
    status, output = scale_run(folder, "--until", "0.1", "--pack", "none.tar.gz")
    assert (status, "nothing to pack" in output) == (1, True), output
    seconds, complete = 4.0, False
    while not complete:
        status, output = scale_run(folder, "--until", str(seconds))
        assert status == 0, output
        complete = "scale demo: done" in output
        assert complete or "stopped: the tables are in results/demo/reference" in output
        seconds *= 1.5
    shutil.rmtree(folder / DEMO / "runs")
    assert len(tables(folder)) == len(NAMES)


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("plan"))
    yield Plan(ROOT, {"reuse": True, "dataset": "mnist"}, "paper")
    os.chdir(before)


def test_every_table_comes_once_and_what_decides_most_comes_first(paper):
    groups = chosen_tables(paper, [])
    flat = [table for group in groups for table in group]
    assert sorted(flat) == sorted(paper.tables())
    assert {"deep10_gradient", "deep23_pruning", "architecture_gradient"} <= set(groups[0])
    assert "shallow_rpd" in groups[1]
    assert "grokking_gradient" in groups[2]
    jobs = run_jobs(paper, groups)
    seeds = [job.run.settings["seed"] for job in jobs if job.run]
    assert seeds == sorted(seeds)
    made = [(name, job.run and job.run.id) for job in jobs for name in job.tables]
    every = [(name, run.id) for name in paper.tables() for run in paper.measurement(name).runs] + [
        ("toy_neurons", None)
    ]
    assert sorted(made, key=str) == sorted(every, key=str)


def test_names_are_tables_or_figures(paper):
    assert chosen_tables(paper, ["fig5", "toy_neurons"]) == [
        ["deep23_cone", "deep23_fragile"],
        ["toy_neurons"],
    ]
    with pytest.raises(NetdynError, match="no table or figure 'fig9' at scale paper: choose from "):
        chosen_tables(paper, ["fig9"])


def test_the_time_left_follows_from_what_was_done(paper):
    small, large = (
        paper.run(run.id).settings
        for name in ("grokking_history", "deep10_history")
        for run in paper.measurement(name).runs[:1]
    )
    left = TimeLeft()
    assert left.estimate([small], []) is None
    left.trained(small, 3.0)
    left.measured("a", 1.0)
    left.measured("a", 3.0)
    ratio = training_work(large) / training_work(small)
    assert left.estimate([large], ["a", "b"]) == pytest.approx(3 * ratio + 2 + 2)
    assert left.estimate([], []) == 0
