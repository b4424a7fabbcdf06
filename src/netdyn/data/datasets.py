"""Where data comes from: IDX files or scikit-learn's digits in, one prepared file out.

`prepare` looks for the four IDX files of a data set under a folder, has torchvision download them
where they are missing, checks them and writes the prepared file that `netdyn.data.prepared` loads.
"""

import contextlib
import gzip
import hashlib
import http.client
import io
import math
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from netdyn.data import prepared
from netdyn.data._torchvision_cpu import torchvision_datasets
from netdyn.errors import NetdynError

__all__ = ["DATASETS", "Source", "prepare"]


class Source(NamedTuple):
    """What is known of a data set before reading it.

    Attributes:
        title: its name in messages.
        torchvision_class: the class of torchvision.datasets that downloads it; None: no download.
        sha256: digests of the four uncompressed IDX files, by name; empty where none is known.
        gz_md5: MD5 of the four .gz files, by name without .gz, as torchvision knows them; used
            where there is no `sha256`.
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
        data_root: folder in which the four IDX files are looked for, gzipped or not: first where
            torchvision puts them (`MNIST/raw`, `FashionMNIST/raw`, `KMNIST/raw`), then in the
            folder itself. Not used for "digits", which come with scikit-learn.
        output: the file to write; nothing is left there if something goes wrong.
        download: let torchvision fetch files that are missing, into `data_root`.

    How content is checked: MNIST by SHA-256 of the uncompressed files. For Fashion-MNIST and
    KMNIST no such digest is known here: a .gz must have the MD5 that torchvision knows; an
    uncompressed file is checked for its structure only (magic number, dimensions, labels 0 … 9)
    and for not being MNIST's, whose files have the same names. The digest of what was read goes
    into the prepared file in all cases.

    "digits": 1,797 images of 8 × 8 in 0 … 16, split stratified into 1,297 training and 500 test
    samples, brought to 28 × 28 bilinearly and to bytes by round(255·x/16).

    Raises:
        NetdynError: unknown name; files missing and not downloadable; a file damaged or of
            another data set; `output` not writable.
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
        lack, mend = _lack(source, data_root)
        raise NetdynError(f"{lack}; {mend}")
    return {array: _read(source, folder, file) for file, (_, array) in FILES.items()}


def _fullest(source: Source, data_root: Path) -> Path:
    """Return the folder with most of the files: where torchvision puts them, or the root."""
    folders = (data_root / str(source.torchvision_class) / "raw", data_root)
    return min(folders, key=lambda folder: len(_missing(folder)))


def _lack(source: Source, data_root: Path) -> tuple[str, str]:
    """Say what is not there, folder or files, and where which files are to be put."""
    folder = _fullest(source, data_root)
    missing = _missing(folder)
    files = ", ".join(missing)
    if not os.path.exists(data_root):
        lack = f"data_root {data_root} is not there"
    elif len(missing) == len(FILES):
        lack = f"data_root {data_root} has none of {source.title}'s files"
    else:
        lack = f"{folder} lacks {files} of {source.title}"
    there = f"put {files} (with .gz or without) into {folder}"
    return lack, f"{there}, or set data_root to a folder that has all four"


def _missing(folder: Path) -> list[str]:
    return [file for file in FILES if not _candidates(folder, file)]


def _candidates(folder: Path, file: str) -> list[Path]:
    # .gz first: it carries a checksum of its own, and torchvision knows its MD5. Unlike
    # Path.is_file, os.path.isfile takes a folder that may not be entered for one without files.
    return [path for path in (folder / f"{file}.gz", folder / file) if os.path.isfile(path)]


def _download(source: Source, data_root: Path) -> None:
    """Let torchvision fetch the files; where that fails no empty folder is left behind."""
    folder = data_root / str(source.torchvision_class) / "raw"
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        known = getattr(torchvision_datasets(), str(source.torchvision_class))
        # Not constructed: that would go on to read the files, or in their place, unpickling them,
        # those that versions of long ago left in the folder.
        fetched = known.__new__(known)
        fetched.root = data_root
        fetched.download()
    except ImportError as error:
        lack, mend = _lack(source, data_root)
        raise NetdynError(
            f"{lack}, and torchvision, which would download {source.title}, is not installed: "
            f"install it, or {mend}"
        ) from error
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()
        reason = (str(error).strip() or repr(error)).splitlines()[-1]
        lack, mend = _lack(source, data_root)
        raise NetdynError(
            f"{lack}, and {source.title} cannot be downloaded into it ({reason}); {mend}"
        ) from error


def _read(source: Source, folder: Path, file: str) -> np.ndarray:
    """Return the checked content of an IDX file: images (P, 784) or labels (P,), uint8."""
    path = _candidates(folder, file)[0]
    again = "delete it and fetch it again"
    try:
        raw = path.read_bytes()
        content = _unzipped(raw, file) if path.suffix == ".gz" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise NetdynError(f"{path}: truncated or damaged ({error}); {again}") from error
    except OSError as error:
        raise NetdynError(f"{path}: cannot be read ({error.strerror or error})") from error
    found = hashlib.sha256(content).hexdigest()
    if source.sha256 and found != source.sha256[file]:
        raise NetdynError(
            f"{path}: not {source.title}'s file: SHA-256 of its content is {found[:12]}…, "
            f"expected {source.sha256[file][:12]}…; {again}"
        )
    if source.gz_md5:
        _refuse_other(source, path, file, raw, found)
    return _parse(path, file, content)


def _unzipped(raw: bytes, file: str) -> bytes:
    """Return the content of a .gz, cut off where it is longer than the file can be."""
    samples, _ = FILES[file]
    longest = 16 + samples * SIDE * SIDE
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
        return stream.read(longest + 1)


def _refuse_other(source: Source, path: Path, file: str, raw: bytes, found: str) -> None:
    if found == DATASETS["mnist"].sha256[file]:
        raise NetdynError(
            f"{path}: is MNIST's file, not {source.title}'s; put {source.title}'s four files into "
            f"its folder {source.torchvision_class}/raw, or set data_root to a folder that has "
            "them, or to an empty one for a download"
        )
    md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if path.suffix == ".gz" and md5 != source.gz_md5[file]:
        raise NetdynError(
            f"{path}: not {source.title}'s file: its MD5 is {md5[:12]}…, expected "
            f"{source.gz_md5[file][:12]}… (SHA-256 of its content: {found[:12]}…); "
            "delete it and fetch it again"
        )


def _parse(path: Path, file: str, content: bytes) -> np.ndarray:
    samples, _ = FILES[file]
    shape = (samples, SIDE, SIDE) if "images" in file else (samples,)
    # The magic number of IDX: two zeros, 8 for unsigned bytes, the number of dimensions.
    wanted = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    header = content[: len(wanted)]
    if header != wanted or len(content) != len(wanted) + math.prod(shape):
        raise NetdynError(
            f"{path}: not an IDX file of {' × '.join(map(str, shape))} bytes (header "
            f"{header.hex()}, expected {wanted.hex()}; {len(content)} bytes, expected "
            f"{len(wanted) + math.prod(shape)}); delete it and fetch it again"
        )
    array = np.frombuffer(content, np.uint8, offset=len(wanted)).reshape(samples, -1)
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
    # 8 → 28 makes every value a multiple of 1/196. Rounding to it first keeps the ties at 127.5,
    # and with them the bytes, the same on every machine.
    steps = (upsampled * 196).round()
    pixels = (steps * 255 / (16 * 196)).round().to(torch.uint8).numpy()
    parts = train_test_split(
        pixels, labels.astype(np.uint8), test_size=500, stratify=labels, random_state=0
    )
    names = ("train_images", "test_images", "train_labels", "test_labels")
    return dict(zip(names, parts, strict=True))
