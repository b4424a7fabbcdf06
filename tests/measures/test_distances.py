"""Distances to the nearest sample, against a loop in float64."""

import inspect

import numpy as np
import pytest
import torch
from oracles import write_prepared
from scipy.spatial.distance import cdist

from netdyn.data import prepared as data
from netdyn.errors import NetdynError
from netdyn.measures import distances
from netdyn.measures.distances import nearest_distance
from netdyn.quantities import nearest_training_sample as table_of_distances
from netdyn.quantities.subject import Subject


def slow_nearest(x, others):
    """Sample by sample and other by other, in float64."""
    return [min(float(((a - b) ** 2).mean() ** 0.5) for b in others.double()) for a in x.double()]


@pytest.fixture
def images(stream):
    """Two sets of sparse pixels, in [0, 1]: 40 and 70 of 50 inputs."""
    drawn = torch.rand(110, 50, generator=stream)
    return (drawn * (drawn > 0.6)).split([40, 70])


def test_distances_are_those_of_a_loop(images):
    x, others = images
    result = nearest_distance(x, others)
    assert result.dtype == torch.float64
    assert result.tolist() == pytest.approx(slow_nearest(x, others), rel=1e-9)


@pytest.mark.parametrize("held", [1, 140, 10**9])
def test_chunks_change_nothing(images, monkeypatch, held):
    expected = nearest_distance(*images)
    monkeypatch.setattr(distances, "HELD", held)
    torch.testing.assert_close(nearest_distance(*images), expected, rtol=1e-12, atol=0)


def test_a_sample_among_the_others_is_at_no_distance_and_a_shift_at_its_own(images):
    _, others = images
    assert (nearest_distance(others[:9], others) == 0).all()
    near = nearest_distance(others[:9] + 0.01, others)
    torch.testing.assert_close(near, torch.full((9,), 0.01).double(), rtol=1e-4, atol=0)


def test_mnist_sized_images_in_single_precision(stream):
    pixels = torch.rand(330, 784, generator=stream) * (torch.rand(330, 784, generator=stream) < 0.2)
    x, others = pixels[:30], pixels[30:]
    others[0] = x[0] + 1e-4  # far closer than matrix products in float32 resolve
    expected = cdist(x.double().numpy(), others.double().numpy()).min(axis=1) / 28
    assert nearest_distance(x, others).numpy() == pytest.approx(expected, rel=1e-6)
    assert expected[0] == pytest.approx(1e-4, rel=1e-2)


def test_bytes_are_pixels(stream):
    pixels = torch.randint(256, (20, 3, 4), generator=stream, dtype=torch.uint8)
    unit = pixels.flatten(1).double() / 255
    expected = nearest_distance(unit[:5], unit[5:])
    torch.testing.assert_close(
        nearest_distance(pixels[:5], pixels[5:]), expected, rtol=1e-6, atol=0
    )
    black_to_white = nearest_distance(torch.zeros(1, 9), torch.ones(2, 9))
    assert black_to_white.tolist() == [1.0]


def test_mistakes_are_named():
    for others in (torch.zeros(0, 4), torch.zeros(3, 5)):
        with pytest.raises(NetdynError, match="P at least one"):
            nearest_distance(torch.zeros(2, 4), others)


@pytest.mark.parametrize("samples", [12, 6])
def test_the_table_asks_within_the_class_and_needs_no_training(
    tmp_path, arrays, run_settings, samples
):
    prepared, settings = tmp_path / "data", run_settings(samples=samples)
    write_prepared(prepared, arrays)
    table = table_of_distances.measure(Subject.of_data(settings, prepared, "cpu"), {"threads": 1})
    assert list(table) == ["digit", "test_samples", "distance"]
    described = inspect.getdoc(table_of_distances.measure).partition("Returns:")[2]
    assert all(column in described for column in table)
    assert table["digit"].tolist() == [-1, 0, 1, 2]
    assert table["test_samples"].tolist() == [5, 2, 2, 1]
    loaded = data.load(prepared)
    chosen = data.subset(loaded.train_labels, samples, settings["seed"])
    training, labels = loaded.train_images[chosen].double() / 255, loaded.train_labels[chosen]
    test = loaded.test_images.double() / 255
    expected = [
        slow_nearest(test[loaded.test_labels == digit], training[labels == digit])
        for digit in range(3)
    ]
    means = [np.mean(np.concatenate(expected)), *map(np.mean, expected)]
    assert table["distance"].tolist() == pytest.approx(means, rel=1e-6)
    # A nearer image of another class does not count.
    assert table["distance"][0] > np.mean(slow_nearest(test, training)) + 1e-3
