"""Jobs of one Snakemake share trainings: each run once, with the bits that its own job gives."""

import subprocess
import sys
from pathlib import Path

import pytest
from comparing import bits

from netdyn.cli import app
from netdyn.jobs import shared_trainings
from netdyn.jobs.shared_trainings import SharedTrainings, take_trained, train_with_siblings
from netdyn.records import files
from netdyn.training import train as training


@pytest.fixture
def block(tmp_path):
    """Four trainings of a block, and one of another block."""

    def one(name):
        words = {"settings": "settings", "data": "data", "output": "runs", "checkpoints": "ckpt"}
        return {key: str(tmp_path / part / name) for key, part in words.items()}

    return [one(name) for name in "abcd"], [one("e"), one("f")]


@pytest.fixture
def shared(tmp_path, block):
    (tmp_path / "shared").mkdir()
    return SharedTrainings(SharedTrainings.write(tmp_path / "shared", block))


@pytest.fixture
def trainer(tmp_path):
    """Pretend to train; the names of what was trained are in `trained`, in their order."""
    trained = []

    def train(stack):
        return [train_one(one) for one in stack]

    def train_one(one):
        name = Path(one["output"]).name
        trained.append(name)
        folder = tmp_path / "ckpt" / f"{name}.whole" / "0"
        folder.mkdir(parents=True)
        for file in files.RUN_FILES:
            (folder / file).write_text(f"{name} {file}")
        return folder

    train.trained = trained
    return train


def never():
    return False


def places(tmp_path):
    return sorted(path.name for path in (tmp_path / "runs").glob("*") if any(path.iterdir()))


def test_a_job_trains_its_block_and_the_others_jobs_train_nothing(tmp_path, shared, block, trainer):
    assert train_with_siblings(shared, block[0][2], trainer, never)
    assert trainer.trained == ["c", "a", "b", "d"]
    assert places(tmp_path) == ["c"]  # each of the others gets its place by its own job
    for one in block[0]:
        assert train_with_siblings(shared, one, trainer, never)
    assert trainer.trained == ["c", "a", "b", "d"]
    assert places(tmp_path) == ["a", "b", "c", "d"]
    for name in "abcd":
        for file in files.RUN_FILES:
            assert (tmp_path / "runs" / name / file).read_text() == f"{name} {file}"


def test_a_run_in_no_block_is_trained_alone(tmp_path, shared, trainer):
    one = {"output": str(tmp_path / "runs/x"), "checkpoints": str(tmp_path / "ckpt/x")}
    assert train_with_siblings(shared, one, trainer, never)
    assert trainer.trained == ["x"]


@pytest.mark.parametrize("held", ["a", "d"])
def test_what_another_process_trains_is_left_to_it(tmp_path, shared, block, trainer, held):
    with shared.held(tmp_path / "runs" / held) as free:
        assert free
        assert train_with_siblings(shared, block[0][1], trainer, never)
    assert trainer.trained == ["b", *(name for name in "acd" if name != held)]


@pytest.mark.parametrize("ends_well", [True, False])
def test_while_another_process_trains_its_run_a_job_trains_others(
    tmp_path, shared, block, trainer, ends_well, monkeypatch
):
    own = block[0][1]
    holding = shared.held(Path(own["output"]))
    holding.__enter__()

    def other_ends(_seconds):
        if ends_well:
            shared.note_trained(Path(own["output"]), *trainer([own]))
        holding.__exit__(None, None, None)  # as the kernel does for a process that was killed

    monkeypatch.setattr(shared_trainings.time, "sleep", other_ends)
    assert train_with_siblings(shared, own, trainer, never)
    assert trainer.trained == ["a", "c", "d", "b"]
    assert places(tmp_path) == ["b"]


@pytest.mark.parametrize("bad", ["a", "d"])
def test_another_run_that_fails_is_left_to_its_own_job(shared, block, trainer, bad, capfd):
    def train(stack):
        if bad in [Path(one["output"]).name for one in stack]:
            raise ValueError("no such data")
        return trainer(stack)

    assert train_with_siblings(shared, block[0][1], train, never)
    assert f"{bad}: no such data; this run is left to its own job" in capfd.readouterr().err
    assert sorted(trainer.trained) == sorted({"a", "b", "c", "d"} - {bad})
    (own,) = (one for one in block[0] if Path(one["output"]).name == bad)
    with pytest.raises(ValueError, match="no such data"):
        train_with_siblings(shared, own, train, never)
    assert train_with_siblings(shared, own, trainer, never)


@pytest.mark.parametrize(("stopped_at", "placed"), [("b", False), ("a", True), ("c", True)])
def test_a_job_that_is_stopped_is_done_if_its_own_run_is(
    tmp_path, shared, block, trainer, stopped_at, placed
):
    stops = []

    def train(stack):
        if Path(stack[0]["output"]).name == stopped_at:
            return stops.append(1)
        return trainer(stack)

    assert train_with_siblings(shared, block[0][1], train, lambda: bool(stops)) == placed
    assert places(tmp_path) == ["b"] * placed
    assert shared.trained(tmp_path / "runs" / stopped_at) is None


def test_a_job_that_outlives_its_snakemake_trains_its_own_run_alone(
    tmp_path, shared, block, trainer
):
    snakemake = SharedTrainings.attend(tmp_path / "shared")
    assert not shared.is_abandoned()

    def train(stack):
        if len(trainer.trained) == 1:
            snakemake.close()  # as the kernel does for one that was killed
        return trainer(stack)

    assert train_with_siblings(shared, block[0][3], train, never)
    assert shared.is_abandoned()
    assert trainer.trained == ["d", "a"]
    assert train_with_siblings(shared, block[0][1], train, never)
    assert trainer.trained == ["d", "a", "b"]


