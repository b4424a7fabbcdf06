"""Noise that is drawn on the CPU and cached on the GPU that uses it.

The networks of a sweep use the same noise. On a GPU, drawing and copying it takes longer than all
other work, so the most recently used noise is cached up to a limit. On the CPU nothing is cached:
memory is scarce.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

__all__ = ["drawn_noise", "forget_noise"]

MOST_BYTES = 8 * 2**30  # cached by this process

_cache: OrderedDict[tuple, Tensor] = OrderedDict()  # the most recently used noise at the end


def drawn_noise(key: Hashable, device: torch.device, draw: Callable[[], Tensor]) -> Tensor:
    """Return what `draw` returns, on the device; which must not be modified.

    Args:
        key: everything that the noise depends on: its stream and its shape.
        device: where it is used.
        draw: returns the noise on the CPU.
    """
    if device.type == "cpu":
        return draw()
    place = device, key
    if place in _cache:
        _cache.move_to_end(place)
        return _cache[place]
    noise = draw().to(device)
    while _cache and _bytes() + noise.nbytes > MOST_BYTES:
        _cache.popitem(last=False)
    if noise.nbytes <= MOST_BYTES:
        _cache[place] = noise
    return noise


def forget_noise() -> None:
    """Empty the cache of noise."""
    _cache.clear()


def _bytes() -> int:
    return sum(noise.nbytes for noise in _cache.values())
