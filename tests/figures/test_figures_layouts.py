"""Figures for one column and for slides: size, type, contrast, legends, and choice of panels."""

import functools
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from figure_boxes import assert_readable
from figure_colours import entries, look, marks, words
from figure_tables import make_tables
from figure_tables_basins import make_basin_tables
from figure_tables_deep import make_deep_tables
from matplotlib.lines import Line2D
from matplotlib.text import Text
from multiverse_tables import make_readings, make_settings

from netdyn.errors import NetdynError
from netdyn.figures import multiverse
from netdyn.figures.pages import Group, Page
from netdyn.plan.targets import Plan
from netdyn.plots.contrast import contrast, darkened

ROOT = Path(__file__).parents[2]
WIDTH = {"single": 85 / 25.4, "slide": 7.0}  # inches
HEIGHT = {"single": 240 / 25.4, "slide": 3.94}  # at most
TABLES = {
    **dict.fromkeys(("fig1", "fig2", "fig6", "fig7"), make_tables),
    **dict.fromkeys(("fig3", "fig3_training", "supplement"), make_deep_tables),
    **dict.fromkeys(("fig4", "fig5", "noise_returns"), make_basin_tables),
}
# Panels that fit on a page; all of the figure's if "".
PAGES = [
    ("fig1", "single", ""),
    ("fig1", "slide", "ac"),
    ("fig2", "single", ""),
    ("fig3", "single", "abcdefg"),
    ("fig3", "slide", "adgh"),
    ("fig4", "single", "abcdefg"),
    ("fig4", "slide", "abgh"),
    ("fig5", "single", ""),
    ("fig5", "slide", ""),
    ("fig6", "single", ""),
    ("fig6", "slide", ""),
    ("fig7", "single", "abcd"),
    ("fig7", "single", "efgh"),
    ("fig7", "slide", "abcd"),
    ("noise_returns", "single", ""),
    ("noise_returns", "slide", ""),
    ("supplement", "single", "abcde"),
]


@functools.cache
def plan():
    return Plan(ROOT, {}, "paper")


@functools.cache
def drawn(name, layout, panels):
    """The figure, laid out; only looked at."""
    settings = {**plan().figure_settings(name), "layout": layout}
    settings.pop("large_samples", None)  # of the committed tables
    if panels:
        settings["panels"] = list(panels)
    draw = importlib.import_module(f"netdyn.figures.{name}").draw
    figure = draw(TABLES[name](name, (0, 1)), settings)
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize(("name", "layout", "panels"), PAGES)
def test_words_of_a_layout_are_on_the_page_and_large_enough(name, layout, panels):
    figure = drawn(name, layout, panels)
    assert_readable(figure)
    assert figure.get_figwidth() == pytest.approx(WIDTH[layout])
    assert figure.get_figheight() <= HEIGHT[layout] + 1e-9
    assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text()) >= 6
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    letters = re.findall(r"\(([a-z])\)\}", titles)
    assert sorted(letters) == sorted(panels or letters)
    assert letters


@pytest.mark.parametrize(("name", "layout", "panels"), PAGES)
def test_lines_markers_and_words_stand_out_from_white(name, layout, panels):
    figure = drawn(name, layout, panels)
    faint = {what for what, colour, alpha in marks(figure) if contrast(colour, alpha) < 2.995}
    assert faint == set()
    assert {text for text, colour in words(figure) if contrast(colour) < 4.495} == set()


@pytest.mark.parametrize(("name", "layout", "panels"), PAGES)
def test_legends_show_what_is_drawn(name, layout, panels):
    figure = drawn(name, layout, panels)
    lines = [line for axes in figure.axes for line in axes.findobj(Line2D) if line in axes.lines]
    shapes = {look(line)[2:] for line in figure.findobj(Line2D)} - {(None, None)}
    for text, handle in entries(figure):
        named = {look(line) for line in lines if line.get_label() == text}
        assert not named or look(handle) in named, text
        assert look(handle)[2] is None or look(handle)[2:] in shapes


