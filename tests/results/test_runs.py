"""The format of a run: what is written is read back bit by bit, and damage is noticed."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from dag import in_a_fork

from netdyn.errors import NetdynError
from netdyn.records.files import RUN_FILES, digest_file, read_json, write_json
from netdyn.records.sealed import read_record, write_record
from netdyn.results import runs

STEPS = (0, 5, 10, 20)
HISTORY = pd.DataFrame(
    {
        "step": [0, 1, 5, 10, 20],
        "train_accuracy": [0.1, 0.9, 0.5, 0.8, 0.7],
        "test_accuracy": [0.1, 0.95, 1 / 3, 0.6, 0.9],
    }
)


def randomised(model, seed):
    numbers = torch.Generator().manual_seed(seed)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 1.0, generator=numbers)
        else:
            value.fill_(seed)  # batch norm counts its batches
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def written(tmp_path_factory, run_settings):
    """A run with random weights, and these weights."""
    settings = run_settings(momentum=0.25, activation="tanh")
    model = runs.build_model(settings, 16, 3)
    snapshots = {step: randomised(model, step) for step in STEPS}
    folder = tmp_path_factory.mktemp("runs") / "run"
    shape = {"inputs": 16, "classes": 3}
    runs.write_run(folder, settings, shape, HISTORY, snapshots, 20, None, {"machine": "some"})
    return folder, settings, snapshots


@pytest.fixture
def run(written, tmp_path):
    """A copy of the run, to be damaged."""
    return shutil.copytree(written[0], tmp_path / "run")


@pytest.mark.parametrize("name", RUN_FILES[:2])
def test_another_file_of_the_same_date_and_size_is_noticed(run, name):
    runs.load_manifest(run)
    path = run / name
    stamp = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    beside = path.with_name("beside")
    beside.write_bytes(content)
    os.utime(beside, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    os.replace(beside, path)
    with pytest.raises(NetdynError, match=f"{name} is damaged"):
        runs.load_manifest(run)


def test_weights_come_back_bit_by_bit_at_every_step(written):
    folder, settings, snapshots = written
    for step in STEPS:
        model = runs.load_model(folder, step)
        state = model.state_dict()
        assert state.keys() == snapshots[step].keys()
        assert all(torch.equal(state[name], snapshots[step][name]) for name in state)
        assert not any(module.training for module in model.modules())
    assert model.widths == (16, *settings["width"], 3)
    assert model.norm1.momentum == 0.25
    assert isinstance(model.activation1, torch.nn.Tanh)


def test_loading_a_network_imports_no_symbolic_algebra(written):
    """`to_empty` of PyTorch imports sympy, which would cost every measurement a second."""
    code = f"""
