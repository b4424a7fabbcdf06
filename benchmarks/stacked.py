"""What several seeds cost at once, as one stacked network, against one after the other.

    python benchmarks/stacked.py --output results/stacked.csv    # on a GPU: --device cuda

Prints a table and writes it as CSV: milliseconds of a step of all seeds, medians. Both take turns.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from rich.console import Console
from timing import in_turn, machine
from training import DEEP, SHALLOW, samples

from netdyn.networks.mlp import initialise
from netdyn.records.files import atomic_write
from netdyn.results import runs
from netdyn.runtime.devices import choose_device
from netdyn.training.engine.stacked_steps import StackedSteps
from netdyn.training.engine.steps import arithmetic, training_steps

# What is timed: settings, samples, steps of a repeat.
CASES = {
    "784–200–200–10, batch 200": (SHALLOW, 1000, 20),
    "784–2048–10, batch 200": ({**SHALLOW, "width": [2048]}, 1000, 5),
    "784–200–200–10, batch 20": ({**SHALLOW, "batch_size": 20}, 1000, 50),
    "23 × 128, n = 1,000": (DEEP, 1000, 1),
}


def contenders(
    settings: dict, count: int, seeds: int, device: torch.device, each: int
) -> dict[str, Callable[[], None]]:
    """Return what makes `each` steps of every seed: stacked, and one run after the other."""
    pixels, classes = samples(count)
    x = torch.from_numpy(pixels).flatten(1).float().div_(255).to(device)
    labels = torch.from_numpy(classes).to(device)
    every = [{**settings, "seed": seed, "precision": "float32"} for seed in range(seeds)]

    def network(own: dict) -> torch.nn.Sequential:
        model = runs.build_model(own, 784, 10).to(device)
        initialise(model, own["seed"])
        return model

    stack = StackedSteps([network(own) for own in every], [(x, labels)] * seeds, every, 10)
    alone = [training_steps(network(own), x, labels, own, 10) for own in every]
    made = dict.fromkeys(("stacked", "alone"), 0)

    def stacked_steps() -> None:
        stack.advance(made["stacked"], each)[-1].tolist()
        made["stacked"] += each

    def steps_alone() -> None:
        for steps in alone:
            steps.advance(made["alone"], each)[-1].item()
        made["alone"] += each

    return {"stacked": stacked_steps, "alone": steps_alone}


def main(
    seeds: int = 3,
    repeats: int = 5,
    device: str = "cpu",
    cases: Annotated[int, typer.Option(help="How many of the networks.")] = len(CASES),
    output: Annotated[Path, typer.Option(help="The table, CSV.")] = Path("results/stacked.csv"),
) -> None:
    """Time a step of several seeds at once and of one after the other."""
    chosen, rows = choose_device(device), []
    torch.set_num_threads(1)
    for name, (settings, count, each) in [*CASES.items()][:cases]:
        with arithmetic("float32", chosen, "stacked"):
            times = in_turn(contenders(settings, count, seeds, chosen, each), repeats)
        stacked, alone = (1000 * times[which] / each for which in ("stacked", "alone"))
        row = {"network": name, "seeds": seeds, "stacked_ms": stacked, "alone_ms": alone}
        rows.append({**row, "ratio": stacked / alone})
    table = pd.DataFrame(rows)
    with atomic_write(output) as temporary:
        described = table.assign(device=chosen.type, **machine())
        described.to_csv(temporary, index=False, float_format="%.4g")
    Console(width=120).print(table.to_string(index=False, float_format="%.3g"))


if __name__ == "__main__":
    typer.run(main)
