"""A run that was trained is not trained again, whatever became of its files in runs/."""

import shutil

import pytest
import torch
from comparing import bits

from netdyn.cli import app
from netdyn.records import files
from netdyn.results import finished, placing
from netdyn.training import train as training
from netdyn.training.engine.steps import TrainingSteps


@pytest.fixture
def netdyn_train(tmp_path, toy_data, run_settings, monkeypatch):
    """Run `netdyn train`; return how many trainings there were."""
    trained = []
    train = training.train
    monkeypatch.setattr(training, "train", lambda *a: trained.append(1) or train(*a))

    def run(output="run", **changed):
        path = tmp_path / "settings.json"
        files.write_json(path, run_settings(**changed))
        words = ["train", path, "--data", toy_data, "--output", tmp_path / output]
        words += ["--checkpoints", tmp_path / "checkpoints/run", "--device", "cpu"]
        app([str(word) for word in words], standalone_mode=False)
        count = len(trained)
        trained.clear()
        return count

    return run


def test_a_lost_run_comes_back_with_its_bits_and_is_not_trained_again(tmp_path, netdyn_train):
    assert netdyn_train() == 1
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert before.keys() == set(files.RUN_FILES)
    shutil.rmtree(tmp_path / "run")
    assert netdyn_train() == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    # Also where it was still there, or partly.
    (tmp_path / "run/history.csv").unlink()
    assert netdyn_train() == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_run_takes_no_room_twice(tmp_path, netdyn_train):
    netdyn_train()
    (made,) = (tmp_path / "checkpoints/run.whole").iterdir()
    for name in files.RUN_FILES:
        assert (made / name).samefile(tmp_path / "run" / name)


@pytest.mark.parametrize("changed", [{"seed": 1}, {"learning_rate": 0.02}])
def test_a_run_of_other_settings_is_not_taken(tmp_path, netdyn_train, changed):
    netdyn_train()
    first = bits(tmp_path / "run")
    assert netdyn_train(**changed) == 1
    assert bits(tmp_path / "run") != first
    assert len(list((tmp_path / "checkpoints/run.whole").iterdir())) == 1
    assert netdyn_train() == 1
    assert bits(tmp_path / "run") == first


def test_a_run_by_the_other_engine_is_not_taken(tmp_path, netdyn_train, monkeypatch):
    def engine():
        return files.read_json(tmp_path / "run/provenance.json")["engine"]

    assert (netdyn_train(), engine()) == (1, "blocks")
    monkeypatch.setenv("NETDYN_ENGINE", "plain")
    assert (netdyn_train(), engine()) == (1, "plain")
    assert netdyn_train() == 0


def test_a_run_of_other_code_is_not_taken(netdyn_train, monkeypatch):
    netdyn_train()
    monkeypatch.setattr(finished.provenance, "code_digest", lambda module: "other")
    assert netdyn_train() == 1


def test_a_run_of_another_gpu_is_not_taken(tmp_path, toy_data, run_settings, monkeypatch):
    def place(device, gpu="H100", cuda="13.0"):
        monkeypatch.setattr(finished, "choose_device", lambda _: torch.device(device))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: gpu)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        return finished.storage_folder(tmp_path / "run", run_settings(), toy_data, "auto")

    assert place("cuda") == place("cuda")
    assert place("cpu") == place("cpu", gpu="H200", cuda="12.8")
    gpus = [place("cpu"), place("cuda"), place("cuda", gpu="H200"), place("cuda", cuda="12.8")]
    assert len(set(gpus)) == 4


def test_a_training_that_fails_leaves_the_run_of_the_code_before(
    tmp_path, netdyn_train, monkeypatch
):
    netdyn_train()
    before = bits(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")  # as Snakemake does before a job
    with monkeypatch.context() as broken:
        broken.setattr(finished.provenance, "code_digest", lambda module: "broken")
        broken.setattr(TrainingSteps, "_update", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            netdyn_train()
    assert netdyn_train() == 1  # counts the attempt that failed
    assert bits(tmp_path / "run") == before
    (made,) = (tmp_path / "checkpoints/run.whole").iterdir()
    assert finished.is_complete(made)


@pytest.mark.parametrize("name", files.RUN_FILES[:2])
def test_a_damaged_run_is_not_taken_but_trained_anew(tmp_path, netdyn_train, name):
    netdyn_train()
    before = bits(tmp_path / "run")
    path = tmp_path / "run" / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)  # in place: its second name holds the same bytes
    assert netdyn_train() == 1
    assert bits(tmp_path / "run") == before


def test_where_there_are_no_hard_links_the_files_move(tmp_path, netdyn_train, monkeypatch):
    def link(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(placing.os, "link", link)
    assert netdyn_train() == 1
    assert finished.is_complete(tmp_path / "run")
    assert not (tmp_path / "checkpoints/run.whole").exists()
