"""A claim, the outcome of its test, and the rules that combine verdicts."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from netdyn.results.verdicts import (
    DIVERGED,
    FROZEN,
    NOT_REPRODUCED,
    NOT_TESTED,
    PARTLY,
    REPRODUCED,
    VERDICTS,
)

__all__ = [
    "DIVERGED",
    "FROZEN",
    "NOT_REPRODUCED",
    "NOT_TESTED",
    "PARTLY",
    "REPRODUCED",
    "VERDICTS",
    "Claim",
    "Criterion",
    "Diverged",
    "NotTested",
    "Options",
    "Outcome",
    "Thresholds",
    "each",
    "verdict",
    "worst",
]

Thresholds = Mapping[str, float]


class NotTested(Exception):
    """A claim cannot be tested because something is missing; the message says what."""


class Diverged(Exception):
    """A run that a claim needs diverged; the message says which and when."""


class Options(Mapping[str, str]):
    """The choices of a reading by which a claim is judged otherwise than its frozen test says.

    A judge looks each up with the value that its frozen test stands for:
    `row.options.get("region", "ellipse")`. Options remember which of them were looked up, so that a
    reading which changes nothing for a claim is noticed.

    Attributes:
        read: the names that were looked up and are present.
    """

    def __init__(self, values: Mapping[str, str] | None = None):
        self._values = dict(values or {})
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        value = self._values[name]
        self.read.add(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Claim(NamedTuple):
    """A row of workflow/claims.yaml; its thresholds include those of its kind."""

    id: str
    where: str  # figure or section of the paper
    section: str
    claim: str
    paper_value: float | None
    kind: str
    thresholds: Thresholds
    modes: tuple[str, ...]
    test: str
    tables: tuple[str, ...]
    options: Options = Options()
    criterion: str = FROZEN  # the id of the criterion by which it is judged


class Criterion(NamedTuple):
    """A further criterion of a claim; the frozen one stays first and is never replaced."""

    id: str
    added: str  # date
    reason: str
    sees: str  # what it sees that the frozen criterion does not
    claim: Claim  # the claim with the kind, the test and the thresholds of this criterion


class Outcome(NamedTuple):
    """The outcome of a claim's test.

    A test of many points, pairs or networks says how many it could judge; `judged` and `unjudged`
    are None where the test is of a few numbers.
    """

    verdict: str
    measured: str  # its numbers with units
    spread: float | None  # sample standard deviation over seeds of the main number; None for one
    seen: str  # one sentence
    judged: int | None = None  # points, pairs or networks on which the verdict stands
    unjudged: int | None = None  # those that it should stand on and that could not be judged
    p_value: float | None = None  # of the hypothesis that the verdict rejects, if it rejects one


def verdict(reproduced: bool, partly: bool = False) -> str:
    """Return the verdict of a test that holds, holds in part, or fails."""
    return REPRODUCED if reproduced else PARTLY if partly else NOT_REPRODUCED


def worst(*verdicts: str) -> str:
    """Return the verdict of a claim that is no better than its weakest part."""
    return max(verdicts, key=VERDICTS.index)


def each(*verdicts: str) -> str:
    """Return the verdict of a claim about several networks, which must hold for each of them.

    It is the common verdict where all networks agree, and partly otherwise.
    """
    if not verdicts:
        raise NotTested("no network to judge")
    return verdicts[0] if len(set(verdicts)) == 1 else PARTLY
