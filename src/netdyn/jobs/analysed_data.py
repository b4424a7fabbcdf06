"""The samples of `netdyn analyse`: arrays x and y from a file, or a data set by its name."""

import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from netdyn.data import datasets, prepared
from netdyn.data._torchvision_cpu import torchvision_datasets
from netdyn.errors import NetdynError

__all__ = ["OTHERS", "Samples", "fitted", "load_samples", "value_range"]

# Data sets of torchvision by our name: class, and how its test set is asked for.
OTHERS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "cifar10": ("CIFAR10", {"train": False}),
    "cifar100": ("CIFAR100", {"train": False}),
    "svhn": ("SVHN", {"split": "test"}),
    "stl10": ("STL10", {"split": "test"}),
    "usps": ("USPS", {"train": False}),
}


class Samples(NamedTuple):
    """Samples and their labels.

    Attributes:
        x: (P, …), floats or bytes.
        y: labels, (P,).
        title: what they are, in a few words.
        images: whether they are pictures of a known data set, (P, C, H, W), which may be resized.
    """

    x: Tensor
    y: Tensor
    title: str
    images: bool = False


def load_samples(data: str, data_root: Path) -> Samples:
    """Return the samples of a file or of a data set; of a data set its test samples.

    Args:
        data: FILE.npz or FILE.safetensors with arrays x and y, or a name: digits, mnist,
            fashion_mnist, kmnist, cifar10, cifar100, svhn, stl10, usps.
        data_root: the folder of downloaded files.

    Raises:
        NetdynError: naming what is missing, damaged or unknown.
    """
    readers: dict[str, Callable[[Path], tuple[Tensor, Tensor]]] = {
        ".npz": _npz,
        ".safetensors": _safetensors,
    }
    path = Path(data)
    if path.suffix in readers:
        if not path.is_file():
            raise NetdynError(f"data {data}: there is no such file")
        return Samples(*readers[path.suffix](path), path.name)
    if data in datasets.DATASETS:
        return _prepared(data, data_root)
    if data in OTHERS:
        return _of_torchvision(data, data_root)
    names = ", ".join([*datasets.DATASETS, *OTHERS])
    raise NetdynError(f"data {data!r}: give FILE.npz or FILE.safetensors, or one of {names}")


def _npz(path: Path) -> tuple[Tensor, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            _refuse_missing(path, [*arrays.keys()])
            return torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    except ValueError as error:
        if "pickle" in str(error):
            raise NetdynError(
                f"{path}: holds Python objects as a pickle, which could run any code, and is not "
                "opened: save x and y as arrays of numbers, np.savez(path, x=x, y=y)"
            ) from error
        raise NetdynError(f"{path}: damaged ({error}): write it again") from error
    except TypeError as error:
        raise NetdynError(f"{path}: x or y are no arrays of numbers: {error}") from error
    except (zipfile.BadZipFile, EOFError, OSError, AttributeError) as error:
        raise NetdynError(f"{path}: damaged or no .npz ({error}): write it again") from error


def _safetensors(path: Path) -> tuple[Tensor, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            _refuse_missing(path, [*file.keys()])
            return file.get_tensor("x"), file.get_tensor("y")
    except (SafetensorError, OSError) as error:
        raise NetdynError(f"{path}: damaged or no safetensors ({error}): write it again") from error


def _refuse_missing(path: Path, names: list[str]) -> None:
    for name in "xy":
        if name not in names:
            held = f"it holds {', '.join(names[:5])}" if names else "it is empty"
            raise NetdynError(
                f"{path}: has no array {name!r} ({held}): name the samples x and the labels y"
            )


def _prepared(name: str, data_root: Path) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.safetensors"
        datasets.prepare(name, data_root, path)
        data = prepared.load(path)
        x, y = data.test_images.clone(), data.test_labels.clone()
    side = datasets.SIDE
    return Samples(x.view(-1, 1, side, side), y, f"test set of {name}", images=True)


def _of_torchvision(name: str, data_root: Path) -> Samples:
    kind, options = OTHERS[name]
    try:
        source = getattr(torchvision_datasets(), kind)(str(data_root), download=True, **options)
    except ImportError as error:
        raise NetdynError(
            f"data {name!r} comes with torchvision, which is not installed: pip install torchvision"
        ) from error
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise NetdynError(
            f"data {name!r} cannot be read from {data_root} or downloaded: {reason}"
        ) from error
    pairs = [(np.asarray(image), int(label)) for image, label in source]
    x = torch.from_numpy(np.stack([image for image, _ in pairs]))
    x = x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()
    return Samples(
        x,
        torch.tensor([y for _, y in pairs], dtype=torch.int64, device="cpu"),
        f"test set of {name}",
        images=True,
    )


def fitted(samples: Samples, shape: tuple[int | None, ...]) -> Samples:
    """Return pictures of a known data set in the shape that an exported program takes.

    Grey pictures get as many equal channels, and the size is changed bilinearly; the title says so.
    Samples of a file, and those that fit, are returned as they are.

    Args:
        samples: as `load_samples` returns them.
        shape: of a sample, (C, H, W), None where any size fits.
    """
    own = tuple(samples.x.shape[1:])
    pairs = zip(shape, own, strict=False)
    fits = len(shape) == len(own) and all(one in (None, other) for one, other in pairs)
    if not samples.images or len(shape) != 3 or fits:
        return samples
    x = samples.x.float().div(255.0)
    channels, height, width = (b if a is None else a for a, b in zip(shape, own, strict=True))
    if own[0] == 1 and channels > 1:
        x = x.repeat(1, channels, 1, 1)
    size = {"size": (height, width), "mode": "bilinear", "align_corners": False}
    x = torch.nn.functional.interpolate(x, **size)
    before, after = ("×".join(map(str, one)) for one in (own, x.shape[1:]))
    return samples._replace(x=x, title=f"{samples.title}, resized from {before} to {after}")


def value_range(x: Tensor) -> tuple[float, float]:
    """Return the range that noise on samples is scaled by: 0 to 1 where all values lie in it.

    Args:
        x: samples as the network takes them, floats.
    """
    low, high = (float(end) for end in x.aminmax())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
