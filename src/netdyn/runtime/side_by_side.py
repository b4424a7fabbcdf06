"""Threads of this process side by side, each with operations of PyTorch of one thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

__all__ = ["one_thread_each", "workers"]


def workers(threads: int) -> ThreadPoolExecutor:
    """Return so many threads, to be used within `one_thread_each`; none of them differentiates."""
    return ThreadPoolExecutor(threads, initializer=_begin)


def _begin() -> None:
    # Both are settings of the thread that makes them.
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Give this thread's operations, and all matrix products of the process, one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
