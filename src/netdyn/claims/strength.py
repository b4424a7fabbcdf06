"""What stands behind a verdict: seeds, points, thresholds and equal training, and a grade of it.

A verdict is given again without each seed and with each threshold moved. How, and what makes it
strong, fair or weak, stands in the block `strength` of workflow/claims.yaml, for all claims alike.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from typing import NamedTuple

from netdyn.claims.networks import Networks, networks_read
from netdyn.claims.strength_rules import AT_LEAST, Rules
from netdyn.claims.tables import Tables
from netdyn.claims.values import at_least, at_most
from netdyn.claims.verdicts import (
    DIVERGED,
    NOT_TESTED,
    Claim,
    Diverged,
    NotTested,
    Outcome,
    Thresholds,
)

__all__ = ["FAIR", "STRONG", "WEAK", "Evidence", "Strength", "grade"]

STRONG, FAIR, WEAK = "strong", "fair", "weak"

Judge = Callable[[Tables, Claim, str], Outcome]


class Evidence(NamedTuple):
    """What stands behind a verdict; None where a number has no meaning for its test."""

    n: int | None = None  # trainings that were judged, of all settings and seeds
    seeds: int | None = None  # of the setting with the fewest, over all tables that were read
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

    Returns:
        strong if all of `rules.strong` hold, weak if one of `rules.weak` does not, else fair. Facts
        that are None do not count. No grade where the claim is not tested or a run diverged.
    """
    tables, thresholds = tables.unread(), _Consulted(row.thresholds)
    try:
        outcome = judge(tables, row._replace(thresholds=thresholds), mode)
    except (NotTested, Diverged):
        return Strength("", (), Evidence())
    if outcome.verdict in (NOT_TESTED, DIVERGED):
        return Strength("", (), Evidence())
    used = networks_read(tables, {name: row.thresholds[name] for name in thresholds.read}, rules)
    again = {
        f"without seed {seed}": _verdict(judge, tables.without_seed(seed), row, mode)
        for seed in used.repeated_seeds
    }
    moved = {
        f"{name} at {value:g}": _verdict(judge, tables, _with(row, name, value), mode)
        for name in thresholds.read
        if rules.is_criterion(name)
        for value in _moves(name, row.thresholds[name], rules)
    }
    evidence = Evidence(
        n=used.count,
        seeds=used.seeds,
        judged=outcome.judged,
        unjudged=outcome.unjudged,
        without_a_seed=_agreeing(again, outcome.verdict),
        moved_thresholds=_agreeing(moved, outcome.verdict),
        unequal_training=used.unequal_training,
        p_value=outcome.p_value,
    )
    reasons = {
        "seeds": _seeds(used),
        "without_a_seed": _changes(again, outcome.verdict),
        "moved_thresholds": _changes(moved, outcome.verdict),
        "unjudged": f"{evidence.unjudged} of {_of(evidence)} not judged",
        "unequal_training": f"final training accuracies {evidence.unequal_training or 0:.1f} "
        "points apart",
        "p_value": f"p = {evidence.p_value or 0:.2g}",
    }
    short = [fact for fact in reasons if not _holds(fact, evidence, rules.strong)]
    is_weak = not all(_holds(fact, evidence, rules.weak) for fact in reasons)
    return Strength(
        WEAK if is_weak else FAIR if short else STRONG,
        tuple(reasons[fact] for fact in short),
        evidence,
    )


def _holds(fact: str, evidence: Evidence, bounds: Mapping[str, float]) -> bool:
    """Return whether a fact is on the right side of its bound, or has no meaning for the test."""
    value = getattr(evidence, fact)
    if fact == "unjudged" and value is not None:
        value = value / _of(evidence) if value else 0.0  # a share
    if value is None:
        return True
    return at_least(value, bounds[fact]) if fact in AT_LEAST else at_most(value, bounds[fact])


def _of(evidence: Evidence) -> int:
    return (evidence.judged or 0) + (evidence.unjudged or 0)


def _verdict(judge: Judge, tables: Tables, row: Claim, mode: str) -> str:
    try:
        return judge(tables, row, mode).verdict
    except NotTested:
        return NOT_TESTED
    except Diverged:
        return DIVERGED


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


def _seeds(used: Networks) -> str:
    return f"{used.seeds} seed{'' if used.seeds == 1 else 's'}"
