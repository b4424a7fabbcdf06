"""The multiverse: each cell's sign in its place, what is a column, and legibility."""

import io
import itertools

import matplotlib
import numpy as np
import pandas as pd
import pytest
from figure_boxes import assert_readable
from matplotlib.colors import to_rgb
from multiverse_tables import CELLS, CHOICES, CRITERIA, READINGS, cell, make_readings, make_settings

from netdyn.errors import NetdynError
from netdyn.figures import drawing, multiverse, verdict_marks
from netdyn.figures.wrapping import balanced, text_width, wrapped
from netdyn.results.tables import write_table
from netdyn.results.verdicts import NOT_TESTED, STRENGTHS, VERDICTS

SIGNS = {"+": "✓", "~": "~", "-": "✗", "!": "–", ".": "•"}
LONG = "samples and batch of the sweep over depth and width"


def drawn(table=None, **settings):
    tables = {"readings": make_readings() if table is None else table}
    return multiverse.draw(tables, {**make_settings(), **settings})


@pytest.fixture(scope="module")
def figure():
    """Return the figure of all cells, laid out; no test changes it."""
    figure = drawn()
    figure.draw_without_rendering()
    return figure


def texts(figure):
    (axes,) = figure.axes
    return axes.texts


def signs(figure):
    """Return name → (sign, place) of all marks of cells."""
    found = {}
    for text in texts(figure):
        if text.get_gid() and len(text.get_gid().split()) == 3:
            box = text.get_window_extent()
            assert text.get_gid() not in found
            found[text.get_gid()] = (text.get_text(), (box.x0 + box.x1) / 2, box.y0)
    return found


def test_every_cell_has_its_sign_in_its_row_and_column(figure):
    marks = signs(figure)
    columns = {"frozen": 0, "affine": 1, "range": 2, "clip": 3}
    expected = {
        f"{claim} {reading} frozen": SIGNS[code[0]]
        for claim, codes in CELLS.items()
        for reading, code in zip(READINGS, codes, strict=True)
        if code and reading in columns
    }
    further = {
        f"{claim} frozen {claim}_{i}": SIGNS[code[0]]
        for claim, codes in CRITERIA.items()
        for i, code in enumerate(codes)
    }
    assert {name: sign for name, (sign, _, _) in marks.items()} == expected | further
    heights = {t.get_text(): t.get_window_extent().y0 for t in texts(figure)}
    labels = {t.get_text(): t.get_window_extent() for t in texts(figure)}
    label_of = {"frozen": "frozen", "affine": "affine", "range": "own range", "clip": "last"}
    places = [(labels[label_of[r]].x0 + labels[label_of[r]].x1) / 2 for r in columns]
    assert places == sorted(places)  # the frozen reading first, then by question
    row = 5 * figure.dpi / 72
    for name in expected:
        claim, reading, _ = name.split()
        _, x, y = marks[name]
        assert abs(x - places[columns[reading]]) < row, name
        assert abs(y - heights[claim]) < row, name
    assert all(marks[name][1] > max(places) for name in further)


@pytest.mark.parametrize("claim", ["C01", "C03", "C05", "C06"])
def test_the_share_stands_in_the_row(figure, claim):
    shares = {t.get_gid(): t.get_text() for t in texts(figure)}
    expected = {"C01": "3 of 4", "C03": "2 of 3", "C05": "1 of 2", "C06": None}
    assert shares.get(f"{claim} share") == expected[claim]


def test_strength_is_the_filling(figure):
    (axes,) = figure.axes
    patches = {patch.get_gid(): patch for patch in axes.patches if patch.get_gid()}
    blue = to_rgb(verdict_marks.HUES["reproduced"])
    strong, fair, weak = (
        patches[f"{name} frozen"] for name in ("C01 frozen", "C01 affine", "C03 frozen")
    )
    assert strong.get_facecolor()[:3] == blue
    assert blue[0] < fair.get_facecolor()[0] < 1
    assert weak.get_facecolor()[:3] == (1, 1, 1)
    assert {patch.get_edgecolor()[:3] for patch in (strong, fair, weak)} == {blue}
    assert "C03 clip frozen" not in patches  # not tested: a dot alone


def test_a_frame_is_around_the_frozen_column_alone(figure):
    marks = signs(figure)
    (frame,) = (p for p in figure.axes[0].patches if p.get_gid() == "frame")
    box = frame.get_window_extent()
    for name, (_, x, y) in marks.items():
        inside = box.x0 < x < box.x1 and box.y0 < y < box.y1
        assert inside == name.endswith(" frozen frozen"), name


def contrast(one, other):
    """Return the contrast of two colours by WCAG 2.1, 1 to 21."""
    light = []
    for colour in (one, other):
        c = np.array(to_rgb(colour))
        linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        light.append(linear @ [0.2126, 0.7152, 0.0722])
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize(("verdict", "strength"), [*itertools.product(VERDICTS, STRENGTHS)])
def test_marks_stand_out(verdict, strength):
    fill, edge, ink = verdict_marks.mark_colours(verdict, strength)
    if verdict == NOT_TESTED:
        assert contrast(ink, "white") >= 3
    else:
        assert contrast(ink, fill) >= 3
        assert contrast(edge, "white") >= 3


