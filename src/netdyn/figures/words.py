"""What figures say of what is behind them: trainings, samples, seeds, the return of noisy samples.

Seeds are counted in the tables; the rest is handed on with a figure's settings, or left unsaid.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

__all__ = [
    "listed",
    "optimizer_of",
    "return_of",
    "samples_of",
    "seeds_of",
    "shape_of",
    "training_of",
]

OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
RETURNS = {
    "affine": "returned affinely",
    "range": "returned to its own range",
    "clip": "clipped to the data's range",
}


def listed(*parts: str) -> str:
    """Return the parts that are not empty, with commas between them."""
    return ", ".join(part for part in parts if part)


def optimizer_of(settings: Mapping, run: str) -> str:
    return OPTIMIZERS.get(_told(settings, run).get("optimizer"), "")


def training_of(settings: Mapping, run: str) -> str:
    """Return optimizer, rate, "linear" for an identity activation, and a batch that is not full."""
    told = _told(settings, run)
    if not told:
        return run
    rate, batch = told.get("learning_rate"), told.get("batch_size")
    return listed(
        optimizer_of(settings, run),
        "" if rate is None else f"rate {rate:g}",
        "linear" if told.get("activation") == "identity" else "",
        f"batch {batch:,}" if isinstance(batch, int) else "",
    )


def shape_of(settings: Mapping, *runs: str) -> str:
    """Return depth and width of networks that have them in common, in every hidden layer."""
    depths = {_told(settings, run).get("depth") for run in runs}
    widths = {width for run in runs for width in _told(settings, run).get("width", (None,))}
    if None in depths | widths or len(depths) != 1 or len(widths) != 1:
        return ""
    return f"{depths.pop()} layers of {widths.pop():,}"


def samples_of(settings: Mapping, *runs: str) -> str:
    """Return the number n of training samples, or the fewest and the most where runs differ."""
    counts = {_told(settings, run).get("samples") for run in runs} - {None}
    if not counts:
        return ""
    few, most = min(counts), max(counts)
    return f"n = {few:,}" if few == most else f"n = {few:,} to {most:,}"


def seeds_of(table: pd.DataFrame, points: Iterable[str] = ()) -> str:
    """Return which seed, or how many, a table has of every combination of `points`."""
    seeds = sorted(set(table["seed"]))
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    points = list(points)
    counts = table.groupby(points)["seed"].nunique() if points else [len(seeds)]
    few, most = min(counts), max(counts)
    return f"{most} seeds" if few == most else f"{few} to {most} seeds"


def return_of(settings: Mapping, table: str) -> str:
    """Return how the noisy samples behind a table came back to the data's range."""
    return RETURNS.get(settings.get("noise_return", {}).get(table), "")


def _told(settings: Mapping, run: str) -> Mapping:
    return settings.get("runs", {}).get(run, {})
