"""What is drawn is rounded: noise in the last digits of numbers leaves the files their bytes."""

import importlib
import io
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from figure_tables import SETTINGS, make_tables
from figure_tables_basins import make_basin_tables
from figure_tables_deep import make_deep_tables

from netdyn.figures import rounding
from netdyn.figures.pages import Page
from netdyn.figures.rounding import on_grid, rounded_table
from netdyn.figures.style import new_figure

TABLES = {
    **dict.fromkeys(("fig1", "fig2", "fig6", "fig7"), make_tables),
    **dict.fromkeys(("fig3", "fig3_training", "supplement"), make_deep_tables),
    **dict.fromkeys(("fig4", "fig5", "noise_returns"), make_basin_tables),
}
COMMITTED = Path(__file__).parents[2] / "results/cpu/reference/tables"


def noisy(table: pd.DataFrame, seed: int, size: float = 1e-12) -> pd.DataFrame:
    """Return the table with each float changed by up to a share `size` of it."""
    random = np.random.default_rng(seed)
    floats = table.select_dtypes("floating")
    changed = floats * (1 + size * random.uniform(-1, 1, floats.shape))
    return table.assign(**{name: changed[name] for name in changed})


METADATA = {"pdf": {"CreationDate": None}, "png": {"Software": None}}


def files(figure, endings=("pdf", "png")) -> list[bytes]:
    """Return the PDF and the PNG."""
    found = []
    for ending in endings:
        stream = io.BytesIO()
        figure.savefig(stream, format=ending, dpi=100, metadata=METADATA[ending])
        found.append(stream.getvalue())
    return found


def placed(figure, name):
    """Leave panels where they are, but for two figures: finding their places takes half the time.

    Every figure's places are rounded in the same way, which a test below disturbs.
    """
    if name not in ("fig2", "fig6"):
        figure.set_layout_engine("none")
    return figure


@pytest.mark.parametrize("name", TABLES)
def test_noise_in_tables_and_coordinates_leaves_every_byte_and_drawing_the_global_style(
    name, monkeypatch
):
    before = dict(matplotlib.rcParams)
    draw, tables = importlib.import_module(f"netdyn.figures.{name}").draw, TABLES[name](name, (0,))
    tables = {key: rounded_table(table) for key, table in tables.items()}
    # What is drawn reaches both files by one way: the PNG is compared of the figure with images.
    endings = ("pdf", "png") if name == "fig6" else ("pdf",)
    first = files(placed(draw(tables, SETTINGS), name), endings)
    random = np.random.default_rng(0)

    def noisy_grid(places):
        places = np.asarray(places, dtype=float)
        return on_grid(places * (1 + 1e-12 * random.uniform(-1, 1, places.shape)))

    # As another processor would have it: other last digits of what is read and of what is computed.
    monkeypatch.setattr(rounding, "on_grid", noisy_grid)
    changed = {key: rounded_table(noisy(table, 1)) for key, table in tables.items()}
    assert files(placed(draw(changed, SETTINGS), name), endings) == first
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", ["architecture_history", "deep23_cone", "deep23_projection"])
def test_tables_are_as_they_were_written(name, seed):
    table = pd.read_csv(COMMITTED / f"{name}.csv")
    changed = noisy(table, seed)
    assert not changed.equals(table)
    pd.testing.assert_frame_equal(rounded_table(changed), table, check_exact=True)


def test_rounding_a_table_keeps_what_is_no_float():
    table = pd.DataFrame(
        {"run": ["a", "b"], "step": [1, 10**15], "x": [np.inf, np.nan], "y": [1 / 3, -1e-300]}
    )
    rounded = rounded_table(table)
    pd.testing.assert_frame_equal(rounded.drop(columns="y"), table.drop(columns="y"))
    assert rounded["y"].tolist() == [0.333333333, -1e-300]
    assert list(rounded.columns) == list(table.columns)


def test_simple_fractions_are_far_from_where_rounding_jumps():
    # Thousandths of a unit, and all that the layout's millionths of a page make of them.
    simple = np.concatenate([np.arange(64_000) / 1000, np.arange(10**6) * 504e-6])
    for noise in (1e-10, -1e-10):
        np.testing.assert_array_equal(on_grid(simple + noise), on_grid(simple))
    assert np.abs(on_grid(simple) - simple).max() < 1 / 64
    np.testing.assert_array_equal(on_grid(on_grid(simple)), on_grid(simple))


@pytest.mark.parametrize("noise", [1e-13, -1e-13])
def test_noise_of_the_layout_and_of_clipping_leaves_every_byte(noise):
    drawn = []
    for shift in (0.0, noise):
        with new_figure({"title": "a"}, Page({}, {"double": 2.0})) as figure:
            figure.set_layout_engine("none")
            axes = figure.add_axes((0.1 + shift, 0.2 - shift, 0.7 + shift, 0.6))
            axes.plot([0.1, 0.5, 0.9], [0.0, 2.0, 1.0], marker="o")
            axes.fill_between([0.1, 0.9], [0.0, 0.2], [1.0, 1.1], alpha=0.2)
            axes.scatter([0.2, 0.3], [0.5, 0.7], s=[3.0, 9.0], rasterized=True)
            axes.imshow(np.eye(4), extent=(0.2, 0.4, 0.1, 0.3), aspect="auto")
            axes.set_xlim(0.0, 1.0)
            axes.set_ylim(0.0, 1.5)  # some of the line is cut off
        drawn.append(files(figure))
    assert drawn[0] == drawn[1]
