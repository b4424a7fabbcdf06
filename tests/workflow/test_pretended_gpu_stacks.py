"""Stacks of runs on a pretended GPU: the CPU's numbers, few launches, no waiting within steps."""

import pytest
import torch
from pretended_gpu import pretended_gpu

from netdyn.networks.mlp import MLP, initialise
from netdyn.training.engine.stacked_steps import StackedSteps
from netdyn.training.engine.steps import arithmetic, training_steps

RUNS, STEPS = 3, 8
SETTINGS = {
    **{"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1, "loss": "cross_entropy"},
    **{"batch_size": 20, "precision": "float32", "threads": 1, "samples": 60},
}
KINDS = {
    "adamw": {},
    "sgd, plain": {"optimizer": "sgd", "batch_norm": False, "loss": "mse"},
    "full batch": {"batch_size": "full"},
    "float64": {"precision": "float64"},
    "bfloat16": {"precision": "bfloat16"},
}


def parts(kind, device):
    settings = SETTINGS | {"batch_norm": True} | KINDS[kind]
    stream = torch.Generator().manual_seed(1)
    dtype = torch.float64 if settings["precision"] == "float64" else torch.float32
    x = torch.rand(60, 24, generator=stream, dtype=dtype).to(device)
    labels = torch.randint(3, (60,), generator=stream).to(device)
    every, models = [settings | {"seed": seed} for seed in range(RUNS)], []
    for each in every:
        model = MLP([24, 16, 12, 3], "tanh", settings["batch_norm"]).to(dtype).to(device)
        initialise(model, each["seed"])
        models.append(model)
    return models, (x, labels), every


def advanced(steps, count):
    losses = [steps.step(index) for index in range(count)]
    return torch.stack(losses)


def weights(stack):
    tensors = [t for run in stack.runs for t in run.network().state_dict().values()]
    return torch.cat([t.detach().cpu().flatten().double() for t in tensors])


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_is_that_of_the_cpu(monkeypatch, kind):
    models, samples, every = parts(kind, "cpu")
    if kind == "bfloat16":  # on the CPU each run by itself: no stack is trained there
        stack = None
        alone = [
            training_steps(model, *samples, each, 3)
            for model, each in zip(models, every, strict=True)
        ]
        expected = torch.stack([advanced(each, STEPS) for each in alone], 1)
    else:
        stack = StackedSteps(models, [samples] * RUNS, every, 3)
        expected = advanced(stack, STEPS)
    with pretended_gpu(monkeypatch):
        models, samples, every = parts(kind, "cuda")
        on_gpu = StackedSteps(models, [samples] * RUNS, every, 3)
        losses, found = advanced(on_gpu, STEPS).cpu(), weights(on_gpu)
    close = {"float64": 1e-10, "bfloat16": 3e-2}.get(kind, 1e-4)
    torch.testing.assert_close(losses, expected, rtol=close, atol=close)
    if stack is not None:
        torch.testing.assert_close(found, weights(stack), rtol=close, atol=close)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_three_runs_has_hardly_more_launches_than_one_of_one(monkeypatch, kind):
    def counted(steps):
        for index in range(2):  # where buffers are made and samples chosen
            steps.step(index)
        before = counts.launches.total(), counts.waits.total()
        for index in range(2, 2 + STEPS):
            steps.step(index)
        return counts.launches.total() - before[0], counts.waits.total() - before[1]

    with pretended_gpu(monkeypatch) as counts, arithmetic("float32", torch.device("cpu"), "auto"):
        models, samples, every = parts(kind, "cuda")
        launches, waits = counted(StackedSteps(models, [samples] * RUNS, every, 3))
        models, samples, every = parts(kind, "cuda")
        alone, _ = counted(training_steps(models[0], *samples, every[0], 3))
    assert waits == 0
    # Offsets are added before a product, and labels and logits of a stack are brought together.
    assert alone < launches <= alone + 4 * STEPS


def test_a_wait_within_a_step_would_be_counted(monkeypatch):
    gradients = StackedSteps._update

    def reading(self, x, labels):
        losses = gradients(self, x, labels)
        losses.isfinite().all().item()
        return losses

    monkeypatch.setattr(StackedSteps, "_update", reading)
    with pretended_gpu(monkeypatch) as counts:
        models, samples, every = parts("adamw", "cuda")
        stack = StackedSteps(models, [samples] * RUNS, every, 3)
        stack.step(0)
        before = counts.waits.total()
        stack.step(1)
        assert counts.waits.total() == before + 1
