"""The 17 times larger data set of Sec. IV.B: training images shifted by one and two pixels."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netdyn.data import prepared

__all__ = ["TRANSLATIONS", "translate", "translated17", "write_translated"]

# (down, right) in pixels: the original, then ±1 and ±2 along x, along y and along both diagonals.
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
TRANSLATIONS = (
    (0, 0),
    *((step * down, step * right) for down, right in _DIRECTIONS for step in (1, -1, 2, -2)),
)


def translate(images: Tensor, down: int, right: int) -> Tensor:
    """Return square images (…, N_0) moved by an integer number of pixels, with zeros at the edges.

    Args:
        images: any type, rows of N_0 = side² pixels.
        down, right: pixels moved; negative moves up and left.
    """
    side = math.isqrt(images.shape[-1])
    square = images.unflatten(-1, (side, side))
    moved = torch.zeros_like(square)
    to_rows, from_rows = _overlap(side, down)
    to_columns, from_columns = _overlap(side, right)
    moved[..., to_rows, to_columns] = square[..., from_rows, from_columns]
    return moved.flatten(-2)


def _overlap(side: int, step: int) -> tuple[slice, slice]:
    overlap = max(side - abs(step), 0)
    forward, backward = max(step, 0), max(-step, 0)
    return slice(forward, forward + overlap), slice(backward, backward + overlap)


def translated17(images: Tensor) -> Iterator[Tensor]:
    """Yield the 17 translations of images (P, N_0) in the order of TRANSLATIONS, originals first.

    One translation is held at a time, in the type of the images.
    """
    for down, right in TRANSLATIONS:
        yield translate(images, down, right)


def write_translated(source: Path | str, output: Path | str) -> None:
    """Write the 17× translated set of the prepared file `source` as the prepared file `output`.

    Training sample μ under translation t is sample t·P + μ of 17·P; the test samples are copied
    unchanged. "_translated17" is appended to the name. One translation is held at a time, as bytes.

    Raises:
        NetdynError: `source` cannot be read or `output` cannot be written.
    """
    described, (train_images, train_labels, test_images, test_labels) = prepared.open_arrays(
        Path(source)
    )
    times = len(TRANSLATIONS)
    shapes = {
        "train_images": (times * len(train_images), train_images.shape[1]),
        "train_labels": (times * len(train_labels),),
        "test_images": tuple(test_images.shape),
        "test_labels": tuple(test_labels.shape),
    }

    def chunks() -> Iterator[np.ndarray]:
        for moved in translated17(train_images):
            yield moved.numpy()
        yield np.tile(train_labels.numpy(), times)
        yield test_images.numpy()
        yield test_labels.numpy()

    name = f"{described['dataset']}_translated17"
    prepared.write(output, shapes, chunks(), described | {"dataset": name})
