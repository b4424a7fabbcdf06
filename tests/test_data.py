"""Prepared files: written whole, loaded checked; subsets and translations against slow twins."""

import errno
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from netdyn import data
from netdyn.errors import NetdynError


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (12, 25), dtype=np.uint8),
        "train_labels": np.arange(12, dtype=np.uint8) % 3,
        "test_images": random.integers(0, 256, (5, 25), dtype=np.uint8),
        "test_labels": np.arange(5, dtype=np.uint8) % 3,
    }


def write(path, arrays):
    shapes = {name: array.shape for name, array in arrays.items()}
    data.write(path, shapes, arrays.values(), {"dataset": "toy", "classes": "3"})


def naive_translation(image, side, down, right):
    moved = [0] * (side * side)
    for row in range(side):
        for column in range(side):
            if 0 <= row + down < side and 0 <= column + right < side:
                moved[(row + down) * side + column + right] = int(image[row * side + column])
    return moved


def naive_shares(counts, n):
    exact = [Fraction(n * count, sum(counts)) for count in counts]
    shares = [math.floor(share) for share in exact]
    left = sorted(range(len(counts)), key=lambda k: (shares[k] - exact[k], k))
    for k in left[: n - sum(shares)]:
        shares[k] += 1
    return shares


def test_what_is_written_is_loaded(tmp_path, arrays):
    write(tmp_path / "new" / "toy.safetensors", arrays)
    loaded = data.load(tmp_path / "new" / "toy.safetensors")
    for name, array in arrays.items():
        assert getattr(loaded, name).tolist() == array.tolist()
    assert loaded.train_images.dtype == loaded.test_images.dtype == torch.uint8
    assert loaded.train_labels.dtype == loaded.test_labels.dtype == torch.int64
    assert (loaded.name, loaded.classes) == ("toy", 3)


def test_equal_content_is_an_equal_file_however_it_is_chunked(tmp_path, arrays):
    write(tmp_path / "whole", arrays)
    rows = (row for array in arrays.values() for row in np.atleast_2d(array))
    shapes = {name: array.shape for name, array in arrays.items()}
    data.write(tmp_path / "rows", shapes, rows, {"classes": "3", "dataset": "toy"})
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "rows").read_bytes()
    assert data.metadata(tmp_path / "whole").keys() == {"dataset", "classes", "sha256"}


def test_arrays_in_memory_are_views_that_leave_the_file_alone(tmp_path, arrays):
    write(tmp_path / "toy", arrays)
    before = (tmp_path / "toy").read_bytes()
    data.load(tmp_path / "toy").train_images.zero_()
    assert (tmp_path / "toy").read_bytes() == before


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_one_flipped_bit_is_noticed(tmp_path, arrays, name):
    path = tmp_path / "toy"
    write(path, arrays)
    content = bytearray(path.read_bytes())
    content[content.index(arrays[name].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(NetdynError, match=r"toy: damaged: .* SHA-256 [0-9a-f]{12}…, expected"):
        data.load(path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_file_is_named(tmp_path, arrays, kept):
    path = tmp_path / "toy"
    write(path, arrays)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NetdynError, match=r"toy: damaged or no prepared data .* delete it"):
        data.load(path)


def test_missing_and_foreign_files_are_named(tmp_path, arrays):
    with pytest.raises(NetdynError, match="absent: no such prepared data"):
        data.load(tmp_path / "absent")
    save_file({"weight": np.zeros(3)}, tmp_path / "weights")
    with pytest.raises(NetdynError, match=r"weights: no prepared data .*train_images"):
        data.load(tmp_path / "weights")
    save_file(arrays, tmp_path / "undescribed")
    with pytest.raises(NetdynError, match=r"undescribed: damaged: .* expected none"):
        data.load(tmp_path / "undescribed")


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path, arrays):
    path = tmp_path / "toy"
    write(path, arrays)
    before = path.read_bytes()
    shapes = {name: array.shape for name, array in arrays.items()}

    def full_disk():
        yield arrays["train_images"]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(NetdynError, match=r"toy: cannot be written \(No space left"):
        data.write(path, shapes, full_disk(), {"dataset": "toy", "classes": "3"})
    with pytest.raises(ValueError, match="the chunks hold 300 bytes"):
        data.write(path, shapes, [arrays["train_images"]], {"dataset": "toy", "classes": "3"})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_place_is_named(tmp_path, arrays):
    (tmp_path / "file").touch()
    with pytest.raises(NetdynError, match="toy: cannot be written"):
        write(tmp_path / "file" / "toy", arrays)


def test_to_unit_is_bytes_over_255():
    images = torch.arange(256, dtype=torch.uint8).reshape(2, 128)
    unit = data.to_unit(images)
    assert unit.dtype == torch.float32
    assert (
        unit.tolist()
        == (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(2, 128).tolist()
    )
    assert images[1, 127] == 255


@pytest.mark.parametrize("counts", [(50, 30, 13, 7), (10,) * 10, (3, 3, 3), (1, 1, 40), (6,)])
def test_subset_shares_are_those_of_the_largest_remainder(counts):
    order = torch.randperm(sum(counts), generator=torch.Generator().manual_seed(1))
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))[order]
    for n in range(len(counts), sum(counts) + 1):
        chosen = data.subset(labels, n, seed=0)
        assert chosen.dtype == torch.int64
        assert chosen.tolist() == sorted(set(chosen.tolist()))
        drawn = torch.bincount(labels[chosen], minlength=len(counts)).tolist()
        assert drawn == naive_shares(counts, n)
    assert chosen.tolist() == list(range(sum(counts)))


