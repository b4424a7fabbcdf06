"""Where the panels of Fig. 3(a)–(g) stand on a page."""

from collections.abc import Mapping

import pandas as pd

from netdyn.figures.pages import Group
from netdyn.figures.style import required_table
from netdyn.records.figure_settings import DrawingSettings

__all__ = [
    "COURSES",
    "HEIGHTS",
    "PANELS",
    "PARTS",
    "beside_g",
    "deep_group",
    "deep_left",
    "deep_mosaic",
]

# Panel: prefix of its tables, and the run.
PANELS = {
    "a": ("deep10", "deep10_sgd"),
    "b": ("deep10", "deep10_sgd_fast"),
    "c": ("deep10", "deep10_sgd_linear"),
    "d": ("deep10", "deep10_adam"),
    "e": ("deep10", "deep10_adam_batches"),
    "f": ("deep10", "deep10_adam_linear"),
    "g": ("deep23", "deep23"),
}
# Panels, accuracies above gradients, and their relative heights.
COURSES = [["a", "b", "c"], ["a2", "b2", "c2"], ["d", "e", "f"], ["d2", "e2", "f2"]]
PARTS = [1.0, 1.7]
HEIGHTS = [0.75, 4.3, 2.5]  # inches, of the key, (a)–(f), and (g) with what stands beside it


def beside_g(seeds: int) -> list[tuple[str, str]]:
    """Return the panels, accuracies and gradients, of every seed of (g) but the first."""
    return [(f"g, {number}", f"g2, {number}") for number in range(1, seeds)]


def deep_mosaic(tables: Mapping[str, pd.DataFrame], beside: str) -> tuple[list, list[float]]:
    """Return the panels of (g), of all its seeds, with those `beside`; and their widths."""
    others = beside_g(_deep_seeds(tables))
    above, below = ([pair[part] for pair in others] for part in (0, 1))
    widths = [1.0, *(0.55 for _ in others), 1.0 + 0.25 * len(others)]
    return [["g", *above, beside], ["g2", *below, beside]], widths


def deep_left(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the panels on the left of others on a page across two columns, (a)–(g)."""
    row = ["g", *(above for above, _ in beside_g(_deep_seeds(tables)))]
    return {"b": "a", "c": "b", "e": "d", "f": "e", **dict(zip(row[1:], row, strict=False))}


def deep_group(tables: Mapping[str, pd.DataFrame], settings: DrawingSettings) -> Group:
    """Return (a)–(g) for a page whose panels flow: every seed of (g) is a panel, or the first.

    A slide has room for the first alone.
    """
    slide = settings.get("layout") == "slide"
    seeds = beside_g(1 if slide else _deep_seeds(tables))
    pairs = [*((letter, f"{letter}2") for letter in PANELS), *seeds]
    axes = {above: tuple(zip((above, below), PARTS, strict=True)) for above, below in pairs}
    cells = {"g": ("g", *(above for above, _ in seeds))}
    return Group("abcdefg", row=1.55, key=(1.25, HEIGHTS[0]), cells=cells, axes=axes)


def _deep_seeds(tables: Mapping[str, pd.DataFrame]) -> int:
    return required_table(tables, "deep23_history", ["seed"])["seed"].nunique()
