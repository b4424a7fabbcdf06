"""Texts in figures that describe their data: training, network, samples, seeds, return of noise.

Seeds are counted in the tables. The rest comes from the figure's settings, and is empty without.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from netdyn.records.figure_settings import DrawingSettings

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
    """Join the non-empty parts with commas."""
    return ", ".join(part for part in parts if part)


def optimizer_of(settings: DrawingSettings, run: str) -> str:
    """Return the optimizer's name as printed, "" if the settings do not describe the run."""
    return OPTIMIZERS.get(_run_settings(settings, run).get("optimizer"), "")


def training_of(settings: DrawingSettings, run: str) -> str:
    """Return optimizer, rate, "linear" for an identity activation, and a batch that is not full."""
    run_settings = _run_settings(settings, run)
    if not run_settings:
        return run
    rate, batch = run_settings.get("learning_rate"), run_settings.get("batch_size")
    return listed(
        optimizer_of(settings, run),
        "" if rate is None else f"rate {rate:g}",
        "linear" if run_settings.get("activation") == "identity" else "",
        f"batch {batch:,}" if isinstance(batch, int) else "",
    )


def shape_of(settings: DrawingSettings, *runs: str) -> str:
    """Return the depth and the width that the networks have in common; "" if they differ."""
    depths = {_run_settings(settings, run).get("depth") for run in runs}
    widths = {width for run in runs for width in _run_settings(settings, run).get("width", (None,))}
    if None in depths | widths or len(depths) != 1 or len(widths) != 1:
        return ""
    return f"{depths.pop()} layers of {widths.pop():,}"


def samples_of(settings: DrawingSettings, *runs: str) -> str:
    """Return the number of training samples, "n = 600"; its range where runs differ."""
    counts = {_run_settings(settings, run).get("samples") for run in runs} - {None}
    if not counts:
        return ""
    fewest, most = min(counts), max(counts)
    return f"n = {fewest:,}" if fewest == most else f"n = {fewest:,} to {most:,}"


def seeds_of(table: pd.DataFrame, points: Iterable[str] = ()) -> str:
    """Return the seed, or the number of seeds per combination of `points`, as text."""
    seeds = sorted(set(table["seed"]))
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    points = list(points)
    counts = table.groupby(points)["seed"].nunique() if points else [len(seeds)]
    fewest, most = min(counts), max(counts)
    return f"{most} seeds" if fewest == most else f"{fewest} to {most} seeds"


def return_of(settings: DrawingSettings, table: str) -> str:
    """Return how the noisy samples of a table return to the data's range, as text."""
    return RETURNS.get(settings.get("noise_return", {}).get(table), "")


def _run_settings(settings: DrawingSettings, run: str) -> Mapping:
    return settings.get("runs", {}).get(run, {})
