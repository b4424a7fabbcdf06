"""Figures for one column and for slides: their size, their type, and their words on the page."""

import importlib
import json
from pathlib import Path

import pytest
from figure_boxes import assert_readable
from figure_tables import make_tables
from matplotlib.text import Text

from netdyn.errors import NetdynError
from netdyn.plan.targets import Plan

ROOT = Path(__file__).parents[2]
SIZES = {"single": (85 / 25.4, 9.0), "slide": (7.0, 3.94)}  # inches: width, and height at most


def drawn(name, layout, tmp_path, monkeypatch, **texts):
    monkeypatch.chdir(tmp_path)
    config = {"figures": {name: {"layout": layout, **texts}}}
    settings = json.loads(Path(Plan(ROOT, config, "cpu").figure_settings_file(name)).read_text())
    settings.pop("large_samples", None)  # of the committed tables
    draw = importlib.import_module(f"netdyn.figures.{name}").draw
    return draw(make_tables(name, (0, 1)), settings)


@pytest.mark.parametrize("layout", SIZES)
@pytest.mark.parametrize("name", ["fig1", "fig2"])
def test_words_of_a_layout_are_on_the_page_and_large_enough(name, layout, tmp_path, monkeypatch):
    figure = drawn(name, layout, tmp_path, monkeypatch)
    figure.draw_without_rendering()
    assert_readable(figure)
    width, height = SIZES[layout]
    assert figure.get_figwidth() == pytest.approx(width)
    assert figure.get_figheight() <= height
    assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text()) >= 6


def test_title_and_footer_are_left_out_on_request(tmp_path, monkeypatch):
    def words(**texts):
        figure = drawn("fig1", "double", tmp_path, monkeypatch, **texts)
        return {text.get_text() for text in figure.findobj(Text)}

    assert words() - words(title=False, footer=False) == {"Figure 1", "toy neurons"}


@pytest.mark.parametrize("layout", ["single", "slide"])
def test_a_layout_that_a_figure_does_not_have_is_named_with_those_that_it_has(
    layout, tmp_path, monkeypatch
):
    with pytest.raises(NetdynError, match=f"no {layout!r}: choose one of double$"):
        drawn("fig7", layout, tmp_path, monkeypatch)
