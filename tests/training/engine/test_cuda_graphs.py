"""Steps that are recorded and replayed, against steps one by one: no bit may differ.

CUDA graphs stand behind an interface; here something that does the recorded work again does.
"""

import gc
import itertools
import json
import logging
import random
import weakref

import pytest
import torch
from comparing import bits
from safetensors import safe_open

from netdyn.networks.mlp import MLP, initialise
from netdyn.records import files
from netdyn.results import runs
from netdyn.training import train
from netdyn.training.engine import cuda_graphs, pacing, steps
from netdyn.training.engine.autograd import AutogradGradients
from netdyn.training.engine.batches import Batches
from netdyn.training.engine.copies import same_bits
from netdyn.training.engine.optimizers import OPTIMIZERS
from netdyn.training.engine.steps import TrainingSteps, training_steps
from netdyn.training.schedules import upcoming

NEVER = {"every_step_until": 0, "per_decade": 0}
SETTINGS = {
    **{"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.3, "loss": "mse"},
    **{"batch_size": 16, "precision": "float32", "threads": 1, "seed": 0},
}
CHANGED = [
    {},
    {"optimizer": "sgd", "learning_rate": 0.1},
    {"optimizer": "adam", "loss": "cross_entropy"},
    {"precision": "float64"},
    {"precision": "bfloat16"},
    {"batch_size": "full"},
    {"batch_size": 50},
    {"batch_size": 1},
    {"batch_size": 7, "precision": "bfloat16", "loss": "cross_entropy", "seed": 3},
]


class Again:
    """Records work as what does it once more, on the same tensors."""

    def __init__(self):
        self.recorded, self.replayed = 0, 0

    def warm_up(self, work):
        work()

    def record(self, work):
        self.recorded += 1

        def replay():
            self.replayed += 1
            work()

        return replay


class Refusing(Again):
    """Records so many times, then no more, having done half of the work."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def record(self, work):
        if self.recorded == self.times:
            work()
            raise RuntimeError("CUDA error: operation not permitted\nmore about it")
        return super().record(work)


class Wrong(Again):
    """Replays as nothing at all."""

    def record(self, work):
        return lambda: None


@pytest.fixture
def recording(monkeypatch):
    """Let steps be recorded, so many at once; return what records them."""

    def begin(several, recorder=None):
        recorder = recorder or Again()
        monkeypatch.setattr(cuda_graphs, "recorder", lambda device: recorder)
        monkeypatch.setattr(cuda_graphs, "STEPS_OF_A_GRAPH", several)
        return recorder

    return begin


@pytest.fixture(params=["blocks", "autograd"])
def gradients(request, monkeypatch):
    """How gradients are made: as on processors, or as on GPUs."""
    if request.param == "autograd":

        def on_gpu(self, network, classes):
            settings = self._settings
            return AutogradGradients(network, settings["precision"], settings["loss"], classes)

        monkeypatch.setattr(TrainingSteps, "_gradients_of", on_gpu)


def samples(settings):
    stream = torch.Generator().manual_seed(1)
    dtype = torch.float64 if settings["precision"] == "float64" else torch.float32
    x = torch.rand(50, 20, generator=stream, dtype=dtype)
    x[:, [0, 1, 2, 7, 19]] = 0
    return x, torch.randint(3, (50,), generator=stream)


def new_steps(settings, batch_norm=False):
    model = MLP([20, 12, 8, 3], batch_norm=batch_norm)
    model = model.double() if settings["precision"] == "float64" else model
    initialise(model, seed=2)
    return training_steps(model, *samples(settings), settings, 3)


def state(training):
    return [tensor.clone() for tensor in training.state().values()]


# Steps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", CHANGED)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_recorded_steps_have_the_bits_of_steps_one_by_one(
    recording, gradients, changed, batch_norm
):
    settings = {**SETTINGS, **changed}
    if batch_norm and settings["batch_size"] == 1:
        settings["batch_size"] = 2  # the statistics of one sample are none
    plain = new_steps(settings, batch_norm)
    again = recording(4)
    many = new_steps(settings, batch_norm)
    assert plain.engine in ("blocks", "autograd")
    assert many.engine == "graphs"
    numbers, step = random.Random(5), 0
    while step < 60:
        count = numbers.choice([1, 2, 3, 4, 5, 8, 9, 15])
        expected = torch.stack([plain.step(step + i) for i in range(count)])
        assert same_bits([many.advance(step, count)], [expected])
        assert same_bits(state(many), state(plain))
        step += count
    assert again.recorded == 2
    assert again.replayed < step


def test_several_steps_take_one_replay_and_the_rest_one_each(recording):
    again = recording(4)
    training = new_steps(SETTINGS)
    training.advance(0, 10)
    before = again.replayed
    training.advance(10, 10)
    assert again.replayed - before == 2 + 2


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_new_recording_leaves_the_state_unchanged(recording, optimizer, batch_norm):
    recording(4)
    training = new_steps({**SETTINGS, "optimizer": optimizer}, batch_norm)
    training.advance(0, 3)
    before = state(training)
    assert training._recorded.prepare(3, 9)
    assert same_bits(state(training), before)


def test_a_loaded_state_goes_on_with_the_recordings_there_are(recording):
    plain = new_steps(SETTINGS)
    for step in range(30):
        if step == 7:
            kept = {name: tensor.clone() for name, tensor in plain.state().items()}
        plain.step(step)
    recording(4)
    training = new_steps(SETTINGS)
    training.advance(0, 21)
    training.load(kept)
    training.advance(7, 23)
    assert same_bits(state(training), state(plain))


@pytest.mark.parametrize("size", [1, 7, 16, 25, 26, 50])
def test_orders_of_many_steps_are_those_of_each(size):
    labels = torch.arange(50)  # each sample its own, so that labels name samples
    settings = {**SETTINGS, "batch_size": size}
    batches = Batches(torch.zeros(50, 1), labels, settings)
    other = Batches(torch.zeros(50, 1), labels, settings)
    for step, count in [(0, 1), (1, 9), (130, 3), (3, 120)]:
        expected = torch.stack([other.at(step + i)[1] for i in range(count)])
        assert torch.equal(batches.orders(step, count), expected)


# Losses that are not finite -----------------------------------------------------------------------


@pytest.mark.parametrize("several", [1, 4, 32])
@pytest.mark.parametrize("rate", [2.4, 3.0, 30.0, 1e20])
def test_the_last_step_is_the_first_whose_loss_is_not_finite(recording, several, rate):
    settings = {**SETTINGS, "optimizer": "sgd", "learning_rate": rate, "weight_decay": 0.5}
    plain = new_steps(settings)
    expected = [plain.step(0)]
    while expected[-1].isfinite() and len(expected) < 200:
        expected.append(plain.step(len(expected)))
    assert 1 < len(expected) < 200
    recording(several)
    training = new_steps(settings)
    losses = training.advance(0, 200)
    assert same_bits([losses], [torch.stack(expected)])
    assert same_bits(state(training), state(plain))


# Whole runs ---------------------------------------------------------------------------------------


class Uneven:
    """A pace that goes by no clock."""

    def __init__(self, bulk):
        assert bulk
        self._counts = itertools.cycle([3, 1, 20, 7])
        self.steps = 5

    def update(self, count, seconds):
        self.steps = next(self._counts)


@pytest.mark.parametrize(
    "changed",
    [{}, {"batch_size": "full", "optimizer": "sgd"}, {"batch_norm": False, "loss": "mse"}],
)
def test_runs_have_the_bits_of_runs_one_by_one_cut_where_they_may(
    tmp_path, run_settings, train_run, sitting, recording, monkeypatch, changed
):
    settings = run_settings(
        steps=90,
        evaluate={"every_step_until": 2, "per_decade": 7},
        snapshots={"every_step_until": 0, "per_decade": 3},
        **changed,
    )
    complete = bits(train_run(tmp_path / "whole", settings))
    again = recording(4)
    monkeypatch.setattr(steps, "Pace", Uneven)
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
    for looks in (0, 1, 4, 2, 7):
        assert sitting(settings, looks) is False
    assert sitting(settings) is True
    assert bits(tmp_path / "run") == complete
    assert again.replayed
    assert files.read_json(tmp_path / "run" / "provenance.json")["engine"] == "graphs"


@pytest.mark.parametrize("rate", [6.0, 100.0, 1e20])
@pytest.mark.parametrize("schedule", [NEVER, {"every_step_until": 3, "per_decade": 5}])
def test_a_run_that_diverges_ends_at_the_same_step_with_the_same_bits(
    tmp_path, run_settings, train_run, recording, monkeypatch, rate, schedule
):
    settings = run_settings(
        **{"learning_rate": rate, "optimizer": "sgd", "loss": "mse", "batch_norm": False},
        **{"steps": 1000, "evaluate": schedule, "snapshots": schedule},
    )
    one_by_one = train_run(tmp_path / "plain", settings)
    recording(4)
    monkeypatch.setattr(steps, "Pace", Uneven)
    many = train_run(tmp_path / "many", settings)
    assert bits(many) == bits(one_by_one)
    assert runs.load_manifest(many)["diverged_step"] is not None


def test_stopping_is_checked_between_replays(
    tmp_path, run_settings, sitting, recording, monkeypatch
):
    recording(4)
    monkeypatch.setattr(steps, "Pace", Uneven)
    assert sitting(run_settings(steps=1000, evaluate=NEVER, snapshots=NEVER), 3) is False
    state = tmp_path / "checkpoints" / "state.safetensors"
    with safe_open(state, framework="pt") as file:
        assert json.loads(file.metadata()["state"])["step"] == 5 + 3 + 1


# Where nothing can be recorded --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorder", "reason"),
    [
        (lambda: Refusing(0), "CUDA error: operation not permitted"),
        (lambda: Refusing(1), "CUDA error: operation not permitted"),
        (Wrong, "a recording gives other bits"),
    ],
)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_steps_go_on_one_by_one_with_the_same_bits(recording, caplog, recorder, reason, batch_norm):
    plain = new_steps(SETTINGS, batch_norm)
    recording(4, recorder())
    many = new_steps(SETTINGS, batch_norm)
    with caplog.at_level(logging.WARNING):
        losses = torch.cat([many.advance(0, 1), many.advance(1, 14), many.advance(15, 5)])
    assert same_bits([losses], [torch.stack([plain.step(step) for step in range(20)])])
    assert same_bits(state(many), state(plain))
    assert many.engine in ("blocks", "autograd")
    (message,) = caplog.messages
    assert message == f"steps are made one by one: they cannot be recorded ({reason})"


def test_no_graphs_on_processors():
    assert cuda_graphs.recorder(torch.device("cpu")) is None


def test_networks_whose_kernels_take_long_have_no_graph():
    assert cuda_graphs.steps_of_a_graph(200 * 2048) == 32
    assert cuda_graphs.steps_of_a_graph(60_000 * 128) == 1
    assert cuda_graphs.steps_of_a_graph(60_000 * 512) == 0


# How many steps between two looks -----------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1e-5, 1e-3, 0.04, 3.0])
def test_a_look_comes_about_every_half_second(seconds):
    pace = pacing.Pace(bulk=True)
    for _ in range(20):
        pace.update(pace.steps, pace.steps * seconds)
    assert pace.steps == pytest.approx(max(1, 0.5 / seconds), rel=0.1)
    pace.update(pace.steps, 100.0)  # something else had the machine
    assert pace.steps >= max(1, 0.2 / seconds)


def test_processors_look_after_every_step():
    pace = pacing.Pace(bulk=False)
    pace.update(1, 1e-4)
    assert pace.steps == 1


def test_the_next_of_some_steps_is_found():
    following = upcoming({0, 10, 3})
    assert [following(step) for step in (0, 2, 3, 9)] == [3, 3, 10, 10]


class Link:
    """Refers to itself, so that nothing but the collector frees it."""

    def __init__(self):
        self.itself = self


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_freed_while_a_graph_is_recorded(enabled):
    gc.collect()
    (gc.enable if enabled else gc.disable)()
    try:
        older = weakref.ref(Link())
        with cuda_graphs._no_collection():
            assert older() is None
            within = weakref.ref(Link())
            for _ in range(10 * gc.get_threshold()[0]):
                Link()
            assert within() is not None
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
