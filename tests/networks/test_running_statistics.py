"""Running statistics with another start, against trainings with that start."""

import copy
import inspect

import pytest
import torch
from torch import nn

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.networks.layers import layers
from netdyn.networks.reading import logits
from netdyn.networks.running_statistics import started_from_first_batch
from netdyn.quantities import first_batch_statistics
from netdyn.quantities.subject import Subject
from netdyn.results import runs
from netdyn.training import new_runs
from netdyn.training.engine.batches import Batches

WIDTHS = (6, 8, 5, 4)
STEPS = 7


def fresh(make_network, momentum):
    """A network with PyTorch's initial statistics and this momentum."""
    model = make_network(WIDTHS).train()
    for layer in layers(model):
        if layer.norm is not None:
            layer.norm.reset_running_stats()
            layer.norm.momentum = momentum
    return model


@torch.no_grad()
def start_from(model, batch):
    """Set running statistics to those of the batch, by a pass of PyTorch at momentum 1."""
    updated = copy.deepcopy(model).train()
    for layer in layers(updated):
        if layer.norm is not None:
            layer.norm.momentum = 1.0
    updated(batch)
    for ours, theirs in zip(layers(model), layers(updated), strict=True):
        if ours.norm is not None:
            ours.norm.running_mean.copy_(theirs.norm.running_mean)
            ours.norm.running_var.copy_(theirs.norm.running_var)


def trained(model, batches, labels):
    """Train by plain PyTorch; return the network at every step."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    result = [copy.deepcopy(model)]
    for x, y in zip(batches, labels, strict=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        result.append(copy.deepcopy(model))
    return result


@pytest.fixture
def batches(stream):
    scale = torch.linspace(0.2, 3.0, STEPS).double()[:, None, None]
    return scale * torch.randn(STEPS, 9, 6, generator=stream, dtype=torch.float64) + scale


@pytest.fixture
def labels(stream):
    return torch.randint(4, (STEPS, 9), generator=stream)


@pytest.mark.parametrize("momentum", [0.1, 0.35, 1.0, None])
def test_it_is_the_network_that_started_from_the_first_batch(
    make_network, unchanged, batches, labels, momentum
):
    model = fresh(make_network, momentum)
    other = copy.deepcopy(model)
    start_from(other, batches[0])
    usual, expected = trained(model, batches, labels), trained(other, batches, labels)
    for step in range(STEPS + 1):
        with unchanged(usual[step]), unchanged(usual[1]):
            result = started_from_first_batch(usual[step], usual[1])
        # Equal weights, too: training does not use the running statistics.
        torch.testing.assert_close(result.model.state_dict(), expected[step].state_dict())
        torch.testing.assert_close(
            logits(result, batches[-1]), logits(expected[step], batches[-1]).detach()
        )
        assert result.model.training
        differs = not torch.allclose(result.model.norm1.running_var, usual[step].norm1.running_var)
        assert differs == (momentum in (0.1, 0.35) or step == 0)


def test_single_precision_loses_little(make_network, batches, labels):
    model = fresh(make_network, 0.1).float()
    usual = trained(model, batches.float(), labels)
    start_from(model, batches[0].float())
    expected = trained(model, batches.float(), labels)
    for step in range(STEPS + 1):
        result = started_from_first_batch(usual[step], usual[1]).model.state_dict()
        torch.testing.assert_close(result, expected[step].state_dict(), rtol=1e-5, atol=1e-5)


def test_a_neuron_that_is_constant_has_no_negative_variance(make_network, batches, labels):
    model = fresh(make_network, 0.1).float()
    model.linear1.weight.data.zero_()
    after_one_step = trained(model, batches[:1].float(), labels[:1])[1]
    result = started_from_first_batch(model, after_one_step)
    assert (result.model.norm1.running_var >= 0).all()
    assert (result.model.norm1.running_var < 1e-6).all()


def test_without_batch_norm_nothing_differs(make_network, batches, labels):
    networks = trained(make_network(WIDTHS, batch_norm=False), batches, labels)
    result = started_from_first_batch(networks[3], networks[1])
    torch.testing.assert_close(result.model.state_dict(), networks[3].state_dict(), rtol=0, atol=0)


def test_mistakes_are_named(make_network, batches, labels):
    usual = trained(fresh(make_network, 0.1), batches, labels)
    for step in (0, 2):
        with pytest.raises(NetdynError, match=f"seen {step} batches"):
            started_from_first_batch(usual[3], usual[step])
    with pytest.raises(NetdynError, match="not the same network"):
        started_from_first_batch(usual[3], make_network((6, 8, 4)))
    still = trained(fresh(make_network, 0.0), batches, labels)
    with pytest.raises(NetdynError, match="α = 0"):
        started_from_first_batch(still[3], still[1])


# The table ----------------------------------------------------------------------------------------

EVERY_STEP = {"every_step_until": 8, "per_decade": 0}


@pytest.mark.parametrize("batch_size", [20, "full"])
def test_the_table_is_the_history_of_a_run_that_started_there(
    tmp_path, run_settings, train_run, toy_data, monkeypatch, batch_size
):
    settings = run_settings(
        batch_size=batch_size, steps=8, snapshots=EVERY_STEP, evaluate=EVERY_STEP
    )
    run = train_run(tmp_path / "usual", settings)
    table = first_batch_statistics.measure(
        Subject.open(run, toy_data, "cpu"), {"steps": "all", "threads": 1}
    )
    assert list(table) == ["step", "test_accuracy", "test_accuracy_first_batch"]
    described = inspect.getdoc(first_batch_statistics.measure).partition("Returns:")[2]
    assert all(column in described for column in table)
    assert table["step"].tolist() == [*range(9)]

    first, _ = Batches(*prepared.training_samples(prepared.load(toy_data), settings), settings).at(
        0
    )
    initialise = new_runs.initialise

    def initialised_from_first_batch(model, *args):
        initialise(model, *args)
        start_from(model, first)

    monkeypatch.setattr(new_runs, "initialise", initialised_from_first_batch)
    other = runs.load_history(train_run(tmp_path / "other", settings))
    history = runs.load_history(run)
    assert table["test_accuracy"].tolist() == pytest.approx(history["test_accuracy"].tolist())
    expected = other["test_accuracy"].tolist()
    assert table["test_accuracy_first_batch"].tolist() == pytest.approx(expected)
    assert (table["test_accuracy"] != table["test_accuracy_first_batch"]).any()
    assert history["train_loss"].tolist() == other["train_loss"].tolist()


def test_without_batch_norm_both_accuracies_are_one(tmp_path, run_settings, train_run, toy_data):
    settings = run_settings(batch_norm=False, steps=3, snapshots=EVERY_STEP)
    subject = Subject.open(train_run(tmp_path, settings), toy_data, "cpu")
    table = first_batch_statistics.measure(subject, {"steps": [2, "last"]})
    assert table["step"].tolist() == [2, 3]
    assert (table["test_accuracy"] == table["test_accuracy_first_batch"]).all()


def test_a_run_that_kept_no_first_step_is_named(tmp_path, run_settings, train_run, toy_data):
    settings = run_settings(steps=4, snapshots={"every_step_until": 0, "per_decade": 0})
    run = train_run(tmp_path, settings)
    assert 1 not in runs.load_manifest(run)["steps"]
    with pytest.raises(NetdynError, match="no snapshot of step 1"):
        first_batch_statistics.measure(Subject.open(run, toy_data, "cpu"), {"steps": "all"})