def test_a_trained_run_whose_files_are_gone_is_trained_again(shared, block, trainer, tmp_path):
    own = block[0][0]
    shared.note_trained(Path(own["output"]), tmp_path / "gone")
    assert not take_trained(shared, own)


def test_runs_of_two_scales_may_have_one_name(tmp_path):
    one, other = ({"output": f"results/{scale}/runs/a"} for scale in ("cpu", "demo"))
    shared = SharedTrainings(SharedTrainings.write(tmp_path, [[one, other]]))
    shared.note_trained(Path(one["output"]), tmp_path / "a")
    assert shared.trained(Path(one["output"])) == tmp_path / "a"
    assert shared.trained(Path(other["output"])) is None


# Stacks of runs that train at once ---------------------------------------------------------------


def in_pairs(trainings):
    return [trainings[i : i + 2] for i in range(0, len(trainings), 2)]


@pytest.mark.parametrize(("own", "expected"), [(1, "abcd"), (3, "cdab")])
def test_a_job_trains_the_stack_of_its_run_then_the_others(
    tmp_path, shared, block, trainer, own, expected
):
    assert train_with_siblings(shared, block[0][own], trainer, never, in_pairs)
    assert "".join(trainer.trained) == expected
    assert places(tmp_path) == ["abcd"[own]]


@pytest.mark.parametrize("held", ["a", "b"])
def test_a_stack_is_trained_by_one_process(tmp_path, shared, block, trainer, held):
    with shared.held(tmp_path / "runs" / held):
        assert train_with_siblings(shared, block[0][2], trainer, never, in_pairs)
        assert "".join(trainer.trained) == "cd"
        with shared.held(*(tmp_path / "runs" / name for name in "ab")) as free:
            assert not free
    with shared.held(*(tmp_path / "runs" / name for name in "ab")) as free:
        assert free


@pytest.mark.parametrize("missing", ["a", "b"])
def test_what_is_trained_of_a_stack_is_left(tmp_path, shared, block, trainer, missing):
    (there,) = {"a", "b"} - {missing}
    one = next(one for one in block[0] if Path(one["output"]).name == there)
    shared.note_trained(Path(one["output"]), *trainer([one]))
    assert train_with_siblings(shared, block[0][2], trainer, never, in_pairs)
    assert "".join(trainer.trained) == f"{there}cd{missing}"


@pytest.mark.parametrize("own", [0, 3])
def test_a_stack_that_fails_is_trained_run_by_run(shared, block, trainer, own, capfd):
    def train(stack):
        if len(stack) > 1 and Path(stack[0]["output"]).name == "a":
            raise MemoryError("too large")
        return trainer(stack)

    assert train_with_siblings(shared, block[0][own], train, never, in_pairs)
    assert "b: too large; this run is left to its own job" in capfd.readouterr().err
    assert "".join(trainer.trained) == {0: "acd", 3: "cd"}[own]
    assert train_with_siblings(shared, block[0][1], train, never, in_pairs)
    assert "b" in trainer.trained


@pytest.fixture
def commands(tmp_path, toy_data, run_settings):
    """The words of `netdyn train` for two runs that share a file."""
    block, words = [], []
    for seed in (0, 1):
        files.write_json(tmp_path / f"{seed}.json", run_settings(seed=seed))
        one = {
            "settings": str(tmp_path / f"{seed}.json"),
            "data": str(toy_data),
            "output": str(tmp_path / "runs" / str(seed)),
            "checkpoints": str(tmp_path / "checkpoints" / str(seed)),
        }
        block.append(one)
        options = {f"--{key}": one[key] for key in ("data", "output", "checkpoints")}
        words.append(["train", one["settings"], *(w for pair in options.items() for w in pair)])
    (tmp_path / "shared").mkdir()
    file = SharedTrainings.write(tmp_path / "shared", [block])
    return [[*each, "--device", "cpu", "--shared", str(file)] for each in words]


def test_the_second_command_needs_no_pytorch_and_the_bits_are_those_of_runs_alone(
    tmp_path, commands, run_settings, train_run, monkeypatch
):
    trained = []
    train = training.train
    monkeypatch.setattr(training, "train", lambda *a: trained.append(1) or train(*a))
    app(commands[0], standalone_mode=False)
    assert len(trained) == 2
    assert not (tmp_path / "runs/1").exists()

    code = (
        "import sys; from netdyn.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, *commands[1]], check=True)
    for seed in (0, 1):
        alone = train_run(tmp_path / f"alone{seed}", run_settings(seed=seed))
        assert bits(tmp_path / "runs" / str(seed)) == bits(alone)


def test_a_file_of_a_snakemake_that_has_ended_changes_nothing(tmp_path, commands, monkeypatch):
    (tmp_path / "shared/trainings.json").unlink()
    app(commands[1], standalone_mode=False)
    assert (tmp_path / "runs/1/manifest.json").exists()
    assert not (tmp_path / "runs/0").exists()


def test_by_the_engine_stacked_one_command_trains_the_block_at_once(
    tmp_path, commands, monkeypatch
):
    trained = []
    train = training.train_stack
    monkeypatch.setattr(training, "train", None)
    monkeypatch.setattr(training, "train_stack", lambda *a: trained.append(1) or train(*a))
    for command in commands:
        app([*command, "--engine", "stacked"], standalone_mode=False)
    assert len(trained) == 1
    for seed in (0, 1):
        record = files.read_json(tmp_path / f"runs/{seed}/provenance.json")
        assert (record["engine"], record["runs_at_once"]) == ("stacked autograd", 2)
    assert not [*(tmp_path / "checkpoints").glob("[01]")]
