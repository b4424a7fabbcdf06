"""The work of a run that has not begun, corrected by how long its jobs have taken so far."""

from collections import defaultdict

__all__ = ["WorkLeft"]


class WorkLeft:
    """Expected seconds of jobs, corrected rule by rule.

    A rule's jobs take (Σ taken + m) / (Σ expected + m) times what is expected of them, with sums
    over its finished jobs and m the mean that is expected of these: one job's worth of trust in
    the expectation.
    """

    def __init__(self) -> None:
        self._expected: dict[int, tuple[str, float]] = {}
        self._waiting: dict[str, float] = defaultdict(float)
        self._finished: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._factors: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._expected)

    def __contains__(self, number: int) -> bool:
        return number in self._expected

    def add(self, number: int, rule: str, seconds: float) -> None:
        """Add a job that waits."""
        self._expected[number] = rule, seconds
        self._waiting[rule] += seconds

    def add_rule(self, rule: str, jobs: int, seconds: float) -> None:
        """Add jobs of a rule that wait and whose numbers are not known."""
        self._waiting[rule] += jobs * seconds

    def begin(self, number: int, rule: str, seconds: float) -> float:
        """Let a job begin, also once more; return the seconds that it is expected to take.

        Args:
            number: the job.
            rule, seconds: its own, where it was not added.
        """
        rule, seconds = self._expected.setdefault(number, (rule, seconds))
        self._waiting[rule] = max(self._waiting[rule] - seconds, 0.0)
        return seconds * self._factors.get(rule, 1.0)

    def end(self, number: int, seconds: float) -> None:
        """Let a job end that has taken some seconds."""
        rule, expected = self._expected[number]
        self._finished[rule].append((seconds, expected))
        sums = [sum(some) for some in zip(*self._finished[rule], strict=True)]
        mean = sums[1] / len(self._finished[rule])
        self._factors[rule] = (sums[0] + mean) / max(sums[1] + mean, 1e-9)

    def expected(self, number: int) -> float:
        """Return what was expected of a job before any had run."""
        return self._expected[number][1]

    def seconds(self) -> float:
        """Return what all that wait are expected to take."""
        return sum(s * self._factors.get(rule, 1.0) for rule, s in self._waiting.items())
