"""Accidents: nothing wrong is taken for right, finished work is kept, the next run finishes.

Each leaves tables and runs with the bits of an undisturbed workflow. What is not killed at a random
moment here is in docs/faults.md by the name of its test. Faults that cost much work, marked
`workflow_runs`, are caused by `make test-workflow`.
"""

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import soak
from dag import errors, forks, jobs_of, planned, run, snakemake
from soak import ARGUMENTS, CONFIGURED, Sitting, results

from netdyn.errors import NetdynError
from netdyn.results.tables import read_table

pytestmark = pytest.mark.workflow

RESULTS = Path("results/demo")
LONG = functools.partial(pytest.param, marks=pytest.mark.workflow_runs)
TABLE = soak.TABLES[1]
PART = "tables/parts/grokking_gradient"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A folder, its path with a space in it, in which the workflow has just ended."""
    folder = soak.prepared(tmp_path_factory.mktemp("undisturbed") / "a folder", runs=2)
    run(folder, *ARGUMENTS)
    return folder


@pytest.fixture
def folder(undisturbed, tmp_path):
    """A copy of it, time stamps, hard links and Snakemake's records included."""
    subprocess.run(["cp", "-a", undisturbed, tmp_path / "a folder"], check=True)
    return tmp_path / "a folder"


@pytest.fixture
def untrained(folder):
    """The same before one run was trained, and before anything was measured."""
    for name in ("runs", "tables", "checkpoints"):
        shutil.rmtree(folder / RESULTS / name)
    return folder


@pytest.fixture
def training(untrained):
    """The same with Snakemake at work and both trainings begun."""
    sitting = Sitting(untrained, forks=forks())
    held = {}

    def both_begun():
        # The first is held still until the second has begun, however fast the machine is.
        for job, words in sitting.jobs("train").items():
            with contextlib.suppress(psutil.Error):
                checkpoints = untrained / words[words.index("--checkpoints") + 1]
                if job.pid not in held and (checkpoints / "state.safetensors").exists():
                    job.suspend()
                    held[job.pid] = job
        return len(held) == 2

    try:
        wait_for(both_begun, sitting)
        for job in held.values():
            job.resume()
        yield sitting
    finally:
        sitting.end()
        sitting.process.wait()


def wait_for(condition, sitting):
    deadline = time.monotonic() + 120
    while not condition():
        assert sitting.process.poll() is None, sitting.log.read_text()
        assert time.monotonic() < deadline, sitting.log.read_text()
        time.sleep(0.02)


def goes_on_to_the_same_bits(folder, undisturbed):
    """Run Snakemake to a good end, tables and runs asked for; return what trainings say."""
    if list((folder / ".snakemake/locks").glob("*")):
        run(folder, "--unlock", *ARGUMENTS)
    expected = results(undisturbed)
    run(folder, *expected, *CONFIGURED)
    assert results(folder) == expected
    assert planned(folder, *expected, *CONFIGURED) == {}
    return said_by_trainings(folder)


def said_by_trainings(folder):
    return "".join(log.read_text() for log in (folder / RESULTS).glob("logs/train_run/*.log"))


