"""How fast netdyn is: against what one would otherwise write, and against the machine's limit.

    python benchmarks/bench.py --output results/bench.csv

Prints a table and writes it as CSV. "peer" is in `peers.py`; "limit" is the time of the matrix
products alone, or of one single-threaded numpy sort. Ratios are peer/netdyn and netdyn/limit.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from timing import machine

from netdyn.records.files import atomic_write

COLUMNS = ("what", "netdyn_s", "peer_s", "limit_s", "peer_ratio", "peer_ratios", "limit_ratio")
COLUMNS += ("bar", "met")


def row(
    what: str,
    times: dict[str, float],
    faster: float | None = None,
    limit: float | None = None,
    note: str = "",
) -> dict:
    """Return a row; the bars are the least peer/netdyn and the largest netdyn/limit."""
    peer_ratio = times.get("peer", math.nan) / times["netdyn"]
    limit_ratio = times["netdyn"] / times.get("limit", math.nan)
    each = getattr(times, "faster", None)  # of every repeat
    bars, met = [], []
    if faster is not None:
        bars.append(f"≥ {faster:g} × peer")
        met.append(peer_ratio >= faster)
    if limit is not None:
        bars.append(f"≤ {limit:g} × limit")
        met.append(limit_ratio <= limit)
    return {
        "what": what,
        "netdyn_s": times["netdyn"],
        "peer_s": times.get("peer", math.nan),
        "limit_s": times.get("limit", math.nan),
        "peer_ratio": peer_ratio,
        "limit_ratio": limit_ratio,
        "peer_ratios": f"{each[0]:.3g} – {each[-1]:.3g}" if each else "",
        "bar": ", ".join(bars),
        "met": ("yes" if all(met) else "no") if met else "",
        "note": note,
    }


def shallow_steps(threads: int) -> Iterator[dict]:
    import training

    random, real = training.samples(1000), training.mnist(1000)
    for precision, bar in (("float32", 8), ("float64", 4)):
        for name, given in (("MNIST", real), ("random images", random)):
            if given is None:
                continue
            times = training.shallow(precision, threads, repeats=9, given=given)
            used = training.inputs_used(given[0])
            what = f"step 784–200–200–10, batch 200, {precision}, {name} ({used} inputs used)"
            yield row(what, times, faster=bar, note=_onednn(times))


def _onednn(times: dict[str, float]) -> str:
    return f"products alone by oneDNN {times['onednn']:.3g} s" if "onednn" in times else ""


def deep_steps(threads: int) -> Iterator[dict]:
    import training

    times = training.deep(threads, repeats=3)
    yield row("step 23 × 128, n = 60,000, float32", times, limit=1.35, note=_onednn(times))
    from netdyn.training.engine.precision import PRODUCTS, products

    how = products("bfloat16", training.torch.device("cpu"))
    if how == PRODUCTS["native"]:
        times = training.deep_bfloat16(threads, repeats=3)
        yield row("the same in bfloat16, against float32 eager", times, faster=2.6)
    else:
        times = training.deep_bfloat16(threads, repeats=1, count=6000)
        note = "no bfloat16 instructions here; n = 6,000"
        yield row("the same in bfloat16, against float32 eager", times, faster=2.6, note=note)


def seeds(threads: int) -> Iterator[dict]:
    import training

    for each in dict.fromkeys((1, threads)):
        what = f"8 seeds of 784–200–200–10, against one after another on {each} thread(s)"
        yield row(what, training.seeds(threads, each, repeats=5), faster=1.4)


def ranks(threads: int) -> Iterator[dict]:
    import ranks

    times = ranks.both(threads, repeats=3)
    note = f"peak memory {times.pop('memory'):.1f} × input"
    what = "RPD and gradient, P = 60,000, N = 512, 10 classes"
    yield row(what, times, faster=14, limit=1.7, note=note)


def basins(threads: int) -> Iterator[dict]:
    import basins

    results = basins.both(threads)
    total = {who: sum(each[who] for each in results.values()) for who in ("netdyn", "peer")}
    note = "; ".join(
        f"{space}: {each['passes']:.0f} passes of {each['rounds']}, size {each['size']:.3f} ± "
        f"{each['error']:.3f}"
        for space, each in results.items()
    )
    yield row("both basins with errors, 12 × 512, 10,000 samples", total, faster=6, note=note)


CASES: dict[str, Callable[[int], Iterator[dict]]] = {
    "shallow": shallow_steps,
    "deep": deep_steps,
    "seeds": seeds,
    "ranks": ranks,
    "basins": basins,
}


def cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "–" if math.isnan(value) else f"{value:.3g}"


def show(rows: list[dict]) -> Table:
    table = Table(title="medians; seconds", title_justify="left")
    for column in (*COLUMNS, "note"):
        table.add_column(column.replace("_", " "))
    for each in rows:
        values = (each[column] for column in (*COLUMNS, "note"))
        table.add_row(
            *("–" if v != v else f"{v:.4g}" if isinstance(v, float) else v for v in values)
        )
    return table


def main(
    cases: Annotated[list[str] | None, typer.Argument(help=", ".join(CASES))] = None,
    threads: int = 2,
    output: Annotated[Path, typer.Option(help="The table, CSV.")] = Path("results/bench.csv"),
) -> None:
    """Time every case, or those named."""
    unknown = set(cases or ()) - set(CASES)
    if unknown:
        raise typer.BadParameter(f"no case {', '.join(sorted(unknown))}: {', '.join(CASES)}")
    rows: list[dict] = []
    progress = Console(stderr=True)
    for name in cases or CASES:
        for each in CASES[name](threads):
            rows.append(each)
            progress.print(f"{each['what']}: {each['netdyn_s']:.4g} s")
    here = {**machine(), "threads": threads}
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(output) as temporary:
        pd.DataFrame(rows).assign(**here).to_csv(temporary, index=False)
    console = Console(width=None if Console().is_terminal else 200)
    console.print(", ".join(f"{name} {value}" for name, value in here.items()))
    console.print(show(rows))
    console.print(f"written to {output}")


if __name__ == "__main__":
    typer.run(main)
