"""The course of the shallow network's training (Fig. 7), which separates before from after."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from netdyn.claims.curves import steepest_rise
from netdyn.claims.kinds import NotTested, at_least
from netdyn.claims.tables import Identity, Tables, each_run, matching, raise_if_diverged
from netdyn.claims.values import measured

__all__ = ["ACCURACIES", "Course", "averages", "courses", "first_measured"]

ACCURACIES = ["train_accuracy", "test_accuracy"]


class Course(NamedTuple):
    """The course of one training.

    `memorised` is the first evaluated step with the training accuracy of the last one, 100 % where
    all samples are learned: basins have formed, grokking has not begun. `onset`, the paper's
    grokking point, is the step of the steepest rise of test accuracy against the logarithm of the
    step (`netdyn.claims.curves.steepest_rise`). `best` is the first step of best test accuracy.
    """

    identity: Identity
    steps: np.ndarray  # (S,), evaluated, ascending
    train: np.ndarray  # (S,) training accuracy
    test: np.ndarray  # (S,) test accuracy
    memorised: int
    onset: float
    best: int


def courses(tables: Tables) -> Iterator[Course]:
    """Yield the course of each training of table grokking_history.

    Raises:
        Diverged: one of them diverged.
        NotTested: the table is incomplete, or a test accuracy never rises.
    """
    history = tables.history("grokking_history", ACCURACIES)
    raise_if_diverged(history)
    for identity, rows in each_run(history):
        steps = rows["step"].to_numpy()
        train, test = (measured(rows[column]) for column in ACCURACIES)
        onset = steepest_rise(steps, test)
        if np.isnan(onset):
            raise NotTested(f"the test accuracy of seed {identity['seed']} never rises")
        memorised = next(s for s, a in zip(steps, train, strict=True) if at_least(a, train[-1]))
        yield Course(identity, steps, train, test, int(memorised), onset, int(steps[test.argmax()]))


def averages(table: pd.DataFrame, course: Course) -> pd.DataFrame:
    """Return one training's rows of the average over samples, by step."""
    return matching(table, of="average", **course.identity).sort_values("step", kind="stable")


def first_measured(steps: pd.Index, step: int) -> int:
    """Return the first of the measured steps that is at or after `step`.

    Raises:
        NotTested: there is none.
    """
    later = steps[steps >= step]
    if later.empty:
        raise NotTested(f"no step from {step:,} on was measured")
    return int(later.min())