def mount(*words):
    """Mount a file system, or skip the test where that takes rights that are not there."""
    try:
        subprocess.run(["mount", *words], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting is not permitted here: {error}")


@pytest.fixture
def small_disk(untrained):
    """The folder with its results on a disk of their own; give a function that sets its size."""
    place = untrained / "results"
    mount("-t", "tmpfs", "-o", "size=64k", "none", place)
    try:
        yield lambda size: mount("-o", f"remount,size={size}", place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def read_only(folder):
    """A function that makes the folder's results read-only; another to make them writable again."""
    place = folder / "results"
    mount("--bind", place, place)
    try:
        yield lambda which: mount("-o", f"remount,bind,{which}", place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


# Kills --------------------------------------------------------------------------------------------


@pytest.mark.workflow_runs
def test_random_kills_lose_nothing(tmp_path):
    rows = soak.soak(tmp_path, kills=4, seed=1, runs=2, forks=forks())
    assert sorted(rows["kind"]) == sorted(soak.KINDS)
    assert not rows["differing"].any()
    assert not rows["runs_lost"].any()
    # What was at work is begun again, no more.
    assert rows["begun_again"].sum() <= soak.CORES * len(rows)


@pytest.mark.parametrize("number", [signal.SIGTERM, LONG(signal.SIGINT)])
def test_a_stopped_workflow_leaves_checkpoints_and_goes_on(undisturbed, training, number):
    folder = training.log.parent
    os.killpg(training.process.pid, number)
    assert training.process.wait(timeout=60) != 0
    assert not list((folder / RESULTS).glob("runs/*/manifest.json"))
    assert len(list((folder / RESULTS).glob("checkpoints/*/state.safetensors"))) == 2
    assert goes_on_to_the_same_bits(folder, undisturbed).count("resumed at step") == 2


@pytest.mark.workflow_runs
def test_what_ends_after_snakemake_was_killed_is_not_trained_again(undisturbed, training):
    folder = training.log.parent
    os.kill(training.process.pid, signal.SIGKILL)
    training.process.wait()
    # Begun while the orphans are still at work: it waits for them, and takes what they made.
    said = goes_on_to_the_same_bits(folder, undisturbed)
    assert said.count("was trained before, taken from") == 2
    assert "resumed" not in said


@pytest.mark.workflow_runs
def test_code_that_is_edited_under_a_training_makes_it_run_again(training):
    folder = training.log.parent
    # Held still, so that the training can't end before the dry run.
    os.killpg(training.process.pid, signal.SIGSTOP)
    path = folder / "src/netdyn/training/train.py"
    path.write_text(path.read_text() + "\nCHANGED = 1\n")
    stale = planned(folder, *ARGUMENTS)
    assert stale["train_run"] == 2
    os.killpg(training.process.pid, signal.SIGCONT)
    assert training.process.wait(timeout=120) == 0
    assert planned(folder, *ARGUMENTS) == stale


# Disks --------------------------------------------------------------------------------------------


@pytest.mark.workflow_runs
def test_a_full_disk_is_an_error_and_the_work_goes_on_once_there_is_room(
    untrained, undisturbed, small_disk
):
    # Full for settings; for the prepared data; for a training; large enough.
    for size in ("64k", "1m", "2300k"):
        small_disk(size)
        said = snakemake(untrained, *ARGUMENTS)
        assert said.returncode != 0
        assert "No space left" in said.stdout
        assert not list((untrained / RESULTS / "tables").glob("*.csv"))
    small_disk("64m")
    goes_on_to_the_same_bits(untrained, undisturbed)


@pytest.mark.workflow_runs
def test_read_only_results_are_an_error_and_nothing_is_changed(folder, undisturbed, read_only):
    (folder / TABLE).unlink()
    read_only("ro")
    said = snakemake(folder, *ARGUMENTS)
    assert said.returncode != 0
    # By Snakemake, which names the files, or by the job.
    assert re.search("Read-only file system|Write-protected output files", said.stdout)
    read_only("rw")
    goes_on_to_the_same_bits(folder, undisturbed)


# Two at once --------------------------------------------------------------------------------------


@pytest.mark.workflow_runs
def test_a_second_snakemake_is_refused(undisturbed, training):
    folder = training.log.parent
    os.killpg(training.process.pid, signal.SIGSTOP)  # or it may have ended before
    said = snakemake(folder, *ARGUMENTS)
    os.killpg(training.process.pid, signal.SIGCONT)
    assert said.returncode != 0
    assert "Directory cannot be locked" in said.stdout
    assert training.process.wait() == 0
    assert goes_on_to_the_same_bits(folder, undisturbed)


@pytest.mark.workflow_runs
def test_a_second_snakemake_that_is_forced_makes_nothing_wrong(undisturbed, training):
    folder = training.log.parent
    held = training.jobs("train")
    for job in held:
        job.suspend()
    second = Sitting(folder, "--nolock", log="second.txt", forks=forks())
    try:
        waiting = "another process is still making"
        wait_for(lambda: said_by_trainings(folder).count(waiting) == 2, second)
        for job in held:
            job.resume()
        # One may find missing what the other is making again; neither makes anything wrong.
        for each in (training, second):
            each.process.wait()
    finally:
        second.end()
    goes_on_to_the_same_bits(folder, undisturbed)


# Damage -------------------------------------------------------------------------------------------


def flip(path):
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        LONG("runs/{run}/snapshots.safetensors", flip),
        ("runs/{run}/history.csv", flip),
        ("../data/digits.safetensors", cut),
        (PART + "/{run}.csv", flip),
    ],
)
def test_damaged_files_are_named_refused_and_made_anew(folder, undisturbed, harm, name):
    (first, _) = sorted((folder / RESULTS / "runs").iterdir())
    path = Path(os.path.normpath(folder / RESULTS / name.format(run=first.name)))
    harm(path)
    said = snakemake(folder, *ARGUMENTS)
    assert said.returncode != 0
    assert errors(said.stdout)  # one of each job that reads the file
    for line in errors(said.stdout):
        assert path.name in line
        assert "damaged" in line
        assert "delete" in line
    assert "MissingOutputException" not in said.stdout
    # As the line says.
    shutil.rmtree(path.parent) if "runs" in name else path.unlink()
    goes_on_to_the_same_bits(folder, undisturbed)


def test_a_damaged_table_is_not_read(folder, undisturbed):
    flip(folder / TABLE)
    with pytest.raises(NetdynError, match=r"grokking_gradient\.csv is damaged .* delete"):
        read_table(folder / TABLE)
    (folder / TABLE).unlink()
    goes_on_to_the_same_bits(folder, undisturbed)


@pytest.mark.parametrize(
    ("lost", "target", "rule"),
    [
        ("runs/{run}", "runs/{run}/manifest.json", "train_run"),
        ("runs/{run}/history.csv", "runs/{run}/history.csv", "train_run"),
        (PART + "/{run}.csv", PART + "/{run}.csv", "measure_run"),
    ],
)
def test_what_is_lost_comes_back_alone_and_equal(folder, undisturbed, lost, target, rule):
    (first, _) = sorted((folder / RESULTS / "runs").iterdir())
    path, target = (RESULTS / name.format(run=first.name) for name in (lost, target))
    shutil.rmtree(folder / path) if path.suffix == "" else (folder / path).unlink()
    assert jobs_of(run(folder, str(target), *CONFIGURED)) == {rule: 1}
    assert (folder / target).read_bytes() == (undisturbed / target).read_bytes()
    assert results(folder) == results(undisturbed)


# Clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1e5, 1e5], ids=["past", "future"])
def test_dates_say_nothing(folder, undisturbed, hours):
    for path in (folder / "results").rglob("*"):
        os.utime(path, (time.time() + 3600 * hours,) * 2)
    assert planned(folder, *ARGUMENTS) == {}
    shutil.rmtree(folder / RESULTS / "tables")
    goes_on_to_the_same_bits(folder, undisturbed)


@pytest.mark.workflow_runs
def test_a_clock_that_is_set_back_under_a_training_costs_no_training(undisturbed, training):
    folder = training.log.parent
    ahead = (time.time() + 3600,) * 2
    os.utime(folder / "results/data/digits.safetensors", ahead)
    assert training.process.wait() != 0
    assert "older modification time" in training.log.read_text()
    assert "was trained before" in goes_on_to_the_same_bits(folder, undisturbed)


@pytest.mark.workflow_runs
def test_a_clock_that_is_set_back_hides_no_change(folder):
    path = folder / "src/netdyn/training/new_runs.py"
    before = path.read_text()
    path.write_text(before.replace("500_000_000", "500_000_001"))
    assert path.read_text() != before
    manifests = [
        str(p.relative_to(folder)) for p in (folder / RESULTS).glob("runs/*/manifest.json")
    ]
    run(folder, *manifests, *CONFIGURED)
    for trained in (folder / RESULTS / "runs").rglob("*"):
        os.utime(trained, (1e9, 1e9))  # long before the tables
    assert planned(folder, *ARGUMENTS) == {"measure_run": 2, "tabulate": 2}


# Jobs that fail -----------------------------------------------------------------------------------


def test_after_a_failed_job_nothing_older_passes_for_current(folder):
    path = folder / "src/netdyn/measures/ranks/rpd.py"
    path.write_text(path.read_text() + "\nraise ValueError('a mistake')\n")
    stale = {"measure_run": 2, "tabulate": 1}
    # By the table's path alone, which names no part.
    words = (TABLE, *CONFIGURED)
    assert planned(folder, *words) == stale
    assert snakemake(folder, "--keep-going", *words).returncode != 0
    assert not list((folder / RESULTS / PART).glob("*.csv"))
    assert (folder / TABLE).exists()
    assert planned(folder, *words) == stale


def test_a_failed_retraining_loses_no_earlier_run(folder, undisturbed):
    path = folder / "src/netdyn/training/train.py"
    before = path.read_text()
    path.write_text(before.replace("steps.advance_paced(step", "steps.advance_paced(1 / 0"))
    assert path.read_text() != before
    assert snakemake(folder, "--keep-going", *ARGUMENTS).returncode != 0
    assert not list((folder / RESULTS).glob("runs/*/manifest.json"))
    path.write_text(before)
    assert goes_on_to_the_same_bits(folder, undisturbed).count("was trained before") == 2
