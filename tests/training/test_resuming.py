"""Stopping and going on: no bit of a run is lost to a cut, a kill or damage at any moment."""

import errno
import itertools
import os
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
from comparing import after, bits
from oracles import write_prepared

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.records import files
from netdyn.results import runs
from netdyn.training import train
from netdyn.training.checkpoints import Checkpoint

OPTIMIZERS = ("sgd", "adam", "adamw")
EVERY_STEP = {"every_step_until": 1000, "per_decade": 0}


# Stopping and going on ----------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [20, "full"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_run_cut_at_any_steps_is_the_run_in_one_go(
    tmp_path, run_settings, train_run, sitting, optimizer, batch_size, batch_norm
):
    settings = run_settings(
        optimizer=optimizer, batch_size=batch_size, batch_norm=batch_norm, weight_decay=0.01
    )
    complete = bits(train_run(tmp_path / "whole", settings))
    for steps in (0, 1, 3, 5):
        assert sitting(settings, steps) is False
        assert not (tmp_path / "run").exists()
        assert (tmp_path / "checkpoints" / "state.safetensors").exists()
    assert sitting(settings, 100) is True
    assert bits(tmp_path / "run") == complete
    assert not (tmp_path / "checkpoints").exists()
    record = files.read_json(tmp_path / "run" / "provenance.json")
    assert record["sittings"] == 5
    assert record["started"] <= record["finished"]


@pytest.mark.parametrize("changed", [{"precision": "float64"}, {"precision": "bfloat16"}])
def test_other_precisions_go_on_with_the_same_bits_too(
    tmp_path, run_settings, train_run, sitting, changed
):
    settings = run_settings(**changed)
    complete = bits(train_run(tmp_path / "whole", settings))
    sitting(settings, 5)
    sitting(settings)
    assert bits(tmp_path / "run") == complete


class Killed(BaseException):
    """Stands for a kill, which nothing catches."""


def killing_at(monkeypatch, call):
    """Let the process die at the `call`-th renaming of a file into its place."""
    count = itertools.count(1)
    replace = os.replace

    def rename(*paths):
        if next(count) == call:
            raise Killed
        replace(*paths)

    monkeypatch.setattr(os, "replace", rename)


def test_a_kill_at_any_writing_loses_nothing(
    tmp_path, run_settings, train_run, toy_data, monkeypatch
):
    settings = run_settings(steps=5, snapshots={"every_step_until": 3, "per_decade": 0})
    complete = bits(train_run(tmp_path / "whole", settings))
    for call in itertools.count(1):
        folder = tmp_path / str(call)
        with monkeypatch.context() as patched:
            killing_at(patched, call)
            try:
                train_run(folder, settings, checkpoint_seconds=0)
            except Killed:
                with pytest.raises(NetdynError, match="is not whole"):
                    runs.load_manifest(folder / "run")
            else:
                break
        assert bits(train_run(folder, settings)) == complete
    # Four snapshots, as the last waits for the run itself; a state before each of five steps, the
    # run's four files.
    assert call == 4 + 5 + 4 + 1


def damage(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "state.safetensors").write_bytes(b""),
        lambda folder: (folder / "state.safetensors").write_bytes(b"\xff" * 100),
        lambda folder: os.truncate(folder / "state.safetensors", 2000),
        lambda folder: damage(folder / "state.safetensors", 30),
        # The last bytes are weights or moments: numbers that are wrong, in a file that is right.
        lambda folder: damage(folder / "state.safetensors", -3),
        lambda folder: (folder / "state.safetensors").unlink(),
        lambda folder: (folder / "snapshot-000000002.safetensors").unlink(),
        lambda folder: damage(folder / "snapshot-000000002.safetensors", -3),
        lambda folder: os.truncate(folder / "snapshot-000000000.safetensors", 100),
    ],
    ids=["empty", "noise", "cut", "header", "values", "gone", "step gone", "step", "step cut"],
)
def test_a_damaged_checkpoint_is_not_gone_on_from(tmp_path, run_settings, train_run, sitting, harm):
    settings = run_settings()
    complete = bits(train_run(tmp_path / "whole", settings))
    sitting(settings, 7)
    harm(tmp_path / "checkpoints")
    assert sitting(settings) is True
    assert bits(tmp_path / "run") == complete


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"learning_rate": 0.02}, {"width": [6, 8]}, {"optimizer": "sgd"}]
)
def test_a_checkpoint_of_other_settings_is_not_gone_on_from(
    tmp_path, run_settings, train_run, sitting, other, caplog
):
    complete = bits(train_run(tmp_path / "whole", run_settings()))
    sitting(run_settings(**other), 7)
    assert sitting(run_settings()) is True
    assert bits(tmp_path / "run") == complete
    assert "is of other settings, code or versions: training starts again" in caplog.text


def test_a_checkpoint_of_other_data_is_not_gone_on_from(
    tmp_path, run_settings, train_run, toy_data, arrays
):
    loaded = prepared.load(toy_data)
    turned = {
        "train_images": loaded.train_images.flip(1).contiguous().numpy(),
        "train_labels": loaded.train_labels.byte().numpy(),
        "test_images": loaded.test_images.numpy(),
        "test_labels": loaded.test_labels.byte().numpy(),
    }
    write_prepared(tmp_path / "turned", turned)
    complete = bits(train_run(tmp_path / "whole", run_settings()))
    folders = tmp_path / "run", tmp_path / "checkpoints"
    train.train(run_settings(), tmp_path / "turned", *folders, "cpu", stopping=after(7))
    train.train(run_settings(), toy_data, *folders, "cpu")
    assert bits(tmp_path / "run") == complete


