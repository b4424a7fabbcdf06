"""The engine auto against the engine plain, for every kind of run; and what the switch reaches."""

import itertools

import pytest
import torch
from comparing import bits

from netdyn.errors import NetdynError
from netdyn.networks.mlp import MLP, initialise
from netdyn.records import files
from netdyn.runtime import products
from netdyn.training.engine import blocks, in_place, steps
from netdyn.training.engine.optimizers import OPTIMIZERS, TorchOptimizer
from netdyn.training.engine.steps import arithmetic, training_steps
from netdyn.training.engine.used_inputs import AllInputs

CPU = torch.device("cpu")
STEPS = 4
# ‖w_auto − w_plain‖ / ‖w_plain − w_0‖ after so many steps, and the same of the losses. Adam's first
# steps are η sign(gradient): what rounding leaves of a gradient of 0 moves a weight by η.
ALLOWED = {"float64": 1e-9, "float32": 1e-3, "bfloat16": 0.1}
KINDS = list(itertools.product(OPTIMIZERS, ALLOWED, [True, False], [20, "full"], [True, False]))


def course(engine, optimizer, precision, batch_norm, batch_size, dark, activation="tanh"):
    """Return the losses of some steps, and how far they moved all that is trained, as vectors."""
    stream = torch.Generator().manual_seed(1)
    dtype = torch.float64 if precision == "float64" else torch.float32
    x = torch.rand(70, 24, generator=stream, dtype=dtype)
    if dark:
        x[:, :7] = 0
    labels = torch.randint(3, (70,), generator=stream)
    model = MLP([24, 16, 12, 3], activation, batch_norm).to(dtype)
    initialise(model, seed=2)
    before = values(model)
    settings = {
        **{"optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 0.1, "seed": 0},
        **{"loss": "mse" if batch_size == "full" else "cross_entropy", "threads": 1},
        **{"batch_size": batch_size, "precision": precision},
    }
    with arithmetic(precision, CPU, engine):
        training = training_steps(model, x, labels, settings, 3, engine)
        losses = torch.stack([training.step(index) for index in range(STEPS)])
        return losses.double(), values(training.network()) - before


def values(model):
    return torch.cat([tensor.detach().flatten().double() for tensor in model.state_dict().values()])


def difference(*kind, **more):
    """Return how far the two engines are apart, in losses and weights, relative to plain's."""
    auto, plain = (course(engine, *kind, **more) for engine in ("auto", "plain"))
    assert all(vector.norm() > 0 for vector in plain)
    return max(
        ((mine - theirs).norm() / theirs.norm()).item()
        for mine, theirs in zip(auto, plain, strict=True)
    )


@pytest.mark.parametrize(("optimizer", "precision", "batch_norm", "batch_size", "dark"), KINDS)
def test_both_engines_agree_within_rounding(optimizer, precision, batch_norm, batch_size, dark):
    apart = difference(optimizer, precision, batch_norm, batch_size, dark)
    assert apart < ALLOWED[precision]


@pytest.mark.parametrize("activation", ["relu", "identity", "gaussian"])
def test_both_engines_agree_for_every_activation(activation):
    assert difference("sgd", "float64", True, 20, True, activation=activation) < 1e-9


MUTANTS = {
    "no slope of tanh": (in_place.TanhInPlace, "backward", lambda g, x, y: None),
    "biases doubled": (blocks, "_add", lambda total, part, first: total.copy_(2 * part)),
    "weights' gradients halved": (
        blocks,
        "add_product",
        lambda total, a, b, first: products.add_product(total, a / 2, b, first),
    ),
}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_gradient_of_the_blocks_is_noticed(monkeypatch, mutant, precision):
    owner, name, wrong = MUTANTS[mutant]
    wrong = staticmethod(wrong) if isinstance(owner, type) else wrong
    monkeypatch.setattr(owner, name, wrong)
    apart = max(
        difference("sgd", precision, batch_norm, "full", False) for batch_norm in (True, False)
    )
    assert apart > ALLOWED[precision]


# What the switch reaches --------------------------------------------------------------------------


def test_plain_takes_no_part_of_the_fast_engine(monkeypatch):
    for name in ("BlockGradients", "UsedInputs", "RecordedSteps", "direct_optimizer", "products"):
        monkeypatch.setattr(steps, name, None)
    course("plain", "adamw", "float32", True, 20, True)


def test_plain_is_made_of_pytorchs_own_parts():
    x, labels = torch.zeros(50, 8), torch.zeros(50, dtype=torch.int64)
    settings = {
        **{"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.0, "loss": "mse"},
        **{"batch_size": "full", "precision": "bfloat16", "threads": 1, "seed": 0},
    }
    plain = training_steps(MLP([8, 4, 3]), x, labels, settings, 3, "plain")
    assert isinstance(plain._inputs, AllInputs)
    assert isinstance(plain._optimizer, TorchOptimizer)
    assert plain.record() == {"engine": "plain", "products": "bfloat16 by PyTorch"}


@torch.no_grad()
def test_plain_multiplies_without_onednn(monkeypatch):
    monkeypatch.setattr(products, "_is_faster_by_onednn", lambda: True)
    monkeypatch.setattr(products, "WORTH_ONEDNN", 1)
    used = []
    original = products.torch_internals.onednn_linear
    monkeypatch.setattr(
        products.torch_internals, "onednn_linear", lambda *a: used.append(1) or original(*a)
    )
    for engine, expected in (("auto", True), ("plain", False)):
        used.clear()
        with arithmetic("float32", CPU, engine):
            products.linear(torch.ones(3, 4), torch.ones(2, 4))
        assert bool(used) is expected, engine
    products.linear(torch.ones(3, 4), torch.ones(2, 4))  # the switch is undone
    assert used


def test_an_unknown_engine_is_named(tmp_path, run_settings, train_run):
    with pytest.raises(NetdynError, match="engine 'fast': choose one of auto, plain, stacked"):
        train_run(tmp_path, run_settings(), engine="fast")


@pytest.mark.parametrize(("engine", "recorded"), [("auto", "blocks"), ("plain", "plain")])
def test_the_record_of_a_run_names_its_engine(tmp_path, run_settings, train_run, engine, recorded):
    run = train_run(tmp_path, run_settings(), engine=engine)
    assert files.read_json(run / "provenance.json")["engine"] == recorded


def test_a_checkpoint_of_the_other_engine_is_not_resumed(
    tmp_path, run_settings, train_run, sitting, caplog
):
    plain = bits(train_run(tmp_path / "plain", run_settings(), engine="plain"))
    assert sitting(run_settings(), 5, engine="auto") is False
    assert sitting(run_settings(), engine="plain") is True
    assert "training starts again" in caplog.text
    assert bits(tmp_path / "run") == plain


def test_a_run_by_the_plain_engine_continues_with_the_same_bits(
    tmp_path, run_settings, train_run, sitting
):
    complete = bits(train_run(tmp_path / "whole", run_settings(), engine="plain"))
    for count in (0, 4, 2):
        assert sitting(run_settings(), count, engine="plain") is False
    assert sitting(run_settings(), engine="plain") is True
    assert bits(tmp_path / "run") == complete
