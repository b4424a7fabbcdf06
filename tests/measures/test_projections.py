import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from scipy.stats import chi2
from torch import nn
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.measures.principal_components import principal_components
from netdyn.measures.projections import bottleneck, half_sums, inside_region, output_plane
from netdyn.networks.layers import layers
from netdyn.networks.reading import read

WIDTHS = (6, 9, 8, 4)


@pytest.fixture
def x(stream):
    return torch.rand(30, WIDTHS[0], generator=stream, dtype=torch.float64)


def test_the_plane_holds_the_leading_singular_vectors(make_network):
    model = make_network(WIDTHS)
    weight = model.linear3.weight.detach()
    plane = output_plane(model)
    assert_close(plane @ plane.T, torch.eye(2).double())
    variances, vectors = torch.linalg.eigh(weight.T @ weight)
    for row, leading in zip(plane, vectors.T.flip(0), strict=False):
        assert_close((row @ leading).abs(), torch.tensor(1.0).double())
        assert row[row.abs().argmax()] > 0
    assert_close((weight @ plane.T).norm(dim=0).square(), variances.flip(0)[:2])


def test_the_sign_of_the_plane_does_not_follow_the_weights(make_network):
    model = make_network(WIDTHS)
    before = output_plane(model)
    model.linear3.weight.data.neg_()
    assert_close(output_plane(model), before)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_bottleneck_projects_the_last_hidden_activations(make_network, unchanged, x, batch_norm):
    model = make_network(WIDTHS, batch_norm=batch_norm)
    *_, h, _ = read(model).propagate(x)
    with unchanged(model):
        points = bottleneck(model, x)
    assert_close(points, h.relu() @ output_plane(model).T)


def test_bottleneck_in_training_mode(make_network, x):
    model = make_network(WIDTHS)
    trained = nn.Sequential(*list(make_network(WIDTHS).train())[:-1])(x)
    points = bottleneck(read(model).with_batch_statistics(x), x)
    assert_close(points, trained.detach() @ output_plane(model).T)


def test_bottleneck_of_a_network_of_rank_two_loses_nothing(make_network, x):
    model = make_network(WIDTHS)
    output = model.linear3
    output.weight.data = output.weight.data[:, :2] @ output.weight.data[:2]
    restored = bottleneck(model, x) @ output_plane(model) @ output.weight.T + output.bias
    assert_close(restored, model.eval()(x))


def test_bottleneck_of_bytes_and_of_one_layer(stream):
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    pixels = torch.randint(256, (10, 2, 3), generator=stream, dtype=torch.uint8)
    expected = (pixels.float() / 255).flatten(1) @ output_plane(model).T
    assert_close(bottleneck(model, pixels), expected)
    assert len(layers(model)) == 1


def test_a_plane_needs_two_of_each(make_network):
    with pytest.raises(NetdynError, match="a plane needs two of each"):
        output_plane(make_network((6, 5, 1)))


def test_half_sums():
    pixels = torch.zeros(2, 28, 28, dtype=torch.uint8)
    pixels[0, :14] = 255
    pixels[1, 14, 0] = 51
    assert_close(half_sums(pixels), torch.tensor([[392.0, 0.0], [0.0, 0.2]]))
    assert_close(half_sums(torch.tensor([[1.0, 2.0, 4.0]])), torch.tensor([[1.0, 6.0]]))


def test_principal_components(stream):
    axes = torch.linalg.qr(torch.randn(6, 6, generator=stream, dtype=torch.float64)).Q
    scales = torch.tensor([9.0, 5.0, 2.0, 0.1, 0.1, 0.1]).double()
    x = torch.randn(500, 6, generator=stream, dtype=torch.float64) * scales @ axes.T + 3
    fitted = principal_components(x)
    _, _, expected = np.linalg.svd((x - x.mean(dim=0)).numpy(), full_matrices=False)
    overlaps = np.abs(fitted.components_ @ expected[:3].T)
    np.testing.assert_allclose(overlaps, np.eye(3), atol=1e-8)
    np.testing.assert_array_equal(principal_components(x).components_, fitted.components_)
    assert fitted.transform(x.numpy()).shape == (500, 3)


