"""Measuring within a program that has switched on other modes of PyTorch.

Autocast would multiply in half precision, inference mode would return tensors that no training can
use, and automatic differentiation would keep a graph. What netdyn measures depends on none of them.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from typing import ParamSpec, TypeVar

import torch

__all__ = ["plain_mode"]

_DEVICES = ("cpu", "cuda", "mps")

P = ParamSpec("P")
R = TypeVar("R")


def plain_mode(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function without autocast, inference mode and automatic differentiation.

    All three are the calling thread's own, and are as they were when the function returns or
    raises. A generator function runs so at every step; between its steps the calling program's
    modes hold.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: P.args, **kwargs: P.kwargs) -> Generator:
            values = function(*args, **kwargs)
            try:
                while True:
                    with _plain():
                        try:
                            value = next(values)
                        except StopIteration:
                            return
                    yield value
            finally:
                values.close()

        return steps

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with _plain():
            return function(*args, **kwargs)

    return call


@contextlib.contextmanager
def _plain() -> Iterator[None]:
    with contextlib.ExitStack() as undo:
        # Leaving inference mode switches differentiation on: `no_grad` comes after it.
        if torch.is_inference_mode_enabled():
            undo.enter_context(torch.inference_mode(False))
        for device in _DEVICES:
            if torch.is_autocast_enabled(device):
                undo.enter_context(torch.autocast(device, enabled=False))
        undo.enter_context(torch.no_grad())
        yield
