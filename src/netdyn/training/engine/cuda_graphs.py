"""CUDA graphs: the kernels of some work are recorded once and then launched together.

Launches bound the steps of a small network: a kernel takes a few µs, and so does Python to launch
it. A graph launches all kernels at once, those that ran while it was recorded, in the same order.
So a graph gives the same bits.
"""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Protocol

import torch

__all__ = ["CudaGraphs", "Recorder", "recorder", "steps_of_a_graph"]

# Values of a batch in its widest layer. Above the first the kernels take longer than their
# launches; above the second so nearly as long that one step a graph is enough.
WORTH_A_GRAPH = 2**24
WORTH_MANY_STEPS = 2**21
STEPS_OF_A_GRAPH = 32


class Recorder(Protocol):
    """Records work that reads and writes tensors at fixed places, and nothing else."""

    def warm_up(self, work: Callable[[], None]) -> None:
        """Run the work once, unrecorded, so that its kernels and workspaces exist."""
        """Do the work as it will be recorded, so that everything it needs is set up."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the work as a CUDA graph; return the function that replays it."""
        """Record the work without doing it; return a function that does it.

        Raises:
            RuntimeError: the work cannot be recorded.
        """


class CudaGraphs:
    """Records CUDA graphs, which share a stream and a memory pool.

    Recorded work must leave no result in the tensors that it allocates: the next graph reuses their
    memory.
    """

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do the work as it will be recorded; see `Recorder`."""
        # On the stream of the recording: cuBLAS has a workspace for each.
        self._stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self._stream):
                work()
        finally:
            torch.cuda.current_stream().wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the work; see `Recorder`."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with _no_collection(), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                work()
        finally:
            torch.cuda.set_stream(stream)  # a failed recording leaves its own stream set
        return graph.replay


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage now, none within: a recording fails where an older graph is freed."""
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def recorder(device: torch.device) -> Recorder | None:
    """Return what records steps on a device, or None where nothing does."""
    return CudaGraphs() if device.type == "cuda" else None


def steps_of_a_graph(values: int) -> int:
    """Return how many steps a graph should hold, 0 for no graph.

    Args:
        values: those of a batch in the network's widest layer, samples · neurons.
    """
    if values > WORTH_A_GRAPH:
        return 0
    return 1 if values > WORTH_MANY_STEPS else STEPS_OF_A_GRAPH
