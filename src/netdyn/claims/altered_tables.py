"""Tables as they would be without a seed, or had a setting not been measured."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from netdyn.claims.tables import Identity, Tables, identity_columns, rounded

__all__ = ["unmeasured", "without_seed"]

# A NaN in it does not say that it was not measured, but that the run diverged.
LOSS = "train_loss"


def without_seed(tables: Tables, names: Iterable[str], seed: int) -> Tables:
    """Return the tables of these names without a seed, which is not expected of them either.

    Runs with given swept values that have only this seed in a table keep it there.
    """
    return tables.altered(
        names, lambda table: _rows_without(table, seed), lambda runs: _runs_without(runs, seed)
    )


def unmeasured(tables: Tables, names: Iterable[str], setting: Mapping[str, Any]) -> Tables:
    """Return the tables of these names with NaN for all that was measured of a setting's runs.

    Args:
        setting: the values of all columns that identify a run, but for its seed.
    """
    return tables.altered(names, lambda table: _rows_unmeasured(table, setting))


def _rows_without(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    columns = identity_columns(table)
    if not columns:
        return table
    *settings, _ = columns
    groups = table.groupby(settings, dropna=False)["seed"] if settings else None
    seeds = table["seed"].nunique() if groups is None else groups.transform("nunique")
    return table[(table["seed"] != seed) | (seeds == 1)]


def _runs_without(runs: Iterable[Identity], seed: int) -> list[Identity]:
    seeds: dict[tuple, set] = {}
    for run in runs:
        seeds.setdefault(_setting(run), set()).add(run["seed"])
    return [run for run in runs if run["seed"] != seed or len(seeds[_setting(run)]) == 1]


def _setting(run: Identity) -> tuple:
    """Return what identifies a run, but for its seed."""
    return tuple((column, *rounded([value])) for column, value in run.items() if column != "seed")


def _rows_unmeasured(table: pd.DataFrame, setting: Mapping[str, Any]) -> pd.DataFrame:
    identity = identity_columns(table)
    if not setting.keys() <= set(identity):
        return table
    chosen = np.logical_and.reduce([table[column] == value for column, value in setting.items()])
    numbers = table.select_dtypes("float").columns.difference([*identity, LOSS])
    table = table.copy()
    table.loc[chosen, numbers] = np.nan
    return table
