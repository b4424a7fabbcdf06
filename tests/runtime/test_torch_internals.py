"""Private names of PyTorch: all in one module, and what is computed where one is missing."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import netdyn
from netdyn.networks.mlp import MLP, initialise
from netdyn.runtime import torch_internals
from netdyn.runtime.torch_internals import FALLBACKS
from netdyn.training.engine import optimizers
from netdyn.training.engine.copies import Copies
from netdyn.training.engine.gradients import BlockGradients

PACKAGE = Path(netdyn.__file__).parent
PRIVATE = re.compile(
    r"torch\._(?!_version__)|torch\.ops\b|\.aten\b|\._forward_(pre_)?hooks|batch_norm_update_stats"
    r"|torch\.cpu\.get_capabilities|\b_modules\b|\b_parameters\b"
)


def test_no_other_module_calls_a_private_name():
    calls = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "torch_internals.py"
        for line in path.read_text().splitlines()
        # `internal` takes the name as an argument and returns None where it is missing.
        if PRIVATE.search(line) and "internal(" not in line
    ]
    assert calls == []


@pytest.mark.parametrize(
    "name", [n for n in FALLBACKS if "nn.Module" not in n and "_hooks" not in n]
)
def test_this_pytorch_has_every_private_name(name):
    assert torch_internals.internal(name) is not None


def test_a_module_that_keeps_its_parameters_elsewhere_is_refused():
    held, buffers = torch_internals.tensor_holders(nn.BatchNorm1d(2))
    assert [*held] == ["weight", "bias"]
    assert "running_mean" in buffers
    with pytest.raises(netdyn.NetdynError, match="in a way that netdyn does not know"):
        torch_internals.tensor_holders(SimpleNamespace())


def test_a_name_that_no_pytorch_has_is_none():
    assert torch_internals.internal("torch.ops.aten.no_such_kernel.out") is None
    assert torch_internals.internal("torch._no_such_kernel_") is None


@pytest.fixture
def without(monkeypatch):
    """Take a private name away from PyTorch."""
    original = torch_internals.internal

    def remove(name):
        assert name in FALLBACKS
        monkeypatch.setattr(
            torch_internals, "internal", lambda n: None if n == name else original(n)
        )

    return remove


@pytest.mark.parametrize("kind", optimizers.OPTIMIZERS)
def test_without_a_fused_kernel_torch_optim_gives_the_same_bits(without, kind):
    def trained():
        stream = torch.Generator().manual_seed(0)
        parameters = [nn.Parameter(torch.randn(5, 7, generator=stream))]
        optimizer = optimizers.direct_optimizer(parameters, kind, 0.03, 0.1)
        for _ in range(10):
            parameters[0].grad = torch.randn(5, 7, generator=stream)
            optimizer.step()
        return type(optimizer), parameters[0].detach()

    direct, expected = trained()
    without(f"torch._fused_{kind}_")
    wrapped, values = trained()
    assert (direct, wrapped) == (optimizers.FusedOptimizer, optimizers.TorchOptimizer)
    assert torch.equal(values, expected)


def test_without_the_kernel_for_many_tensors_copies_are_the_same(without):
    without("torch._foreach_copy_")
    tensors = [torch.arange(3.0), torch.ones(2, 2)]
    copies = Copies(tensors)
    copies.save()
    tensors[0].zero_()
    copies.restore()
    assert tensors[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("torch.ops.aten.threshold_backward.grad_input", "relu"),
        ("torch.ops.aten.tanh_backward.grad_input", "tanh"),
        ("torch.batch_norm_update_stats", "relu"),
        ("torch.ops.mkldnn._linear_pointwise", "relu"),
    ],
)
def test_without_a_kernel_gradients_are_equal_within_rounding(without, name, activation, precision):
    def gradients():
        dtype = torch.float32 if precision == torch.bfloat16 else precision
        stream = torch.Generator().manual_seed(3)
        x = torch.rand(60, 20, generator=stream, dtype=dtype)
        labels = torch.randint(3, (60,), generator=stream)
        model = MLP([20, 16, 12, 3], activation).to(dtype)
        initialise(model, seed=1)
        BlockGradients(model.train(), "cross_entropy", 1, precision)(x, labels)
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    expected = gradients()
    without(name)
    tolerance = 1e-12 if precision == torch.float64 else 0.02
    assert (gradients() - expected).norm() <= tolerance * expected.norm()


@torch.no_grad()
def test_without_onednn_products_are_those_of_pytorch(without):
    x, weight, bias = torch.rand(30, 20), torch.rand(10, 20), torch.rand(10)
    by_onednn = torch_internals.onednn_linear(x, weight, bias)
    without("torch.ops.mkldnn._linear_pointwise")
    assert not torch_internals.has_onednn_linear()
    torch.testing.assert_close(torch_internals.onednn_linear(x, weight, bias), by_onednn)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_slopes_are_those_of_pytorch_at_zero_and_nan_too(without, dtype):
    x = torch.tensor([-1.0, 0.0, 0.5, torch.nan, 2.0]).to(dtype)
    expected = torch.ones(5, dtype=dtype)
    torch_internals.multiply_by_relu_slope(expected, x)
    without("torch.ops.aten.threshold_backward.grad_input")
    g = torch.ones(5, dtype=dtype)
    torch_internals.multiply_by_relu_slope(g, x)
    assert torch.equal(g, expected)


def test_without_capabilities_no_instructions_are_known(without):
    without("torch.cpu.get_capabilities")
    assert torch_internals.capabilities() == {}


@pytest.mark.parametrize("name", ["_forward_hooks", "_forward_pre_hooks"])
def test_a_module_whose_hooks_are_unknown_may_have_some(name):
    layer = nn.Linear(3, 2)
    assert not torch_internals.has_forward_hooks(layer)
    attributes = {"_forward_hooks": {}, "_forward_pre_hooks": {}}
    assert not torch_internals.has_forward_hooks(SimpleNamespace(**attributes))
    del attributes[name]
    assert torch_internals.has_forward_hooks(SimpleNamespace(**attributes))
    layer.register_forward_pre_hook(lambda module, inputs: None)
    assert torch_internals.has_forward_hooks(layer)
