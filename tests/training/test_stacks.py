"""Whole runs that were trained at once: each as it is alone, also cut, resumed and diverged."""

import logging

import pandas as pd
import pytest
import torch
from comparing import after, bits

from netdyn.records import files
from netdyn.results import runs
from netdyn.training import train
from netdyn.training.new_runs import NewRun


@pytest.fixture
def stack(toy_data):
    """Train runs of these settings at once below `folder`; return their folders, None if cut."""

    def make(folder, settings, looks=None, data=toy_data, device="cpu", **more):
        stopping = (lambda: False) if looks is None else after(looks)
        new = [NewRun(each, folder / str(run)) for run, each in enumerate(settings)]
        done = train.train_stack(new, data, folder / "ckpt", device, stopping=stopping, **more)
        return [each.output for each in new] if done else None

    return make


def seeds(run_settings, **changed):
    return [run_settings(seed=seed, **changed) for seed in range(3)]


def check_equal(one, other, close):
    """Check that two runs have the same files within rounding."""
    pd.testing.assert_frame_equal(
        runs.load_history(one), runs.load_history(other), rtol=close, atol=close
    )
    manifests = [runs.load_manifest(run) for run in (one, other)]
    for name in manifests[0].keys() - {"sha256", "best_step", "steps"}:
        assert manifests[0][name] == manifests[1][name]
    for step in {*manifests[0]["steps"]} & {*manifests[1]["steps"]}:
        expected = runs.load_model(other, step).state_dict()
        for name, tensor in runs.load_model(one, step).state_dict().items():
            torch.testing.assert_close(tensor, expected[name], rtol=close, atol=close)


@pytest.mark.parametrize(
    "changed",
    [
        {"precision": "float64"},
        {"precision": "float64", "batch_size": "full", "optimizer": "sgd", "samples": 60},
        {"batch_norm": False, "loss": "mse", "optimizer": "adamw", "weight_decay": 0.1},
    ],
)
def test_each_run_of_a_stack_is_the_run_alone(tmp_path, run_settings, train_run, stack, changed):
    settings = seeds(run_settings, **changed)
    settings[1]["evaluate"] = {"every_step_until": 5, "per_decade": 0}
    settings[2]["snapshots"] = {"every_step_until": 2, "per_decade": 6}
    found = stack(tmp_path, settings)
    close = 1e-10 if changed.get("precision") == "float64" else 1e-4
    for run, each in enumerate(settings):
        check_equal(found[run], train_run(tmp_path / f"alone{run}", each), close)
    assert not (tmp_path / "ckpt").exists()


def test_the_record_of_a_run_names_its_stack(tmp_path, run_settings, stack):
    for run in stack(tmp_path, seeds(run_settings)):
        record = files.read_json(run / "provenance.json")
        assert record["engine"] == "stacked autograd"
        assert record["runs_at_once"] == 3


@pytest.mark.parametrize(
    "changed", [{}, {"optimizer": "adamw", "batch_size": "full"}, {"batch_norm": False}]
)
def test_a_stack_that_is_cut_goes_on_with_the_same_bits(tmp_path, run_settings, stack, changed):
    settings = seeds(run_settings, **changed)
    settings[1]["learning_rate"] = 0.003
    whole = stack(tmp_path / "whole", settings)
    for looks in (0, 1, 4):
        assert stack(tmp_path / "cut", settings, looks) is None
        assert not (tmp_path / "cut" / "0").exists()
    for one, other in zip(whole, stack(tmp_path / "cut", settings), strict=True):
        assert bits(one) == bits(other)
    assert files.read_json(tmp_path / "cut/2/provenance.json")["sittings"] == 4


def test_a_checkpoint_of_other_runs_is_not_gone_on_from(tmp_path, run_settings, stack, caplog):
    settings = seeds(run_settings)
    assert stack(tmp_path, settings, 5) is None
    assert stack(tmp_path, settings[:2], 5) is None
    assert "training starts again" in caplog.text
    alone = stack(tmp_path / "other", settings[:2])
    for one, other in zip(alone, stack(tmp_path, settings[:2]), strict=True):
        assert bits(one) == bits(other)


DIVERGING = {"optimizer": "sgd", "batch_norm": False, "loss": "mse", "steps": 20}


@pytest.mark.parametrize(("rate", "looks"), [(1e20, None), (1e4, 2), (1e20, 12)])
def test_a_run_that_diverges_ends_as_alone_and_the_others_go_on(
    tmp_path, run_settings, train_run, stack, caplog, rate, looks
):
    settings = seeds(run_settings, **DIVERGING)
    settings[1]["learning_rate"] = rate
    if looks is not None:
        assert stack(tmp_path, settings, looks) is None
    with caplog.at_level(logging.WARNING):
        found = stack(tmp_path, settings)
    for run, each in enumerate(settings):
        alone = train_run(tmp_path / f"alone{run}", each)
        diverged = runs.load_manifest(found[run])["diverged_step"]
        assert diverged == runs.load_manifest(alone)["diverged_step"]
        assert (diverged is not None) == (run == 1)
        if run != 1:
            check_equal(found[run], alone, 1e-4)
        else:
            steps = [list(runs.load_history(each)["step"]) for each in (found[run], alone)]
            assert steps[0] == steps[1]
            assert steps[0][-1] == diverged
    # The others are those of a stack in which nothing went wrong, bit for bit.
    settings[1]["learning_rate"] = 0.02
    for run, other in enumerate(stack(tmp_path / "well", settings)):
        assert (bits(found[run]) == bits(other)) == (run != 1)


def test_a_stack_whose_runs_all_diverge_ends(tmp_path, run_settings, stack):
    settings = seeds(run_settings, **DIVERGING | {"learning_rate": 1e20})
    steps = [runs.load_manifest(run)["diverged_step"] for run in stack(tmp_path, settings)]
    assert all(step is not None and step < 10 for step in steps)
