"""What a measure is given: samples, labels and other numbers, as tensors, arrays or lists.

One door for all functions: it takes what can be meant in one way only, and refuses the rest in a
sentence. A tensor is never copied and never changed; an array or a list becomes a tensor of the
same numbers.
"""

import operator

import numpy as np
import torch
from torch import Tensor

from netdyn.errors import NetdynError

__all__ = [
    "as_count",
    "as_input",
    "as_labels",
    "as_layer",
    "as_samples",
    "as_tensor",
    "as_whole",
    "check_finite",
]


def as_tensor(values: object, name: str, device: torch.device | None = None) -> Tensor:
    """Return `values` as a tensor of real numbers.

    Args:
        values: a tensor, a numpy array or what converts itself to one, or a list of numbers, of
            lists or of tensors.
        name: of the values in messages, plural.
        device: where arrays and lists are put, None for the CPU; a tensor stays where it is.

    Raises:
        NetdynError: for anything else, for complex numbers, and for a tensor without values, in a
            sparse or a quantised layout.
    """
    if isinstance(values, (list, tuple)) and any(isinstance(part, Tensor) for part in values):
        values = _stacked(values, name)
    if isinstance(values, Tensor):
        tensor = values
    else:
        tensor = torch.from_numpy(_array(values, name)).to(device or "cpu")
    if tensor.is_meta or tensor.is_quantized or tensor.layout != torch.strided or tensor.is_nested:
        kind = "on the device meta" if tensor.is_meta else "sparse, nested or quantised"
        raise NetdynError(f"{name} are {kind}: give a dense tensor that holds its values")
    if tensor.is_complex():
        raise NetdynError(f"{name} of {tensor.dtype}: give real numbers")
    return tensor


def _stacked(values: list | tuple, name: str) -> Tensor:
    try:
        return torch.stack([*values])
    except (TypeError, RuntimeError) as error:
        raise NetdynError(
            f"{name} are a list of tensors that differ in shape, dtype or device: "
            "give tensors of one shape, or one tensor"
        ) from error


def _array(values: object, name: str) -> np.ndarray:
    """Return an array that PyTorch can take over: of the host's byte order, writable, ascending."""
    kind = type(values).__name__
    if not (isinstance(values, (list, tuple)) or hasattr(values, "__array__")):
        raise NetdynError(f"{name} are a {kind}: give a tensor, a numpy array or a list of numbers")
    if np.ma.is_masked(values):
        raise NetdynError(f"{name} are a {kind} with masked values: remove or fill them first")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NetdynError(
            f"{name} cannot be read as an array: give one of numbers, each row of the same length"
        ) from error
    if array.dtype.kind not in "biufc":
        raise NetdynError(f"{name} of {array.dtype}: give numbers")
    if array.dtype.itemsize > 8 and array.dtype.kind == "f":
        array = array.astype(np.float64)  # PyTorch has no longer floats
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    is_plain = array.flags.writeable and all(step >= 0 for step in array.strides)
    return array if is_plain else array.copy()


def as_samples(x: object, device: torch.device | None = None) -> Tensor:
    """Return samples (P, …) as a tensor of floats or of bytes (uint8), unchanged in its values.

    Args:
        x: samples, as `as_tensor` takes them.
        device: where the samples must be, None for anywhere; arrays and lists are put there.

    Raises:
        NetdynError: for other types than floats and bytes, and for a tensor on another device.
    """
    x = as_tensor(x, "samples", device)
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise NetdynError(f"samples of {x.dtype}: give floats, or bytes (uint8) from 0 to 255")
    if device is not None and x.device != device:
        raise NetdynError(
            f"samples are on {x.device}, the network is on {device}: "
            f"move one of them, by x.to({str(device)!r})"
        )
    return x


def check_finite(x: Tensor) -> None:
    """Refuse samples that hold NaN or infinite values."""
    if x.is_floating_point() and not x.isfinite().all():
        raise NetdynError("samples hold NaN or infinite values: remove these samples")


def as_input(x: object) -> Tensor:
    """Return x^(0): bytes (uint8) are pixels and divided by 255, floats are returned unchanged.

    Raises:
        NetdynError: as `as_samples` does, and for less than two dimensions.
    """
    x = as_samples(x)
    if x.ndim < 2:
        raise NetdynError(f"samples of shape {tuple(x.shape)}: give (samples, values)")
    return x.float().div_(255.0) if x.dtype == torch.uint8 else x


def as_count(value: object, name: str) -> int:
    """Return a whole number of at least one; NetdynError for anything else."""
    try:
        count = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise NetdynError(f"{name} {value}: give at least one, a whole number")
    return count


def as_whole(value: object, name: str) -> int:
    """Return a whole number; NetdynError for anything else, True and False included."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise NetdynError(f"{name} {value!r}: give a whole number")


def as_layer(value: object, depth: int, what: str) -> int:
    """Return a layer 0 … L−1 of a network of L weight layers; NetdynError for anything else.

    Args:
        what: what there is one of a layer, plural, in messages.
    """
    layer = as_whole(value, "layer")
    if not 0 <= layer < depth:
        raise NetdynError(
            f"layer {layer}: a network of {depth} weight layers has {what} 0 … {depth - 1}"
        )
    return layer


def as_labels(y: object, samples: Tensor, classes: int, owner: str = "the network has") -> Tensor:
    """Return labels as int64 (P,), on the device of the samples.

    Args:
        y: labels in 0 … K−1, as `as_tensor` takes them: integers of any type, or bools, of which
            False is class 0 and True is class 1.
        samples: (P, …), which they are of.
        classes: K.
        owner: who has the classes, in messages.

    Raises:
        NetdynError: for floats, for another shape than (P,), and for labels outside 0 … K−1.
    """
    y = as_tensor(y, "labels")
    count = len(samples)
    if y.is_floating_point() and len(y.shape) == 1 and len(y) == count == 0:
        y = y.long()  # an empty list says nothing of its type
    if y.shape != (count,) or y.is_floating_point():
        advice = ""
        if y.shape == (count, 1):
            advice = ", by y.squeeze(1)"
        elif y.shape == (count,):
            advice = ", by y.long() if they are whole"
        elif y.ndim == 2 and y.shape == (count, classes):
            advice = ", by y.argmax(1) if these are one-hot"
        raise NetdynError(
            f"labels of shape {tuple(y.shape)}, {y.dtype}, for {count} samples: give "
            f"one label per sample, an integer{advice}"
        )
    y = y.to(samples.device, torch.int64)
    if count:
        low, high = y.aminmax()
        if not 0 <= int(low) <= int(high) < classes:
            raise NetdynError(
                f"labels run from {int(low)} to {int(high)}: {owner} the classes 0 … {classes - 1}"
            )
    return y
