"""Networks in float16 and bfloat16: what half precision cannot hold is computed in a wider one."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import netdyn
from netdyn.measures.projections import bottleneck, output_plane
from netdyn.networks.jacobian import sign_agreement
from netdyn.networks.mlp import MLP

HALVES = [torch.float16, torch.bfloat16]


@pytest.fixture
def deep():
    """A network of 23 layers, whose L-map of the input is of order 1e-9."""
    model = MLP([30, *[24] * 22, 10], "tanh", batch_norm=False)
    numbers = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=numbers) * 0.09)
    return model.eval()


@pytest.fixture
def normed():
    norms = nn.BatchNorm1d(12), nn.BatchNorm1d(9)
    model = nn.Sequential(
        *(nn.Linear(6, 12), norms[0], nn.ReLU(), nn.Linear(12, 9), nn.PReLU(9), norms[1]),
        nn.Linear(9, 4),
    )
    numbers = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=numbers) - 0.3)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.2)
    return model.eval()


@pytest.fixture
def x(stream):
    return torch.rand(40, 6, generator=stream)


@pytest.mark.parametrize("dtype", HALVES)
def test_maps_of_a_deep_half_network_keep_their_signs(deep, dtype):
    half = deep.to(dtype)
    exact = netdyn.linear_maps(copy.deepcopy(half).double())
    assert 0 < exact[0][0].abs().max() < 1e-7  # nothing of it is left in float16
    for (weight, bias), (exact_weight, exact_bias) in zip(
        netdyn.linear_maps(half), exact, strict=True
    ):
        assert (weight.dtype, bias.dtype) == (torch.float32, torch.float32)
        assert torch.equal(weight, exact_weight.float())
        assert torch.equal(bias, exact_bias.float())
        assert (weight != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_maps_of_wider_networks_keep_their_precision(deep, dtype):
    assert {w.dtype for pair in netdyn.linear_maps(deep.to(dtype)) for w in pair} == {dtype}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("start", [1, 12, 23])
def test_pruned_half_networks_are_in_float32(deep, unchanged, dtype, start, stream):
    half, x = deep.to(dtype), torch.rand(20, 30, generator=stream).to(dtype)
    with unchanged(half):
        pruned = netdyn.prune(half, start)
    assert {parameter.dtype for parameter in pruned.parameters()} == {torch.float32}
    exact = netdyn.prune(copy.deepcopy(half).double(), start)(x.double()).detach()
    assert_close(netdyn.logits(pruned, x).double(), exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", HALVES)
def test_batch_norm_is_folded_in_the_wider_precision(normed, dtype):
    half = normed.to(dtype)
    exact = netdyn.read(copy.deepcopy(half).double())
    for layer, expected in zip(netdyn.read(half).folded(), exact.folded(), strict=True):
        assert layer.weight.dtype == torch.float32
        assert_close(layer.weight.double(), expected.weight, rtol=1e-6, atol=1e-6)
        assert_close(layer.bias.double(), expected.bias, rtol=1e-5, atol=1e-6)
    (single, _), (double, _) = netdyn.linear_map(half, 0), exact.linear_maps()[0]
    assert torch.equal(single, double.float())


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("norms", ["half", "float32"])
def test_every_measure_takes_a_half_network(normed, unchanged, x, dtype, norms):
    half = normed.to(dtype)
    if norms == "float32":
        half[1].float()
        half[5].float()
    exact = copy.deepcopy(half).double()
    x = x.to(dtype).float()  # so that both see the same samples
    y = netdyn.logits(exact, x).argmax(1)
    margin = netdyn.logits(exact, x).topk(2, 1).values.diff(dim=1).abs().squeeze(1)
    with unchanged(half):
        network = netdyn.read(half)
        assert network.logits(x).dtype == dtype
        assert_close(network.logits(x), half(x.to(dtype)).detach())
        fields = network.local_fields(x)
        assert {field.dtype for field in fields} == {dtype}
        weight, _ = network.linear_maps(first=1)[0]
        density, gradient = netdyn.rank_statistics(fields[0], y, weight.sign(), bins=8)
        assert density.isfinite().any()
        assert gradient.isfinite().any()
        shares = netdyn.sample_noise_correct(network, x, y, [0.0, 0.05], 2, 0)
        expected = netdyn.sample_noise_correct(exact, x, y, [0.0, 0.05], 2, 0)
        assert (shares[0] == 1)[margin > 0.05].all()
        assert (shares - expected).abs().mean() < 0.02
        shares = netdyn.weight_noise_correct(network, x, y, [0.0, 0.05], 2, 0)
        expected = netdyn.weight_noise_correct(exact, x, y, [0.0, 0.05], 2, 0)
        assert (shares - expected).abs().mean() < 0.02
        assert bottleneck(network, x).isfinite().all()
        assert output_plane(network).dtype == torch.float32
        assert sign_agreement(network, x)[-1] == 1
    trained = copy.deepcopy(half).train()(x.to(dtype)).detach().float()
    tolerance = 0.03 if dtype == torch.float16 else 0.2
    for outputs in (network.batch_statistics(x)[0], network.with_batch_statistics(x).logits(x)):
        assert_close(outputs.float(), trained, rtol=0, atol=tolerance)


def test_statistics_that_float16_cannot_hold_are_in_float32(stream):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)).half()
    with torch.no_grad():
        model[0].weight.mul_(2000)  # variances above 65504, the largest number of float16
    x = torch.rand(50, 4, generator=stream)
    network = netdyn.read(model)
    _, pairs = network.batch_statistics(x)
    assert pairs[0][1].max() > 65504
    measured = network.with_batch_statistics(x)
    assert measured.logits(x).isfinite().all()
    expected = copy.deepcopy(model).train()(x.half()).detach()
    assert_close(measured.logits(x), expected, rtol=0.02, atol=0.02)
