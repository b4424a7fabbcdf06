"""Pages of the report: verdicts in colours that can be read, times in units that fit them."""

import re
from pathlib import Path

import pytest

from netdyn.claims.pages import COLOURS, claims_page, duration

COMMITTED = Path(__file__).parents[2] / "results/cpu/reference"


@pytest.mark.parametrize("scale", ["cpu", "paper"])
def test_every_verdict_has_its_colour(scale, tmp_path):
    page = tmp_path / "claims.html"
    claims_page(COMMITTED.parents[1] / scale / "reference/claims.csv", page)
    text = page.read_text(encoding="utf-8")
    counts = {
        verdict: int(count)
        for count, verdict in re.findall(r"(\d+) ([a-z ]+)[,<]", re.search("<h1>.*", text)[0])
    }
    assert sum(counts.values()) == 54
    for verdict, (background, ink) in COLOURS.items():
        cell = f'<td style="background: {background}; color: {ink}">{verdict}</td>'
        assert text.count(cell) == counts.get(verdict, 0)


@pytest.mark.parametrize("verdict", COLOURS)
def test_verdicts_can_be_read_on_their_colour(verdict):
    names = {"white": "#FFFFFF", "black": "#000000"}
    low, high = sorted(luminance(names.get(colour, colour)) for colour in COLOURS[verdict])
    assert (high + 0.05) / (low + 0.05) >= 4.5


def luminance(colour):
    """Return the relative luminance of a colour, #RRGGBB, as contrast is defined by."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.7, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (8670, "2 h 24 min"),
    ],
)
def test_times_have_units_that_fit(seconds, words):
    assert duration(seconds) == words
