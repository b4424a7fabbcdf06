"""What it costs that a network is checked as it is read, and compared with its own forward pass.

    python benchmarks/checks.py --repeats 60

Measures an untrained 784–200–200–10 with and without the checks, in turn, and prints for each
measure the median of the paired ratios with its 95 % interval by resampling the pairs. Without the
checks means: neither walked through nor compared, the layers are known already.
"""

import statistics
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import typer

import netdyn
from netdyn.networks.layers import named_layers
from netdyn.networks.reading import Network

SAMPLES = 2000


def measures() -> dict[str, Callable[[Network], object]]:
    numbers = torch.Generator().manual_seed(0)
    x = torch.rand(SAMPLES, 784, generator=numbers)
    y = torch.arange(SAMPLES) % 10

    def ranks(network: Network) -> None:
        maps = network.linear_maps(1)
        for field, (weight, _) in zip(network.local_fields(x), maps, strict=True):
            netdyn.rank_statistics(field, y, weight.sign(), bins=100)

    def basins(network: Network) -> None:
        for space in ("sample", "weight"):
            netdyn.find_basins(network, x, y, space, trials=4, seed=0)

    def everything(network: Network) -> None:
        network.logits(x)
        ranks(network)
        basins(network)

    return {
        "logits": lambda network: network.logits(x),
        "local fields": lambda network: network.local_fields(x),
        "RPD and gradient of both layers": ranks,
        "both basins": basins,
        "all of these": everything,
    }


def main(
    repeats: Annotated[int, typer.Option(help="pairs of each measure")] = 60,
    only: Annotated[str | None, typer.Option(help="the one measure to time")] = None,
) -> None:
    """Print the cost of the checks."""
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = netdyn.MLP([784, 200, 200, 10]).eval()
    names, layers = zip(*named_layers(model), strict=True)

    def unchecked() -> Network:
        return Network(model, names, layers, compared=True)

    def seconds(measure: Callable[[Network], object], read: Callable[[], Network]) -> float:
        # Of the processor, on one thread: other work on the machine takes none of it.
        since = time.process_time()
        measure(read())
        return time.process_time() - since

    for name, measure in measures().items():
        if only not in (None, name):
            continue
        contenders = {"checked": lambda: netdyn.read(model), "unchecked": unchecked}
        times: dict[str, list[float]] = {contender: [] for contender in contenders}
        for repeat in range(repeats + 1):
            for contender in sorted(contenders, reverse=repeat % 2 == 1):
                times[contender].append(seconds(measure, contenders[contender]))
        pairs = np.array(times["checked"][1:]) / np.array(times["unchecked"][1:])
        drawn = np.random.default_rng(0).choice(pairs, (2000, repeats))
        low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
        print(
            f"{name}: {statistics.median(times['unchecked']) * 1000:.1f} ms, with the checks "
            f"{100 * (np.median(pairs) - 1):+.2f} % ({100 * (low - 1):+.2f} to "
            f"{100 * (high - 1):+.2f} %)"
        )


if __name__ == "__main__":
    typer.run(main)
