"""What stands behind a verdict: seeds, points, thresholds and equal training, and a grade of it.

A verdict is given again without each seed and with each threshold moved. How, and what makes it
strong, fair or weak, stands in the block `strength` of workflow/claims.yaml, for all claims alike.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from typing import NamedTuple

from netdyn.claims.altered_tables import unmeasured, without_seed
from netdyn.claims.networks import Setting, networks_read, unequal_training
from netdyn.claims.strength_rules import AT_LEAST, AT_MOST, Rules
from netdyn.claims.tables import Judge, Tables, outcome_of
from netdyn.claims.values import at_least, at_most
from netdyn.claims.verdicts import (
    DIVERGED,
    NOT_TESTED,
    Claim,
    Outcome,
    Thresholds,
)

__all__ = ["FAIR", "STRONG", "WEAK", "Evidence", "Strength", "grade"]

STRONG, FAIR, WEAK = "strong", "fair", "weak"


class Evidence(NamedTuple):
    """What stands behind a verdict; None where a number has no meaning for its test."""

    n: int | None = None  # trainings that were read, of all settings and seeds
    seeds: int | None = None  # of the setting with the fewest, those that all its tables have
    judged: int | None = None  # see `netdyn.claims.verdicts.Outcome`
    unjudged: int | None = None
    without_a_seed: float | None = None  # share of the judgements without a seed that agree
    moved_thresholds: float | None = None  # share of those with a threshold moved that agree
    unequal_training: float | None = None  # difference of final training accuracies, in points
    p_value: float | None = None


class Strength(NamedTuple):
    """The grade of a verdict, "" where there is none; why it is not strong; and the evidence."""

    grade: str
    reasons: tuple[str, ...]
    evidence: Evidence


class _Consulted(Mapping[str, float]):
    """Thresholds that remember which of them were looked up."""

    def __init__(self, thresholds: Thresholds):
        self._thresholds = thresholds
        self.read: list[str] = []

    def __getitem__(self, name: str) -> float:
        value = self._thresholds[name]  # which may say what is wrong with the claims' file
        if name not in self.read:
            self.read.append(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._thresholds)

    def __len__(self) -> int:
        return len(self._thresholds)


def grade(row: Claim, tables: Tables, mode: str, judge: Judge, rules: Rules) -> Strength:
    """Judge a claim, judge it again without each seed and with moved thresholds, and grade it.

    Without a seed: out of every setting that has another; where none has, nothing is judged again.
    Moved: each threshold that the test looks up as a criterion, one at a time, up and down by
    `rules.move` of itself. A judgement that cannot be given agrees with no verdict.
    Unequal training: the largest difference of the training accuracy at the last step among the
    trainings that were judged, where these are of more than one setting; none that diverged counts.
    A setting was judged where the outcome is another, in any word, if nothing of it was measured.

    Returns:
        strong if all of `rules.strong` hold, weak if one of `rules.weak` does not, else fair. Facts
        that are None do not count. No grade where the claim is not tested or a run diverged.
    """
    tables, thresholds = tables.unread(), _Consulted(row.thresholds)

    def judged(tables: Tables, row: Claim) -> Outcome:
        return outcome_of(judge, row, tables, mode)

    def needs(setting: Setting) -> bool:
        blank = unmeasured(tables, names, dict(setting))
        try:
            return judged(blank, row) != outcome
        except ValueError:  # of a test that takes the best of numbers, and there are none
            return True

    outcome = judged(tables, row._replace(thresholds=thresholds))
    if outcome.verdict in (NOT_TESTED, DIVERGED):
        return Strength("", (), Evidence())
    names = {*row.tables, *tables.read}
    networks = networks_read(tables, {key: row.thresholds[key] for key in thresholds.read}, rules)
    without = {
        f"without seed {seed}": judged(without_seed(tables, names, seed), row).verdict
        for seed in networks.repeated_seeds
    }
    moved = {
        f"{key} at {value:g}": judged(tables, _with(row, key, value)).verdict
        for key in thresholds.read
        if rules.is_criterion(key)
        for value in _moves(key, row.thresholds[key], rules)
    }
    evidence = Evidence(
        n=networks.count,
        seeds=networks.fewest_seeds,
        judged=outcome.judged,
        unjudged=outcome.unjudged,
        without_a_seed=_agreeing(without, outcome.verdict),
        moved_thresholds=_agreeing(moved, outcome.verdict),
        unequal_training=unequal_training(networks, needs),
        p_value=outcome.p_value,
    )
    changes = {
        "without_a_seed": _changes(without, outcome.verdict),
        "moved_thresholds": _changes(moved, outcome.verdict),
    }
    return _graded(evidence, changes, rules)


def _graded(evidence: Evidence, changes: Mapping[str, str], rules: Rules) -> Strength:
    facts = AT_LEAST + AT_MOST
    short = [fact for fact in facts if not _holds(fact, evidence, rules.strong)]
    weak = [fact for fact in facts if not _holds(fact, evidence, rules.weak)]
    reasons = tuple(changes.get(fact) or _in_words(fact, evidence) for fact in short)
    return Strength(WEAK if weak else FAIR if short else STRONG, reasons, evidence)


def _holds(fact: str, evidence: Evidence, bounds: Mapping[str, float]) -> bool:
    """Return whether a fact is on the right side of its bound, or has no meaning for the test."""
    value = getattr(evidence, fact)
    if fact == "unjudged" and value is not None:
        value = value / _of(evidence) if value else 0.0  # a share
    if value is None:
        return True
    return at_least(value, bounds[fact]) if fact in AT_LEAST else at_most(value, bounds[fact])


def _in_words(fact: str, evidence: Evidence) -> str:
    """Return a fact as a reason why a verdict is not strong."""
    if fact == "seeds":
        return f"{evidence.seeds} seed{'' if evidence.seeds == 1 else 's'}"
    if fact == "unjudged":
        return f"{evidence.unjudged} of {_of(evidence)} not judged"
    if fact == "unequal_training":
        return f"final training accuracies {evidence.unequal_training:.1f} points apart"
    return f"p = {evidence.p_value:.2g}"


def _of(evidence: Evidence) -> int:
    return (evidence.judged or 0) + (evidence.unjudged or 0)


def _with(row: Claim, name: str, value: float) -> Claim:
    thresholds = copy(row.thresholds)
    thresholds[name] = value
    return row._replace(thresholds=thresholds)


def _moves(name: str, value: float, rules: Rules) -> list[float]:
    moved = [value * (1 + step) for step in (-rules.move, rules.move)]
    if name in rules.ends_at_one:
        moved = [min(m, 1.0) for m in moved]
    return [m for m in moved if m != value]


def _agreeing(verdicts: Mapping[str, str], verdict: str) -> float | None:
    if not verdicts:
        return None
    return sum(other == verdict for other in verdicts.values()) / len(verdicts)


def _changes(verdicts: Mapping[str, str], verdict: str) -> str:
    """Return when the verdict is another, and which: "without seed 1: partly"."""
    return ", ".join(f"{when}: {other}" for when, other in verdicts.items() if other != verdict)
