"""What tests of claims share: the rows they are judged by, and tables to break in every way."""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd

from netdyn.claims.criteria.judges import JUDGES
from netdyn.claims.rows import load_claims, load_criteria
from netdyn.claims.tables import Tables, identity_columns
from netdyn.claims.verdicts import DIVERGED, NOT_TESTED, Diverged, NotTested, Options

CLAIMS_FILE = Path(__file__).parents[2] / "workflow" / "claims.yaml"
ROWS = {row.id: row for row in load_claims(CLAIMS_FILE)}
CRITERIA = {(each.claim.id, each.id): each for each in load_criteria(CLAIMS_FILE)}
INF, NAN = math.inf, math.nan
SEEDS = (0, 1)


def outcome(claims, name, tables, expected_of=None, options=None):
    """Judge a claim in its first mode, from tables expected to hold the runs that they do hold.

    Args:
        expected_of: tables whose runs are expected instead.
        options: those of a reading.
    """
    row = ROWS[name]._replace(options=Options(options))
    return claims[name](expecting(tables, expected_of), row, row.modes[0])


def by_criterion(name, criterion, tables, options=None):
    """Judge a claim by a further criterion, in its first mode."""
    row = CRITERIA[name, criterion].claim._replace(options=Options(options))
    return JUDGES[name, criterion](expecting(tables), row, row.modes[0])


def expecting(tables, expected_of=None):
    """Return tables that are expected to hold the runs that they, or others, do hold."""
    expected = {
        key: table[identity_columns(table)].drop_duplicates().to_dict("records")
        for key, table in (expected_of or tables).items()
    }
    return Tables(tables, expected)


def verdict_of(claims, name, tables, expected_of=None):
    """Return the verdict; the tables are expected to hold the runs of `expected_of`, if given."""
    try:
        return outcome(claims, name, tables, expected_of).verdict
    except NotTested:
        return NOT_TESTED
    except Diverged:
        return DIVERGED


def assert_reads_its_tables(claims, name, tables):
    """Check that the claim reads only the tables of its row, and needs all of them complete.

    Each table in turn is missing, has a seed missing, or its last required column.
    """
    own = {key: tables[key] for key in ROWS[name].tables}
    result = verdict_of(claims, name, own)
    assert result == verdict_of(claims, name, tables)
    for key, table in own.items():
        rest = {other: own[other] for other in own if other != key}
        assert verdict_of(claims, name, rest, own) == NOT_TESTED, f"{name} without {key}"
        less = {**own, key: table[table["seed"] != max(table["seed"])]}
        assert verdict_of(claims, name, less, own) == NOT_TESTED, f"{name}, {key} of one seed"
        bare = {**own, key: table[[*identity_columns(table)]]}
        assert verdict_of(claims, name, bare, own) == NOT_TESTED, f"{name}, {key} without columns"


def assert_diverges(claims, name, tables):
    """Check that the claim has diverged where any run of its histories has, also if more is lost.

    Only the history of a diverged run is kept, so its other tables have no rows of it.
    """
    own = {key: tables[key] for key in ROWS[name].tables}
    for key in own:
        if not key.endswith("_history"):
            continue
        broken = {**own, key: diverge(own[key])}
        assert verdict_of(claims, name, broken, own) == DIVERGED, f"{name}, {key}"
        histories = {other: broken[other] for other in own if other.endswith("_history")}
        assert verdict_of(claims, name, histories, own) == DIVERGED, f"{name}, {key} alone"


def diverge(history, **which):
    """Return a history in which the runs with these values, or the last one, end with a NaN."""
    columns = identity_columns(history)
    if not which:
        which = history[columns].iloc[-1].to_dict()
    of_run = np.logical_and.reduce([history[key] == value for key, value in which.items()])
    last = history[of_run].groupby(columns)["step"].transform("max") == history[of_run]["step"]
    changed = history.copy()
    ends = last[last].index
    changed.loc[ends, "train_loss"] = NAN
    if "test_accuracy" in changed.columns:
        changed.loc[ends, "test_accuracy"] = NAN
    return changed


def crossed(run, seeds=SEEDS, settings=None, **columns):
    """Return the table of all combinations: run, the swept settings, seed, then the columns."""
    every = {"run": [run], **(settings or {}), "seed": seeds, **columns}
    return pd.DataFrame(list(itertools.product(*every.values())), columns=list(every))


def history_of(run, seeds=SEEDS, settings=None, steps=(0, 10), **columns):
    """Return a history; columns are sequences over steps, or functions of its rows."""
    table = crossed(run, seeds, settings, step=list(steps)).assign(train_loss=1.0)
    for column, values in columns.items():
        if callable(values):
            table[column] = [values(row) for row in table.itertuples()]
        else:
            table[column] = table["step"].map(dict(zip(steps, values, strict=True)))
    return table
