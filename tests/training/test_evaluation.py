"""What is recorded, against plain PyTorch and numpy; and at which steps."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from netdyn.data import prepared
from netdyn.networks.layers import layers
from netdyn.training import evaluation
from netdyn.training.evaluation import Evaluator, statistics_distance
from netdyn.training.schedules import scheduled_steps

CPU = torch.device("cpu")


@pytest.fixture
def loaded(toy_data):
    return prepared.load(toy_data)


@pytest.fixture
def evaluator(loaded, run_settings):
    """Evaluate on the toy data, the training samples as floats or as bytes."""

    def make(as_bytes=False, **changed):
        settings = run_settings(**{"precision": "float64", **changed})
        images, labels = prepared.training_samples(loaded, settings)
        images = images if as_bytes else prepared.to_unit(images).double()
        return Evaluator(loaded, images, labels, settings, CPU)

    return make


def plain_loss(outputs, labels, loss):
    if loss == "mse":
        return nn.MSELoss()(outputs, torch.eye(outputs.shape[1]).double()[labels]).item()
    return nn.CrossEntropyLoss()(outputs, labels).item()


def plain_accuracy(outputs, labels):
    return np.mean(outputs.argmax(dim=1).numpy() == labels.numpy())


def plain_distance(norm, fields):
    """The root of the mean squares, over neurons, of both normalised distances."""
    deviation = np.sqrt(fields.var(axis=0) + norm.eps)
    running = np.sqrt(norm.running_var.numpy() + norm.eps)
    shift = (norm.running_mean.numpy() - fields.mean(axis=0)) / deviation
    return np.sqrt(np.mean(shift**2 + (running / deviation - 1) ** 2))


@torch.no_grad()
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(
    ("loss", "batch_size"), [*itertools.product(["cross_entropy", "mse"], [20, "full"])]
)
def test_a_row_is_what_plain_pytorch_finds(
    make_network, unchanged, evaluator, loaded, batch_norm, loss, batch_size
):
    model = make_network((16, 8, 6, 3), batch_norm=batch_norm).train()
    # Centred outputs, so that not every sample is put into one class.
    centre = copy.deepcopy(model).eval()(prepared.to_unit(loaded.train_images).double()).mean(dim=0)
    model[-1].bias -= centre
    measure = evaluator(loss=loss, batch_size=batch_size, batch_norm=batch_norm)
    with unchanged(model):
        row = measure.row(model, 6)

    training = copy.deepcopy(model).train()  # its running statistics move, nobody else's
    x, y = prepared.to_unit(loaded.train_images).double(), loaded.train_labels
    size = 90 if batch_size == "full" else 20
    # Without batch norm samples do not meet, and the incomplete batch counts too.
    complete = (90 // size) * size if batch_norm else 90
    chunks = [slice(i, min(i + size, complete)) for i in range(0, complete, size)]
    outputs = torch.cat([training(x[chunk]) for chunk in chunks])
    test_x, test_y = prepared.to_unit(loaded.test_images).double(), loaded.test_labels
    tested = copy.deepcopy(model).eval()(test_x)
    own = copy.deepcopy(model).train()(test_x)
    expected = {
        "step": 6,
        "epoch": 6 / (90 // size),
        "train_loss": plain_loss(outputs, y[:complete], loss),
        "test_loss": plain_loss(tested, test_y, loss),
        "train_accuracy": plain_accuracy(outputs, y[:complete]),
        "test_accuracy": plain_accuracy(tested, test_y),
        "test_accuracy_batch_statistics": plain_accuracy(own, test_y),
    }
    for l, layer in enumerate(layers(model), 1):
        expected[f"weight_norm_{l}"] = np.sqrt((layer.linear.weight.numpy() ** 2).sum())
    if batch_norm:
        first, norm = model.linear1(x[:size]), model.norm1
        expected["statistics_distance_1"] = plain_distance(norm, first.numpy())
        normalised = (first - first.mean(0)) / (first.var(0, correction=0) + norm.eps).sqrt()
        second = model.linear2((normalised * norm.weight + norm.bias).relu())
        expected["statistics_distance_2"] = plain_distance(model.norm2, second.numpy())
    assert list(row) == list(expected)
    assert row == pytest.approx(expected, rel=1e-6)
    assert len({row[name] for name in row if "accuracy" in name}) > 1
    if batch_norm:
        assert row["test_accuracy"] != row["test_accuracy_batch_statistics"]


def test_bytes_and_chunks_give_the_same_row(make_network, evaluator, monkeypatch):
    for batch_norm in (True, False):
        model = make_network((16, 8, 6, 3), batch_norm=batch_norm)
        row = evaluator(batch_norm=batch_norm).row(model, 0)
        monkeypatch.setattr(evaluation, "CHUNK", 7)
        again = evaluator(as_bytes=True, batch_norm=batch_norm).row(model, 0)
        assert again == pytest.approx(row, rel=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
def test_a_row_is_plain_numbers_whatever_the_precision(make_network, evaluator, precision):
    model = make_network((16, 8, 6, 3))
    model = model if precision == "float64" else model.float()
    row = evaluator(as_bytes=True, precision=precision).row(model, 0)
    exact = evaluator().row(model.double(), 0)
    assert {type(value) for value in row.values()} <= {int, float}
    assert row == pytest.approx(exact, rel=1e-4)


def test_the_distance_is_zero_where_running_and_current_statistics_agree(stream):
    fields = torch.randn(40, 5, generator=stream).double() * 3 + 1
    norm = nn.BatchNorm1d(5).double()
    mean, variance = fields.mean(dim=0), fields.var(dim=0, correction=0)
    assert statistics_distance(norm, mean, variance) > 0.5
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    assert statistics_distance(norm, mean, variance) == 0
    # Off by one standard deviation everywhere: of order one.
    norm.running_mean.add_((variance + norm.eps).sqrt())
    assert statistics_distance(norm, mean, variance) == pytest.approx(1)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(4 * variance + 3 * norm.eps)
    assert statistics_distance(norm, mean, variance) == pytest.approx(1)


def test_the_distance_is_a_mean_over_neurons_and_grows_from_both_parts(stream):
    fields = torch.randn(30, 4, generator=stream).double()
    norm = nn.BatchNorm1d(4).double()
    norm.running_mean.normal_(generator=stream)
    norm.running_var.uniform_(0.5, 3, generator=stream)
    statistics = fields.mean(dim=0), fields.var(dim=0, correction=0)
    expected = plain_distance(norm, fields.numpy())
    assert statistics_distance(norm, *statistics) == pytest.approx(expected, rel=1e-12)


def test_a_neuron_that_is_constant_over_the_batch_has_a_finite_distance():
    norm = nn.BatchNorm1d(1)
    zero = torch.zeros(1)
    # Running variance 1 against none: sqrt(1 + eps)/sqrt(eps) − 1.
    expected = np.sqrt((1 + norm.eps) / norm.eps) - 1
    assert statistics_distance(norm, zero, zero) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("dense", "per_decade", "steps", "expected"),
    [
        (0, 0, 1, [0, 1]),
        (0, 0, 1000, [0, 1000]),
        (0, 5, 1, [0, 1]),
        (50, 20, 1, [0, 1]),
        (3, 0, 10, [0, 1, 2, 3, 10]),
        (3, 2, 100, [0, 1, 2, 3, 10, 32, 100]),
        (0, 1, 5000, [0, 1, 10, 100, 1000, 5000]),
        (0, 3, 12, [0, 1, 2, 5, 10, 12]),
        (200, 7, 6, [0, 1, 2, 3, 4, 5, 6]),
        (6, 7, 6, [0, 1, 2, 3, 4, 5, 6]),
        (10, 1, 1001, [*range(11), 100, 1000, 1001]),
    ],
)
def test_steps_of_a_schedule(dense, per_decade, steps, expected):
    schedule = {"every_step_until": dense, "per_decade": per_decade}
    assert scheduled_steps(schedule, steps) == expected


@pytest.mark.parametrize("per_decade", [1, 5, 8, 12, 20, 40])
def test_a_logarithmic_schedule_has_so_many_steps_per_decade(per_decade):
    steps = np.array(scheduled_steps({"every_step_until": 0, "per_decade": per_decade}, 10**6))
    assert ((steps > 10**4) & (steps <= 10**5)).sum() == per_decade
    assert (np.diff(steps) > 0).all()
    late = steps[steps >= 1000]
    ratios = late[1:] / late[:-1]
    np.testing.assert_allclose(ratios, 10 ** (1 / per_decade), rtol=2e-3)


def test_longer_training_keeps_the_schedules_earlier_steps():
    schedule = {"every_step_until": 5, "per_decade": 4}
    short, long = scheduled_steps(schedule, 1000), scheduled_steps(schedule, 5000)
    assert short == [step for step in long if step <= 1000]
