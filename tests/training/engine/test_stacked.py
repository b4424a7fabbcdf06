"""Runs that train at once, as one stacked network, against each of them alone."""

import itertools

import pytest
import torch

from netdyn.networks.mlp import MLP, initialise
from netdyn.training.engine import cuda_graphs, stacked_network, stacked_optimizer, stacking
from netdyn.training.engine.batches import Batches
from netdyn.training.engine.copies import same_bits
from netdyn.training.engine.stacked_batches import StackedBatches
from netdyn.training.engine.stacked_steps import StackedSteps
from netdyn.training.engine.steps import training_steps

STEPS = 6
RUNS = 3
SETTINGS = {
    **{"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.1, "loss": "cross_entropy"},
    **{"batch_size": 20, "precision": "float64", "threads": 1, "samples": 70, "steps": STEPS},
    **{"activation": "tanh", "batch_norm": True, "momentum": 0.1, "initial_scale": 1.0, "seed": 0},
    **{"dataset": "toy", "translated": False, "format": 1, "width": [16, 12]},
}
# ‖w_stacked − w_alone‖ / ‖w_alone − w_0‖ of a run: what rounding makes in STEPS steps. Adam's first
# steps are η sign(gradient): what rounding leaves of a gradient of 0 moves a weight by η.
ALLOWED = {"float64": 1e-10, "float32": 1e-3}
CHANGED = {
    **{
        f"{o}, {b}": {"optimizer": o, "batch_norm": b}
        for o in ("sgd", "adam", "adamw")
        for b in (True, False)
    },
    **{name: {"activation": name} for name in ("relu", "identity", "gaussian")},
    "full batch": {"batch_size": "full"},
    "mse": {"loss": "mse"},
    "mse, full batch": {"loss": "mse", "batch_size": "full", "batch_norm": False},
    "α = 1": {"momentum": 1.0},
    "large weights": {"initial_scale": 8.0, "batch_norm": False},
    "one layer": {"width": [], "batch_norm": False},
    "float32": {"precision": "float32"},
    "float32, adam": {"precision": "float32", "optimizer": "adam"},
}
# What the runs of a stack may have of their own.
OWN = {
    "seeds": [{"seed": seed} for seed in range(RUNS)],
    "rates": [{"learning_rate": rate} for rate in (0.01, 0.05, 0.01)],
    "decays": [{"seed": run, "weight_decay": 0.1 * run} for run in range(RUNS)],
    "samples": [{"seed": run, "samples": 70 - 15 * run} for run in range(RUNS)],
    "scales": [{"initial_scale": scale} for scale in (0.5, 1.0, 4.0)],
}


def samples(settings):
    stream = torch.Generator().manual_seed(1)
    dtype = torch.float64 if settings["precision"] == "float64" else torch.float32
    x = torch.rand(70, 24, generator=stream, dtype=dtype)
    return x[: settings["samples"]], torch.randint(3, (70,), generator=stream)[
        : settings["samples"]
    ]


def network(settings):
    model = MLP(
        [24, *settings["width"], 3],
        *(settings["activation"], settings["batch_norm"], settings["momentum"]),
    )
    model = model.double() if settings["precision"] == "float64" else model
    initialise(model, settings["seed"], settings["initial_scale"])
    return model


def values(model):
    return torch.cat([tensor.detach().flatten().double() for tensor in model.state_dict().values()])


def stack_of(runs):
    shared = {settings["samples"]: samples(settings) for settings in runs}
    given = [shared[settings["samples"]] for settings in runs]
    return StackedSteps([network(settings) for settings in runs], given, runs, 3)


def apart(runs, count=STEPS):
    """Return how far each run of a stack ends from the run alone, and its losses too."""
    stack = stack_of(runs)
    losses = torch.stack([stack.step(index) for index in range(count)])
    distances = []
    for run, settings in enumerate(runs):
        model = network(settings)
        before = values(model)
        alone = training_steps(model, *samples(settings), settings, 3)
        expected = torch.stack([alone.step(index) for index in range(count)])
        moved = values(alone.network()) - before
        assert moved.norm() > 0
        found = values(stack.runs[run].network()) - before
        distances.append(((found - moved).norm() / moved.norm()).item())
        distances.append(((losses[:, run] - expected).norm() / expected.norm()).item())
    return max(distances)


@pytest.mark.parametrize("changed", CHANGED)
def test_each_run_is_the_run_alone(changed):
    runs = [SETTINGS | CHANGED[changed] | own for own in OWN["seeds"]]
    assert apart(runs) < ALLOWED[runs[0]["precision"]]


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_runs_differ_in_what_they_may(own, optimizer):
    runs = [SETTINGS | {"optimizer": optimizer, "batch_norm": False} | each for each in OWN[own]]
    assert apart(runs) < ALLOWED["float64"]


def mean_over_runs(self, logits, labels):
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    return each.expand(len(logits))


def joint_statistics(self, norm, z):
    name = self._names[id(norm)]
    weight, bias = (self._weights[f"{name}.{part}"].unsqueeze(2) for part in ("weight", "bias"))
    variance, mean = torch.var_mean(z, (0, 2), correction=0, keepdim=True)
    return (z - mean) / (variance + norm.eps).sqrt() * weight + bias


def first_runs_orders(self, index, count):
    return self._each[0].orders(index, count).repeat(1, self.losses[0])


def rolled(self, linear, x):
    return original_product(self, linear, x.roll(1, 0))


def one_rate(self, parameters, kind, rates):
    original_optimizer(self, parameters, kind, rates[:1] * len(rates))


original_product = stacked_network.StackedNetwork._product
original_optimizer = stacked_optimizer.StackedOptimizer.__init__
MIXED = {
    "losses": (stacked_network.StackedGradients, "_losses", mean_over_runs),
    "statistics": (stacked_network.StackedNetwork, "_normalised", joint_statistics),
    "batches": (StackedBatches, "orders", first_runs_orders),
    "weights": (stacked_network.StackedNetwork, "_product", rolled),
    "rates": (stacked_optimizer.StackedOptimizer, "__init__", one_rate),
}


@pytest.mark.parametrize("precision", ALLOWED)
@pytest.mark.parametrize("mixed", MIXED)
def test_runs_that_are_mixed_are_noticed(monkeypatch, mixed, precision):
    monkeypatch.setattr(*MIXED[mixed])
    own = [{"seed": run, "learning_rate": 0.02 * (run + 1)} for run in range(RUNS)]
    assert apart([SETTINGS | {"precision": precision} | each for each in own]) > ALLOWED[precision]


# One run's end is its own ------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_nan_reaches_no_other_run(optimizer, batch_norm):
    changed = {"optimizer": optimizer, "batch_norm": batch_norm, "precision": "float32"}
    runs = [SETTINGS | changed | own for own in OWN["seeds"]]
    healthy, ill = stack_of(runs), stack_of(runs)
    with torch.no_grad():
        for parameter in ill.runs[1].network().parameters():
            parameter.fill_(torch.nan)
    ill.leave_out([False, True, False])
    for stack in (healthy, ill):
        stack.advance(0, STEPS)
    for run in (0, 2):
        state = [each.runs[run].state().values() for each in (ill, healthy)]
        assert same_bits(*map(list, state))
    assert values(ill.runs[1].network()).isnan().any()


@pytest.mark.parametrize("several", [1, 4])
@pytest.mark.parametrize("rate", [30.0, 1e20])
def test_steps_end_where_a_run_diverges_and_the_others_go_on(monkeypatch, several, rate):
    changed = {"batch_norm": False, "loss": "mse", "activation": "relu", "weight_decay": 0.5}
    runs = [SETTINGS | changed | {"learning_rate": r, "seed": 4} for r in (0.01, rate, 0.02)]
    alone = training_steps(network(runs[1]), *samples(runs[1]), runs[1], 3)
    expected = len(alone.advance(0, 60))
    assert expected < 60
    recording(monkeypatch, several)
    stack = stack_of(runs)
    losses = stack.advance(0, 60)
    assert abs(len(losses) - expected) <= 1  # its losses grow within rounding
    assert losses[-1].isfinite().tolist() == [True, False, True]
    stack.leave_out([False, True, False])
    assert len(stack.advance(len(losses), 10)) == 10
    others = stack_of([runs[0], runs[0], runs[2]])
    others.advance(0, len(losses) + 10)
    for run in (0, 2):
        state = [each.runs[run].state().values() for each in (stack, others)]
        assert same_bits(*map(list, state))


# Recorded steps -----------------------------------------------------------------------------------


class Again:
    """Records work as what does it once more, on the same tensors."""

    def warm_up(self, work):
        work()

    def record(self, work):
        return work


def recording(monkeypatch, several):
    monkeypatch.setattr(cuda_graphs, "recorder", lambda device: Again())
    monkeypatch.setattr(cuda_graphs, "STEPS_OF_A_GRAPH", several)


@pytest.mark.parametrize(
    "changed",
    [{}, {"batch_size": "full"}, {"optimizer": "adamw"}, {"precision": "float32", "batch_size": 7}],
)
@pytest.mark.parametrize("own", ["seeds", "rates", "samples"])
def test_recorded_steps_have_the_bits_of_steps_one_by_one(monkeypatch, changed, own):
    if own == "samples" and changed.get("batch_size") == "full":
        own = "scales"
    runs = [SETTINGS | changed | each for each in OWN[own]]
    plain = stack_of(runs)
    recording(monkeypatch, 4)
    many = stack_of(runs)
    assert (plain.engine, many.engine) == ("stacked autograd", "stacked graphs")
    step = 0
    for count in (1, 9, 3, 4, 17):
        expected = torch.stack([plain.step(step + i) for i in range(count)])
        assert same_bits([many.advance(step, count)], [expected])
        step += count
    for one, other in zip(plain.runs, many.runs, strict=True):
        assert same_bits([*one.state().values()], [*other.state().values()])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("own", ["seeds", "rates"])
def test_a_loaded_state_goes_on_with_the_same_bits(optimizer, own):
    runs = [SETTINGS | {"optimizer": optimizer} | each for each in OWN[own]]
    whole, cut = stack_of(runs), stack_of(runs)
    whole.advance(0, 9)
    cut.advance(0, 4)
    kept = [run.state() for run in cut.runs]
    resumed = stack_of(runs)
    for run, state in zip(resumed.runs, kept, strict=True):
        run.load(state)
    resumed.advance(4, 5)
    for one, other in zip(whole.runs, resumed.runs, strict=True):
        assert same_bits([*one.state().values()], [*other.state().values()])
        assert one.state().keys() == other.state().keys()


# What may be stacked ------------------------------------------------------------------------------

EQUAL = [
    {"width": [16, 16]},
    {"activation": "relu"},
    {"batch_norm": False},
    {"momentum": 0.5},
    {"loss": "mse"},
    {"optimizer": "adam"},
    {"batch_size": 10},
    {"steps": 100},
    {"precision": "float32"},
    {"threads": 2},
    {"dataset": "mnist"},
]


@pytest.mark.parametrize("changed", EQUAL)
def test_runs_of_another_shape_are_in_another_stack(changed):
    runs = [SETTINGS, SETTINGS | changed, SETTINGS | {"seed": 1}]
    assert stacking.stacks(runs, "cpu") == [[0, 2], [1]]


@pytest.mark.parametrize("own", OWN)
def test_runs_of_one_shape_are_in_one_stack(own):
    assert stacking.stacks([SETTINGS | each for each in OWN[own]], "cuda") == [[0, 1, 2]]


def test_runs_with_all_samples_a_step_need_as_many():
    full = SETTINGS | {"batch_size": "full"}
    assert stacking.stacks([full, full | {"samples": 60}], "cpu") == [[0], [1]]


@pytest.mark.parametrize(
    ("changed", "device", "expected"),
    [
        ({}, "cpu", True),
        ({"translated": True}, "cuda", False),
        ({"precision": "bfloat16"}, "cuda", True),
        ({"precision": "bfloat16"}, "cpu", False),
        ({"batch_size": "full", "samples": 60_000, "width": [128] * 22}, "cuda", True),
        ({"batch_size": "full", "samples": 60_000, "width": [512] * 9}, "cuda", False),
        ({"batch_size": 20_000, "samples": 60_000, "width": [1024] * 11}, "cuda", False),
    ],
)
def test_only_steps_that_launches_bound_are_stacked(changed, device, expected):
    settings = SETTINGS | changed
    assert stacking.can_stack(settings, device) is expected
    pair = [settings, settings | {"seed": 1}]
    assert stacking.stacks(pair, device) == ([[0, 1]] if expected else [[0], [1]])


def test_orders_are_those_of_each_run():
    runs = [SETTINGS | own for own in OWN["samples"]]
    given = [samples(settings) for settings in runs]
    batches = StackedBatches(given, runs)
    for index, (run, (x, y)) in itertools.product((0, 2, 3, 70), enumerate(given)):
        inputs, labels = batches.at(index)
        expected = Batches(x, y, runs[run]).at(index)
        assert torch.equal(inputs[run], expected[0])
        assert torch.equal(labels[run], expected[1])
