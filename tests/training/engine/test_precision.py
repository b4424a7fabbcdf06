"""bfloat16 products: by the processor's instructions, and in float32 where it has none."""

import copy

import pytest
import torch
from torch import nn

from netdyn.networks.mlp import MLP, initialise
from netdyn.training.engine import precision
from netdyn.training.engine.precision import PRODUCTS, products


def step(network, x, y, monkeypatch, emulated):
    """Return logits and gradients of one pass, with or without instructions for bfloat16."""
    network = copy.deepcopy(network)
    monkeypatch.setattr(precision, "_emulated", lambda device: emulated)
    logits = precision.logits_in_precision(network, x, "bfloat16")
    nn.functional.cross_entropy(logits, y).backward()
    return logits.detach(), [parameter.grad for parameter in network.parameters()]


@pytest.fixture
def problem():
    network = MLP([30, 24, 24, 5]).train()
    initialise(network, seed=0)
    network.linear3.bias.data.uniform_(-1, 1)
    generator = torch.Generator().manual_seed(0)
    return (
        network,
        torch.rand(64, 30, generator=generator),
        torch.randint(5, (64,), generator=generator),
    )


def test_products_in_float32_are_those_of_autocast(problem, monkeypatch):
    logits, gradients = step(*problem, monkeypatch, emulated=True)
    native_logits, native_gradients = step(*problem, monkeypatch, emulated=False)
    assert logits.dtype == native_logits.dtype == torch.float32
    # Factors and results are rounded alike, so most numbers are equal; the rest by one rounding.
    assert (logits == native_logits).double().mean() > 0.9
    assert torch.allclose(logits, native_logits, rtol=2**-7, atol=2**-9)
    for ours, native in zip(gradients, native_gradients, strict=True):
        assert ours.dtype == native.dtype == torch.float32
        assert (ours - native).norm() < 0.01 * native.norm()


def test_rounding_is_that_of_bfloat16_and_not_of_float32(problem, monkeypatch):
    network, x, y = problem
    logits, _ = step(network, x, y, monkeypatch, emulated=True)
    exact = precision.logits_in_precision(network, x, "float32")
    assert (logits == logits.bfloat16().float()).all()
    assert 1e-4 < (logits - exact).abs().max() < 0.1


def test_the_first_layer_by_hand(monkeypatch):
    network = nn.Sequential(nn.Linear(2, 1, bias=False))
    network[0].weight.data = torch.tensor([[1.0, 1 + 2**-10]])  # rounds to 1, 1
    monkeypatch.setattr(precision, "_emulated", lambda device: True)
    x = torch.tensor([[256.0, 1.0]])  # 257 rounds to 256
    assert precision.logits_in_precision(network, x, "bfloat16").item() == 256.0


def test_a_run_says_how_its_products_were_made():
    cpu = torch.device("cpu")
    assert precision.products("bfloat16", cpu) in precision.PRODUCTS.values()
    assert precision.products("bfloat16", torch.device("cuda")) == precision.PRODUCTS["native"]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx2": True}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)],
)
def test_instructions_are_recognised_by_their_name(capabilities, expected):
    assert precision._has_instructions(capabilities) is expected


def test_the_record_does_not_claim_instructions_that_pytorch_cannot_name(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert products("bfloat16", cpu) == PRODUCTS["emulated"]
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert products("bfloat16", cpu) == PRODUCTS["native"]
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert products("bfloat16", cpu) == PRODUCTS["unknown"]
    assert products("float64", cpu) == "float64"
