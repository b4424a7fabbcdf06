"""Training on a pretended GPU: every kind of run, as the CPU trains it."""

import pandas as pd
import pytest
import torch
from comparing import after
from pretended_gpu import pretended_gpu
from safetensors.torch import load_file

from netdyn.results import runs
from netdyn.training import train

KINDS = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "decay": {"optimizer": "adam", "weight_decay": 0.1},
    "full batch": {"batch_size": "full"},
    "plain": {"batch_norm": False, "loss": "mse", "activation": "tanh"},
    "gaussian": {"batch_norm": False, "activation": "gaussian", "initial_scale": 2.0},
    # By SGD: Adam would make steps of the rounding of gradients that are 0, those of norm1.bias.
    "linear": {"activation": "identity", "initial_range": 0.1, "optimizer": "sgd"},
    "mse": {"loss": "mse", "momentum": 0.5},
    "float64": {"precision": "float64"},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, plain": {"precision": "bfloat16", "batch_norm": False},
    "bfloat16, full batch": {"precision": "bfloat16", "batch_size": "full"},
}


def trained(folder, settings, data_file, device, stopping=lambda: False):
    folders = folder / "run", folder / "checkpoints"
    whole = train.train(settings, data_file, *folders, device, stopping=stopping)
    return folders[0] if whole else None


@pytest.mark.parametrize("kind", KINDS)
def test_trains_as_the_cpu_does(tmp_path, monkeypatch, run_settings, toy_data, kind):
    check(tmp_path, monkeypatch, run_settings(**KINDS[kind]), toy_data)


@pytest.mark.parametrize("kind", ["sgd", "decay", "full batch", "bfloat16"])
def test_leaves_inputs_out_as_the_cpu_does(
    tmp_path, monkeypatch, run_settings, dark_toy_data, kind
):
    check(tmp_path, monkeypatch, run_settings(**KINDS[kind]), dark_toy_data)


def check(folder, monkeypatch, settings, data_file):
    on_cpu = trained(folder / "cpu", settings, data_file, "cpu")
    with pretended_gpu(monkeypatch) as counts:
        on_gpu = trained(folder / "gpu", settings, data_file, "cuda")
    assert counts.launches.total() > 12
    close = {"float64": 1e-10, "bfloat16": 3e-2}.get(settings["precision"], 1e-4)
    pd.testing.assert_frame_equal(
        runs.load_history(on_gpu), runs.load_history(on_cpu), rtol=close, atol=close
    )
    for step in runs.load_manifest(on_cpu)["steps"]:
        expected = runs.load_model(on_cpu, step).state_dict()
        for name, tensor in runs.load_model(on_gpu, step).state_dict().items():
            torch.testing.assert_close(tensor, expected[name], rtol=close, atol=close)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory, dark_toy_data):
    """A function that trains a kind of run in one go, once; called with the GPU pretended."""
    folder, found = tmp_path_factory.mktemp("uncut"), {}

    def train_once(kind, settings):
        if kind not in found:
            found[kind] = trained(folder / kind, settings, dark_toy_data, "cuda")
        return found[kind]

    return train_once


@pytest.mark.parametrize("kind", ["adamw", "full batch", "bfloat16"])
@pytest.mark.parametrize("cut", [1, 3])  # times that training asked whether to stop
def test_goes_on_from_a_checkpoint_with_the_same_bits(
    tmp_path, monkeypatch, run_settings, dark_toy_data, uncut, kind, cut
):
    settings = run_settings(**KINDS[kind])
    with pretended_gpu(monkeypatch):
        whole = uncut(kind, settings)
        assert trained(tmp_path / "cut", settings, dark_toy_data, "cuda", after(cut)) is None
        resumed = trained(tmp_path / "cut", settings, dark_toy_data, "cuda")
    expected = load_file(whole / "snapshots.safetensors")
    found = load_file(resumed / "snapshots.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
