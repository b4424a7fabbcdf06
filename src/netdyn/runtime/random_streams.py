"""Independent random streams, so that measuring more often never changes a training.

A stream is named by its purpose and by counters (epoch, trial …), not by earlier draws. So nothing
has to be stored to resume a run, and no stream can consume another's numbers.
"""

import hashlib

import torch

__all__ = ["generator", "stream_seed"]


def stream_seed(seed: int, *name: str | int) -> int:
    """Return the 63-bit seed of the stream `name` under the master seed `seed`.

    It is the first 63 bits of SHA-256 over the seed and the name: streams are as independent as the
    hash is good, and the same on every machine.

    >>> stream_seed(0, "batch order", 3) == stream_seed(0, "batch order", 3)
    True
    >>> stream_seed(0, "batch order", 3) == stream_seed(0, "batch order", 4)
    False
    """
    text = "\x1f".join([str(int(seed)), *(f"{type(part).__name__}:{part}" for part in name)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *name: str | int) -> torch.Generator:
    """Return a fresh CPU generator at the start of the stream `name` (see `stream_seed`).

    Numbers are always drawn on the CPU and moved to the device, so a run on a GPU has the same
    initial weights, batches and noise.
    """
    return torch.Generator("cpu").manual_seed(stream_seed(seed, *name))
