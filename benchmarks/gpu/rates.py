"""What the model of times on a GPU assumes of the hardware and of PyTorch: its only constants.

`HOST_LAUNCH`, `HOST_STEP` and `KERNEL_START` were corrected after a measurement on one H200
(docs/speed/gpu_h200.csv), `KEPT_BYTES` is a fit to trainings there (gpu_h200_trainings.csv); the
others are estimates from before it.
"""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["CLASSES", "GPUS", "INPUTS", "ITEM_BYTES", "TEST_SAMPLES", "Gpu"]

# Every data set of the workflow is of 28 × 28 pixels and ten classes.
INPUTS = 784
CLASSES = 10
TEST_SAMPLES = {"digits": 500, "mnist": 10_000, "fashion_mnist": 10_000, "kmnist": 10_000}

ITEM_BYTES = {"bfloat16": 2, "float32": 4, "float64": 8}

# Seconds of the host between two launches, Python included: with automatic differentiation (10e-6
# before the measurement), and where nothing is differentiated.
HOST_LAUNCH = 27e-6
HOST_LAUNCH_NO_GRAD = 6e-6
# Seconds of the host for a training step beside its launches: the batch, starting and ending
# automatic differentiation, the optimizer's lists (100e-6 before the measurement).
HOST_STEP = 1e-3
# Seconds from the end of a step's kernel to the start of the next, beside the work of both: each
# waits for the one before, within a CUDA graph too. (Before the measurement a kernel was taken to
# last 1.6e-6 at least in a graph, and nothing to pass between two.)
KERNEL_START = 4.7e-6
# Seconds of the shortest kernel in measuring, its start included.
DEVICE_LAUNCH = 2.5e-6
# Seconds of the host for reading one number back from the device.
READ_BACK = 20e-6

# One core of the host: normal deviates a second by torch.randn, and bytes a second into the device
# from pageable memory.
HOST_NORMALS = 100e6
HOST_COPY = 8e9

# Bytes of weights a second that a training keeps: copied from the device, digested and written.
KEPT_BYTES = 250e6

# Part of a copy's rate that other kernels bound by memory attain: sums, mixed precisions.
PASS_SHARE = 0.8

# A product fills the GPU by tiles of the result, its inner dimension cut where these are few.
TILE = (128, 128)
LEAST_INNER = 256

# Bytes that ranking moves a field: transposing, a radix sort of 4-byte keys with 8-byte places in
# four passes, labels in that order, and tied blocks as 8-byte whole numbers and doubles.
RANK_BYTES = 350
# The same a field and class for the distribution functions of an RPD: a comparison and a cumulative
# sum into 8-byte whole numbers.
DENSITY_BYTES = 40
# Launches of ranking a chunk of fields, and those a class where RPDs are asked for.
RANK_LAUNCHES = 40
DENSITY_LAUNCHES = 14


class Gpu(NamedTuple):
    """A GPU: what its data sheet says, and what one large operation attains of it."""

    peak: Mapping[str, float]  # FLOP/s of matrix products without sparsity, by precision
    attained: Mapping[str, float]  # the same of one large product of random numbers
    peak_copy: float  # bytes/s of the memory, reading and writing together
    copy: float  # the same of one large copy
    multiprocessors: int


# Both cards have the same processors, of which the power limit leaves two thirds in bfloat16.
_PEAK = {"bfloat16": 989e12, "float32": 67e12, "float64": 67e12}
_ATTAINED = {"bfloat16": 650e12, "float32": 50e12, "float64": 50e12}
GPUS = {
    "h100": Gpu(_PEAK, _ATTAINED, peak_copy=3.35e12, copy=2.8e12, multiprocessors=132),
    "h200": Gpu(_PEAK, _ATTAINED, peak_copy=4.8e12, copy=4.0e12, multiprocessors=132),
}
