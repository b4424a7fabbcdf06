"""A whole scale in one process: Snakemake's bytes, also when it is cut, and nothing made again."""

import os
import random
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from comparing import after
from dag import TINY, copy_repository, planned, run

from netdyn import cli
from netdyn.errors import NetdynError
from netdyn.jobs import completing, progress, scale
from netdyn.jobs.schedule import chosen_tables, run_jobs
from netdyn.plan.targets import Plan
from netdyn.records.files import read_json, read_yaml

ROOT = Path(__file__).parents[2]
DEMO = Path("results/demo")
# One of each kind: no run, history, measured on runs, on the samples alone.
NAMES = (
    "toy_neurons",
    "learning_rates_history",
    "learning_rates_sample_basin",
    "grokking_test_distance",
)
TRAINED = ("learning_rates_learning_rate-0.03", "learning_rates_learning_rate-0.3")
ONE_SEED = "seeds: [0]"
SETTINGS = ("--configfile", "tests/workflow_tiny.yaml", "--configfile", "one_seed.yaml")
ARGUMENTS = (*SETTINGS, "--tables", ",".join(NAMES), "--device", "cpu")


def fresh(path: Path) -> Path:
    """Return a copy of the repository without results."""
    folder = copy_repository(path)
    (folder / "one_seed.yaml").write_text(ONE_SEED)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the repository, and the current folder."""
    monkeypatch.chdir(fresh(tmp_path / "here"))
    return Path.cwd()


@pytest.fixture
def scale_run(capsys):
    """Run `netdyn run` in this process and folder; return its exit status and its messages."""

    def call(*arguments):
        try:
            cli.app(["run", *ARGUMENTS, *arguments], standalone_mode=False)
        except SystemExit as stopped:
            return stopped.code, capsys.readouterr().err
        return 0, capsys.readouterr().err

    return call


def tables(folder, place="reference/tables"):
    return {name: (folder / DEMO / place / f"{name}.csv").read_bytes() for name in NAMES}


def runs(folder):
    """Return the trained runs, by what comes before their seed."""
    return {path.name.partition("_seed")[0] for path in (folder / DEMO / "runs").glob("*")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tables of a run that nothing stops, and its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(fresh(tmp_path_factory.mktemp("undisturbed")))
        cli.app(["run", *ARGUMENTS, "--pack", "all.tar.gz"], standalone_mode=False)
        yield tables(Path.cwd()), Path.cwd()


@pytest.mark.workflow
def test_the_tables_are_snakemakes(folder, undisturbed):
    targets = [str(DEMO / "tables" / f"{name}.csv") for name in NAMES]
    run(folder, *targets, *TINY, "one_seed.yaml")
    assert tables(folder, "tables") == undisturbed[0]


@pytest.mark.workflow
def test_what_is_packed_is_reused_by_snakemake_and_by_itself(folder, undisturbed, scale_run):
    with tarfile.open(undisturbed[1] / "all.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    assert tables(folder) == undisturbed[0]
    Path("reuse.yaml").write_text("reuse: true")
    targets = [str(DEMO / "tables" / f"{name}.csv") for name in NAMES]
    settings = (*TINY, "one_seed.yaml", "reuse.yaml")
    assert planned(folder, *targets, *settings) == {"tabulate": len(NAMES)}
    status, output = scale_run()
    assert (status, "0 runs to train, 0 measurements" in output) == (0, True), output
    assert runs(folder) == set()


def test_a_table_without_runs_is_reused_as_a_whole(folder, scale_run):
    toy = ("--tables", "toy_neurons")
    assert "0 runs to train, 1 measurements" in scale_run(*toy)[1]
    assert "0 runs to train, 0 measurements" in scale_run(*toy)[1]
    netdyn = ["resolve", *SETTINGS, "--set", '{"reuse": true}', "--output", "settings", *toy]
    cli.app(netdyn, standalone_mode=False)
    assert "netdyn measure" not in Path("settings/commands.sh").read_text()
    netdyn = ["tabulate", "settings/tables/toy_neurons.json", "--output", "toy.csv"]
    cli.app(netdyn, standalone_mode=False)
    table = DEMO / "reference" / "tables" / "toy_neurons.csv"
    assert Path("toy.csv").read_bytes() == table.read_bytes()
    # With other settings it is measured; damaged, it is an error that names the way out.
    other = ("--set", '{"measurements": {"toy_neurons": {"samples": 21}}}')
    table.write_bytes(table.read_bytes() + b"\n")
    with pytest.raises(NetdynError, match=r"toy_neurons.csv is damaged .*set reuse to false"):
        scale_run(*toy)
    assert "0 runs to train, 1 measurements" in scale_run(*toy, *other)[1]


def cut_run(calls, **more):
    """Run the scale until `stopping` has been called so often; return whether it is done."""
    tiny = read_yaml(Path("tests/workflow_tiny.yaml"))
    plan = Plan(Path(), {**tiny, "reuse": True, "seeds": [0]}, "demo")
    groups = chosen_tables(plan, NAMES)
    work = scale.ScaleRun(plan, groups, Path("data"), "cpu", stopping=after(calls), **more)
    return work.run()


def test_cut_at_random_moments_it_ends_in_the_same_bytes(folder, undisturbed):
    moments, cuts = random.Random(0), 0
    while not cut_run(moments.randrange(2, 10), drop_snapshots=cuts > 1, checkpoint_seconds=0):
        cuts += 1
    assert cuts >= 5
    assert tables(folder) == undisturbed[0]
    assert runs(folder) == set()
    # Locks stay: a process that waits for one holds the same file.
    checkpoints = [path.name for path in (folder / DEMO / "checkpoints").iterdir()]
    assert [name for name in checkpoints if not name.endswith(".lock")] == []


def test_a_killed_process_loses_nothing(folder, undisturbed, scale_run):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NETDYN_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "netdyn", "run", *ARGUMENTS],
        env={**inherited, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "2 runs to train" in process.stderr.readline()
    process.stderr.readline()
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert scale_run()[0] == 0
    assert tables(folder) == undisturbed[0]


@pytest.mark.parametrize("where", ["train_runs", "measure_block", "keep_parts"])
def test_a_failing_job_is_named_and_the_others_go_on(folder, scale_run, monkeypatch, where):
    function = getattr(scale, where)
    bad = "learning_rates_sample_basin" if where == "keep_parts" else TRAINED[1]

    def failing(*arguments, **named):
        if bad in str(arguments):
            raise NetdynError("the disk is gone") if where == "keep_parts" else ZeroDivisionError
        return function(*arguments, **named)

    monkeypatch.setattr(scale, where, failing)
    status, output = scale_run("--drop-snapshots")
    assert status == 1
    (line,) = (line for line in output.splitlines() if "failed, see above: " in line)
    assert line.startswith(f"1 failed, see above: {bad}")
    assert f"error: {bad}" in output
    assert ("Traceback" in output) == (where != "keep_parts")
    committed = {path.stem for path in (folder / DEMO / "reference/tables").glob("*.csv")}
    missing = {bad} if where == "keep_parts" else set()
    assert committed == set(NAMES) - missing
    # What failed loses nothing; what is committed is dropped.
    left = {"train_runs": set(), "measure_block": {bad}, "keep_parts": set(TRAINED)}
    assert runs(folder) == left[where]
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    status, output = scale_run("--drop-snapshots")
    assert (status, runs(folder)) == (0, set()), output
    assert len(tables(folder)) == len(NAMES)


def test_time_that_is_up_leaves_what_is_finished(folder, scale_run):
    with pytest.raises(NetdynError, match=r"holds no table yet: nothing to pack into none.tar.gz"):
        scale_run("--until", "0.001", "--pack", "none.tar.gz")
    status, output = scale_run("--until", "0.001")
    assert status == 0
    assert "stopped: the tables are in results/demo/reference, run again to go on" in output


@pytest.mark.parametrize("fits", [True, False])
def test_by_the_engine_stacked_runs_of_a_block_train_at_once(folder, monkeypatch, capsys, fits):
    def too_large(*_):
        raise MemoryError("too large")

    if not fits:
        monkeypatch.setattr(completing.train, "train_stack", too_large)
    plan = Plan(Path(), {**read_yaml(Path("tests/workflow_tiny.yaml")), "seeds": [0]}, "demo")
    work = scale.ScaleRun(plan, [["learning_rates_history"]], Path("data"), "cpu", "stacked")
    assert work.run()
    records = [*(folder / DEMO / "runs").glob("*/provenance.json")]
    made_by = [read_json(record)["engine"] for record in records]
    assert made_by == (["stacked autograd"] if fits else ["blocks"]) * len(TRAINED)
    assert ("each of them trains alone" in capsys.readouterr().err) is not fits


def test_lines_of_progress_are_few(capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    shown = progress.ScaleProgress(3, lambda: 120.0)
    for number in range(2):
        shown.start(number, f"train {number}")
        clock[0] += 1
    clock[0] += 30
    for step in range(1, 5):
        shown.step(step, 4, "loss 1")
        clock[0] += 15
    assert capsys.readouterr().err.splitlines() == [
        "1 of 3: train 0; about 2.0 min left",
        "2 of 3: train 1: step 1 of 4 (25%), loss 1; about 1.5 min left",
        "2 of 3: train 1: step 3 of 4 (75%), loss 1; about 1.0 min left",
    ]


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
    assert {"deep10_gradient", "deep23_pruning", "deep10_first_batch"} <= set(groups[0])
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
        ["deep23_cone", "deep23_fragile", "deep23_adversarial"],
        ["toy_neurons"],
    ]
    with pytest.raises(
        NetdynError, match="no table or figure 'fig9' at scale paper; did you mean 'fig7'"
    ):
        chosen_tables(paper, ["fig9"])
