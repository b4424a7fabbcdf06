import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from torch import nn
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.measures.basins.noise import noisy_samples
from netdyn.measures.cones import Cones, basin_overlaps, cone_shapes, cones, perturbed_samples
from netdyn.measures.projections import half_sums
from netdyn.networks.reading import logits

WIDTHS = (16, 9, 8, 4)
AMPLITUDES = [0.0, 0.1, 0.4, 2.0]
TRIALS = 400


@pytest.fixture
def x(stream):
    return torch.rand(5, WIDTHS[0], generator=stream, dtype=torch.float64)


def versions(x, amplitudes=AMPLITUDES, trials=TRIALS, seed=0, **returned):
    """All perturbed versions at once, (S, A, T, N_0)."""
    return torch.stack(list(perturbed_samples(x, amplitudes, trials, seed, **returned)))


# Perturbed points ---------------------------------------------------------------------------------


def test_noise_is_standard_normal_and_the_same_at_every_amplitude(x):
    points = versions(x)
    assert points.shape == (5, 4, TRIALS, 16)
    noise = points[:, 3] - x[:, None]  # 2 ε
    assert_close(points[:, 0], x[:, None].expand(-1, TRIALS, -1))
    for a, amplitude in enumerate(AMPLITUDES):
        assert_close(points[:, a], x[:, None] + amplitude / 2 * noise)
    values = (noise / 2).flatten().numpy()
    assert abs(values.mean()) < 5 / len(values) ** 0.5
    assert abs(values.std() - 1) < 5 / (2 * len(values)) ** 0.5
    # No two samples, trials or inputs share their noise.
    across = np.corrcoef((noise / 2).flatten(0, 1).T.numpy()) - np.eye(16)
    between = np.corrcoef((noise / 2).flatten(1).numpy()) - np.eye(5)
    assert np.abs(across).max() < 5 / (5 * TRIALS) ** 0.5
    assert np.abs(between).max() < 5 / (16 * TRIALS) ** 0.5


def test_noise_depends_on_seed_trial_and_place_alone(x):
    points = versions(x)
    assert torch.equal(versions(x), points)
    assert torch.equal(versions(x, trials=7), points[:, :, :7])
    assert torch.equal(versions(x, amplitudes=[0.4]), points[:, 2:3])
    assert torch.equal(versions(x[:2]), points[:2])
    assert not torch.allclose(versions(x[1:2]), points[1:2])
    assert not torch.allclose(versions(x, seed=1)[:, 1:], points[:, 1:])
    other = versions(1 - x)
    assert_close(other - (1 - x)[:, None, None], points - x[:, None, None])


@pytest.mark.parametrize("noise_return", ["affine", "clip", "range"])
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-3.0, 5.0)])
def test_noise_returns_to_the_range_as_asked_for(x, noise_return, value_range):
    low, high = value_range
    data = low + (high - low) * x
    noise = (versions(x, [1.0]) - x[:, None, None])[:, 0]  # (S, T, N_0)
    points = versions(data, value_range=value_range, noise_return=noise_return)
    for s in range(5):
        for a, amplitude in enumerate(AMPLITUDES):
            clean = data[s].expand(TRIALS, -1)
            expected = noisy_samples(clean, amplitude * noise[s], value_range, noise_return)
            assert_close(points[s, a], expected)


def test_bytes_are_pixels(stream):
    pixels = torch.randint(256, (2, 4, 4), generator=stream, dtype=torch.uint8)
    assert torch.equal(versions(pixels), versions(pixels.flatten(1).float() / 255))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"amplitudes": []}, r"amplitudes \[\]"),
        ({"amplitudes": [0.1, -0.1]}, "amplitudes"),
        ({"amplitudes": [float("nan")]}, "amplitudes"),
        ({"amplitudes": 0.1}, "amplitudes"),
        ({"trials": 0}, "trials 0"),
        ({"noise_return": "wrap"}, "noise_return 'wrap' is unknown"),
    ],
)
def test_mistakes_are_named(x, changed, message):
    with pytest.raises(NetdynError, match=message):
        versions(x, **changed)


# Cones --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise_return", ["affine", "clip", "range"])
def test_cones_are_projected_versions_and_kept_predictions(
    make_network, unchanged, x, noise_return
):
    model = make_network(WIDTHS, "tanh").train()
    model.linear3.bias.data -= logits(model, x).mean(dim=0)  # so that predictions differ
    with unchanged(model):
        result = cones(model, x, half_sums, AMPLITUDES, 30, seed=3, noise_return=noise_return)
    points = versions(x, trials=30, seed=3, noise_return=noise_return)
    assert_close(result.apexes, half_sums(x))
    assert_close(result.points, half_sums(points.flatten(0, 2)).view(5, 4, 30, 2))
    predictions = logits(model, x).argmax(dim=1)
    for s in range(5):
        for a in range(4):
            expected = logits(model, points[s, a]).argmax(dim=1) == predictions[s]
            assert torch.equal(result.kept[s, a], expected)
    assert len(set(predictions.tolist())) > 1
    assert result.kept[:, 0].all() or noise_return == "range"
    assert 0 < result.kept[:, 3].double().mean() < 1


