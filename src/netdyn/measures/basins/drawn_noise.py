"""Noise that is drawn on the CPU, and kept on the GPU that it is used on.

A sweep's networks see the same noise. Drawing and copying it costs more than a GPU needs for all
else, so there it is kept, the latest used up to a limit. On the CPU nothing is: memory is scarce.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

__all__ = ["drawn_noise", "forget_noise"]

MOST_BYTES = 8 * 2**30  # kept by this process

_kept: OrderedDict[tuple, Tensor] = OrderedDict()  # the latest used at the end


def drawn_noise(key: Hashable, device: torch.device, draw: Callable[[], Tensor]) -> Tensor:
    """Return what `draw` returns, on the device; it must not be written to.

    Args:
        key: all that the noise depends on: its stream and its shape.
        device: where it is used.
        draw: returns the noise on the CPU.
    """
    if device.type == "cpu":
        return draw()
    place = device, key
    if place in _kept:
        _kept.move_to_end(place)
        return _kept[place]
    noise = draw().to(device)
    while _kept and _bytes() + noise.nbytes > MOST_BYTES:
        _kept.popitem(last=False)
    if noise.nbytes <= MOST_BYTES:
        _kept[place] = noise
    return noise


def forget_noise() -> None:
    """Let go of all noise that is kept."""
    _kept.clear()


def _bytes() -> int:
    return sum(noise.nbytes for noise in _kept.values())
