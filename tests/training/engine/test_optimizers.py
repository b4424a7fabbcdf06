"""The optimizers, against those of torch.optim; and what starting a training imports."""

import pytest
import torch
from dag import in_a_fork
from torch import nn

from netdyn.training.engine.optimizers import OPTIMIZERS, FusedOptimizer, TorchOptimizer

THEIRS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def parameters(dtype):
    stream = torch.Generator().manual_seed(1)
    shapes = [(5, 7), (5,), (3, 5), (3,)]
    return [nn.Parameter(torch.randn(s, generator=stream, dtype=dtype)) for s in shapes]


def gradients(dtype, step):
    stream = torch.Generator().manual_seed(100 + step)
    return [torch.randn(p.shape, generator=stream, dtype=dtype) for p in parameters(dtype)]


def update(optimizer, updated, dtype, steps):
    for step in steps:
        for parameter, gradient in zip(updated, gradients(dtype, step), strict=True):
            parameter.grad = gradient
        optimizer.step()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_steps_have_the_bits_of_torch_optim(kind, weight_decay, dtype):
    mine, theirs = parameters(dtype), parameters(dtype)
    update(FusedOptimizer(mine, kind, 0.03, weight_decay), mine, dtype, range(20))
    other = THEIRS[kind](theirs, lr=0.03, weight_decay=weight_decay, fused=True)
    update(other, theirs, dtype, range(20))
    assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_both_optimizers_have_the_same_bits_and_states(kind, weight_decay):
    mine, theirs = parameters(torch.float32), parameters(torch.float32)
    direct = FusedOptimizer(mine, kind, 0.03, weight_decay)
    wrapped = TorchOptimizer(theirs, kind, 0.03, weight_decay)
    for step in range(20):
        update(direct, mine, torch.float32, [step])
        update(wrapped, theirs, torch.float32, [step])
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
        states = direct.state(), wrapped.state()
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("optimizer", [FusedOptimizer, TorchOptimizer])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_loaded_state_continues_with_the_same_bits(kind, optimizer):
    complete = parameters(torch.float32)
    update(optimizer(complete, kind, 0.03, 0.1), complete, torch.float32, range(12))
    mine = parameters(torch.float32)
    first = optimizer(mine, kind, 0.03, 0.1)
    update(first, mine, torch.float32, range(5))
    second = optimizer(mine, kind, 0.03, 0.1)
    second.load({name: tensor.clone() for name, tensor in first.state().items()})
    update(second, mine, torch.float32, range(5, 12))
    assert all(torch.equal(a, b) for a, b in zip(mine, complete, strict=True))


def test_training_does_not_import_the_compiler():
    """It would cost every job two seconds."""
    code = """
import sys, torch
from netdyn.networks.mlp import MLP
from netdyn.training.engine.steps import training_steps
x, y = torch.rand(30, 5), torch.randint(3, (30,))
settings = {"optimizer": "adam", "learning_rate": 0.1, "weight_decay": 0.0, "batch_size": "full"}
settings |= {"precision": "float32", "loss": "cross_entropy", "threads": 1, "seed": 0}
training_steps(MLP([5, 4, 3]), x, y, settings, 3).step(0)
print("torch._dynamo" in sys.modules)
"""
    assert in_a_fork(code) == ["False"]
