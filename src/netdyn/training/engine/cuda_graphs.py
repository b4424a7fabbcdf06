"""CUDA graphs: the kernels of a piece of work recorded once and launched again as a whole.

The steps of a small network are bound by launches: its kernels take a few µs each, and so does
Python to launch one. A graph launches them all at once. They are the kernels that ran while it was
recorded, in the same order, so a graph gives the same bits.

    NETDYN_ENGINE=auto     graphs where they gain (the default)
    NETDYN_ENGINE=plain    no graphs

The variable changes no bit of a run and is part of no setting.
"""

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from typing import Protocol

import torch

from netdyn.errors import NetdynError

__all__ = ["CudaGraphs", "Recorder", "recorder", "steps_of_a_graph"]

ENGINES = ("auto", "plain")
# Values of a batch in its widest layer. Above the first the kernels take longer than their
# launches; above the second so nearly as long that one step a graph is enough.
WORTH_A_GRAPH = 2**24
WORTH_MANY_STEPS = 2**21
STEPS_OF_A_GRAPH = 32


class Recorder(Protocol):
    """Records work that reads and writes tensors at fixed places, and nothing else."""

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do the work as it will be recorded, so that all that it needs is set up."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the work without doing it; return what does it.

        Raises:
            RuntimeError: the work cannot be recorded.
        """


class CudaGraphs:
    """Records as CUDA graphs, on a stream and in a memory pool that they share.

    Work that is recorded must leave nothing in the tensors that it makes: the next graph has the
    same memory.
    """

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], None]) -> None:
        # On the stream of the recording: cuBLAS has a workspace for each.
        self._stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self._stream):
                work()
        finally:
            torch.cuda.current_stream().wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with _no_collection(), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                work()
        finally:
            torch.cuda.set_stream(stream)  # which a recording that fails would leave as it was
        return graph.replay


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage now and none within: freeing an older graph is what no recording survives."""
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def recorder(device: torch.device) -> Recorder | None:
    """Return what records steps on a device, None where nothing does or the environment says so.

    Raises:
        NetdynError: NETDYN_ENGINE is neither auto nor plain.
    """
    engine = os.environ.get("NETDYN_ENGINE", "auto")
    if engine not in ENGINES:
        raise NetdynError(f"NETDYN_ENGINE={engine}: choose one of {', '.join(ENGINES)}")
    return CudaGraphs() if device.type == "cuda" and engine == "auto" else None


def steps_of_a_graph(values: int) -> int:
    """Return how many steps a graph should hold, 0 for no graph.

    Args:
        values: those of a batch in the network's widest layer, samples · neurons.
    """
    if values > WORTH_A_GRAPH:
        return 0
    return 1 if values > WORTH_MANY_STEPS else STEPS_OF_A_GRAPH
