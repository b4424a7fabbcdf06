"""Whether a training groks: its test accuracy rises only after the training samples are learned.

One rule, by which claims are judged and a `netdyn.Monitor` watches a training.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netdyn.measures.bounds import at_least, at_most

__all__ = ["THRESHOLDS", "Grokking", "first_at_least", "grokking_grade", "grokking_of"]

# Those of the paper's deep networks, with ten classes (kind `grokking` of workflow/claims.yaml).
THRESHOLDS = {"train_accuracy": 0.8, "test_at_most": 0.2, "none_at_least": 0.5}


class Grokking(NamedTuple):
    """What the accuracies of a training say so far."""

    grade: str | None  # "grokking", "none" or "partly"; None before training samples are learned
    memorised: int | None  # the first measured step with training accuracy ≥ `train_accuracy`
    generalised: int | None  # the first with test accuracy ≥ `none_at_least`


def grokking_grade(
    train: Sequence[float], test: Sequence[float], thresholds: Mapping[str, float]
) -> str | None:
    """Return "grokking", "none" or "partly" for the accuracies of one training over steps.

    At the first step with training accuracy ≥ `train_accuracy`: grokking if the test accuracy is at
    most `test_at_most`, none if at least `none_at_least`, partly in between. A test accuracy that
    is low there and never reaches `none_at_least` is partly too.

    Returns:
        The grade; None where the training accuracy is never reached.
    """
    first = first_at_least(train, thresholds["train_accuracy"])
    if first is None:
        return None
    if at_least(test[first], thresholds["none_at_least"]):
        return "none"
    low = at_most(test[first], thresholds["test_at_most"])
    rises = at_least(max(test), thresholds["none_at_least"])
    return "grokking" if low and rises else "partly"


def grokking_of(steps: Sequence[int], train: Sequence[float], test: Sequence[float]) -> Grokking:
    """Return grade and steps by `THRESHOLDS`; the accuracies are of these steps, in order."""
    memorised = first_at_least(train, THRESHOLDS["train_accuracy"])
    generalised = first_at_least(test, THRESHOLDS["none_at_least"])
    return Grokking(
        grokking_grade(train, test, THRESHOLDS),
        None if memorised is None else steps[memorised],
        None if generalised is None else steps[generalised],
    )


def first_at_least(values: Sequence[float], bound: float) -> int | None:
    """Return the place of the first value that is at least the bound; None if none is."""
    return next((i for i, value in enumerate(values) if at_least(value, bound)), None)
