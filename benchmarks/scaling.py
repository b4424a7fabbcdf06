"""How times grow with the size of the work, measured and drawn.

    python benchmarks/pipeline.py --output results/pipeline.csv --whole
    python benchmarks/scaling.py --output results/scaling --pipeline results/pipeline.csv

writes results/scaling.csv, .pdf and .png; with --draw-only the figure from tables that are there.
Panels: a training step against width, depth and number of samples, with the same step by automatic
differentiation and with its products alone; RPD and gradient against samples and neurons; a basin
against the error asked for; a dry run against the number of runs, scale demo against cores.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from basins import TRIALS, trained_network
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from peers import FullBatch, Products
from timing import in_turn, machine
from training import DEEP, Ours, samples

from netdyn.figures.basin_axes import SPACES
from netdyn.figures.marks import plain_log_axis
from netdyn.figures.style import new_figure, panel
from netdyn.measures.basins.bracketing import find_basins
from netdyn.measures.ranks.rpd import rank_statistics
from netdyn.plots.style import COLOURS
from netdyn.records.files import atomic_write
from netdyn.results import runs

BASE = {"width": 128, "depth": 12, "samples": 6000}
STEPS = {
    "width": [32, 64, 128, 256, 512],
    "depth": [3, 6, 12, 24],
    "samples": [750, 1500, 3000, 6000, 12000],
}
RANKS = {"P": [1000, 4000, 16000, 64000], "N": [32, 128, 512]}
ERRORS = [0.04, 0.02, 0.01, 0.005]
PANELS = [
    ("step", ["width"], "training step by width"),
    ("step", ["depth"], "training step by depth"),
    ("step", ["samples"], "training step by samples"),
    ("rank", ["P"], "RPD and gradient by samples"),
    ("rank", ["N"], "RPD and gradient by neurons"),
    ("basin", ["sample", "weight"], "basin by its error"),
    ("pipeline", ["runs", "trivial jobs"], "dry run by runs"),
    ("pipeline", ["cores", "halved"], "all of scale demo by cores"),
]
NAMES = {"width": "width", "depth": "depth", "samples": "samples n", "P": "samples P"}
NAMES |= {"N": "neurons N", "sample": "error asked for (% of the size)", "runs": "runs or jobs"}
NAMES |= {"cores": "cores"}
UNITS = {"step": "time of a step (s)", "rank": "time (s)", "basin": "forward passes"}
UNITS |= {"pipeline": "time (s)"}
LABELS = {
    "step": {"netdyn": "netdyn", "peer": "automatic diff.", "limit": "products alone (MKL)"},
    "rank": {"netdyn": "netdyn", "limit": "one numpy sort, one thread"},
    "basin": {"sample": "sample space", "weight": "weight space"},
    "pipeline": {
        "runs": "netdyn's runs",
        "trivial jobs": "trivial jobs",
        "cores": "scale demo",
        "halved": "one core's, divided",
    },
}
LOOK = {
    "netdyn": {"color": COLOURS["blue"], "marker": "o"},
    "peer": {"color": COLOURS["orange"], "marker": "s"},
    "limit": {"color": COLOURS["grey"], "marker": "^", "linestyle": "--"},
    **SPACES,
}
LOOK |= {"runs": LOOK["netdyn"], "trivial jobs": LOOK["limit"], "cores": LOOK["netdyn"]}
LOOK |= {"halved": LOOK["limit"]}


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


def pipeline_times(path: Path) -> pd.DataFrame:
    """Read what benchmarks/pipeline.py has timed by number of runs and of cores."""
    if not path.is_file():
        raise SystemExit(f"error: {path} is missing: run benchmarks/pipeline.py --whole first")
    table = pd.read_csv(path)
    if "against" not in table or "cores" not in set(table.against):
        raise SystemExit(f"error: {path} has no times by cores: benchmarks/pipeline.py --whole")
    by_cores = table[(table.against == "cores") & table.what.str.startswith("snakemake all")]
    one = by_cores.seconds[by_cores.value == 1].item()
    halved = by_cores.assign(against="halved", seconds=one / by_cores.value)
    by_runs = table[table.against.isin(["runs", "trivial jobs"])]
    return pd.concat([by_runs, by_cores, halved]).assign(panel="pipeline")


def ticks(axes: Axes, values: Iterable[float], label: str) -> None:
    values = list(values)
    axes.set_xticks(values, [f"{value:,g}" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label)


def draw(table: pd.DataFrame) -> Figure:
    with new_figure({}, height=8.4) as figure:
        panels = figure.subplots(4, 2).flat
        for letter, axes, (part, against, title) in zip("abcdefgh", panels, PANELS, strict=True):
            panel(axes, letter, title)
            chosen = table[(table.panel == part) & (table.against.isin(against))]
            by = "who"
            if part in ("basin", "pipeline"):
                by = "against"
            if part == "basin":
                chosen = chosen.assign(value=100 * chosen.value)  # percent
            for name, rows in chosen.groupby(by, sort=False):
                label = LABELS[part][name]
                axes.loglog(rows.value, rows.seconds, label=label, **LOOK[name])
            ticks(axes, chosen.value.unique(), NAMES[against[0]])
            axes.set_ylabel(UNITS[part])
            plain_log_axis(axes)
            if letter in "adfgh":
                axes.legend(loc="best")
        return figure


def main(
    threads: int = 2,
    output: Annotated[Path, typer.Option(help="CSV, PDF and PNG, without suffix.")] = Path(
        "results/scaling"
    ),
    pipeline: Annotated[Path, typer.Option(help="What benchmarks/pipeline.py wrote.")] = Path(
        "results/pipeline.csv"
    ),
    draw_only: Annotated[bool, typer.Option(help="Draw from the tables; measure nothing.")] = False,
) -> None:
    """Measure and draw."""
    table = output.with_suffix(".csv")
    jobs = pipeline_times(pipeline)
    if not draw_only:
        measure(threads, table)
    elif not table.is_file():
        raise SystemExit(f"error: {table} is missing: leave --draw-only away to measure")
    figure = draw(pd.concat([pd.read_csv(table), jobs]))
    for suffix in (".pdf", ".png"):
        figure.savefig(output.with_suffix(suffix), dpi=200)


def measure(threads: int, path: Path) -> None:
    torch.set_num_threads(threads)
    rows = []
    for table in (step_times(threads), rank_times(), basin_times()):
        for row in table:
            rows.append(row)
            typer.echo(row, err=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        table = pd.DataFrame(rows).assign(**machine(), threads=threads)
        table.to_csv(temporary, index=False)


if __name__ == "__main__":
    typer.run(main)
