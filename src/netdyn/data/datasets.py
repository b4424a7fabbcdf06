"""Preparing a data set: IDX files or scikit-learn's digits become one prepared file.

`prepare` searches a folder for the four IDX files of a data set, downloads them where they are
missing, checks them and writes the prepared file that `netdyn.data.prepared` loads.
"""

import contextlib
import gzip
import hashlib
import io
import math
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from netdyn.data import downloads, prepared
from netdyn.data._torchvision_cpu import torchvision_datasets
from netdyn.errors import NetdynError

__all__ = ["DATASETS", "Source", "prepare"]


class Source(NamedTuple):
    """The source of a data set, and the digests of its files.

    Attributes:
        title: its name in messages.
        torchvision_class: the class of torchvision.datasets that knows its URLs; None: no download.
        sha256: digests of the four uncompressed IDX files, by name; empty where unknown.
        gz_md5: MD5 of the four .gz files, by name without .gz, as in torchvision; used where
            there is no `sha256`.
    """

    title: str
    torchvision_class: str | None
    sha256: dict[str, str]
    gz_md5: dict[str, str]


# Samples in each file, and the file's array in the prepared file.
FILES = {
    "train-images-idx3-ubyte": (60_000, "train_images"),
    "train-labels-idx1-ubyte": (60_000, "train_labels"),
    "t10k-images-idx3-ubyte": (10_000, "test_images"),
    "t10k-labels-idx1-ubyte": (10_000, "test_labels"),
}
SIDE = 28
CLASSES = 10


def _by_file(*digests: str) -> dict[str, str]:
    return dict(zip(FILES, digests, strict=True))


