"""The kernels of one training step as PyTorch launches them, with the work of each.

P samples of a batch pass through N_0 – N_1 – … – N_L. Each weight layer is one product forward,

    2·P·N_l·N_{l−1} FLOP,

and two of the same size back, of which the first layer needs only the one for its weights. All
else is bound by memory: a kernel reads and writes arrays of P·N_l values.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gpu.rates import CLASSES, INPUTS, ITEM_BYTES, LEAST_INNER, PASS_SHARE, TILE, Gpu

__all__ = [
    "Kernel",
    "batch_of",
    "is_recorded",
    "least_bytes",
    "parameters",
    "seconds_of",
    "step_flop",
    "step_kernels",
    "widths_of",
]

# Values that training keeps on the device as float32; more stay bytes (netdyn.training.train).
RESIDENT_VALUES = 500_000_000
# Values of a batch in the widest layer up to which training records CUDA graphs
# (netdyn.training.engine.cuda_graphs).
WORTH_A_GRAPH = 2**24
# Tensors that one launch of a fused optimizer takes.
TENSORS_PER_UPDATE = 30
# Least passes over a hidden layer's values in a step, everything between products being fused:
# z written and read forward; z, its gradient and the layer before read, a gradient written back.
LEAST_PASSES = 6


class Kernel(NamedTuple):
    """One launch: FLOP of products, bytes through the memory, and the products' shape if any."""

    name: str
    flop: float = 0.0
    bytes: float = 0.0
    shape: tuple[int, int, int] | None = None  # rows, columns, inner dimension


def widths_of(settings: Mapping) -> list[int]:
    """Return N_0 … N_L."""
    return [INPUTS, *settings["width"], CLASSES]


def batch_of(settings: Mapping) -> int:
    """Return the samples of a step."""
    return settings["samples"] if settings["batch_size"] == "full" else settings["batch_size"]


def is_recorded(settings: Mapping) -> bool:
    """Return whether training launches the kernels of a step by a CUDA graph."""
    return batch_of(settings) * max([*settings["width"], CLASSES]) <= WORTH_A_GRAPH


def parameters(settings: Mapping) -> int:
    """Return how many numbers the optimizer updates."""
    widths = widths_of(settings)
    hidden = sum(settings["width"])
    offsets = 2 * hidden + CLASSES if settings["batch_norm"] else hidden + CLASSES
    return sum(n * m for n, m in itertools.pairwise(widths)) + offsets


def step_flop(settings: Mapping) -> float:
    """Return the FLOP of a step's products: 2·P·(3·Σ N_l N_{l−1} − N_0 N_1)."""
    widths = widths_of(settings)
    weights = sum(n * m for n, m in itertools.pairwise(widths))
    return 2.0 * batch_of(settings) * (3 * weights - widths[0] * widths[1])


def least_bytes(settings: Mapping, precision: str) -> float:
    """Return the least bytes of a step: everything between two products fused into them."""
    item, batch = ITEM_BYTES[precision], batch_of(settings)
    moments = 2 * (settings["optimizer"] != "sgd")
    values = batch * (LEAST_PASSES * sum(settings["width"]) + 2 * INPUTS)
    return item * values + 4.0 * parameters(settings) * (2 + 2 * moments)