def test_contrast_is_that_of_wcag():
    assert contrast("black") == pytest.approx(21)
    assert contrast("white") == pytest.approx(1)
    assert contrast("#767676") == pytest.approx(4.54, abs=0.005)  # the lightest grey of text
    assert contrast("#0000ff") == pytest.approx(8.59, abs=0.005)
    assert contrast("black", 0) == contrast((0, 0, 0, 0)) == pytest.approx(1)
    assert contrast("black", 0.5) == pytest.approx(contrast("#808080"), abs=0.05)


@pytest.mark.parametrize("least", [3.0, 4.5])
def test_light_colours_are_darkened_and_others_are_kept(least):
    light, dark = darkened(["yellow", "#000080"], least)
    assert least <= contrast(light) < least + 0.1
    assert light[0] == pytest.approx(light[1])  # the same hue
    np.testing.assert_array_equal(dark, [0, 0, 128 / 255, 1])
    np.testing.assert_array_equal(darkened("yellow", least), light)
    both = darkened(["yellow", "orange", "#000080"], least, together=True)
    assert contrast(both[0]) < contrast(both[1]) < contrast(both[2])
    assert contrast(both[2]) > contrast("#000080")


def test_title_and_footer_are_left_out_on_request(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def texts(**switches):
        settings = Plan(ROOT, {"figures": {"fig1": switches}}, "cpu").figure_settings("fig1")
        draw = importlib.import_module("netdyn.figures.fig1").draw
        return {text.get_text() for text in draw(make_tables("fig1"), settings).findobj(Text)}

    assert texts() - texts(title=False, footer=False) == {"Figure 1", "toy neurons"}


GROUPS = (
    Group("abc", row=3.0, wide="a", key=(0.5, 0.2)),
    Group("de", row=2.0, columns=1, cells={"e": ("e", "e, 1")}),
)


def page(**settings):
    return Page(settings, {"double": 9.0}, GROUPS)


def test_a_page_is_as_high_as_its_panels():
    assert (page().height, page().flows) == (9.0, False)
    assert page(layout="single", panels=["b", "c"]).height == pytest.approx(0.5 + 3.0)
    assert page(layout="single", panels=["a", "b"]).height == pytest.approx(0.5 + 2 * 3.0)
    assert page(layout="single", panels=["e"]).height == pytest.approx(2 * 2.0)
    with_texts = page(layout="single", panels=["d"], title="one", note="two")
    assert with_texts.height == pytest.approx(2.0 + 0.22 + 0.18)
    assert page(panels=["d"]).width == 7.0
    assert page(layout="slide").height == 3.94


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "triple"}, "layout: this figure has no 'triple': choose one of double, single"),
        ({"layout": "poster"}, "layout: this figure has no 'poster': choose one of double, single"),
        ({"panels": ["a", "x"]}, "panels: this figure has no 'x': it has a, b, c, d, e"),
        ({"panels": ["ab"]}, "panels: this figure has no 'ab': it has a, b, c, d, e"),
        ({"panels": []}, "panels: choose at least one of a, b, c, d, e"),
        (
            {"layout": "single"},
            r"they take 31[78] mm, a page has 240 mm: .*: \[a, b, c, d\]$",
        ),
        (
            {"layout": "single", "panels": ["e", "d", "c", "b"], "title": "one"},
            r"the panels b, c, d, e do not fit on one page, .*panels: \[b, c, d\]$",
        ),
    ],
)
def test_what_a_page_cannot_hold_is_named_with_what_it_can(settings, message):
    with pytest.raises(NetdynError, match=message):
        page(**settings)


def test_a_slide_holds_six_panels():
    with pytest.raises(NetdynError, match=r"a slide holds 6 panels: .*\[b, c, d, e, f, g\]$"):
        Page({"layout": "slide"}, {}, (Group("bcdefghijk", row=1.0),))
    chosen = {"layout": "slide", "panels": list("bcdefg")}
    assert Page(chosen, {}, (Group("bcdefghijk", row=1.0),)).letters == "bcdefg"


@pytest.mark.parametrize("layout", ["single", "slide"])
def test_the_multiverse_has_one_layout(layout):
    settings = {**make_settings(), "layout": layout}
    with pytest.raises(NetdynError, match=f"no {layout!r}: choose one of double$"):
        multiverse.draw({"readings": make_readings()}, settings)
