"""The prepared data: one file per data set, bytes on disk and in memory.

A prepared file is a safetensors file with `train_images` (P, N_0), `train_labels` (P,),
`test_images` and `test_labels`, all uint8, and the metadata `dataset`, `classes` and `sha256`.
`netdyn.data.datasets` prepares one; this module writes it, loads it and selects subsets.
"""

import functools
import hashlib
import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write
from netdyn.records.run_settings import RunSettings
from netdyn.runtime.random_streams import generator

__all__ = [
    "Dataset",
    "check_name",
    "load",
    "metadata",
    "open_arrays",
    "subset",
    "to_unit",
    "training_samples",
    "unit_floats",
    "write",
]

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


class Dataset(NamedTuple):
    """A data set in memory: images uint8 (P, N_0), labels int64 (P,), its name and class count.

    The images are mapped from the file, not copied: pages are read when they are first used.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    name: str
    classes: int


def load(path: Path | str) -> Dataset:
    """Return the data set of the prepared file `path`, its content checked against its SHA-256.

    Raises:
        NetdynError: the file is missing, no prepared file, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        metadata(path)  # raises with the reason
    stamp = path.stat()
    return _loaded(path.absolute(), stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=2)
def _loaded(path: Path, _changed: int, _size: int) -> Dataset:
    # Cached by the state of the file: a process that trains many runs checks it once.
    described, arrays = open_arrays(path)
    train_images, train_labels, test_images, test_labels = arrays
    return Dataset(
        train_images,
        train_labels.long(),
        test_images,
        test_labels.long(),
        described["dataset"],
        int(described["classes"]),
    )


def metadata(path: Path | str) -> dict[str, str]:
    """Return the metadata of the prepared file `path`: `dataset`, `classes`, `sha256`, ….

    `sha256` is the digest of the bytes of the four arrays, one after another (see `write`).
    The content is not read.

    Raises:
        NetdynError: the file cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except FileNotFoundError:
        raise NetdynError(f"{path}: no such prepared data; prepare it first") from None
    except (SafetensorError, OSError) as error:
        raise NetdynError(
            f"{path}: damaged or no prepared data ({error}); delete it and prepare it again"
        ) from error


def open_arrays(path: Path) -> tuple[dict[str, str], list[Tensor]]:
    """Return the metadata and the four arrays, as bytes, of a prepared file, its content checked.

    Raises:
        NetdynError: as `load` does.
    """
    described = metadata(path)
    try:
        with safe_open(path, framework="pt") as file:
            arrays = [file.get_tensor(name) for name in ARRAYS]
    except SafetensorError as error:
        raise NetdynError(
            f"{path}: no prepared data ({error}); delete it and prepare it again"
        ) from error
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.numpy())
    if digest.hexdigest() != described.get("sha256"):
        raise NetdynError(
            f"{path}: damaged: its content has SHA-256 {digest.hexdigest()[:12]}…, expected "
            f"{described.get('sha256', 'none')[:12]}…; delete it and prepare it again"
        )
    return described, arrays


def write(
    output: Path | str,
    shapes: dict[str, tuple[int, ...]],
    chunks: Iterable[np.ndarray],
    described: dict[str, str],
) -> None:
    """Write a prepared file as a stream: only one chunk is held in memory at a time.

    Args:
        output: the file; its folder is created. The file appears complete or not at all.
        shapes: shape of each of `train_images`, `train_labels`, `test_images`, `test_labels`.
        chunks: uint8 arrays that hold the four, one after another in this order, in C order;
            the shape of a chunk does not matter.
        described: metadata, at least `dataset` and `classes`; `sha256`, the digest of all
            chunks, is added.

    Equal content gives equal bytes: the header is written by this module with sorted keys, because
    the writer of safetensors has no fixed order of metadata and needs complete arrays.

    Raises:
        NetdynError: the file cannot be written.
        ValueError: the size of the chunks does not match `shapes`.
    """
    try:
        with atomic_write(Path(output)) as part, part.open("wb") as file:
            # The digest is known last but stored first: zeros reserve its place until then.
            start = file.write(_header(shapes, described | {"sha256": "0" * 64}))
            digest = hashlib.sha256()
            for chunk in chunks:
                contiguous = np.ascontiguousarray(chunk, dtype=np.uint8)
                digest.update(contiguous)
                file.write(contiguous)
            if file.tell() - start != sum(math.prod(shape) for shape in shapes.values()):
                raise ValueError(f"the chunks hold {file.tell() - start} bytes, against {shapes}")
            file.seek(0)
            file.write(_header(shapes, described | {"sha256": digest.hexdigest()}))
    except OSError as error:
        raise NetdynError(f"{output}: cannot be written ({error.strerror or error})") from error


def _header(shapes: dict[str, tuple[int, ...]], described: dict[str, str]) -> bytes:
    entries: dict[str, object] = {"__metadata__": dict(sorted(described.items()))}
    start = 0
    for name in ARRAYS:
        end = start + math.prod(shapes[name])
        entries[name] = {"dtype": "U8", "shape": list(shapes[name]), "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data
    return struct.pack("<Q", len(text)) + text


def to_unit(images: Tensor) -> Tensor:
    """Return x^(0) = bytes/255 as float32 in [0, 1], same shape and device; a new tensor."""
    return images.to(torch.float32, copy=True).div_(255.0)


def unit_floats(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Return bytes as floats in [0, 1] of `dtype`, rounded as float32; floats as they are."""
    return to_unit(images).to(dtype) if images.dtype == torch.uint8 else images


