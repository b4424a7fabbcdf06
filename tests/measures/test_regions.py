"""Regions of classes in a plane: against their definition, symmetries and outliers."""

import numpy as np
import pytest

from netdyn.errors import NetdynError
from netdyn.measures.regions import Region, mahalanobis, trimmed_region


def scattered(count=200, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2)) @ [[2.0, 0.5], [0.0, 0.3]] + [1, -4]


def test_the_distance_is_that_of_its_definition():
    points, mean, covariance = scattered(5), np.array([0.5, 1.0]), np.array([[2.0, 0.3], [0.3, 1]])
    expected = [np.sqrt((h - mean) @ np.linalg.solve(covariance, h - mean)) for h in points]
    assert mahalanobis(points, Region(mean, covariance, 1.0)) == pytest.approx(expected)


def test_a_trimmed_region_is_made_of_the_inner_nine_tenths():
    points = scattered()
    of_all = np.cov(points.T)
    away = [(h - points.mean(0)) @ np.linalg.solve(of_all, h - points.mean(0)) for h in points]
    inner = points[np.argsort(away)[:180]]
    region = trimmed_region(points)
    assert region.mean == pytest.approx(inner.mean(0))
    assert region.covariance == pytest.approx(np.cov(inner.T))
    assert (mahalanobis(inner, region) <= region.radius).mean() == pytest.approx(0.99, abs=0.006)


def test_a_few_far_points_do_not_widen_it():
    points = scattered()
    far = np.concatenate([points, np.full((5, 2), 1e3) + scattered(5, seed=1)])
    with_them, without = trimmed_region(far), trimmed_region(points)
    assert np.linalg.det(with_them.covariance) < 2 * np.linalg.det(without.covariance)
    assert np.linalg.det(np.cov(far.T)) > 1e3 * np.linalg.det(without.covariance)


def test_it_moves_with_an_affine_map():
    points, by = scattered(), np.array([[0.2, -3.0], [1.0, 0.4]])
    region, moved = trimmed_region(points), trimmed_region(points @ by.T + 7)
    assert moved.mean == pytest.approx(by @ region.mean + 7)
    assert moved.covariance == pytest.approx(by @ region.covariance @ by.T)
    assert moved.radius == pytest.approx(region.radius)


@pytest.mark.parametrize("points", [[[0.0, 0.0]] * 9, [[i, 2.0 * i] for i in range(9)], [[1.0, 2]]])
def test_points_without_area_are_refused(points):
    with pytest.raises(NetdynError, match="no area"):
        trimmed_region(np.array(points))
