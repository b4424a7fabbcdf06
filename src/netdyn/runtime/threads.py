"""A pool of threads, in each of which PyTorch's operations use one thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

__all__ = ["one_thread_each", "workers"]


def workers(threads: int) -> ThreadPoolExecutor:
    """Return a pool of so many threads, without automatic differentiation.

    To be used within `one_thread_each`.
    """
    return ThreadPoolExecutor(threads, initializer=_configure)


def _configure() -> None:
    # Both settings hold for the calling thread alone.
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Limit this thread's operations, and all matrix products of the process, to one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