def test_a_full_disk_is_an_error_and_the_run_goes_on_once_there_is_room(
    tmp_path, run_settings, train_run, sitting, monkeypatch
):
    complete = bits(train_run(tmp_path / "whole", run_settings()))
    sitting(run_settings(), 6)

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            sitting(run_settings())
    assert not [*(tmp_path / "run").glob("*")]
    assert sitting(run_settings()) is True
    assert bits(tmp_path / "run") == complete


def test_a_checkpoint_of_another_gpu_is_begun_anew(run_settings, sitting, monkeypatch, caplog):
    monkeypatch.setattr(train, "gpu_identity", lambda device: {"gpu": "H100"})
    assert sitting(run_settings(), 3) is False
    assert sitting(run_settings(), 3) is False
    assert "training starts again" not in caplog.text
    monkeypatch.setattr(train, "gpu_identity", lambda device: {"gpu": "H200"})
    assert sitting(run_settings(), 3) is False
    assert "training starts again" in caplog.text


@pytest.mark.parametrize(("seconds", "expected"), [(0, 5), (1e9, 0)])
def test_checkpoints_are_so_many_seconds_apart(
    tmp_path, run_settings, train_run, monkeypatch, seconds, expected
):
    written = []
    monkeypatch.setattr(Checkpoint, "write", lambda self, step: written.append(step))
    train_run(tmp_path, run_settings(steps=5), checkpoint_seconds=seconds)
    assert len(written) == expected


@pytest.mark.parametrize("requests", [[1], [0, 2, 3]])
def test_a_requested_checkpoint_is_written_and_training_goes_on(
    tmp_path, run_settings, train_run, monkeypatch, requests
):
    undisturbed = bits(train_run(tmp_path / "other", run_settings(steps=5)))
    written, write = [], Checkpoint.write

    def count(self, step):
        written.append(step)
        write(self, step)

    calls = itertools.count()
    monkeypatch.setattr(Checkpoint, "write", count)
    run = train_run(
        tmp_path,
        run_settings(steps=5),
        checkpoint_seconds=1e9,
        checkpoint_due=lambda: next(calls) in requests,
    )
    assert written == requests
    assert bits(run) == undisturbed


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_seconds_between_checkpoints_are_not_negative(tmp_path, run_settings, train_run, seconds):
    with pytest.raises(NetdynError, match=r"checkpoint_seconds .* give 0 or more"):
        train_run(tmp_path, run_settings(), checkpoint_seconds=seconds)


# A process that is killed -------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path, toy_data):
    """Start `netdyn train` in a process of its own, a checkpoint at every step."""
    started = []

    def start(settings):
        files.write_json(tmp_path / "settings.json", settings)
        arguments = {
            "--data": toy_data,
            "--output": tmp_path / "run",
            "--checkpoints": tmp_path / "checkpoints",
            "--device": "cpu",
            "--checkpoint-seconds": "0",
        }
        words = [str(word) for pair in arguments.items() for word in pair]
        begun = subprocess.Popen(
            [sys.executable, "-m", "netdyn", "train", str(tmp_path / "settings.json"), *words],
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(begun)
        return begun

    yield start
    for one in started:
        one.kill()
        one.communicate()


def wait_for_step(folder, step, process):
    """Wait until the checkpoint has come to a step; return it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        kept = sorted(folder.glob("snapshot-*.safetensors"))
        if kept and (folder / "state.safetensors").exists() and int(kept[-1].stem[9:]) >= step:
            return int(kept[-1].stem[9:])
        time.sleep(0.002)
    raise AssertionError(f"no step {step}: {process.communicate()}")


def test_killed_processes_lose_nothing(tmp_path, run_settings, train_run, process):
    settings = run_settings(steps=400, snapshots={"every_step_until": 0, "per_decade": 5})
    complete = bits(train_run(tmp_path / "whole", settings))
    for step in (10, 60):
        begun = process(settings)
        wait_for_step(tmp_path / "checkpoints", step, begun)
        begun.kill()
        assert begun.wait() == -signal.SIGKILL
        assert not (tmp_path / "run" / "manifest.json").exists()
    # The last sitting in this process: settings, code and versions are the same.
    run = train_run(tmp_path, settings)
    assert bits(run) == complete
    assert files.read_json(run / "provenance.json")["sittings"] == 3
    assert not (tmp_path / "checkpoints").exists()


def test_a_terminated_process_leaves_its_checkpoint_and_says_so(
    tmp_path, toy_data, run_settings, train_run, process
):
    settings = run_settings(steps=400, snapshots={"every_step_until": 0, "per_decade": 5})
    begun = process(settings)
    wait_for_step(tmp_path / "checkpoints", 3, begun)
    begun.send_signal(signal.SIGUSR1)  # a checkpoint, and on it goes
    reached = wait_for_step(tmp_path / "checkpoints", 10, begun)
    begun.send_signal(signal.SIGTERM)
    _, errors = begun.communicate(timeout=60)
    assert begun.returncode == 128 + signal.SIGTERM == 143
    assert "run: stopped; its checkpoint is in" in errors
    assert "Traceback" not in errors
    state = tmp_path / "checkpoints" / "state.safetensors"
    assert "optimizer/0/exp_avg" in safetensors.torch.load_file(state)
    assert not (tmp_path / "run").exists()
    seen = []
    folders = tmp_path / "run", tmp_path / "checkpoints"
    train.train(settings, toy_data, *folders, "cpu", progress=lambda step, *_: seen.append(step))
    assert min(seen) >= reached
    assert bits(tmp_path / "run") == bits(train_run(tmp_path / "whole", settings))
