"""How long the pipeline takes: imports, dry runs, runs, all of scale demo.

    python benchmarks/pipeline.py --output pipeline.csv            # some minutes
    python benchmarks/pipeline.py --output pipeline.csv --whole    # and some more

Each is the median of `--repeats` in a copy of the repository without results; `--whole` makes
everything at scale demo in such a copy, once with each number of cores. Seconds of the processor,
of all jobs together, stand beside those of the clock: they are what another's load changes least.
`benchmarks/scaling.py` draws what has a column `value`.
"""

import csv
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
PARTS = ("Snakefile", "config.yaml", "profiles", "src", "workflow", "tests/workflow_tiny.yaml")
MODULES = (
    "netdyn.plan.targets",
    "netdyn.cli",
    "netdyn.training.train",
    "netdyn.quantities.basin_size",
)
RUNS = (500, 1_000, 2_000)
POINTS = 8  # of the sweep `architecture` at scale demo
# As many trivial jobs and their target: what Snakemake itself takes, whatever the rules say.
TRIVIAL = """
rule all:
    input: expand("out/{{number}}.txt", number=range({jobs}))
rule one:
    output: "out/{{number}}.txt"
    shell: "touch {{output}}"
"""

COLUMNS = ("what", "against", "value", "seconds", "processor_seconds", "repeats")

Seconds = tuple[float, float]


def main(
    output: Annotated[Path, typer.Option(help="The table, CSV.")],
    repeats: Annotated[int, typer.Option(help="How often each is timed.", min=1)] = 3,
    complete: Annotated[
        bool, typer.Option("--whole", help="Everything at scale demo, by cores.")
    ] = False,
) -> None:
    """Time the pipeline; print a table and write it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    with tempfile.TemporaryDirectory() as name:
        folder, trivial = _copy(Path(name) / "copy"), Path(name) / "trivial"
        trivial.mkdir()
        for module in MODULES:
            command = [sys.executable, "-c", f"import {module}"]
            rows.append(_row(f"import {module}", folder, command, repeats))
        dry = [snakemake, "-n", "figures", "--configfile", "many.yaml"]
        for runs in RUNS:
            seeds = [*range(runs // POINTS)]
            (folder / "many.yaml").write_text(
                f"runs: {{architecture: {{seeds: {seeds}}}}}\n", encoding="utf-8"
            )
            _timed(folder, dry)  # lays out the settings
            what = f"snakemake -n, {runs:,} runs"
            rows.append(_row(what, folder, dry, repeats) | {"against": "runs", "value": runs})
            (trivial / "Snakefile").write_text(TRIVIAL.format(jobs=runs), encoding="utf-8")
            what = f"snakemake -n, {runs:,} trivial jobs"
            rows.append(
                _row(what, trivial, dry[:2], repeats) | {"against": "trivial jobs", "value": runs}
            )
        if complete:
            for cores in range(1, (os.cpu_count() or 1) + 1):
                target_folder = _copy(Path(name) / f"whole-{cores}")
                for target in ("figures", "all"):  # the second makes what is left
                    command = [snakemake, target, "--cores", str(cores)]
                    what = f"snakemake {target}, scale demo, {cores} cores"
                    rows.append(
                        _row(what, target_folder, command, 1) | {"against": "cores", "value": cores}
                    )
                figures, rest = rows[-2:]
                for column in ("seconds", "processor_seconds"):
                    rest[column] = round(figures[column] + rest[column], 2)
        else:
            target_folder = folder
            tiny = ["--configfile", "tests/workflow_tiny.yaml"]
            rows.append(_row("figures, tiny", target_folder, [snakemake, "figures", *tiny], 1))
        again = [snakemake, "figures", *([] if complete else tiny)]
        rows.append(_row("figures again, nothing to be done", target_folder, again, repeats))
    with output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in COLUMNS))
    Console().print(table)


def _copy(target: Path) -> Path:
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part)
        else:
            shutil.copy2(ROOT / part, target / part)
    return target


def _row(what: str, folder: Path, command: Sequence[str], repeats: int) -> dict:
    times = [_timed(folder, command) for _ in range(repeats)]
    clock, processor = (round(statistics.median(each), 2) for each in zip(*times, strict=True))
    return {"what": what, "seconds": clock, "processor_seconds": processor, "repeats": repeats}


def _timed(folder: Path, command: Sequence[str]) -> Seconds:
    """Run a command; return seconds of the clock, and of the processor with all it started."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    before, since = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    completed = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    seconds = time.monotonic() - since
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if completed.returncode:
        raise SystemExit(
            f"error: {' '.join(command)} failed:\n{completed.stdout}{completed.stderr}"
        )
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    typer.run(main)
