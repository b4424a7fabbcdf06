"""Gradients made block by block, against automatic differentiation."""

import copy

import pytest
import torch
from torch import nn

from netdyn.networks.elementwise import ACTIVATIONS
from netdyn.networks.mlp import MLP, initialise
from netdyn.runtime import products, torch_internals
from netdyn.training.engine import gradients
from netdyn.training.engine.gradients import BlockGradients


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows, an incomplete last one, and threads however small the batch."""
    monkeypatch.setattr(gradients, "BLOCK_VALUES", 17 * 64)
    monkeypatch.setattr(gradients, "WORTH_THREADS", 1)


def network(activation="relu", batch_norm=True, widths=(20, 64, 33, 10), dtype=torch.float64):
    model = MLP(widths, activation, batch_norm, momentum=0.3).to(dtype)
    initialise(model, seed=3, scale=2.0)
    stream = torch.Generator().manual_seed(4)
    for module in model:
        if isinstance(module, nn.BatchNorm1d):
            module.weight.data.uniform_(0.5, 2.0, generator=stream)
            module.bias.data.uniform_(-1.0, 1.0, generator=stream)
    return model.train()


def batch(samples=107, dtype=torch.float64):
    stream = torch.Generator().manual_seed(5)
    x = torch.rand(samples, 20, generator=stream, dtype=dtype)
    return x, torch.randint(10, (samples,), generator=stream)


def differentiated(model, x, labels, loss):
    """Loss and gradients as PyTorch makes them, of a copy that is returned."""
    copied = copy.deepcopy(model)
    outputs = copied(x)
    if loss == "cross_entropy":
        value = nn.functional.cross_entropy(outputs, labels)
    else:
        target = nn.functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
        value = nn.functional.mse_loss(outputs, target)
    value.backward()
    return value.detach(), copied


def assert_equal(model, other, tolerance):
    close = {"rtol": tolerance, "atol": tolerance}
    for (name, mine), theirs in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, **close, msg=f"gradient of {name}")
    for (name, mine), theirs in zip(model.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, **close, msg=name)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_automatic_differentiation(
    small_blocks, activation, batch_norm, loss, threads
):
    model, (x, labels) = network(activation, batch_norm), batch()
    expected, other = differentiated(model, x, labels, loss)
    results = BlockGradients(model, loss, threads)(x, labels)
    torch.testing.assert_close(results, expected, rtol=1e-12, atol=1e-12)
    assert_equal(model, other, 1e-11)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_gradients_by_onednn_are_equal_within_rounding(
    small_blocks, monkeypatch, batch_norm, threads
):
    if not torch_internals.has_onednn_linear():
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(products, "WORTH_ONEDNN", 1)
    model, (x, labels) = network("relu", batch_norm), batch()
    expected, other = differentiated(model, x, labels, "cross_entropy")
    results = {}
    for by_onednn in (True, False):
        monkeypatch.setattr(products, "uses_onednn", lambda used=by_onednn: used)
        single = copy.deepcopy(model).float()
        loss = BlockGradients(single, "cross_entropy", threads)(x.float(), labels)
        torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
        assert_equal(single.double(), other, 2e-5)
        results[by_onednn] = torch.cat([p.grad.flatten() for p in single.parameters()])
    assert not torch.equal(results[True], results[False])  # it was another library


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_second_batch_of_another_size_starts_from_nothing(small_blocks, batch_norm):
    model = network(batch_norm=batch_norm)
    block = BlockGradients(model, "cross_entropy", 2)
    block(*batch(64))
    before = copy.deepcopy(model)
    before.zero_grad()
    x, labels = batch(31)
    block(x, labels)
    _, other = differentiated(before, x, labels, "cross_entropy")
    assert_equal(model, other, 1e-11)


def test_a_linear_classifier_without_hidden_layers(small_blocks):
    model, (x, labels) = network(widths=(20, 10)), batch()
    expected, other = differentiated(model, x, labels, "cross_entropy")
    torch.testing.assert_close(BlockGradients(model, "cross_entropy", 2)(x, labels), expected)
    assert_equal(model, other, 1e-11)


def test_fields_far_from_zero_lose_no_more_digits_than_in_pytorch(small_blocks):
    """Their means are thousands of deviations: sums of squares about zero would lose all digits."""
    model, (x, labels) = network("tanh", dtype=torch.float32), batch(dtype=torch.float32)
    x = 100 + 0.3 * x
    _, theirs = differentiated(model, x, labels, "cross_entropy")
    _, exact = differentiated(copy.deepcopy(model).double(), x.double(), labels, "cross_entropy")
    BlockGradients(model, "cross_entropy", 2)(x, labels)
    mine, theirs, exact = (
        torch.cat([p.grad.flatten().double() for p in each.parameters()])
        for each in (model, theirs, exact)
    )
    assert (mine - exact).norm() < 3 * (theirs - exact).norm()


@pytest.mark.parametrize("batch_norm", [True, False])
def test_same_batch_same_bits(small_blocks, batch_norm):
    x, labels = batch(dtype=torch.float32)
    results = []
    for _ in range(3):
        model = network(batch_norm=batch_norm, dtype=torch.float32)
        BlockGradients(model, "mse", 2)(x, labels)
        results.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_threads_are_left_as_they_were(small_blocks):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        BlockGradients(network(), "mse", 2)(*batch())
        assert torch.get_num_threads() == 2
        assert torch.is_grad_enabled()
    finally:
        torch.set_num_threads(before)


def test_what_is_not_finite_shows_in_the_loss(small_blocks):
    model, (x, labels) = network(), batch()
    x[5, 3] = torch.inf
    assert not BlockGradients(model, "cross_entropy", 2)(x, labels).isfinite()


def steps_off(model, reference):
    """‖g − g_ref‖ / ‖g_ref‖ of the gradients of all weights."""
    mine, theirs = (
        torch.cat([parameter.grad.flatten().double() for parameter in network.parameters()])
        for network in (model, reference)
    )
    return ((mine - theirs).norm() / theirs.norm()).item()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rounded_products_are_as_near_to_exact_ones_as_those_of_autocast(
    small_blocks, activation, threads
):
    model = network(activation, dtype=torch.float32)
    x, labels = batch(samples=1007, dtype=torch.float32)
    autocast = copy.deepcopy(model)
    value, exact = differentiated(model, x, labels, "cross_entropy")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        nn.functional.cross_entropy(autocast(x).float(), labels).backward()
    rounded = BlockGradients(model, "cross_entropy", threads, torch.bfloat16)(x, labels)
    assert rounded.item() == pytest.approx(value.item(), rel=2**-7)
    assert 1e-4 < steps_off(model, exact) < 1.5 * steps_off(autocast, exact) < 0.1
    for name, statistic in model.named_buffers():
        torch.testing.assert_close(
            statistic, exact.get_buffer(name), rtol=2**-7, atol=2**-7, msg=name
        )


def test_rounded_products_follow_the_weights(small_blocks):
    model = network(dtype=torch.float32)
    gradients_of = BlockGradients(model, "cross_entropy", 1, torch.bfloat16)
    x, labels = batch(dtype=torch.float32)
    gradients_of(x, labels)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    _, exact = differentiated(model, x, labels, "cross_entropy")
    gradients_of(x, labels)
    assert steps_off(model, exact) < 0.1
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_rounded_products_without_batch_norm_are_refused():
    with pytest.raises(ValueError, match="batch norm"):
        BlockGradients(
            network(batch_norm=False, dtype=torch.float32), "cross_entropy", 1, torch.bfloat16
        )
