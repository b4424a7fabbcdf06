import pytest
import torch
from torch import nn
from torch.testing import assert_close

from netdyn.runtime import products, torch_internals
from netdyn.training.engine import precision

LARGE, SMALL = (300, 130, 90), (5, 4, 3)


@pytest.fixture(params=[True, False], ids=["onednn", "mkl"])
def onednn(request, monkeypatch):
    """Both libraries, whatever this processor gains by."""
    if request.param and not torch_internals.has_onednn_linear():
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(products, "uses_onednn", lambda: request.param)
    return request.param


def matrices(stream, shape, dtype=torch.float32):
    samples, inputs, outputs = shape
    x = torch.randn(samples, inputs, generator=stream, dtype=dtype)
    weight = torch.randn(outputs, inputs, generator=stream, dtype=dtype)
    return x, weight, torch.randn(outputs, generator=stream, dtype=dtype)


@torch.no_grad()
@pytest.mark.parametrize("shape", [LARGE, SMALL])
def test_products_are_those_of_float64(stream, shape, onednn):
    x, weight, bias = matrices(stream, shape)
    assert products._by_onednn(x, weight) == (onednn and shape == LARGE)
    exact = x.double() @ weight.double().T
    close = {"rtol": 1e-5, "atol": 1e-4}
    assert_close(products.linear(x, weight).double(), exact, **close)
    assert_close(products.linear(x, weight, bias).double(), exact + bias, **close)
    out = torch.empty(exact.shape)
    for offset in (None, bias):
        assert products.linear(x, weight, offset, out=out) is out
        assert_close(out.double(), exact if offset is None else exact + bias, **close)
    assert products.product(x, weight.T, out) is out
    assert_close(out.double(), exact, **close)
    products.add_product(out, x, weight.T)
    assert_close(out.double(), 2 * exact, **close)
    # As a layer's gradient is made: both factors transposed.
    back = torch.zeros(shape[2], shape[1])
    products.add_product(back, out.T, x)
    assert_close(back.double(), 2 * exact.T @ x.double(), rtol=1e-5, atol=1e-2)
    # Every second sample: rows that do not lie one behind the other.
    assert_close(products.linear(x[::2], weight).double(), exact[::2], **close)


@torch.no_grad()
def test_other_precisions_are_left_to_pytorch(stream, onednn):
    for dtype in (torch.float64, torch.bfloat16):
        x, weight, bias = matrices(stream, LARGE, dtype)
        assert torch.equal(products.linear(x, weight, bias), nn.functional.linear(x, weight, bias))


def test_products_that_are_differentiated_have_derivatives(stream, onednn):
    x, weight, bias = matrices(stream, LARGE)
    weight.requires_grad_()
    products.linear(x, weight, bias).sum().backward()
    assert_close(weight.grad, x.sum(0).expand_as(weight), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_layer_with_hooks_is_called(stream, onednn):
    x, weight, _ = matrices(stream, LARGE)
    layer = nn.Linear(*weight.T.shape)
    plain = products.apply(layer, x)
    assert_close(plain, layer(x), rtol=1e-5, atol=1e-5)
    layer.register_forward_hook(lambda module, inputs, output: output + 1)
    assert_close(products.apply(layer, x), plain + 1, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_same_factors_give_the_same_bits(stream, onednn):
    x, weight, bias = matrices(stream, LARGE)
    once = products.linear(x, weight, bias)
    assert torch.equal(once, products.linear(x.clone(), weight.clone(), bias.clone()))


def test_the_record_names_the_library(monkeypatch):
    cpu = torch.device("cpu")
    for used, name in ((True, precision.PRODUCTS["float32"]), (False, "float32")):
        monkeypatch.setattr(precision, "uses_onednn", lambda used=used: used)
        assert precision.products("float32", cpu) == name
        assert precision.products("float64", cpu) == "float64"
        assert precision.products("float32", torch.device("cuda")) == "float32"
