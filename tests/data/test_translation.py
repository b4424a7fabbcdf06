"""The 17 times larger translated set, against a pixel-by-pixel version."""

import pytest
import torch
from oracles import naive_translation, write_prepared

from netdyn.data import prepared, translation


def test_seventeen_translations_are_the_papers():
    ones, twos = {1, -1}, {2, -2}
    expected = {(0, 0)}
    for steps in (ones, twos):
        for step in steps:
            expected |= {(0, step), (step, 0), (step, step), (step, -step)}
    assert len(translation.TRANSLATIONS) == 17
    assert set(translation.TRANSLATIONS) == expected
    assert translation.TRANSLATIONS[0] == (0, 0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_translation_matches_its_slow_twin(dtype):
    images = torch.randint(
        1, 256, (3, 25), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    ).to(dtype)
    for down in range(-6, 7):
        for right in range(-6, 7):
            moved = translation.translate(images, down, right)
            assert moved.dtype == dtype
            assert moved.tolist() == [
                naive_translation(image, 5, down, right) for image in images.tolist()
            ]


def test_translated_set_is_shift_major_with_test_samples_unchanged(tmp_path, arrays):
    write_prepared(tmp_path / "toy", arrays)
    translation.write_translated(tmp_path / "toy", tmp_path / "toy17")
    original, translated = prepared.load(tmp_path / "toy"), prepared.load(tmp_path / "toy17")
    assert translated.train_images.shape == (17 * 12, 25)
    assert translated.train_images.dtype == torch.uint8
    for t, (down, right) in enumerate(translation.TRANSLATIONS):
        block = slice(12 * t, 12 * (t + 1))
        assert translated.train_images[block].tolist() == [
            naive_translation(image, 5, down, right) for image in arrays["train_images"]
        ]
        assert torch.equal(translated.train_labels[block], original.train_labels)
    assert torch.equal(translated.test_images, original.test_images)
    assert torch.equal(translated.test_labels, original.test_labels)
    assert (translated.name, translated.classes) == ("toy_translated17", 3)
    # The file holds the header and bytes: nothing is stored as floats.
    assert 0 < (tmp_path / "toy17").stat().st_size - (17 * 12 + 5) * 26 < 1000
