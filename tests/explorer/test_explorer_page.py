"""Pages of one file: what they hold, that they ask for nothing, and faults in one line."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from netdyn.errors import NetdynError
from netdyn.explorer import bundle
from netdyn.explorer.encoding import LEVELS, pack, plain, script_json, unpack
from netdyn.explorer.page import Panel, write_page

FIGURE = {"data": [{"x": np.arange(3), "y": np.array([0.5, np.nan, np.inf])}], "layout": {}}
TABLE = pd.DataFrame({"layer": [1, 2], "note": ['</script>,"a"', "b"], "g": [1 / 3, np.nan]})


@pytest.fixture
def small_bundle(monkeypatch):
    """A stand-in for plotly.js, whose five megabytes say nothing of the page."""
    monkeypatch.setattr("netdyn.explorer.page.plotly_bundle", lambda: "/* plotly.js */")


def written(path, *panels, **texts):
    write_page(path, panels, **{"title": "A title", "summary": "Words.", **texts})
    return path.read_text("utf-8")


def data_of(text):
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(block[1])


def test_a_page_holds_figures_tables_and_words(tmp_path, small_bundle):
    text = written(
        tmp_path / "page.html",
        Panel("g", "Of each layer.", FIGURE, TABLE),
        Panel("Basins", "None."),
    )
    first, second = data_of(text)
    assert first["figure"]["data"][0] == {"x": [0, 1, 2], "y": [0.5, None, None]}
    assert first["csv"] == 'layer,note,g\n1,"</script>,""a""",0.333333333\n2,b,\n'
    assert second == {"title": "Basins", "figure": None, "csv": None}
    assert text.count('role="img"') == text.count('class="download"') == 1


@pytest.mark.parametrize("words", ["<b>&", "</title></script><script>alert(1)</script>"])
def test_words_are_shown_as_they_are(tmp_path, small_bundle, words):
    text = written(tmp_path / "page.html", Panel(words, words, FIGURE), title=words, summary=words)
    assert words not in text
    assert data_of(text)[0]["title"] == words


def test_a_page_asks_no_server_for_anything(tmp_path, small_bundle):
    text = written(tmp_path / "page.html", Panel("g", "Of each layer.", FIGURE, TABLE))
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:,|#)""", text)
    assert "default-src 'none'" in text
    assert "@import" not in text


def test_plotly_is_held_with_its_licence():
    text = bundle.plotly_bundle()
    assert "Licensed under the MIT license" in text[:300]
    assert "</script" not in text.lower()
    assert len(text) < 5_500_000


def test_a_missing_plotly_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "find_spec", lambda name: None)
    with pytest.raises(NetdynError, match=r"pip install 'netdyn\[explorer\]'"):
        written(tmp_path / "page.html", Panel("g", "Of each layer."))
    assert not [*tmp_path.iterdir()]


def test_a_figure_without_data_is_named(tmp_path, small_bundle):
    with pytest.raises(NetdynError, match="panel 'g': its figure has no data"):
        written(tmp_path / "page.html", Panel("g", "Of each layer.", {"layout": {}}))


@pytest.mark.parametrize(
    "values", [[0.0, 1.0, 0.3], [-5e6, 7.25, 1e-9, 3e5], [2.5], [1e-30, 3e-30]]
)
def test_packed_numbers_come_back_within_half_a_step(values):
    packed = pack(values)
    step = (max(values) - min(values)) / LEVELS
    assert np.abs(unpack(packed) - values).max() <= 0.5 * step * (1 + 1e-6)
    assert len(packed["codes"]) == 4 * -(-2 * len(values) // 3)


@pytest.mark.parametrize("values", [[np.nan, 1.0, np.inf], [np.nan], []])
def test_what_is_not_finite_comes_back_as_a_gap(values):
    numbers = np.asarray(values, dtype=float)
    assert (np.isnan(unpack(pack(values))) == ~np.isfinite(numbers)).all()


def test_plain_values_are_those_of_json():
    value = {"a": np.float32(0.5), 2: (np.int64(3), pd.Series([np.nan, True])), "b": None}
    assert plain(value) == {"a": 0.5, "2": [3, [None, True]], "b": None}
    assert script_json({"x": "</script><!--"}) == r'{"x":"\u003c/script>\u003c!--"}'
