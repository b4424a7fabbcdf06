"""Both basins of a 12 × 512 network with their errors: by bracketing, and by definition.

The network is 784 – 11 × 512 – 10 with batch norm and ReLU, trained for a moment on 10,000 samples
of ten noisy prototypes. By definition: a loop over the 26 amplitudes of config.yaml and its trials
(10 in sample space, 20 in weight space), all samples each time. Every round of that loop costs the
same, so a few are timed, and their time multiplied.

The trials and their noise are the same in both, so the resampling error of the size is too.
"""

import copy
import time

import numpy as np
import torch
from torch import nn

from netdyn.measures.basins.bracketing import find_basins
from netdyn.measures.basins.sizes import basin_error, basin_size
from netdyn.networks.mlp import MLP, initialise
from netdyn.runtime.random_streams import generator

GRID = [0.0, *np.geomspace(0.03, 3.0, 25).tolist()]
TRIALS = {"sample": 10, "weight": 20}


def trained_network(samples=10_000, steps=40):
    stream = generator(0, "benchmark")
    prototypes = (torch.rand(10, 784, generator=stream) < 0.15).float()
    y = torch.arange(samples) % 10
    x = (prototypes[y] + 0.3 * torch.randn(samples, 784, generator=stream)).clamp_(0, 1)
    model = MLP([784, *[512] * 11, 10])
    initialise(model, 0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        batch = torch.randint(samples, (500,), generator=stream)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    return model.eval(), x, y


@torch.no_grad()
def by_definition(model, x, y, space, amplitudes, trials, seed=0):
    table = torch.zeros(len(amplitudes), len(x))
    for row, a in zip(table, amplitudes, strict=True):
        for trial in range(trials):
            noisy = model
            if space == "weight":
                noisy = copy.deepcopy(model)
                linears = [module for module in noisy.modules() if isinstance(module, nn.Linear)]
                for l, linear in enumerate(linears, 1):
                    stream = generator(seed, "weight noise", trial, l)
                    noise = torch.randn(linear.weight.shape, generator=stream)
                    linear.weight += a * linear.weight.std(correction=0) * noise
            for block, start in enumerate(range(0, len(x), 1000)):
                part = slice(start, start + 1000)
                inputs = x[part]
                if space == "sample":
                    stream = generator(seed, "sample noise", trial, block)
                    noise = torch.randn(1000, x.shape[1], generator=stream)
                    inputs = inputs + a * noise[: len(inputs)]
                row[part] += noisy(inputs).argmax(dim=1) == y[part]
    return table / trials


def both(threads: int, complete: bool = False) -> dict[str, dict[str, float]]:
    """Seconds for one basin of each space with its error, and the sizes.

    Args:
        complete: run the definition to its end instead of a few of its equal rounds.
    """
    torch.set_num_threads(threads)
    model, x, y = trained_network()
    results = {}
    for space, trials in TRIALS.items():
        grid, repeats = (GRID, trials) if complete else (GRID[8:10], 2)
        since = time.perf_counter()
        table = by_definition(model, x, y, space, grid, repeats)
        slow = (time.perf_counter() - since) * len(GRID) * trials / len(grid) / repeats
        since = time.perf_counter()
        basins = find_basins(model, x, y, space, trials, seed=0)
        fast = time.perf_counter() - since
        average = basins.groups["average"]
        results[space] = {
            "netdyn": fast,
            "peer": slow,
            "passes": basins.passes,
            "rounds": len(GRID) * trials,
            "size": average.sizes.item(),
            "error": average.errors.item(),
        }
        if complete:
            results[space]["size by definition"] = basin_size(GRID, table.mean(dim=1))
            results[space]["error by definition"] = basin_error(GRID, table, 0)
    return results
