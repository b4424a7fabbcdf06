"""The trainings that a verdict stands on: their seeds, and how far each was trained."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from netdyn.claims.strength_rules import Rules
from netdyn.claims.tables import Tables, at_last_step, identity_columns
from netdyn.claims.verdicts import Thresholds

__all__ = ["Networks", "Setting", "networks_read", "unequal_training"]

Setting = tuple[tuple[str, Any], ...]  # column and value of what identifies a run, but for its seed
HISTORY, ACCURACY = "_history", "train_accuracy"


class Networks(NamedTuple):
    """The trainings whose rows a test has read."""

    seeds: Mapping[Setting, set[int]]  # those that all tables have in which the setting occurs
    accuracies: Mapping[Setting, list[float]]  # training accuracies at the last step

    @property
    def count(self) -> int:
        """The number of trainings."""
        return sum(map(len, self.seeds.values()))

    @property
    def fewest_seeds(self) -> int | None:
        """The number of seeds of the setting with the fewest; None where no table has seeds."""
        return min(map(len, self.seeds.values()), default=None)

    @property
    def repeated_seeds(self) -> list[int]:
        """The seeds of settings that have several."""
        return sorted(set().union(*(of for of in self.seeds.values() if len(of) > 1)))


def networks_read(tables: Tables, thresholds: Thresholds, rules: Rules) -> Networks:
    """Return the trainings whose rows were read from `tables`.

    Args:
        tables: of which a claim has just been judged.
        thresholds: those that its test looked up. Runs that one of them does not choose, by
            `rules.runs`, were read but not judged, and are left out.
    """
    seeds: dict[Setting, set[int]] = {}
    accuracies: dict[Setting, list[float]] = {}
    for name, runs in list(tables.read.items()):
        if not runs:
            continue
        table = _chosen(tables.get(name, runs=sorted(runs)), thresholds, rules)
        in_table: dict[Setting, set[int]] = {}
        for setting, seed in _trainings(table[identity_columns(table)].drop_duplicates()):
            in_table.setdefault(setting, set()).add(seed)
        for setting, numbers in in_table.items():
            seeds[setting] = seeds.get(setting, numbers) & numbers
        if name.endswith(HISTORY) and ACCURACY in table.columns:
            last = at_last_step(table)
            finished = last[np.isfinite(last["train_loss"]) & last[ACCURACY].notna()]
            for (setting, _), accuracy in zip(
                _trainings(finished), finished[ACCURACY], strict=True
            ):
                accuracies.setdefault(setting, []).append(float(accuracy))
    return Networks({s: numbers for s, numbers in seeds.items() if numbers}, accuracies)


def unequal_training(networks: Networks, is_judged: Callable[[Setting], bool]) -> float | None:
    """Return the largest difference of final training accuracies among the judged, in points.

    Args:
        is_judged: whether the outcome depends on a setting. It is asked only of settings with the
            least or the largest accuracy, because the answer costs a judgement.

    Returns:
        None where fewer than two settings were judged, or no training accuracy was read.
    """
    left, judged = dict(networks.accuracies), cache(is_judged)
    while len(left) > 1:
        ends = [min(left, key=lambda s: min(left[s])), max(left, key=lambda s: max(left[s]))]
        if ends[0] == ends[1]:  # by its seeds; it is compared only if another setting is judged
            ends[1] = next(setting for setting in left if setting != ends[0])
        if all(map(judged, ends)):
            values = [accuracy for setting in left for accuracy in left[setting]]
            return 100 * (max(values) - min(values))
        left = {
            setting: values
            for setting, values in left.items()
            if setting not in ends or judged(setting)
        }
    return None


def _chosen(table: pd.DataFrame, thresholds: Thresholds, rules: Rules) -> pd.DataFrame:
    for threshold, (column, relation) in rules.runs.items():
        if threshold in thresholds and column in identity_columns(table):
            bound = thresholds[threshold]
            table = table[table[column] == bound if relation == "equal" else table[column] <= bound]
    return table


def _trainings(table: pd.DataFrame) -> Iterator[tuple[Setting, int]]:
    """Yield the setting and the seed of each row of a table that has seeds."""
    columns = identity_columns(table)
    if columns:
        for *values, seed in table[columns].itertuples(index=False, name=None):
            yield tuple(zip(columns, values, strict=False)), seed