def test_cones_of_bytes_and_single_precision(make_network, stream):
    model = make_network(WIDTHS).float()
    pixels = torch.randint(256, (3, 4, 4), generator=stream, dtype=torch.uint8)
    result = cones(model, pixels, half_sums, [0.2], 10, seed=0)
    of_floats = cones(model, pixels.flatten(1).float() / 255, half_sums, [0.2], 10, seed=0)
    assert all(torch.equal(one, other) for one, other in zip(result, of_floats, strict=True))
    assert result.points.dtype == torch.float64


def test_a_diverged_network_keeps_nothing(make_network, x):
    model = make_network(WIDTHS)
    model.linear3.weight.data.fill_(torch.nan)
    assert not cones(model, x, half_sums, [0.1], 5, seed=0).kept.any()


def test_cones_need_samples(make_network, x):
    with pytest.raises(NetdynError, match="no samples"):
        cones(make_network(WIDTHS), x[:0], half_sums, [0.1], 5, seed=0)


def test_shapes_follow_their_definitions(stream):
    apexes = torch.randn(3, 2, generator=stream, dtype=torch.float64)
    points = torch.randn(3, 4, 50, 2, generator=stream, dtype=torch.float64) + 2
    result = Cones(apexes, points, torch.ones(3, 4, 50, dtype=torch.bool))
    shapes = cone_shapes(result)
    means = points.numpy().mean(axis=2)
    for s in range(3):
        for a in range(4):
            spread = np.trace(np.cov(points[s, a].T.numpy(), bias=True)) ** 0.5
            drift = np.linalg.norm(means[s, a] - apexes[s].numpy())
            to_common = np.linalg.norm(means[s, a] - means[:, a].mean(axis=0))
            assert shapes.spread[s, a].item() == pytest.approx(spread)
            assert shapes.drift[s, a].item() == pytest.approx(drift)
            assert shapes.distance_to_common[s, a].item() == pytest.approx(to_common)


@pytest.fixture
def measured_shapes(stream):
    """Shapes of the cones of five images of 400 inputs in three orthonormal coordinates."""
    x = torch.rand(5, 400, generator=stream, dtype=torch.float64)
    axes = torch.linalg.qr(torch.randn(400, 3, generator=stream, dtype=torch.float64)).Q
    model = nn.Linear(400, 2).double()

    def measure(noise_return, amplitudes):
        result = cones(
            nn.Sequential(model), x, lambda points: points @ axes, amplitudes, TRIALS, 0,
            noise_return=noise_return,
        )  # fmt: skip
        return cone_shapes(result), result.apexes, axes

    return measure


def test_affine_cones_are_discs_around_their_samples(measured_shapes):
    amplitudes = [0.1, 0.3, 1.0]
    shapes, apexes, _ = measured_shapes("affine", amplitudes)
    a = torch.tensor(amplitudes).double()
    # Isotropic noise in D = 3 orthonormal coordinates: variance 3a², and no drift of the mean but
    # its sampling error of that over T, whose square is a χ² of three degrees.
    assert_close(shapes.spread, (3**0.5 * a).expand(5, -1), rtol=0.1, atol=0.0)
    assert (shapes.drift < a * (20 / TRIALS) ** 0.5).all()
    apart = (apexes - apexes.mean(dim=0)).norm(dim=1, keepdim=True)  # (S, 1)
    assert (shapes.distance_to_common - apart).abs().max() < 2 * (20 / TRIALS) ** 0.5


def test_cones_of_own_range_drift_to_a_common_base(measured_shapes):
    amplitudes = [0.03, 0.1, 0.3, 1.0, 30.0]
    shapes, apexes, axes = measured_shapes("range", amplitudes)
    affine, _, _ = measured_shapes("affine", amplitudes)
    assert (shapes.drift.diff(dim=1) > 0).all()
    assert (shapes.distance_to_common.diff(dim=1)[:, :3] < 0).all()
    # In the limit every sample is a uniformly grey image, half-way between black and white.
    grey = torch.full((400,), 0.5, dtype=torch.float64) @ axes
    to_grey = (apexes - grey).norm(dim=1)
    assert_close(shapes.drift[:, -1], to_grey, rtol=0.05, atol=0.05)
    assert (shapes.distance_to_common[:, -1] < 0.1 * affine.distance_to_common[:, -1]).all()


# Overlaps -----------------------------------------------------------------------------------------


