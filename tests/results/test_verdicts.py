"""Which cells of readings.csv may be counted, and which tables are refused."""

import pandas as pd
import pytest
from multiverse_tables import CELLS, CHOICES, cell, make_readings

from netdyn.errors import NetdynError
from netdyn.results.verdict_cells import checked_cells, counted_readings, judged, share_held


def checked(table):
    return checked_cells(table, list(CELLS), list(CHOICES))


def test_a_reading_counts_where_it_judges_three_claims():
    cells = checked(make_readings())
    # pair judges two and does not test a third; clip judges four of five; waiting none.
    assert counted_readings(cells, CHOICES) == ["affine", "clip", "range"]
    more = pd.concat([cells, pd.DataFrame([cell("C01", "pair", "frozen", "!w")])])
    assert counted_readings(more, CHOICES) == ["affine", "clip", "range", "pair"]
    criterion = pd.concat([cells, pd.DataFrame([cell("C01", "pair", "C01_0", "+w")])])
    assert "pair" not in counted_readings(criterion, CHOICES)


@pytest.mark.parametrize(
    ("claim", "share"),
    [("C01", (3, 4)), ("C02", (0, 3)), ("C03", (2, 3)), ("C04", (0, 2)), ("C06", (0, 0))],
)
def test_a_claim_holds_where_it_is_reproduced_of_what_is_judged(claim, share):
    cells = checked(make_readings())
    assert share_held(cells, claim, ["frozen", "affine", "range", "clip"]) == share


def test_a_table_that_was_written_and_read_is_the_same():
    table = make_readings()
    read = table.replace("", float("nan"))
    pd.testing.assert_frame_equal(checked(read), checked(table))
    assert len(judged(checked(read))) == (table["verdict"] != "not tested at this scale").sum()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("claim", "C99"),
        ("claim", "c01"),
        ("reading", "odd"),
        ("reading", "Affine"),
        ("verdict", "maybe"),
        ("verdict", ""),
        ("strength", "firm"),
        ("strength", "Strong"),
    ],
)
def test_an_unknown_word_is_named(column, value):
    table = make_readings()
    table.loc[0, column] = value
    with pytest.raises(NetdynError, match=f"{column} '{value}'"):
        checked(table)


@pytest.mark.parametrize("column", ["criterion", "strength", "seen"])
def test_a_missing_column_is_named(column):
    with pytest.raises(NetdynError, match=f"no column {column}"):
        checked(make_readings().drop(columns=column))


@pytest.mark.parametrize("row", [0, -1])
def test_a_cell_that_is_there_twice_is_named(row):
    table = make_readings()
    twice = pd.concat([table, table.iloc[[row]]])
    name = " / ".join(table.iloc[row][["claim", "reading", "criterion"]])
    with pytest.raises(NetdynError, match=f"cell {name} twice"):
        checked(twice)


@pytest.mark.parametrize("verdict", ["reproduced", "partly", "not reproduced"])
def test_a_judged_cell_without_strength_is_named(verdict):
    table = make_readings()
    table.loc[0, ["verdict", "strength"]] = [verdict, ""]
    with pytest.raises(NetdynError, match="no strength at C01 / frozen / frozen"):
        checked(table)


def test_a_diverged_cell_needs_no_strength():
    table = make_readings()
    table.loc[0, ["verdict", "strength"]] = ["diverged", ""]
    assert checked(table)["strength"].iloc[0] == ""
