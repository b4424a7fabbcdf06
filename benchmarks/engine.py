"""What each part of the training engine gains: steps by auto, by plain, by auto without a part.

    python benchmarks/engine.py --output results/engine.csv

Prints a table and writes it as CSV. Contenders take turns; times are medians of seconds a step.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from unittest import mock

import numpy as np
import pandas as pd
import torch
import typer
from rich.console import Console
from timing import in_turn, machine
from training import DEEP, SHALLOW, inputs_used, mnist, samples

from netdyn.networks.mlp import initialise
from netdyn.records.files import atomic_write
from netdyn.results import runs
from netdyn.runtime.products import without_onednn
from netdyn.training.engine import steps, used_inputs
from netdyn.training.engine.autograd import AutogradGradients
from netdyn.training.engine.optimizers import TorchOptimizer


def _autograd(network: torch.nn.Sequential, loss: str, *_: object) -> AutogradGradients:
    weight = next(network.parameters())
    precision = "float64" if weight.dtype == torch.float64 else "float32"
    return AutogradGradients(network, precision, loss, classes=10)


# Part → what takes it away while the steps are set up.
PARTS = {
    "": contextlib.nullcontext,
    "blocks": lambda: mock.patch.object(steps, "BlockGradients", _autograd),
    "unused inputs": lambda: mock.patch.object(used_inputs, "WORTH_A_COPY", 1.0),
    "fused optimizer": lambda: mock.patch.object(steps, "direct_optimizer", TorchOptimizer),
}


class Contender:
    """The steps of a run by an engine, one part of it taken away."""

    def __init__(
        self, settings: dict, pixels: np.ndarray, labels: np.ndarray, engine: str, part: str = ""
    ):
        model = runs.build_model(settings, 784, 10)
        initialise(model, settings["seed"])
        dtype = runs.weight_dtype(settings)
        x = torch.from_numpy(pixels).flatten(1).float().div_(255).to(dtype)
        with PARTS.get(part, contextlib.nullcontext)():
            self._steps = steps.training_steps(
                model, x, torch.from_numpy(labels), settings, 10, engine
            )
        self._without_onednn = part == "oneDNN" or engine == "plain"
        self._count = 0

    def step(self) -> None:
        products = without_onednn() if self._without_onednn else contextlib.nullcontext()
        with products:
            self._steps.step(self._count)
        self._count += 1


def rows(threads: int, repeats: int, deep_samples: int) -> Iterator[dict]:
    """Yield a row per network and precision."""
    random = samples(deep_samples)
    small = mnist(1000) or samples(1000)
    for name, base, data, each in (
        ("784–200–200–10, batch 200", SHALLOW, small, 20),
        (f"23 × 128, n = {deep_samples:,}", DEEP, random, 1),
    ):
        for precision in ("float32", "float64"):
            settings = {**base, "precision": precision, "threads": threads}
            contenders = {
                f"auto without {part}" if part else "auto": Contender(
                    settings, *data, "auto", part
                ).step
                for part in (*PARTS, "oneDNN")
            }
            contenders["plain"] = Contender(settings, *data, "plain").step
            torch.set_num_threads(threads)
            times = in_turn(contenders, repeats, each=each)
            yield {
                "what": f"{name}, {precision}",
                "inputs_used": inputs_used(data[0]),
                **{f"{key.replace(' ', '_')}_ms": 1000 * times[key] for key in contenders},
                "plain_ratio": times["plain"] / times["auto"],
            }


def main(
    threads: int = 1,
    repeats: int = 5,
    deep_samples: Annotated[int, typer.Option(help="Samples of the deep network.")] = 2000,
    output: Annotated[Path, typer.Option(help="The table, CSV.")] = Path("results/engine.csv"),
) -> None:
    """Time a step of a small and of a deep network with and without each part of the engine."""
    table = pd.DataFrame(rows(threads, repeats, deep_samples))
    table = table.assign(**machine(), threads=threads)
    with atomic_write(output) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g")
    Console(width=200).print(table.T.to_string())


if __name__ == "__main__":
    typer.run(main)