def naive_overlaps(points, kept, within, percentile):
    """Pair by pair, point by point; for clouds that are not flat."""
    samples = len(points)
    table = np.full((samples, samples), np.nan)

    def share(one, other):
        region = points[other][kept[other]]
        mean, inverse = region.mean(axis=0), np.linalg.inv(np.cov(region.T, bias=True))
        limit = np.percentile([mahalanobis(p, mean, inverse) for p in region], percentile)
        counted = [p for p, k, w in zip(points[one], kept[one], within[one], strict=True) if k & w]
        return np.mean([mahalanobis(p, mean, inverse) <= limit for p in counted])

    for a in range(samples):
        for b in range(samples):
            if a != b:
                table[a, b] = max(share(a, b), share(b, a))
    return table


@pytest.mark.parametrize("dimensions", [2, 3])
def test_overlaps_follow_the_definition(stream, dimensions):
    centres = torch.randn(4, 1, dimensions, generator=stream, dtype=torch.float64)
    scales = 0.5 + torch.rand(4, 1, dimensions, generator=stream, dtype=torch.float64)
    noise = torch.randn(4, 60, dimensions, generator=stream, dtype=torch.float64)
    points = centres + scales * noise
    kept, within = torch.rand(2, 4, 60, generator=stream) < 0.7
    overlaps, counts = basin_overlaps(points, kept, within, 90)
    expected = naive_overlaps(points.numpy(), kept.numpy(), within.numpy(), 90)
    assert overlaps.fill_diagonal_(torch.nan).numpy() == pytest.approx(expected, nan_ok=True)
    assert torch.equal(counts, (kept & within).sum(dim=1))
    assert np.nanstd(expected) > 0.1


def clouds(*parts):
    """Stack point clouds, all of their points kept and within the data's region."""
    points = torch.stack(parts)
    every = torch.ones(points.shape[:2], dtype=torch.bool)
    return points, every, every.clone()


@pytest.fixture
def cloud(stream):
    return torch.randn(1000, 2, generator=stream, dtype=torch.float64)


def test_disjoint_clouds_do_not_overlap_and_equal_ones_by_the_percentile(cloud):
    overlaps, counts = basin_overlaps(*clouds(cloud, cloud + 20, cloud), percentile=95)
    assert counts.tolist() == [1000] * 3
    assert overlaps[0, 1] == overlaps[1, 2] == 0
    assert overlaps[0, 2] == pytest.approx(0.95)
    assert overlaps.diagonal().numpy() == pytest.approx(0.95)
    assert torch.equal(overlaps, overlaps.T)


def test_a_small_basin_in_a_large_one_overlaps_wholly(cloud):
    overlaps, _ = basin_overlaps(*clouds(cloud, 0.1 * cloud + 0.5))
    assert overlaps[0, 1] == overlaps[1, 0] == 1


def test_only_kept_points_within_the_data_count(cloud):
    """One half of the second cloud lies on the first cloud, the other far from it."""
    half = torch.arange(1000) < 500
    points, kept, within = clouds(cloud, cloud + torch.where(half, 0.0, 50.0)[:, None])
    # Complete: the region of the second cloud contains all of the first.
    assert basin_overlaps(points, kept, within)[0][0, 1] > 0.95
    # Only the second cloud counts, as the first has no points in the region of the data.
    near = torch.stack([torch.ones(1000, dtype=torch.bool), half])
    overlaps, counts = basin_overlaps(points, near, within)
    assert counts.tolist() == [1000, 500]
    assert overlaps[0, 1] > 0.95
    overlaps, counts = basin_overlaps(points, torch.stack([near[0], ~half]), within)
    assert counts.tolist() == [1000, 500]
    assert overlaps[0, 1] == 0
    # Points that lose the prediction do not shape the region; points off the data do.
    far_off = basin_overlaps(points, kept, near)[0]
    assert far_off[0, 1] > 0.95


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_too_few_points_have_no_overlap(stream, dimensions):
    points, kept, within = clouds(
        *torch.randn(3, 50, dimensions, generator=stream, dtype=torch.float64)
    )
    least = max(3, dimensions + 1)
    kept[1, least:], within[2, least - 1 :] = False, False
    overlaps, counts = basin_overlaps(points, kept, within)
    assert counts.tolist() == [50, least, least - 1]
    assert not overlaps[:2, :2].isnan().any()
    assert overlaps[2].isnan().all()
    assert overlaps[:, 2].isnan().all()


def test_clouds_that_do_not_match_are_named(cloud):
    points, kept, within = clouds(cloud, cloud)
    for wrong in [(points[0], kept, within), (points, kept[:, 1:], within), (points, kept, kept.T)]:
        with pytest.raises(NetdynError, match=r"give \(S, T, D\) and twice \(S, T\)"):
            basin_overlaps(*wrong)