DATASETS: dict[str, Source] = {
    "digits": Source("the digits of scikit-learn", None, {}, {}),
    "mnist": Source(
        "MNIST",
        "MNIST",
        _by_file(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        {},
    ),
    "fashion_mnist": Source(
        "Fashion-MNIST",
        "FashionMNIST",
        {},
        _by_file(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    "kmnist": Source(
        "KMNIST",
        "KMNIST",
        {},
        _by_file(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
    ),
}


def prepare(name: str, data_root: Path | str, output: Path | str, download: bool = True) -> None:
    """Write the data set `name` as the prepared file `output`.

    Args:
        name: a key of DATASETS.
        data_root: folder that is searched for the four IDX files, gzipped or not: first where
            torchvision stores them (`MNIST/raw`, `FashionMNIST/raw`, `KMNIST/raw`), then in the
            folder itself. Not used for "digits", which come with scikit-learn.
        output: the file to write; after an error it does not exist.
        download: whether missing files are downloaded into `data_root`.

    The content of MNIST is checked by the SHA-256 of the uncompressed files. For Fashion-MNIST and
    KMNIST no such digest is known: a .gz must have the MD5 that torchvision holds; an uncompressed
    file is checked only for its structure (magic number, dimensions, labels 0 … 9) and for not
    being MNIST's, whose files have the same names. The prepared file always holds the digest of the
    content that was read.

    "digits": 1,797 images of 8 × 8 in 0 … 16, split stratified into 1,297 training and 500 test
    samples, upsampled to 28 × 28 bilinearly and rounded to bytes by round(255·x/16).

    Raises:
        NetdynError: the name is unknown, files are missing and cannot be downloaded, a file is
            damaged or of another data set, or `output` cannot be written.
    """
    if name not in DATASETS:
        raise NetdynError(f"dataset {name!r} is unknown; choose one of {', '.join(DATASETS)}")
    arrays = _digits() if name == "digits" else _idx(DATASETS[name], Path(data_root), download)
    prepared.write(
        output,
        {array: arrays[array].shape for array in prepared.ARRAYS},
        (arrays[array] for array in prepared.ARRAYS),
        {"dataset": name, "classes": str(CLASSES)},
    )


def _idx(source: Source, data_root: Path, download: bool) -> dict[str, np.ndarray]:
    data_root = data_root.expanduser()
    if download and _missing(_fullest(source, data_root)):
        _download(source, data_root)
    folder = _fullest(source, data_root)
    if _missing(folder):
        problem, hint = _missing_message(source, data_root)
        raise NetdynError(f"{problem}; {hint}")
    return {array: _read(source, folder, file) for file, (_, array) in FILES.items()}


def _fullest(source: Source, data_root: Path) -> Path:
    """Return the folder with most of the files: that of torchvision, or the root."""
    folders = (data_root / str(source.torchvision_class) / "raw", data_root)
    return min(folders, key=lambda folder: len(_missing(folder)))


def _missing_message(source: Source, data_root: Path) -> tuple[str, str]:
    """Return which folder or files are missing, and where which files must be stored."""
    folder = _fullest(source, data_root)
    missing = _missing(folder)
    files = ", ".join(missing)
    if not os.path.exists(data_root):
        problem = f"data_root {data_root} does not exist"
    elif len(missing) == len(FILES):
        problem = f"data_root {data_root} has none of {source.title}'s files"
    else:
        problem = f"{folder} has no {files} of {source.title}"
    hint = f"put {files} (with .gz or without) into {folder}"
    return problem, f"{hint}, or set data_root to a folder that has all four"


def _missing(folder: Path) -> list[str]:
    return [file for file in FILES if not _candidates(folder, file)]


def _candidates(folder: Path, file: str) -> list[Path]:
    # .gz first: it contains a checksum, and torchvision holds its MD5. Unlike Path.is_file,
    # os.path.isfile treats a folder without permission as one without files.
    return [path for path in (folder / f"{file}.gz", folder / file) if os.path.isfile(path)]


def _download(source: Source, data_root: Path) -> None:
    """Download the missing files; after a failure remove the empty folders that were created.

    torchvision has the names, the MD5 and the mirrors. The download itself is not left to it: it
    waits for a stalled server forever, and two processes would write the same file.
    """
    folder = data_root / str(source.torchvision_class) / "raw"
    created = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        known = getattr(torchvision_datasets(), str(source.torchvision_class))
        for name, md5 in known.resources:
            if not _candidates(folder, name.removesuffix(".gz")):
                urls = [f"{mirror}{name}" for mirror in known.mirrors]
                downloads.fetch(urls, md5, folder / name)
    except ImportError as error:
        problem, hint = _missing_message(source, data_root)
        raise NetdynError(
            f"{problem}, and torchvision, which knows where {source.title} is downloaded from, is "
            f"not installed: install it, or {hint}"
        ) from error
    except (NetdynError, OSError, RuntimeError) as error:
        for path in created:
            with contextlib.suppress(OSError):
                path.rmdir()
        problem, hint = _missing_message(source, data_root)
        raise NetdynError(
            f"{problem}, and {source.title} cannot be downloaded into it ({error}); {hint}"
        ) from error


def _read(source: Source, folder: Path, file: str) -> np.ndarray:
    """Return the checked content of an IDX file: images (P, 784) or labels (P,), uint8."""
    path = _candidates(folder, file)[0]
    hint = "delete it and download it again"
    try:
        raw = path.read_bytes()
        content = _unzipped(raw, file) if path.suffix == ".gz" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise NetdynError(f"{path}: truncated or damaged ({error}); {hint}") from error
    except OSError as error:
        raise NetdynError(f"{path}: cannot be read ({error.strerror or error})") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if source.sha256 and sha256 != source.sha256[file]:
        raise NetdynError(
            f"{path}: not {source.title}'s file: SHA-256 of its content is {sha256[:12]}…, "
            f"expected {source.sha256[file][:12]}…; {hint}"
        )
    if source.gz_md5:
        _refuse_other(source, path, file, raw, sha256)
    return _parse(path, file, content)


def _unzipped(raw: bytes, file: str) -> bytes:
    """Return the content of a .gz, truncated just beyond the largest valid length."""
    samples, _ = FILES[file]
    longest = 16 + samples * SIDE * SIDE
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
        return stream.read(longest + 1)


def _refuse_other(source: Source, path: Path, file: str, raw: bytes, sha256: str) -> None:
    if sha256 == DATASETS["mnist"].sha256[file]:
        raise NetdynError(
            f"{path}: is MNIST's file, not {source.title}'s; put {source.title}'s four files into "
            f"its folder {source.torchvision_class}/raw, or set data_root to a folder that has "
            "them, or to an empty one for a download"
        )
    md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if path.suffix == ".gz" and md5 != source.gz_md5[file]:
        raise NetdynError(
            f"{path}: not {source.title}'s file: its MD5 is {md5[:12]}…, expected "
            f"{source.gz_md5[file][:12]}… (SHA-256 of its content: {sha256[:12]}…); "
            "delete it and download it again"
        )


def _parse(path: Path, file: str, content: bytes) -> np.ndarray:
    samples, _ = FILES[file]
    shape = (samples, SIDE, SIDE) if "images" in file else (samples,)
    # The magic number of IDX: two zeros, 8 for unsigned bytes, the number of dimensions.
    expected = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    header = content[: len(expected)]
    if header != expected or len(content) != len(expected) + math.prod(shape):
        raise NetdynError(
            f"{path}: not an IDX file of {' × '.join(map(str, shape))} bytes (header "
            f"{header.hex()}, expected {expected.hex()}; {len(content)} bytes, expected "
            f"{len(expected) + math.prod(shape)}); delete it and download it again"
        )
    array = np.frombuffer(content, np.uint8, offset=len(expected)).reshape(samples, -1)
    if len(shape) > 1:
        return array  # (P, 784)
    if array.max() >= CLASSES:
        raise NetdynError(f"{path}: has label {array.max()}, expected 0 … {CLASSES - 1}")
    return array[:, 0]  # (P,)


def _digits() -> dict[str, np.ndarray]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)  # (1797, 64), (1797,)
    upsampled = torch.nn.functional.interpolate(
        torch.from_numpy(images).double().reshape(-1, 1, 8, 8),
        size=(SIDE, SIDE),
        mode="bilinear",
        align_corners=False,
    ).flatten(1)  # (1797, 784)
    # 8 → 28 makes every value a multiple of 1/196. Rounding to these first makes the ties at 127.5,
    # and with them the bytes, the same on every machine.
    steps = (upsampled * 196).round()
    pixels = (steps * 255 / (16 * 196)).round().to(torch.uint8).numpy()
    parts = train_test_split(
        pixels, labels.astype(np.uint8), test_size=500, stratify=labels, random_state=0
    )
    names = ("train_images", "test_images", "train_labels", "test_labels")
    return dict(zip(names, parts, strict=True))
