"""The changes of the table in docs/reruns.md: how each is made, and what the page says of it.

python tests/helpers/reruns.py     prints the table as it should be
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dag import ROOT, TINY, copy_repository, planned, run

__all__ = ["CHANGES", "RULES", "as_if_finished", "made", "row", "together", "told"]

RULES = (
    *("prepare_data", "translate_data", "train_run", "measure_run", "tabulate", "draw_figure"),
    *("score_claims", "page_claims", "page_runs", "index_provenance"),
)


@contextmanager
def made(change: Callable, folder: Path) -> Iterator[tuple[str, ...]]:
    """Make a change in a finished folder and give Snakemake's arguments; take it back after."""
    before: dict[Path, tuple[bytes, os.stat_result]] = {}

    def keep(path: Path) -> Path:
        before[path] = path.read_bytes(), path.stat()
        return path

    try:
        yield change(folder, keep)
    finally:
        for path, (content, stamp) in before.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def edited(name: str, old: str, new: str) -> Callable:
    def change(folder, keep):
        path = keep(folder / name)
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} holds no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return TINY

    return change


def code(module: str, text: str = "\nCHANGED = 1\n") -> Callable:
    """Append to a module; the default changes its meaning."""

    def change(folder, keep):
        path = keep(folder / "src/netdyn" / f"{module}.py")
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
        return TINY

    return change


def settings(text: str) -> Callable:
    """Lay settings over the tiny ones."""

    def change(folder, keep):
        (folder / "changed.yaml").write_text(text, encoding="utf-8")
        return (*TINY, "changed.yaml")

    return change


def asked(*arguments: str) -> Callable:
    return lambda folder, keep: (*arguments, *TINY)


def profile(folder, keep):
    path = folder / "other/config.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("cores: 1\nkeep-going: true\n", encoding="utf-8")
    return ("--profile", "other", *TINY)


def touched(folder, keep):
    for path in folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()
    return TINY


def lost(pattern: str, *targets: str) -> Callable:
    """Delete files, and ask for `targets`."""

    def change(folder, keep):
        found = [path for path in (folder / "results").glob(pattern) if path.is_file()]
        assert found, f"no {pattern}"
        for path in found:
            keep(path).unlink()
        return (*targets, *TINY)

    return change


CHANGES: dict[str, Callable] = {
    "nothing": asked(),
    "a comment": code("training/train", "\n# Said again.\n"),
    "a docstring": edited("src/netdyn/training/train.py", '"""Training: ', '"""Again: '),
    "a touch of every file": touched,
    "another number of cores": asked("--cores", "1"),
    "another profile": profile,
    "`device`, `engine`, `data_root`, `checkpoint_seconds`": settings(
        "{device: cpu, engine: plain, data_root: elsewhere, checkpoint_seconds: 5}"
    ),
    "the command line, `cli.py`": code("cli"),
    "the style of figures, `figures/style.py`": code("figures/style"),
    "resolution, `PNG_DPI` in `figures/drawing.py`": edited(
        "src/netdyn/figures/drawing.py", "= 200", "= 100"
    ),
    "one figure's drawing, `figures/fig7.py`": code("figures/fig7"),
    "one figure's setting, `figures.fig2.small_samples`": settings(
        "figures: {fig2: {small_samples: 100}}"
    ),
    "a claim's judging, `claims/shallow.py`": code("claims/shallow"),
    "a threshold, `workflow/claims.yaml`": edited("workflow/claims.yaml", "claims:", "# \nclaims:"),
    "a bin count, `measurements.shallow_rpd.bins`": settings(
        "measurements: {shallow_rpd: {bins: 20}}"
    ),
    "a measurement, `measures/ranks/rpd.py`": code("measures/ranks/rpd"),
    "a measurement, `measures/basins/sizes.py`": code("measures/basins/sizes"),
    "a measurement, `measures/projections.py`": code("measures/projections"),
    "networks, `networks/mlp.py`": code("networks/mlp"),
    "putting tables together, `results/tables.py`": code("results/tables"),
    "one run's rate, `runs.grokking.learning_rate`": settings(
        "runs: {grokking: {learning_rate: 0.004}}"
    ),
    "a seed more, `runs.grokking.seeds`": settings("runs: {grokking: {seeds: [0, 1]}}"),
    "training, `training/train.py`": code("training/train"),
    "data sets, `data/datasets.py`": code("data/datasets"),
    "translated data, `data/translation.py`": code("data/translation"),
    "another data set, `dataset`": settings("dataset: fashion_mnist"),
    "another scale, `scale: paper`": settings(
        # Its batches of 200 are larger than the tiny sets.
        "{scale: paper, runs: {shallow: {batch_size: 50}}}"
    ),
    "a figure's PNG is lost": lost("demo/figures/fig2.png"),
    "a table is lost": lost("demo/tables/shallow_rpd.csv", "tables"),
    "a table is lost, its figures asked for": lost("demo/tables/shallow_rpd.csv"),
    "a run is lost": lost("demo/runs/grokking*/*", "runs"),
    "a run is lost, its figures asked for": lost("demo/runs/grokking*/*"),
    "the prepared data are lost": lost(
        "data/digits.safetensors", "results/data/digits.safetensors"
    ),
    "the prepared data are lost, figures asked for": lost("data/digits.safetensors"),
}


def together(changes: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the arguments of several changes at once: options first, then files of settings."""
    places = [(arguments, arguments.index(TINY[0])) for arguments in changes]
    options = [word for arguments, place in places for word in arguments[:place]]
    files = [word for arguments, place in places for word in arguments[place + len(TINY) :]]
    return (*options, *TINY, *files)


def row(change: str, jobs: dict[str, int]) -> str:
    """Return a row of the page's table."""
    counts = (str(jobs[rule]) if rule in jobs else "·" for rule in RULES)
    return f"| {change} | {' | '.join(counts)} |"


def told() -> dict[str, str]:
    """Return the rows of the page's table, by their change."""
    lines = (ROOT / "docs/reruns.md").read_text(encoding="utf-8").splitlines()
    # A row has a cell for the change and one per rule.
    rows = [line for line in lines if re.fullmatch(rf"\|[^|]+\|( [\d·]+ \|){{{len(RULES)}}}", line)]
    return {line.split("|")[1].strip(): line for line in rows}


def as_if_finished(folder: Path) -> Path:
    """Return a copy of the repository that Snakemake takes for finished, its results being empty.

    Which jobs a change runs again doesn't hang on what is in them.
    """
    copy_repository(folder)
    for line in run(folder, "--summary", *TINY).splitlines():
        if line.startswith("results/"):
            path = folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{path.name}\n", encoding="utf-8")
    run(folder, "--touch", "--forceall", *TINY)
    return folder


def main() -> None:
    print(f"| after a change of | {' | '.join(RULES)} |")
    print(f"| --- |{' ---: |' * len(RULES)}")
    with tempfile.TemporaryDirectory() as name:
        folder = as_if_finished(Path(name))
        for text, change in CHANGES.items():
            with made(change, folder) as arguments:
                print(row(text, planned(folder, *arguments)), flush=True)


if __name__ == "__main__":
    main()
