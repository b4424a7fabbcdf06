"""Prepared files, written and loaded; subsets and translations against slow versions."""

import errno
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from oracles import write_prepared
from safetensors.numpy import save_file

from netdyn.data import prepared
from netdyn.errors import NetdynError


def naive_shares(counts, n):
    exact = [Fraction(n * count, sum(counts)) for count in counts]
    shares = [math.floor(share) for share in exact]
    left = sorted(range(len(counts)), key=lambda k: (shares[k] - exact[k], k))
    for k in left[: n - sum(shares)]:
        shares[k] += 1
    return shares


def test_what_is_written_is_loaded(tmp_path, arrays):
    write_prepared(tmp_path / "new" / "toy.safetensors", arrays)
    loaded = prepared.load(tmp_path / "new" / "toy.safetensors")
    for name, array in arrays.items():
        assert getattr(loaded, name).tolist() == array.tolist()
    assert loaded.train_images.dtype == loaded.test_images.dtype == torch.uint8
    assert loaded.train_labels.dtype == loaded.test_labels.dtype == torch.int64
    assert (loaded.name, loaded.classes) == ("toy", 3)


def test_equal_content_is_an_equal_file_however_it_is_chunked(tmp_path, arrays):
    write_prepared(tmp_path / "whole", arrays)
    rows = (row for array in arrays.values() for row in np.atleast_2d(array))
    shapes = {name: array.shape for name, array in arrays.items()}
    prepared.write(tmp_path / "rows", shapes, rows, {"classes": "3", "dataset": "toy"})
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "rows").read_bytes()
    assert prepared.metadata(tmp_path / "whole").keys() == {"dataset", "classes", "sha256"}


def test_arrays_in_memory_are_views_that_leave_the_file_alone(tmp_path, arrays):
    write_prepared(tmp_path / "toy", arrays)
    before = (tmp_path / "toy").read_bytes()
    prepared.load(tmp_path / "toy").train_images.zero_()
    assert (tmp_path / "toy").read_bytes() == before


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_one_flipped_bit_is_noticed(tmp_path, arrays, name):
    path = tmp_path / "toy"
    write_prepared(path, arrays)
    content = bytearray(path.read_bytes())
    content[content.index(arrays[name].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(NetdynError, match=r"toy: damaged: .* SHA-256 [0-9a-f]{12}…, expected"):
        prepared.load(path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_file_is_named(tmp_path, arrays, kept):
    path = tmp_path / "toy"
    write_prepared(path, arrays)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NetdynError, match=r"toy: damaged or no prepared data .* delete it"):
        prepared.load(path)


def test_missing_and_foreign_files_are_named(tmp_path, arrays):
    with pytest.raises(NetdynError, match="absent: no such prepared data"):
        prepared.load(tmp_path / "absent")
    save_file({"weight": np.zeros(3)}, tmp_path / "weights")
    with pytest.raises(NetdynError, match=r"weights: no prepared data .*train_images"):
        prepared.load(tmp_path / "weights")
    save_file(arrays, tmp_path / "undescribed")
    with pytest.raises(NetdynError, match=r"undescribed: damaged: .* expected none"):
        prepared.load(tmp_path / "undescribed")


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path, arrays):
    path = tmp_path / "toy"
    write_prepared(path, arrays)
    before = path.read_bytes()
    shapes = {name: array.shape for name, array in arrays.items()}

    def full_disk():
        yield arrays["train_images"]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(NetdynError, match=r"toy: cannot be written \(No space left"):
        prepared.write(path, shapes, full_disk(), {"dataset": "toy", "classes": "3"})
    with pytest.raises(ValueError, match="the chunks hold 300 bytes"):
        prepared.write(path, shapes, [arrays["train_images"]], {"dataset": "toy", "classes": "3"})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_place_is_named(tmp_path, arrays):
    (tmp_path / "file").touch()
    with pytest.raises(NetdynError, match="toy: cannot be written"):
        write_prepared(tmp_path / "file" / "toy", arrays)


def test_to_unit_is_bytes_over_255():
    images = torch.arange(256, dtype=torch.uint8).reshape(2, 128)
    unit = prepared.to_unit(images)
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
        chosen = prepared.subset(labels, n, seed=0)
        assert chosen.dtype == torch.int64
        assert chosen.tolist() == sorted(set(chosen.tolist()))
        drawn = torch.bincount(labels[chosen], minlength=len(counts)).tolist()
        assert drawn == naive_shares(counts, n)
    assert chosen.tolist() == list(range(sum(counts)))


def test_subset_is_drawn_evenly_from_its_own_stream():
    labels = torch.arange(40) % 4
    before = torch.get_rng_state()
    draws = torch.stack([prepared.subset(labels, 12, seed) for seed in range(400)])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(draws[7], prepared.subset(labels, 12, seed=7))
    # Each sample is in a subset with probability 0.3: 120 ± 9.2 of 400; five deviations allowed.
    assert (torch.bincount(draws.flatten(), minlength=40) - 120).abs().max() < 46


def test_smaller_subset_lies_in_the_larger():
    labels = torch.arange(100) % 10
    small, large = prepared.subset(labels, 20, seed=3), prepared.subset(labels, 60, seed=3)
    assert set(small.tolist()) < set(large.tolist())


@pytest.mark.parametrize("n", [9, 31, 0, -1])
def test_impossible_subset_is_refused(n):
    with pytest.raises(NetdynError, match=f"a subset of {n} samples: .* at least 10 .* most 30"):
        prepared.subset(torch.arange(30) % 10, n, seed=0)
