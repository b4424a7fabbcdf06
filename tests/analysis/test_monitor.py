"""A monitor changes no bit of a training, costs its share, and says what the measures say."""

import logging
import math
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from any_network import Convolutions
from pretended_gpu import pretended_gpu
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import netdyn
from netdyn.analysis import monitored
from netdyn.analysis.budget import Budget
from netdyn.errors import NetdynError
from netdyn.measures.grokking import THRESHOLDS
from netdyn.records.files import read_yaml
from netdyn.runtime.random_streams import generator

EVERY = {"share": math.inf}
ALL = (*monitored.QUANTITIES,)


def samples(count=60, classes=4, shape=(6,), seed=0):
    x = torch.rand(count, *shape, generator=generator(seed, "monitored samples"))
    return x, torch.arange(count) * 7 % classes


def mlp():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.4),
        nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 4),
    )  # fmt: skip


def convolutions():
    torch.manual_seed(3)
    return Convolutions()


class Augmented(nn.Module):
    """A network that draws from Python's and numpy's generators, in evaluation mode too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.stack = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Dropout(0.3), nn.Linear(9, 4))

    def forward(self, x):
        return self.stack(x) * (1 + 0 * (random.random() + np.random.rand()))  # noqa: NPY002


def trained(make, shape, monitored_by=None, steps=8):
    """Train and return all that a training is made of, as bytes and values."""
    x, y = samples(shape=shape)
    model = make()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.01)
    monitor = monitored_by(model, x, y) if monitored_by else lambda: None
    losses = []
    for step in range(steps):
        model.train(step != 4)
        chosen = torch.randint(0, len(x), (20,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        monitor()
    hooks = [len(one._forward_hooks) + len(one._forward_pre_hooks) for one in model.modules()]
    state = [*model.state_dict().values(), *(p.grad for p in model.parameters())]
    state += [s["momentum_buffer"] for s in optimizer.state.values()]
    return (
        losses, [t.numpy().tobytes() for t in state], hooks,
        [module.training for module in model.modules()], torch.is_grad_enabled(),
        [p.requires_grad for p in model.parameters()], torch.get_num_threads(),
        torch.get_rng_state().tolist(), random.getstate(), np.random.rand(),  # noqa: NPY002
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "shape", "quantities"),
    [(mlp, (6,), ALL), (convolutions, (2, 8, 8), ALL), (Augmented, (6,), monitored.DEFAULT)],
)
def test_a_training_is_the_same_to_the_bit(make, shape, quantities):
    test = samples(seed=1, shape=shape)

    def monitor(model, x, y):
        return netdyn.Monitor(model, x, y, test, quantities=quantities, trials=1, **EVERY)

    assert trained(make, shape, monitor) == trained(make, shape)


def test_the_table_holds_what_the_measures_return():
    model, (x, y), test = mlp(), samples(), samples(40, seed=2)
    monitor = netdyn.Monitor(model, x, y, test, quantities=ALL, errors=True, trials=2, **EVERY)
    monitor()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)
    monitor(5)
    table, network = monitor.table, netdyn.read(model)
    assert [*table.columns] == ["step", "quantity", "site", "value", "error"]
    assert [*table.step.unique()] == [1, 5]
    rows = table[table.step == 5].set_index(["quantity", "site"])
    correct = (network.logits(test[0]).argmax(1) == test[1]).double().mean().item()
    assert rows.value["test_accuracy", 0] == correct
    assert rows.error["test_accuracy", 0] == pytest.approx(math.sqrt(correct * (1 - correct) / 40))
    logits = network.with_batch_statistics(x).logits(x)
    losses = nn.functional.cross_entropy(logits, y, reduction="none")
    assert rows.value["train_loss", 0] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert rows.error["train_loss", 0] == pytest.approx((losses.std() / 60**0.5).item(), rel=1e-4)
    g = network.gradients(x, y).query("`class` == -1")
    assert [*rows.value["rpd_gradient"]] == [*g.g]
    assert [*rows.error["rpd_gradient"]] == [*g.error]
    pruning = network.pruning(x, y)
    assert [*rows.value["pruning"]] == [*pruning.accuracy]
    assert rows.value["train_accuracy", 0] == (logits.argmax(1) == y).double().mean().item()
    for space in ("sample", "weight"):
        basins = network.basins(x, y, space=space, trials=2, by_class=False)
        assert rows.value[f"{space}_basin", 0] == basins["size"][0]
    assert len(rows.value["sign_agreement"]) == 2


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("share", "cost", "step"), [(0.1, 2.0, 0.5), (0.25, 0.3, 0.01)])
def test_measuring_takes_its_share_and_no_more(share, cost, step):
    clock = Clock()
    budget = Budget(share, clock)
    measured = 0
    for number in range(20_000):
        budget.train_until_now()
        if number == 0 or budget.is_due:
            with budget.spending():
                clock.now += cost
            measured += 1
            # The first one is measured before anything has paid for it.
            assert budget.spent <= share * budget.trained + cost * 1.001
        clock.now += step
    assert budget.trained == pytest.approx(19_999 * step, rel=1e-3)
    assert 0.95 * share < budget.spent / budget.trained <= share * 1.001 + cost / budget.trained


def test_a_pause_pays_for_one_measurement_only():
    clock = Clock()
    budget = Budget(0.1, clock)
    budget.train_until_now()
    with budget.spending():
        clock.now += 1
    clock.now += 3600
    budget.train_until_now()
    assert budget.is_due
    with budget.spending():
        clock.now += 1
    clock.now += 5
    budget.train_until_now()
    assert not budget.is_due


def test_what_took_longer_than_expected_is_owed():
    clock = Clock()
    budget = Budget(0.1, clock)
    with budget.spending(is_typical=False):  # before training: reading the network
        clock.now += 4
    assert (budget.trained, budget.expected, budget.credit) == (0, 0, -4)
    clock.now += 1000  # not training yet
    budget.train_until_now()
    clock.now += 39
    budget.train_until_now()
    assert not budget.is_due
    clock.now += 2
    budget.train_until_now()
    assert budget.is_due
    assert budget.trained == 41


def monitor_of_course(train, test, log):
    """A monitor whose network has these accuracies, step by step."""
    x, y = torch.eye(10).repeat(10, 1), torch.arange(100) % 10
    model = nn.Sequential(nn.Linear(10, 10), nn.Identity(), nn.Linear(10, 10))
    with torch.no_grad():
        for linear in (model[0], model[2]):
            linear.weight.copy_(torch.eye(10))
            linear.bias.zero_()
    right = {"train": y.clone(), "test": y.clone()}
    monitor = netdyn.Monitor(
        model, x, right["train"], (x, right["test"]), quantities=["accuracy"], **EVERY
    )
    grades = []
    with log.at_level(logging.INFO, "netdyn.monitor"):
        for step, shares in enumerate(zip(train, test, strict=True), 1):
            for name, share in zip(("train", "test"), shares, strict=True):
                count = round(100 * share)
                labels = monitor._samples[name][1]
                labels[:] = torch.where(torch.arange(100) < count, y, (y + 1) % 10)
            monitor(10 * step)
            grades.append(monitor.grokking)
    return grades


def test_grokking_is_said_as_it_happens(caplog):
    grades = monitor_of_course([0.1, 0.85, 1, 1, 1], [0.1, 0.15, 0.3, 0.6, 0.9], caplog)
    assert [one.grade for one in grades] == [None, "partly", "partly", "grokking", "grokking"]
    assert grades[-1].memorised == 20
    assert grades[-1].generalised == 40
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message == (
        "the network groks: training accuracy 85% at step 20 with test accuracy 15%, test "
        "accuracy 60% at step 40"
    )


@pytest.mark.parametrize(
    ("train", "test", "grade"),
    [
        ([0.5, 0.9, 1], [0.4, 0.55, 0.9], "none"),
        ([0.5, 0.9, 1], [0.1, 0.3, 0.9], "partly"),
        ([0.5, 0.9, 1], [0.1, 0.2, 0.3], "partly"),
        ([0.1, 0.3, 0.79], [0.1, 0.3, 0.6], None),
    ],
)
def test_other_trainings_do_not_grok(train, test, grade, caplog):
    assert monitor_of_course(train, test, caplog)[-1].grade == grade
    assert not caplog.records


def test_thresholds_are_those_by_which_claims_are_judged():
    claims = read_yaml(Path(__file__).parents[2] / "workflow/claims.yaml")
    assert claims["kinds"]["grokking"] == THRESHOLDS


def test_a_training_that_diverges_goes_on(caplog):
    model, (x, y) = mlp(), samples()
    monitor = netdyn.Monitor(model, x, y, **EVERY)
    monitor()
    with torch.no_grad():
        model[0].weight.fill_(math.nan)
    assert monitor()
    assert monitor()
    last = monitor.table.query("step == 3")
    assert [*last.quantity] == ["train_accuracy", "train_loss"]
    assert last.value.isna().all()
    assert [r.message for r in caplog.records] == [
        "the training has diverged: logits at step 2 are not finite"
    ]


@pytest.mark.parametrize("interrupted", ["pruning", "weight_basin"])
def test_an_interruption_keeps_what_was_measured(interrupted, monkeypatch):
    def interrupt(snapshot):
        raise KeyboardInterrupt

    model, (x, y) = mlp(), samples()
    monitor = netdyn.Monitor(model, x, y, quantities=ALL, trials=1, **EVERY)
    random_state = torch.get_rng_state()
    with monkeypatch.context() as patch:
        patch.setitem(monitored.QUANTITIES, interrupted, interrupt)
        with pytest.raises(KeyboardInterrupt):
            monitor()
    assert torch.equal(torch.get_rng_state(), random_state)
    assert model.training
    before = [q for q in ALL if ALL.index(q) < ALL.index(interrupted)]
    kept = {name.removeprefix("train_") for name in monitor.table.quantity}
    assert kept == {*before}
    # The same step again replaces it, and so does a measurement that is asked for.
    monitor.measure()
    monitor.measure()
    table = monitor.table
    assert {*table.quantity} >= {interrupted}
    assert {*table.step} == {1}
    assert not table.duplicated(["step", "quantity", "site"]).any()


def changed_layer(model):
    model[4] = nn.Linear(12, 8)


def added_layer(model):
    model.append(nn.Identity())


def removed_layer(model):
    del model[3]


def other_width(model):
    model[6].weight = nn.Parameter(torch.zeros(5, 8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed_layer, "module '4' is another"),
        (added_layer, "module '7' was added"),
        (removed_layer, "module '3' is another"),
        (other_width, "parameter '6.weight' is another"),
        (lambda model: model[0].register_forward_hook(print), "has changed since it was read"),
    ],
)
def test_a_changed_architecture_is_refused(change, message):
    model, (x, y) = mlp(), samples()
    monitor = netdyn.Monitor(model, x, y, **EVERY)
    monitor()
    change(model)
    with pytest.raises(NetdynError, match=message) as error:
        monitor()
    assert "\n" not in str(error.value)
    assert [*monitor.table.step.unique()] == [1]


X, Y = samples()
MISTAKES = {
    "too few labels": ({"y": Y[:5]}, "training samples: labels of shape"),
    "labels of five classes": ({"y": Y + 1}, "training samples: labels run from 1 to 4"),
    "labels that are floats": ({"y": Y / 2}, "training samples: labels of shape"),
    "test labels": ({"test": (X, Y[:7])}, "test samples: labels of shape"),
    "test samples": ({"test": (X[:, :4], Y)}, "test samples: samples of shape|test samples: "),
    "test alone": ({"test": X}, r"give test=\(x, y\)"),
    "a loader": ({"x": DataLoader(TensorDataset(X, Y))}, "samples are a DataLoader"),
    "no samples": ({"x": None}, "samples are a NoneType: give a tensor"),
    "a path": ({"x": "x.npy"}, "samples are a str: give a tensor"),
    "no share": ({"share": 0}, "share 0: give a number above 0"),
    "share of words": ({"share": "ten"}, "share 'ten'"),
    "unknown quantity": ({"quantities": ["loss", "entropy"]}, "quantity 'entropy': choose among"),
    "no quantity": ({"quantities": []}, "no quantities: choose among accuracy"),
}


@pytest.mark.parametrize("mistake", [*MISTAKES])
def test_mistakes_are_one_line(mistake):
    arguments, message = MISTAKES[mistake]
    with pytest.raises(NetdynError, match=message) as error:
        netdyn.Monitor(mlp(), **({"x": X, "y": Y} | arguments))
    assert "\n" not in str(error.value)


def test_steps_go_up():
    monitor = netdyn.Monitor(mlp(), X, Y, quantities="accuracy", **EVERY)
    monitor(0)
    monitor()
    monitor(1)
    assert [*monitor.table.step] == [0, 1]
    for step, message in ((0, "step 0 after step 1"), (1.5, "step 1.5: give a whole number")):
        with pytest.raises(NetdynError, match=message):
            monitor(step)


def test_the_end_is_measured_once():
    monitor = netdyn.Monitor(mlp(), X, Y, quantities="accuracy", share=1e-9)
    assert [monitor(), monitor(), monitor()] == [True, False, False]
    monitor.measure()
    monitor.measure()
    assert [*monitor.table.step] == [1, 3]


def test_a_writer_gets_the_new_rows():
    parts = []
    monitor = netdyn.Monitor(mlp(), X, Y, quantities="loss", writer=parts.append, **EVERY)
    monitor()
    monitor()
    assert [[*part.step] for part in parts] == [[1], [2]]


@pytest.mark.parametrize(("make", "shape"), [(mlp, (6,)), (convolutions, (2, 8, 8))])
def test_on_a_pretended_gpu_the_table_is_the_same(make, shape, monkeypatch):
    def measured(device):
        x, y = (each.to(device) for each in samples(shape=shape))
        test = tuple(each.to(device) for each in samples(seed=1, shape=shape))
        options = {"quantities": ALL, "trials": 1, **EVERY}
        monitor = netdyn.Monitor(make().to(device), x, y, test, **options)
        monitor()
        return monitor.table

    expected = measured("cpu")
    with pretended_gpu(monkeypatch) as counts:
        found = measured("cuda")
    assert counts.launches.total()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)
