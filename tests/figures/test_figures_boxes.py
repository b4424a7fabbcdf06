"""Figures as a reader sees them, with all the words of scale paper: see `figure_boxes`."""

import importlib
import json
from pathlib import Path

import pytest
from figure_boxes import assert_readable, outside, overlaps
from figure_tables import make_tables
from figure_tables_basins import make_basin_tables
from figure_tables_deep import make_deep_tables
from matplotlib.figure import Figure

from netdyn.plan.targets import Plan

ROOT = Path(__file__).parents[2]
TABLES = {
    **dict.fromkeys(("fig1", "fig2", "fig6", "fig7"), make_tables),
    **dict.fromkeys(("fig3", "fig3_training", "supplement"), make_deep_tables),
    **dict.fromkeys(("fig4", "fig5", "noise_returns"), make_basin_tables),
}


@pytest.mark.parametrize("name", TABLES)
def test_all_words_stand_on_the_page_and_not_on_each_other(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = json.loads(Path(Plan(ROOT, {}, "paper").figure_settings_file(name)).read_text())
    settings.pop("large_samples", None)  # of the paper's tables
    draw = importlib.import_module(f"netdyn.figures.{name}").draw
    figure = draw(TABLES[name](name, (0, 1, 2)), settings)
    figure.draw_without_rendering()
    assert_readable(figure)


def test_words_beyond_the_page_and_on_each_other_are_found():
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.set_title("short")
    axes.plot([0, 1], label="line")
    assert outside(figure) == [0, 0, 0, 0]
    assert overlaps(figure) == []
    axes.set_title("a title that is much too long for a panel as narrow as this one" * 2)
    _, _, right, _ = outside(figure)
    assert right > 0
    axes.set_title("short")
    axes.text(0, 0.5, "one")
    axes.text(0.02, 0.51, "other")
    assert overlaps(figure) == [("one", "other")]
    axes.texts[1].remove()
    axes.legend(loc="center left")
    figure.draw_without_rendering()
    assert ("legend 'line'", "one") in overlaps(figure)
