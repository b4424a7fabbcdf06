"""How times grow with the size of the work, measured and drawn.

    python benchmarks/scaling.py --output results/scaling

writes results/scaling.csv, .pdf and .png. Panels: a training step against width, depth and number
of samples, with the same step by automatic differentiation and with its products alone; RPD and
gradient against samples and neurons; a basin against the error asked for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import typer
from basins import TRIALS, trained_network
from peers import FullBatch, Products
from timing import in_turn, machine
from training import DEEP, Ours, samples

from netdyn import runs
from netdyn.bracketing import find_basins
from netdyn.files import written_whole
from netdyn.rpd import rank_statistics

BASE = {"width": 128, "depth": 12, "samples": 6000}
STEPS = {
    "width": [32, 64, 128, 256, 512],
    "depth": [3, 6, 12, 24],
    "samples": [750, 1500, 3000, 6000, 12000],
}
RANKS = {"P": [1000, 4000, 16000, 64000], "N": [32, 128, 512]}
ERRORS = [0.04, 0.02, 0.01, 0.005]
LOOK = {"font.size": 7, "axes.labelsize": 7, "legend.fontsize": 6, "lines.linewidth": 1}
LABELS = {"netdyn": "netdyn", "peer": "automatic differentiation", "limit": "products alone"}


def step_times(threads: int) -> Iterator[dict]:
    for against, values in STEPS.items():
        for value in values:
            size = {**BASE, against: value}
            hidden = [size["width"]] * (size["depth"] - 1)
            settings = {**DEEP, "width": hidden, "precision": "float32", "threads": threads}
            pixels, labels = samples(size["samples"])
            x = torch.from_numpy(pixels).flatten(1).float().div_(255)
            plain = runs.build_model(settings, 784, 10)
            contenders = {
                "netdyn": Ours(settings, pixels, labels).step,
                "peer": FullBatch(plain, x, torch.from_numpy(labels)).step,
                "limit": Products(len(x), [784, *hidden, 10]).step,
            }
            for who, seconds in in_turn(contenders, repeats=3).items():
                yield {"panel": "step", "against": against, "value": value, "who": who} | {
                    "seconds": seconds
                }


def rank_times() -> Iterator[dict]:
    base = {"P": 16000, "N": 128}
    for against, values in RANKS.items():
        for value in values:
            size = {**base, against: value}
            fields = torch.randn(size["P"], size["N"])
            labels = torch.arange(size["P"]) % 10
            signs = torch.randn(10, size["N"])
            array = np.ascontiguousarray(fields.T.numpy())
            contenders = {
                "netdyn": lambda: rank_statistics(fields, labels, signs),  # noqa: B023
                "limit": lambda: np.sort(array, axis=1),  # noqa: B023
            }
            for who, seconds in in_turn(contenders, repeats=3).items():
                yield {"panel": "rank", "against": against, "value": value, "who": who} | {
                    "seconds": seconds
                }


def basin_times() -> Iterator[dict]:
    model, x, y = trained_network(samples=2000)
    for space, trials in TRIALS.items():
        for error in ERRORS:
            basins = find_basins(model, x, y, space, 4 * trials, seed=0, error=error)
            average = basins.groups["average"]
            got = (
                average.errors.hypot(average.trial_errors) if space == "weight" else average.errors
            )
            yield {"panel": "basin", "against": space, "value": error, "who": "netdyn"} | {
                "seconds": basins.passes,
                "got": (got / average.sizes).item(),
            }


def ticks(axis: plt.Axes, values: np.ndarray, label: str) -> None:
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.xaxis.set_minor_locator(plt.NullLocator())
    axis.set_xlabel(label)


def draw(found: pd.DataFrame) -> plt.Figure:
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(2, 3, figsize=(7.0, 4.4), layout="constrained")
        names = {"width": "width", "depth": "depth", "samples": "samples n"}
        names |= {"P": "samples P", "N": "neurons N"}
        for axis, (panel, against) in zip(
            axes.flat, [("step", k) for k in STEPS] + [("rank", k) for k in RANKS], strict=False
        ):
            chosen = found[(found.panel == panel) & (found.against == against)]
            for who, rows in chosen.groupby("who", sort=False):
                label = "one numpy sort" if panel == "rank" and who == "limit" else LABELS[who]
                axis.loglog(rows.value, rows.seconds, marker="o", ms=3, label=label)
            ticks(axis, chosen.value.unique(), names[against])
            axis.set_ylabel("seconds a step" if panel == "step" else "seconds")
            if against in ("width", "P"):
                axis.legend()
        axis = axes.flat[-1]
        for space, rows in found[found.panel == "basin"].groupby("against", sort=False):
            axis.loglog(100 * rows.value, rows.seconds, marker="o", ms=3, label=f"{space} space")
        ticks(axis, 100 * np.array(ERRORS), "error asked for, % of the size")
        axis.set_ylabel("forward passes")
        axis.legend()
    return figure


def main(
    threads: int = 2,
    output: Annotated[Path, typer.Option(help="CSV, PDF and PNG, without suffix.")] = Path(
        "results/scaling"
    ),
) -> None:
    """Measure and draw."""
    torch.set_num_threads(threads)
    rows = []
    for found in (step_times(threads), rank_times(), basin_times()):
        for row in found:
            rows.append(row)
            typer.echo(row, err=True)
    table = pd.DataFrame(rows)
    output.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(output.with_suffix(".csv")) as temporary:
        table.assign(**machine(), threads=threads).to_csv(temporary, index=False)
    figure = draw(table)
    for suffix in (".pdf", ".png"):
        figure.savefig(output.with_suffix(suffix), dpi=200)


if __name__ == "__main__":
    typer.run(main)
