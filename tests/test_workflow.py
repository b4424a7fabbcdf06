"""The workflow at work: what it plans after a change, and what becomes of jobs that go wrong."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dag import TINY, copy_repository, planned, snakemake

pytestmark = pytest.mark.workflow

DEMO = Path("results/demo")
TABLE = str(DEMO / "tables/grokking_gradient.csv")
BASINS = {"grokking_noise", "grokking_sample_basin", "grokking_weight_basin"}
PROJECTIONS = {"grokking_projection", "grokking_regions"}
MEASURED = {"grokking_gradient"} | BASINS | PROJECTIONS
EVERYTHING = {"train_run": 1, "measure_run": 6, "tabulate": 7, "draw_figure": 1}
# A training that takes seconds and writes a checkpoint every tenth of one.
LONG = "runs: {grokking: {steps: 4000}}"
OFTEN = ("CHECKPOINT_SECONDS = 30.0", "CHECKPOINT_SECONDS = 0.1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A working folder, its path with a space in it, in which `snakemake fig7` has just ended."""
    folder = copy_repository(tmp_path_factory.mktemp("workflow") / "a folder")
    run(folder, "fig7", *TINY)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the finished folder, time stamps and Snakemake's records included."""
    return shutil.copytree(finished, tmp_path / "a folder", symlinks=True)


@pytest.fixture(scope="module")
def long_run(finished, tmp_path_factory):
    """A folder with an undisturbed long training, its arguments and the target's path."""
    folder = tmp_path_factory.mktemp("long") / "a folder"
    shutil.copytree(finished, folder, symlinks=True)
    path = folder / "src/netdyn/training.py"
    assert path.read_text().count(OFTEN[0]) == 1
    path.write_text(path.read_text().replace(*OFTEN))
    shutil.rmtree(folder / DEMO / "runs")
    arguments = with_settings(folder, LONG)
    run(folder, TABLE, *arguments)
    (trained,) = (folder / DEMO / "runs").iterdir()
    return folder, arguments, str((trained / "manifest.json").relative_to(folder))


@pytest.fixture
def disturbed(long_run, tmp_path):
    """A copy of that folder without the run, its training begun: folder, arguments, target, job."""
    original, arguments, target = long_run
    folder = shutil.copytree(original, tmp_path / "a folder", symlinks=True)
    shutil.rmtree((folder / target).parent)
    command = [str(Path(sys.executable).with_name("snakemake")), target, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    with (folder / "said.txt").open("w") as said:
        job = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        wait_for(lambda: list((folder / DEMO / "checkpoints").glob("*/state.safetensors")), job)
        yield folder, arguments, target, job
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()


def run(folder, *arguments):
    """Run Snakemake to a good end; return what it says."""
    said = snakemake(folder, *arguments)
    assert said.returncode == 0, said.stdout
    return said.stdout


def with_settings(folder, text):
    """Lay settings over the tiny ones; return the arguments that say so."""
    (folder / "changed.yaml").write_text(text)
    return (*TINY, "changed.yaml")


def wait_for(condition, job):
    deadline = time.monotonic() + 60
    while not condition():
        assert job.poll() is None, "the job ended too soon"
        assert time.monotonic() < deadline, "nothing happened for a minute"
        time.sleep(0.02)


def append(path, text):
    path.write_text(path.read_text() + text)


def errors(said):
    return set(re.findall(r"^error: .*$", said, re.MULTILINE))


def test_each_job_leaves_its_log_and_its_benchmark(finished):
    logs, benchmarks = (
        {
            str(path.relative_to(finished / DEMO / kind)).removesuffix(ending)
            for path in (finished / DEMO / kind).rglob(f"*{ending}")
        }
        for kind, ending in (("logs", ".log"), ("benchmarks", ".tsv"))
    )
    assert logs == benchmarks
    assert len(logs) == sum(EVERYTHING.values())


@pytest.mark.parametrize(
    ("module", "measured", "trained", "drawn"),
    [
        ("rpd", {"grokking_gradient"}, 0, 1),
        ("basins", BASINS, 0, 1),
        ("projections", PROJECTIONS, 0, 1),
        ("mlp", MEASURED, 1, 1),
        ("training", MEASURED, 1, 1),
        ("figures/style", set(), 0, 1),
        ("figures/fig2", set(), 0, 0),
        ("translation", set(), 0, 0),
        ("cli", set(), 0, 0),
    ],
)
def test_an_edit_names_the_measurements_that_it_reaches(folder, module, measured, trained, drawn):
    append(folder / f"src/netdyn/{module}.py", "\nCHANGED = 1\n")
    said = run(folder, "-n", "fig7", *TINY)
    assert set(re.findall(r"measure (\w+) on", said)) == measured
    assert len(re.findall(r"^Job \d+: train ", said, re.MULTILINE)) == trained
    assert len(re.findall(r"^Job \d+: draw ", said, re.MULTILINE)) == drawn


def test_a_new_seed_makes_its_own_parts_only(folder):
    jobs = planned(folder, "fig7", *with_settings(folder, "runs: {grokking: {seeds: [0, 1]}}"))
    # Projections and regions are of seed 0.
    assert jobs == {"train_run": 1, "measure_run": 4, "tabulate": 5, "draw_figure": 1}


def test_a_change_and_a_change_back_find_the_run_again(folder):
    run(folder, TABLE, *with_settings(folder, "runs: {grokking: {learning_rate: 0.004}}"))
    assert len(list((folder / DEMO / "runs").iterdir())) == 2
    assert planned(folder, "fig7", *TINY) == {"tabulate": 1, "draw_figure": 1}


def test_where_and_with_how_many_cores_jobs_run_changes_nothing(folder):
    assert planned(folder, "fig7", "--cores", "1", *TINY) == {}
    assert planned(folder, "fig7", *with_settings(folder, "{device: cpu, data_root: else}")) == {}
    assert planned(folder, "fig7", *with_settings(folder, "threads: 2")) == EVERYTHING


def test_what_is_lost_comes_back_alone_and_equal(folder):
    (trained,) = (folder / DEMO / "runs").iterdir()
    manifest = str((trained / "manifest.json").relative_to(folder))
    snapshots = (trained / "snapshots.safetensors").read_bytes()
    shutil.rmtree(trained)
    assert planned(folder, "fig7", *TINY) == EVERYTHING
    assert planned(folder, manifest, *TINY) == {"train_run": 1}
    run(folder, manifest, *TINY)
    assert (trained / "snapshots.safetensors").read_bytes() == snapshots

    table = (folder / TABLE).read_bytes()
    (folder / TABLE).unlink()
    assert planned(folder, TABLE, *TINY) == {"tabulate": 1}
    run(folder, TABLE, *TINY)
    assert (folder / TABLE).read_bytes() == table
    assert planned(folder, "fig7", *TINY) == {}


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("tables/nothing.csv", "no measurement 'nothing' at scale demo"),
        ("tables/parts/grokking_noise/none.csv", "measurement 'grokking_noise' takes no run"),
        ("tables/parts/grokking_noise/other.csv", "takes no run 'other'"),
    ],
)
def test_a_result_that_is_not_declared_ends_in_one_line(folder, target, error):
    said = snakemake(folder, str(DEMO / target), *TINY)
    assert said.returncode != 0
    (line,) = errors(said.stdout)
    assert error in line
    assert "Traceback" not in said.stdout
    assert not list((folder / ".snakemake/locks").glob("*"))


