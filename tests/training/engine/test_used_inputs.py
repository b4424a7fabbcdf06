"""Training without the inputs that no sample uses, against training with all of them."""

import numpy as np
import pytest
import torch
from comparing import bits

from netdyn.networks.layers import layers
from netdyn.networks.mlp import MLP, initialise
from netdyn.results import runs
from netdyn.training import train as train_module
from netdyn.training.engine import used_inputs
from netdyn.training.engine.optimizers import OPTIMIZERS
from netdyn.training.engine.steps import training_steps
from netdyn.training.engine.used_inputs import UsedInputs

DARK = [0, 1, 2, 7, 19]
SETTINGS = {
    **{"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.3, "loss": "mse"},
    **{"batch_size": 16, "precision": "float64", "threads": 1, "seed": 0},
}


def samples(dark=DARK):
    stream = torch.Generator().manual_seed(1)
    x = torch.rand(50, 20, generator=stream, dtype=torch.float64)
    x[:, dark] = 0
    return x, torch.randint(3, (50,), generator=stream)


def network(batch_norm=False):
    model = MLP([20, 12, 8, 3], batch_norm=batch_norm).double()
    initialise(model, seed=2)
    return model


def trained(model, steps, settings):
    training = training_steps(model, *samples(), settings, 3)
    for step in range(steps):
        training.step(step)
    return training


def values(model):
    return torch.cat([tensor.detach().flatten().double() for tensor in model.state_dict().values()])


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("batch_size", [16, "full"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_weights_are_those_of_training_with_all_inputs(monkeypatch, kind, batch_size, batch_norm):
    settings = {**SETTINGS, "optimizer": kind, "batch_size": batch_size}
    fewer = trained(network(batch_norm), 30, settings).network()
    monkeypatch.setattr(used_inputs, "WORTH_A_COPY", 1.0)
    complete = trained(network(batch_norm), 30, settings).network()
    assert values(complete).sub(values(network(batch_norm))).abs().max() > 0.01  # it moved
    torch.testing.assert_close(values(fewer), values(complete), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_loaded_state_goes_on_with_the_same_bits(kind):
    settings = {**SETTINGS, "optimizer": kind}
    complete = trained(network(), 12, settings)
    state = {
        name: tensor.clone() for name, tensor in trained(network(), 5, settings).state().items()
    }
    second = training_steps(network(), *samples(), settings, 3)
    second.load(state)
    for step in range(5, 12):
        second.step(step)
    expected = complete.state()
    assert second.state().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in second.state().items())


def test_products_carry_used_inputs_alone():
    inputs = UsedInputs(network(), samples()[0])
    assert layers(inputs.network)[0].linear.weight.shape == (12, 15)
    assert inputs.select(samples()[0]).shape == (50, 15)
    assert (inputs.select(samples()[0]) != 0).any(0).all()
    assert sum(p.numel() for p in inputs.parameters()) == sum(
        p.numel() for p in network().parameters()
    )


@pytest.mark.parametrize("dark", [[], [3], list(range(20))])
def test_a_network_with_nearly_all_or_no_inputs_in_use_is_trained_as_it_is(dark):
    x, _ = samples(dark)
    model = network()
    inputs = UsedInputs(model, x)
    assert inputs.network is model
    assert inputs.select(x) is x
    inputs.write()
    assert torch.equal(values(model), values(network()))


def test_a_negative_input_is_in_use():
    x, _ = samples()
    x[4, 7] = -0.5
    assert UsedInputs(network(), x).select(x).shape == (50, 16)


def test_bytes_are_read_as_they_are():
    x = (samples()[0] * 255).to(torch.uint8)
    assert torch.equal(
        UsedInputs(network(), x).select(x), x[:, [i for i in range(20) if i not in DARK]]
    )


# Whole runs ---------------------------------------------------------------------------------------


def train(dark_toy_data, settings, folder, **more):
    folders = folder / "run", folder / "checkpoints"
    train_module.train(settings, dark_toy_data, *folders, "cpu", **more)
    return folder / "run"


@pytest.mark.parametrize("changed", [{"optimizer": "adamw"}, {"batch_norm": False}])
def test_evaluations_and_snapshots_are_those_of_training_with_all_inputs(
    tmp_path, dark_toy_data, run_settings, monkeypatch, changed
):
    settings = run_settings(precision="float64", weight_decay=0.1, **changed)
    fewer = train(dark_toy_data, settings, tmp_path / "fewer")
    monkeypatch.setattr(used_inputs, "WORTH_A_COPY", 1.0)
    complete = train(dark_toy_data, settings, tmp_path / "complete")
    kept = runs.select_steps(complete, "all")
    assert runs.select_steps(fewer, "all") == kept
    for step in kept:
        mine, other = (values(runs.load_model(run, step)) for run in (fewer, complete))
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-10)
    histories = (runs.load_history(run) for run in (fewer, complete))
    mine, other = (history.select_dtypes("number").to_numpy() for history in histories)
    np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [20, "full"])
def test_a_run_cut_at_any_steps_is_the_run_in_one_go(
    tmp_path, dark_toy_data, run_settings, optimizer, batch_size
):
    settings = run_settings(optimizer=optimizer, batch_size=batch_size, weight_decay=0.01)
    complete = bits(train(dark_toy_data, settings, tmp_path / "complete"))
    for steps in (0, 1, 3, 5, 100):
        answers = iter([False] * steps)
        train(dark_toy_data, settings, tmp_path, stopping=lambda: next(answers, True))  # noqa: B023
    cut = train(dark_toy_data, settings, tmp_path)
    assert bits(cut) == complete
