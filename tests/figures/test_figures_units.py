"""Axes that carry two units: which there are, and that the captions say both."""

import re
from pathlib import Path

import pytest
from figure_tables import SETTINGS, make_tables
from figure_tables_basins import make_basin_tables
from figure_tables_deep import make_deep_tables

from netdyn.figures import fig4, fig7, supplement

CAPTIONS = Path(__file__).parents[2] / "workflow/report/captions.rst"
SPACES = {"sample", "weight"}
UNITS = (r"pixel range|pixels range from 0 to 1", "standard deviations of each weight matrix")


def spaces_of(axes):
    """The spaces whose basins stand on an axes, by the labels of its lines."""
    return {line.get_label().split(" ")[0].rstrip(",") for line in axes.get_lines()} & SPACES


def caption(name):
    text = CAPTIONS.read_text(encoding="utf-8")
    return re.search(rf'figure == "{name}" %}}\n(.*?)\n{{% (?:elif|endif)', text, re.DOTALL)[1]


@pytest.mark.parametrize(
    ("figure", "panels", "make", "both"),
    [
        (fig7, "bc", make_tables, ["b"]),
        (supplement, "bcde", make_deep_tables, ["b", "e"]),
        (fig4, "cde", make_basin_tables, []),
    ],
)
def test_captions_say_both_units_where_basins_of_both_spaces_share_an_axis(
    figure, panels, make, both
):
    name = figure.__name__.rpartition(".")[2]
    drawn = figure.draw(make(name), SETTINGS | {"panels": list(panels)})
    shared = [
        re.search(r"\{\((\w)\)\}", axes.get_title(loc="left"))[1]
        for axes in drawn.axes
        if spaces_of(axes) == SPACES
    ]
    assert shared == both
    assert all(re.search(unit, caption(name)) for unit in UNITS)