def seconds_of(kernel: Kernel, gpu: Gpu, precision: str, runs: int = 1) -> float:
    """Return the seconds of a kernel without its launch: products or memory, the slower one.

    Args: the kernel, the GPU, the precision, and how many runs share the kernel.
    """
    if kernel.shape is None:
        return runs * kernel.bytes / (PASS_SHARE * gpu.copy)
    rows, columns, inner = kernel.shape
    tiles = math.ceil(rows / TILE[0]) * math.ceil(columns / TILE[1])
    tiles *= runs * max(1, inner // LEAST_INNER)
    share = min(1.0, tiles / gpu.multiprocessors)
    seconds = kernel.bytes / gpu.copy, kernel.flop / (share * gpu.attained[precision])
    return runs * max(seconds)


def product(name: str, rows: int, columns: int, inner: int, item: int) -> Kernel:
    """Return a product (rows, inner)·(inner, columns) that reads its factors from memory once."""
    values = rows * inner + inner * columns + rows * columns
    shape = (rows, columns, inner)
    return Kernel(name, 2.0 * rows * columns * inner, float(item * values), shape)


def step_kernels(settings: Mapping, precision: str) -> list[Kernel]:
    """Return the kernels of one step in a precision: float32, float64, or bfloat16 by autocast."""
    widths = widths_of(settings)
    return [
        *_batch(settings, precision),
        *_forward(settings, precision, widths),
        *_loss(settings, precision),
        *_backward(settings, precision, widths),
        *_update(settings),
    ]


def _batch(settings: Mapping, precision: str) -> Iterator[Kernel]:
    batch = batch_of(settings)
    values = batch * INPUTS
    resident = settings["samples"] * INPUTS <= RESIDENT_VALUES
    if settings["batch_size"] != "full":
        yield Kernel("gather samples", bytes=2.0 * values * (4 if resident else 1))
        yield Kernel("gather labels", bytes=24.0 * batch)
    if not resident:
        yield Kernel("bytes to float", bytes=5.0 * values)
        yield Kernel("divide by 255", bytes=8.0 * values)
    if precision == "bfloat16":
        yield Kernel("inputs to bfloat16", bytes=6.0 * values)


def _forward(settings: Mapping, precision: str, widths: Sequence[int]) -> Iterator[Kernel]:
    batch, item = batch_of(settings), ITEM_BYTES[precision]
    for l, (n, m) in enumerate(itertools.pairwise(widths), 1):
        hidden = l < len(widths) - 1
        has_offset = not (settings["batch_norm"] and hidden)
        if precision == "bfloat16":
            yield Kernel("weights to bfloat16", bytes=6.0 * n * m)
            if has_offset:
                yield Kernel("offsets to bfloat16")
        yield product("forward product", batch, m, n, item)
        if not hidden:
            return
        values = float(item * batch * m)
        if settings["batch_norm"]:
            yield Kernel("count of batches")
            yield Kernel("batch statistics", bytes=values)
            yield Kernel("running statistics")
            yield Kernel("normalise", bytes=2 * values)
        if settings["activation"] != "identity":
            yield Kernel("activation", bytes=2 * values)


def _loss(settings: Mapping, precision: str) -> Iterator[Kernel]:
    values = 4.0 * batch_of(settings) * CLASSES
    if precision == "bfloat16":
        yield Kernel("logits to float", bytes=1.5 * values)
    if settings["loss"] == "mse":
        yield Kernel("zeros of one-hot", bytes=2 * values)  # of 8-byte whole numbers
        yield Kernel("ones of one-hot", bytes=2 * values)
        yield Kernel("one-hot to float", bytes=3 * values)
        yield Kernel("squares", bytes=3 * values)
        yield Kernel("mean", bytes=values)
    else:
        yield Kernel("log softmax", bytes=2 * values)
        yield Kernel("mean", bytes=values)
    yield Kernel("gradient of the loss")  # the 1 that starts the way back
    if settings["loss"] == "mse":
        yield Kernel("gradient of squares", bytes=3 * values)
    else:
        yield Kernel("zeros of the gradient", bytes=values)
        yield Kernel("gradient of the mean", bytes=values)
        yield Kernel("gradient of log softmax", bytes=3 * values)
    if precision == "bfloat16":
        yield Kernel("gradient to bfloat16", bytes=1.5 * values)


def _backward(settings: Mapping, precision: str, widths: Sequence[int]) -> Iterator[Kernel]:
    batch, item = batch_of(settings), ITEM_BYTES[precision]
    for l in range(len(widths) - 1, 0, -1):
        n, m = widths[l - 1], widths[l]
        hidden = l < len(widths) - 1
        values = float(item * batch * m)
        if hidden and settings["activation"] != "identity":
            yield Kernel("gradient of the activation", bytes=3 * values)
        if hidden and settings["batch_norm"]:
            yield Kernel("sums of the normalisation", bytes=2 * values)
            yield Kernel("gradient of the normalisation", bytes=3 * values)
        else:
            yield Kernel("gradient of offsets", bytes=values)
            if precision == "bfloat16":
                yield Kernel("gradient of offsets to float")
        if l > 1:
            yield product("backward product, inputs", batch, n, m, item)
        yield product("backward product, weights", m, n, batch, item)
        if precision == "bfloat16":
            yield Kernel("gradient of weights to float", bytes=6.0 * n * m)


def _update(settings: Mapping) -> Iterator[Kernel]:
    hidden = len(settings["width"])
    tensors = 3 * hidden + 2 if settings["batch_norm"] else 2 * (hidden + 1)
    values = 4.0 * parameters(settings)  # float32 whatever the products are
    launches = math.ceil(tensors / TENSORS_PER_UPDATE)
    passes = 3 if settings["optimizer"] == "sgd" else 7  # weights, gradients, two moments
    if settings["optimizer"] != "sgd":
        yield Kernel("count of steps")
    for _ in range(launches):
        yield Kernel("update", bytes=passes * values / launches)
