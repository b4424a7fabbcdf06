"""RPD and gradient of one layer: from one sort, by definition, and one numpy sort as the limit."""

import tracemalloc

import numpy as np
import peers
import torch
from timing import in_turn

from netdyn.measures.ranks.rpd import rank_statistics

NEURONS_BY_DEFINITION = 16  # all cost the same


def both(threads: int, repeats: int, samples: int = 60_000, neurons: int = 512) -> dict[str, float]:
    """Seconds for RPD (100 bins) and gradient of all classes; memory in units of the input."""
    torch.set_num_threads(threads)
    stream = torch.Generator().manual_seed(0)
    fields = torch.randn(samples, neurons, generator=stream)
    labels = torch.randint(10, (samples,), generator=stream)
    signs = torch.randn(10, neurons, generator=stream).sign()
    array = np.ascontiguousarray(fields.T.numpy())  # (N, P)
    few = NEURONS_BY_DEFINITION
    by_definition = (fields[:, :few].numpy(), labels.numpy(), signs[:, :few].numpy())
    times = in_turn(
        {
            "netdyn": lambda: rank_statistics(fields, labels, signs),
            "peer": lambda: peers.rank_probability(*by_definition),
            "limit": lambda: np.sort(array, axis=1),
        },
        repeats,
    )
    times["peer"] *= neurons / few
    tracemalloc.start()
    rank_statistics(fields, labels, signs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {**times, "memory": peak / array.nbytes}