def subset(labels: Tensor, n: int, seed: int) -> Tensor:
    """Return the indices (n,) of a stratified subset of the samples with `labels` (P,), ascending.

    Class k gets n·n_k/P samples, rounded by largest remainder (ties to the smaller label), drawn
    without replacement from its own random stream: a larger n only adds samples to each class.

    Raises:
        NetdynError: n is larger than P or smaller than the number of classes.
    """
    labels_on_cpu = labels.cpu()
    classes, counts = torch.unique(labels_on_cpu, return_counts=True)
    total = len(labels_on_cpu)
    if not len(classes) <= n <= total:
        raise NetdynError(
            f"a subset of {n} samples: must be at least {len(classes)} (one per class) and at "
            f"most {total} (all samples)"
        )
    exact = [n * count for count in counts.tolist()]  # shares times P, as integers
    shares = [product // total for product in exact]
    by_remainder = sorted(range(len(exact)), key=lambda k: -(exact[k] % total))
    for k in by_remainder[: n - sum(shares)]:
        shares[k] += 1
    chosen = []
    for label, count, share in zip(classes.tolist(), counts.tolist(), shares, strict=True):
        members = (labels_on_cpu == label).nonzero().squeeze(1)  # (n_k,)
        order = torch.randperm(count, generator=generator(seed, "subset", label), device="cpu")
        chosen.append(members[order[:share]])
    return torch.cat(chosen).sort().values.to(labels.device)


def check_name(loaded: Dataset, settings: RunSettings, path: Path | str) -> None:
    """Check that a prepared file is of the data set of a run's settings.

    Raises:
        NetdynError: it is of another data set.
    """
    expected = settings["dataset"] + "_translated17" * settings["translated"]
    if loaded.name != expected:
        raise NetdynError(f"{path} holds {loaded.name!r}, but the run is set to {expected!r}")


def training_samples(loaded: Dataset, settings: RunSettings) -> tuple[Tensor, Tensor]:
    """Return the images (P, N_0), bytes, and labels (P,) that a run of `settings` trains on.

    All of the data set's training samples, or its stratified subset of `settings["samples"]` drawn
    by the run's seed.
    """
    images, labels = loaded.train_images, loaded.train_labels
    if settings["samples"] == len(labels):
        return images, labels
    chosen = subset(labels, settings["samples"], settings["seed"])
    return images[chosen], labels[chosen]