@pytest.mark.parametrize(
    ("damaged", "rule"),
    [
        ("demo/runs/*/snapshots.safetensors", "measure_run"),
        ("data/digits.safetensors", "train_run"),
        ("demo/tables/parts/grokking_gradient/*.csv", "tabulate"),
        ("demo/tables/grokking_gradient.csv", "draw_figure"),
    ],
)
def test_a_damaged_input_fails_its_job_with_one_error(folder, damaged, rule):
    (path,) = (folder / "results").glob(damaged)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = snakemake(folder, "fig7" if rule == "draw_figure" else TABLE, *TINY)
    assert said.returncode != 0
    (line,) = errors(said.stdout)
    assert path.name in line
    assert re.search("damaged.*(delete|restore)", line)
    # The job itself fails; it does not end well without its output.
    assert f"Error in rule {rule}" in said.stdout
    assert "MissingOutputException" not in said.stdout


def test_after_a_failed_job_the_older_figure_does_not_pass_for_current(folder):
    append(folder / "src/netdyn/rpd.py", "\nraise ValueError('a mistake')\n")
    stale = {"measure_run": 1, "tabulate": 1, "draw_figure": 1}
    assert planned(folder, "fig7", *TINY) == stale
    assert snakemake(folder, "fig7", *TINY).returncode != 0
    assert planned(folder, "fig7", *TINY) == stale


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_goes_on_to_the_same_bits(long_run, disturbed, number):
    folder, arguments, target, job = disturbed
    os.killpg(job.pid, number)
    assert job.wait(timeout=60) != 0
    assert not (folder / target).exists()
    if number == signal.SIGKILL:
        assert "--unlock" in snakemake(folder, target, *arguments).stdout
        run(folder, "--unlock", *arguments)
    assert "resumed at step" in run(folder, target, *arguments)
    for name in ("manifest.json", "history.csv", "snapshots.safetensors"):
        undisturbed = (long_run[0] / target).with_name(name).read_bytes()
        assert (folder / target).with_name(name).read_bytes() == undisturbed
    assert not list((folder / DEMO / "checkpoints").iterdir())
    assert planned(folder, TABLE, *arguments) == {}


def test_code_that_is_edited_under_a_training_makes_it_run_again(disturbed):
    folder, arguments, target, job = disturbed
    # Held still, so that the training can't end before the dry run.
    os.killpg(job.pid, signal.SIGSTOP)
    append(folder / "src/netdyn/training.py", "\nCHANGED = 1\n")
    assert planned(folder, target, *arguments) == {"train_run": 1}
    os.killpg(job.pid, signal.SIGCONT)
    assert job.wait(timeout=120) == 0
    assert planned(folder, target, *arguments) == {"train_run": 1}
