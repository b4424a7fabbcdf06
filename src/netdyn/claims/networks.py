"""The trainings that a verdict stands on: their seeds, and how far each was trained."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from netdyn.claims.strength_rules import Rules
from netdyn.claims.tables import Tables, at_last_step, identity_columns
from netdyn.claims.verdicts import Thresholds

__all__ = ["Networks", "networks_read"]

HISTORY, ACCURACY = "_history", "train_accuracy"


class Networks(NamedTuple):
    """The trainings that were judged."""

    count: int
    seeds: int | None  # of the setting with the fewest; None where no table has seeds
    repeated_seeds: tuple[int, ...]  # those of settings that have several
    unequal_training: float | None  # see `netdyn.claims.strength.grade`


def networks_read(tables: Tables, thresholds: Thresholds, rules: Rules) -> Networks:
    """Return the trainings whose rows were read from all tables in which their run was looked up.

    Args:
        tables: of which a claim has just been judged.
        thresholds: those that its test looked up. Runs that one of them does not choose, by
            `rules.runs`, were read but not judged.
    """
    chosen = {name: _chosen(_read(tables, name), thresholds, rules) for name in [*tables.read]}
    of_run: dict[str, set] = {}
    for table in chosen.values():
        trainings: dict[str, set] = {}
        for identity in _identities(table):
            trainings.setdefault(identity[0], set()).add(identity)
        for run, found in trainings.items():
            of_run[run] = of_run.get(run, found) & found
    judged = {training for found in of_run.values() for training in found}
    seeds: dict[tuple, set[int]] = {}
    for training in judged:
        seeds.setdefault(training[:-1], set()).add(training[-1])
    several = [numbers for numbers in seeds.values() if len(numbers) > 1]
    return Networks(
        len(judged),
        min(map(len, seeds.values()), default=None),
        tuple(sorted(set().union(*several))),
        _unequal(chosen, judged) if len(seeds) > 1 else None,
    )


def _read(tables: Tables, name: str) -> pd.DataFrame:
    return tables.get(name, runs=sorted(tables.read[name]) or None)


def _chosen(table: pd.DataFrame, thresholds: Thresholds, rules: Rules) -> pd.DataFrame:
    for threshold, (column, relation) in rules.runs.items():
        if threshold in thresholds and column in identity_columns(table):
            bound = thresholds[threshold]
            holds = table[column] == bound if relation == "equal" else table[column] <= bound
            table = table[holds]
    return table


def _identities(table: pd.DataFrame) -> list[tuple]:
    columns = identity_columns(table)
    rows = table[columns].drop_duplicates() if columns else table.iloc[:0]
    return list(rows.itertuples(index=False, name=None))


def _unequal(chosen: Mapping[str, pd.DataFrame], judged: set[tuple]) -> float | None:
    """Return the largest difference of final training accuracies, in points."""
    accuracies = []
    for name, table in chosen.items():
        if not name.endswith(HISTORY) or ACCURACY not in table.columns:
            continue
        last = at_last_step(table)
        finished = last[np.isfinite(last["train_loss"])]
        rows = finished[[*identity_columns(table), ACCURACY]].itertuples(index=False, name=None)
        accuracies += [accuracy for *training, accuracy in rows if tuple(training) in judged]
    accuracies = [accuracy for accuracy in accuracies if not np.isnan(accuracy)]
    return 100 * (max(accuracies) - min(accuracies)) if accuracies else None