import sys
from netdyn.results.runs import load_model
load_model({str(written[0])!r}, {STEPS[0]})
print("sympy" in sys.modules)
"""
    assert in_a_fork(code) == ["False"]


def test_history_and_manifest_come_back_as_they_were(written):
    folder, settings, _ = written
    pd.testing.assert_frame_equal(runs.load_history(folder), HISTORY, check_exact=True)
    manifest = runs.load_manifest(folder)
    assert manifest["settings"] == settings
    assert (manifest["steps"], manifest["best_step"], manifest["last_step"]) == ([*STEPS], 20, 20)
    assert manifest["sha256"] == {name: digest_file(folder / name) for name in RUN_FILES[:2]}
    assert {path.name for path in folder.iterdir()} == {*RUN_FILES}


def test_the_same_run_is_the_same_bytes(written, tmp_path):
    folder, settings, snapshots = written
    backwards = dict(reversed(snapshots.items()))
    shape = {"inputs": 16, "classes": 3}
    runs.write_run(tmp_path, settings, shape, HISTORY, backwards, 20, None, {"machine": "other"})
    for name in RUN_FILES:
        same = (tmp_path / name).read_bytes() == (folder / name).read_bytes()
        assert same == (name != "provenance.json")


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", torch.float32), ("bfloat16", torch.float32), ("float64", torch.float64)],
)
def test_the_precision_is_that_of_the_weights(run_settings, precision, dtype):
    model = runs.build_model(run_settings(precision=precision), 16, 3)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}


def test_building_and_loading_leave_the_global_random_numbers_alone(written, run_settings):
    before = torch.get_rng_state()
    runs.build_model(run_settings(), 16, 3)
    runs.load_model(written[0], "best")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("selector", "steps"),
    [
        ("all", [*STEPS]),
        ("best", [20]),
        ("last", [20]),
        (5, [5]),
        ("train>=0.1", [0]),
        # Step 1 reached 0.9, but was not kept.
        ("train>=0.7", [10]),
        ("train>=0.8", [10]),
        ("test>=0.6", [10]),
        ("test>=0.61", [20]),
        ("test>=0", [0]),
        ([10, "best", 0, "train>=0.8"], [0, 10, 20]),
        (["all", 5], [*STEPS]),
    ],
)
def test_steps_are_selected_from_those_kept(written, selector, steps):
    assert runs.select_steps(written[0], selector) == steps


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (1, r"kept no step 1: kept are \[0, 5, 10, 20\]"),
        (-1, "kept no step -1"),
        ("train>=0.81", "never reached train>=0.81 at a kept step: train longer"),
        ("train>0.5", "step 'train>0.5': give a number, all, best, last or train>=0.8"),
        ("first", "step 'first': give a number"),
        ([5, 7], "kept no step 7"),
    ],
)
def test_steps_that_are_not_there_are_named(written, selector, said):
    with pytest.raises(NetdynError, match=said):
        runs.select_steps(written[0], selector)
    if not isinstance(selector, list):
        with pytest.raises(NetdynError, match=said):
            runs.load_model(written[0], selector)


def test_best_and_last_name_a_model_and_many_steps_none(written):
    folder, _, snapshots = written
    model = runs.load_model(folder, "train>=0.8")
    assert torch.equal(model.linear1.weight, snapshots[10]["linear1.weight"])
    with pytest.raises(NetdynError, match="'all'"):
        runs.load_model(folder, "all")


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    for read in (runs.load_manifest, runs.load_history, lambda r: runs.load_model(r, 5)):
        with pytest.raises(NetdynError, match=rf"{run} is not whole, {name} is missing: .*again"):
            read(run)


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(NetdynError, match="absent is not whole"):
        runs.load_manifest(tmp_path / "absent")


@pytest.mark.parametrize("name", ["snapshots.safetensors", "history.csv"])
@pytest.mark.parametrize("place", [0, 0.3, 0.6, -1])
def test_one_flipped_bit_is_noticed(run, name, place):
    content = bytearray((run / name).read_bytes())
    content[int(place * len(content)) if place > 0 else place] ^= 1
    (run / name).write_bytes(content)
    for read in (lambda r: runs.load_model(r, 5), runs.load_history):
        with pytest.raises(NetdynError, match=rf"{name} is damaged .*delete .*{run.name}"):
            read(run)


@pytest.mark.parametrize("name", ["snapshots.safetensors", "history.csv"])
@pytest.mark.parametrize("kept", [0, 10, -1])
def test_a_truncated_file_is_named(run, name, kept):
    (run / name).write_bytes((run / name).read_bytes()[:kept])
    with pytest.raises(NetdynError, match=rf"{name} is damaged .*delete"):
        runs.load_model(run, "last")


def test_damage_after_a_first_reading_is_noticed_too(run):
    runs.load_model(run, 5)
    path = run / "snapshots.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content[:-1])
    with pytest.raises(NetdynError, match=r"snapshots.safetensors is damaged"):
        runs.load_model(run, 5)


@pytest.mark.parametrize("content", ["", '{"settings": ', "[]", "{}"])
def test_a_damaged_manifest_is_named(run, content):
    (run / "manifest.json").write_text(content)
    with pytest.raises(NetdynError, match=r"manifest.json.* damaged"):
        runs.load_model(run, 5)


def test_any_changed_byte_of_a_manifest_is_noticed(run):
    path = run / "manifest.json"
    whole = path.read_bytes()
    said = read_json(path)
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        # A blank that became another one says the same.
        try:
            same = read_json(path) == said
        except NetdynError:
            same = False
        if not same:
            with pytest.raises(NetdynError, match=r"manifest\.json is damaged"):
                runs.load_manifest(run)
    # One of an earlier version has no seal.
    write_json(path, {key: value for key, value in said.items() if key != "seal"})
    assert runs.load_manifest(run)["steps"] == [*STEPS]


def test_a_snapshot_that_the_manifest_lists_and_the_file_lacks_is_named(run):
    manifest = read_record(run / "manifest.json")
    write_record(run / "manifest.json", {**manifest, "steps": [*STEPS, 30]})
    with pytest.raises(NetdynError, match=r"snapshots.safetensors is damaged"):
        runs.load_model(run, 30)


def test_history_keeps_every_bit_of_its_numbers(tmp_path, run_settings):
    numbers = np.random.default_rng(0).standard_normal(50) * 10.0 ** np.arange(-25, 25)
    history = pd.DataFrame({"step": np.arange(50), "train_loss": numbers})
    model = runs.build_model(run_settings(), 16, 3)
    shape = {"inputs": 16, "classes": 3}
    snapshots = {0: model.state_dict()}
    runs.write_run(tmp_path, run_settings(), shape, history, snapshots, 0, None, {})
    assert runs.load_history(tmp_path)["train_loss"].tolist() == numbers.tolist()