def test_subset_is_drawn_evenly_from_its_own_stream():
    labels = torch.arange(40) % 4
    before = torch.get_rng_state()
    draws = torch.stack([data.subset(labels, 12, seed) for seed in range(400)])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(draws[7], data.subset(labels, 12, seed=7))
    # Each sample is in a subset with probability 0.3: 120 ± 9.2 of 400; five deviations allowed.
    assert (torch.bincount(draws.flatten(), minlength=40) - 120).abs().max() < 46


def test_smaller_subset_lies_in_the_larger():
    labels = torch.arange(100) % 10
    small, large = data.subset(labels, 20, seed=3), data.subset(labels, 60, seed=3)
    assert set(small.tolist()) < set(large.tolist())


@pytest.mark.parametrize("n", [9, 31, 0, -1])
def test_impossible_subset_is_refused(n):
    with pytest.raises(NetdynError, match=f"a subset of {n} samples: .* at least 10 .* most 30"):
        data.subset(torch.arange(30) % 10, n, seed=0)


def test_seventeen_translations_are_the_papers():
    ones, twos = {1, -1}, {2, -2}
    expected = {(0, 0)}
    for steps in (ones, twos):
        for step in steps:
            expected |= {(0, step), (step, 0), (step, step), (step, -step)}
    assert len(data.TRANSLATIONS) == 17
    assert set(data.TRANSLATIONS) == expected
    assert data.TRANSLATIONS[0] == (0, 0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_translation_matches_its_slow_twin(dtype):
    images = torch.randint(
        1, 256, (3, 25), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    ).to(dtype)
    for down in range(-6, 7):
        for right in range(-6, 7):
            moved = data.translate(images, down, right)
            assert moved.dtype == dtype
            assert moved.tolist() == [
                naive_translation(image, 5, down, right) for image in images.tolist()
            ]


def test_translated_set_is_shift_major_with_test_samples_unchanged(tmp_path, arrays):
    write(tmp_path / "toy", arrays)
    data.write_translated(tmp_path / "toy", tmp_path / "toy17")
    original, translated = data.load(tmp_path / "toy"), data.load(tmp_path / "toy17")
    assert translated.train_images.shape == (17 * 12, 25)
    assert translated.train_images.dtype == torch.uint8
    for t, (down, right) in enumerate(data.TRANSLATIONS):
        block = slice(12 * t, 12 * (t + 1))
        assert translated.train_images[block].tolist() == [
            naive_translation(image, 5, down, right) for image in arrays["train_images"]
        ]
        assert torch.equal(translated.train_labels[block], original.train_labels)
    assert torch.equal(translated.test_images, original.test_images)
    assert torch.equal(translated.test_labels, original.test_labels)
    assert (translated.name, translated.classes) == ("toy_translated17", 3)
    # The format's header beside bytes only: nothing is stored as floats.
    assert 0 < (tmp_path / "toy17").stat().st_size - (17 * 12 + 5) * 26 < 1000
