"""Whether a training that is being watched has grokked, by the accuracies seen so far."""

import math

from netdyn.analysis.course_file import Row
from netdyn.measures.grokking import Grokking, grokking_of

__all__ = ["GrokkingWatch"]

TRAIN, TEST = "train_accuracy", "test_accuracy"


class GrokkingWatch:
    """Accuracies by step, and the grade of the training.

    Attributes:
        grokking: what the accuracies say.
    """

    def __init__(self):
        self.grokking = Grokking(None, None, None)
        self._accuracies: dict[str, dict[int, float]] = {TRAIN: {}, TEST: {}}

    def add(self, row: Row) -> None:
        """Take note of a row; those of other quantities, and NaN, say nothing."""
        if row.quantity in self._accuracies and not math.isnan(row.value):
            self._accuracies[row.quantity][row.step] = row.value

    def judge(self) -> str | None:
        """Grade the training again; return a sentence where it is now seen to have grokked."""
        before = self.grokking.grade
        train, test = self._accuracies[TRAIN], self._accuracies[TEST]
        steps = [step for step in train if step in test]
        self.grokking = grokking_of(steps, [train[s] for s in steps], [test[s] for s in steps])
        grade, memorised, generalised = self.grokking
        if grade != "grokking" or before == grade:
            return None
        return (
            f"the network groks: training accuracy {train[memorised]:.0%} at step {memorised:,} "
            f"with test accuracy {test[memorised]:.0%}, test accuracy {test[generalised]:.0%} at "
            f"step {generalised:,}"
        )