def test_principal_components_of_bytes(stream):
    pixels = torch.randint(256, (50, 2, 3), generator=stream, dtype=torch.uint8)
    fitted = principal_components(pixels, 2)
    np.testing.assert_allclose(fitted.mean_, pixels.flatten(1).double().mean(0) / 255, rtol=1e-6)


@pytest.mark.parametrize("components", [0, 7])
def test_too_many_components_are_refused(x, components):
    with pytest.raises(NetdynError, match=f"components {components}"):
        principal_components(x, components)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_regions_follow_the_definition(stream, dimensions):
    shape = torch.randn(dimensions, dimensions, generator=stream, dtype=torch.float64)
    training = torch.randn(400, dimensions, generator=stream, dtype=torch.float64) @ shape + 5
    points = 2 * torch.randn(300, dimensions, generator=stream, dtype=torch.float64) @ shape + 5
    mean = training.mean(dim=0).numpy()
    covariance = np.cov(training.numpy().T, bias=True).reshape(dimensions, dimensions)
    inverse = np.linalg.inv(covariance)
    distances = [mahalanobis(point, mean, inverse) for point in training.numpy()]
    limit = np.percentile(distances, 99)
    expected = [mahalanobis(point, mean, inverse) <= limit for point in points.numpy()]
    inside = inside_region(points, training)
    assert inside.tolist() == expected
    assert 0 < inside.float().mean() < 1
    assert torch.equal(inside_region(points.numpy(), training.numpy()), inside)


def test_regions_hold_their_percentile(stream):
    training = torch.randn(1000, 2, generator=stream)
    for percentile in (50, 90, 99, 100):
        assert inside_region(training, training, percentile).sum() == 10 * percentile
    # A normal region of 90 % is a disc of radius √χ²(0.9).
    radius = chi2.ppf(0.9, 2) ** 0.5
    ring = torch.tensor([[0.85 * radius, 0.0], [0.0, 1.15 * radius]], dtype=torch.float32)
    assert inside_region(ring, training, 90).tolist() == [True, False]


def test_regions_do_not_depend_on_coordinates(stream):
    training = torch.randn(200, 2, generator=stream, dtype=torch.float64)
    points = 2 * torch.randn(200, 2, generator=stream, dtype=torch.float64)
    change = torch.tensor([[1000.0, 300.0], [0.0, 0.01]]).double()
    moved = inside_region(points @ change - 7, training @ change - 7)
    assert torch.equal(moved, inside_region(points, training))


def test_flat_regions():
    line = torch.linspace(-1, 1, 101).double().unsqueeze(1) * torch.tensor([[3.0, 4.0]]) + 2
    points = torch.tensor([[2.0, 2.0], [3.5, 4.0], [8.0, 10.0], [2.0, 2.1]])
    assert inside_region(points, line).tolist() == [True, True, False, False]
    point = torch.full((5, 2), 0.1)
    nearby = torch.tensor([[0.1, 0.1], [0.1, 0.2]])
    assert inside_region(nearby, point).tolist() == [True, False]
    assert inside_region(nearby, point[:1]).tolist() == [True, False]
    zero = torch.zeros(5, 2)
    assert inside_region(torch.cat([nearby, zero]), zero).tolist() == [False] * 2 + [True] * 5


def test_region_mistakes_are_named():
    points, training = torch.rand(4, 2), torch.rand(9, 2)
    assert not inside_region(points * torch.nan, training).any()
    with pytest.raises(NetdynError, match="the network diverged"):
        inside_region(points, training * torch.nan)
    with pytest.raises(NetdynError, match="training projections"):
        inside_region(points, training[:0])
    with pytest.raises(NetdynError, match="training projections"):
        inside_region(points[:, :1], training)
    with pytest.raises(NetdynError, match="percentile 101"):
        inside_region(points, training, 101)