def test_verdicts_are_told_apart_without_colour():
    assert set(verdict_marks.SIGNS) == set(VERDICTS)
    assert len(set(verdict_marks.SIGNS.values())) == len(VERDICTS)


def many():
    """Return a table and settings with many readings, all of whose words are long."""
    settings = make_settings()
    names = [f"r{i}" for i in range(12)]
    settings["readings"] = [
        {"name": n, "question": f"{LONG} {i // 2 if i < 6 else i}", "choice": f"choice {i} of many"}
        for i, n in enumerate(names)
    ]
    codes = ["+s", "~f", "-w", "!s", "."]
    rows = [
        cell(claim["id"], reading, "frozen", codes[(i + 2 * j) % 5])
        for i, claim in enumerate(settings["claims"])
        for j, reading in enumerate(["frozen", *names])
    ]
    rows += [cell("C01", "frozen", f"further {i}", "+s") for i in range(3)]
    return {"readings": pd.DataFrame(rows)}, settings


@pytest.mark.parametrize("size", ["few", "many"])
def test_all_words_are_legible_at_the_width_of_a4(size, figure):
    if size == "many":
        figure = multiverse.draw(*many())
        figure.draw_without_rendering()
    assert_readable(figure)
    assert figure.get_figwidth() == pytest.approx(210 / 25.4)
    sizes = [t.get_fontsize() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]
    assert min(sizes) >= 6


@pytest.mark.parametrize("without", ["title", "note", "sections", "readings", "criteria"])
def test_optional_parts_may_be_missing(without):
    settings = make_settings()
    table = make_readings()
    if without == "readings":
        table = table[table["reading"] == "frozen"]
    if without == "criteria":
        table = table[table["criterion"] == "frozen"]
    settings.pop(without, None)
    figure = multiverse.draw({"readings": table}, settings)
    figure.draw_without_rendering()
    assert_readable(figure)
    labels = [t.get_text() for t in texts(figure)]
    assert ("further criteria" in labels) == (without != "criteria")


def test_equal_tables_give_equal_files_in_any_order_and_leave_the_global_style():
    before = dict(matplotlib.rcParams)
    table = make_readings()
    shuffled = table[table["criterion"] == "frozen"].sample(frac=1, random_state=0)
    shuffled = pd.concat([shuffled, table[table["criterion"] != "frozen"]])
    files = []
    for content in (table, shuffled.replace("", float("nan"))):
        figure = drawn(content)
        pdf, png = io.BytesIO(), io.BytesIO()
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
        figure.savefig(png, format="png", dpi=60, metadata={"Software": None})
        files.append((pdf.getvalue(), png.getvalue()))
    assert files[0] == files[1]
    assert dict(matplotlib.rcParams) == before


def test_it_is_drawn_from_its_file(tmp_path):
    write_table(tmp_path / "readings.csv", make_readings())
    settings = {**make_settings(), "tables": ["readings"]}
    drawing.draw("multiverse", tmp_path, settings, tmp_path / "multiverse")
    assert {p.suffix for p in tmp_path.glob("multiverse.*")} == {".pdf", ".png", ".json"}


@pytest.mark.parametrize("claims", [[], [{"id": "C01", "where": "", "section": "", "claim": ""}]])
def test_claims_must_be_listed(claims):
    message = "no claims" if not claims else "claim 'C02', which is none of C01"
    with pytest.raises(NetdynError, match=message):
        drawn(claims=claims)


def test_a_missing_or_empty_table_is_named():
    with pytest.raises(NetdynError, match="'readings' is missing"):
        multiverse.draw({}, make_settings())
    with pytest.raises(NetdynError, match="'readings' has no row"):
        drawn(make_readings()[:0])


def test_readings_of_a_question_stand_together(figure):
    assert list(CHOICES)[:3] == ["affine", "clip", "range"]  # declared apart
    labels = [t for t in texts(figure) if t.get_text() in ("affine", "own range", "last")]
    assert [t.get_text() for t in sorted(labels, key=lambda t: t.get_position()[0])] == [
        "affine",
        "own range",
        "last",
    ]


@pytest.mark.parametrize("width", [40.0, 90.0, 400.0])
def test_lines_are_no_longer_than_asked(width):
    lines = wrapped(LONG, width, 6.2)
    assert " ".join(lines) == LONG
    assert all(text_width(line, 6.2) <= width for line in lines)
    assert wrapped("a b\N{NO-BREAK SPACE}c", 1.0, 6.2) == ["a", "b\N{NO-BREAK SPACE}c"]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_balanced_lines_are_few_and_as_short_as_can_be(most):
    lines = balanced(LONG, most, 6.2)
    assert " ".join(lines) == LONG
    assert len(lines) <= most
    words = LONG.split()
    cuts = itertools.combinations(range(1, len(words)), most - 1)
    shortest = min(
        max(
            text_width(" ".join(words[a:b]), 6.2)
            for a, b in itertools.pairwise([0, *cut, len(words)])
        )
        for cut in cuts
    )
    assert max(text_width(line, 6.2) for line in lines) == pytest.approx(shortest)
