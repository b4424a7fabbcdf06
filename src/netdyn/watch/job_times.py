"""How many seconds jobs take: as they took on this machine, else as committed.

Snakemake writes the seconds of every job to a file in results/<scale>/benchmarks/<rule>. Where this
machine has none yet, job_times.csv has the means of others (benchmarks/job_times.py writes it).
"""

import contextlib
import csv
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean

__all__ = ["COMMITTED", "JobTimes", "benchmarked", "kinds"]

COMMITTED = Path(__file__).with_name("job_times.csv")
# Of a job of which nothing is known: starting Python, and a little work.
UNKNOWN_SECONDS = 5.0
# Files of a rule that are read: opening more would be noticed.
MOST_FILES = 2000

Means = dict[tuple[str, ...], float]


def kinds(rule: str, name: str) -> list[str]:
    """Return which jobs of a rule take about as long as one, the most alike first.

    Args:
        rule: the rule.
        name: the run's id, or the table or figure.
    """
    if rule != "train_run":
        return [name, ""]
    return [name.rpartition("_seed-")[0] or name, name.partition("_")[0], ""]


def benchmarked(folder: Path, rule: str, column: str = "s") -> Iterator[tuple[str, float]]:
    """Yield name and seconds of the jobs of a rule whose benchmark files are in `folder`/`rule`.

    Args:
        folder: that of all benchmark files.
        rule: the rule.
        column: "s", the time on the clock, or "cpu_time", that of the processor.
    """
    paths = folder.joinpath(rule).rglob("*.tsv")
    for path in sorted(paths)[:MOST_FILES]:
        with contextlib.suppress(OSError, ValueError, IndexError):
            seconds = _seconds(path, column)
            yield path.parent.name if rule == "measure_run" else path.stem, seconds


def _seconds(path: Path, column: str = "s") -> float:
    names, values = (line.split("\t") for line in path.read_text("utf-8").splitlines()[:2])
    return float(values[names.index(column)])


class JobTimes:
    """Estimates of the seconds that a job takes, start of Python included."""

    def __init__(self, committed: Path = COMMITTED):
        """Args: a table with columns scale, rule, kind, seconds, jobs."""
        self._committed = committed
        self._of_this_machine: dict[Path, Means] = {}

    def seconds(self, rule: str, wildcards: Mapping[str, str], benchmark: str | None) -> float:
        """Return the seconds of a job.

        They are, in this order: those of the same job before, those of similar jobs of its scale
        on this machine, the committed ones of its scale, those of any scale.

        Args:
            rule: its rule.
            wildcards: its wildcards.
            benchmark: its benchmark file, which need not be there.
        """
        means: list[Means] = []
        rule = self.plain_rule(rule)
        if benchmark:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return _seconds(Path(benchmark))
            means.append(self._local(Path(benchmark), rule))
        name = next((wildcards[key] for key in NAMED_BY if key in wildcards), "")
        scale = str(wildcards.get("scale", "")).partition("/")[0]
        for known in (*means, self._means):
            for kind in kinds(rule, name):
                if (scale, rule, kind) in known:
                    return known[scale, rule, kind]
        return self._means.get((rule,), UNKNOWN_SECONDS)

    def plain_rule(self, rule: str) -> str:
        """Return a rule's name without what a workflow that has netdyn as a module puts before."""
        known = (key[0] for key in self._means if len(key) == 1)
        return next((own for own in known if rule.endswith(f"_{own}")), rule)

    def _local(self, benchmark: Path, rule: str) -> Means:
        """Return the means of a rule on this machine, by the folder of a job's benchmark file."""
        if "benchmarks" not in benchmark.parts[:-1]:
            return {}
        at = benchmark.parts.index("benchmarks")
        folder, scale = Path(*benchmark.parts[: at + 1]), benchmark.parts[at - 1] if at else ""
        place = folder / rule
        if place not in self._of_this_machine:
            jobs = [(scale, rule, name, seconds) for name, seconds in benchmarked(folder, rule)]
            self._of_this_machine[place] = _means(jobs)
        return self._of_this_machine[place]

    @functools.cached_property
    def _means(self) -> Means:
        with self._committed.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        means: Means = {}
        weights: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
        for row in rows:
            scale, rule, kind = row["scale"], row["rule"], row["kind"]
            one = (float(row["seconds"]), int(row["jobs"]))
            means[scale, rule, kind] = one[0]
            if not kind:
                weights[(rule,)].append(one)
        for key, some in weights.items():
            means[key] = sum(s * n for s, n in some) / sum(n for _, n in some)
        return means


NAMED_BY = ("run", "measurement", "figure")


def _means(jobs: list[tuple[str, str, str, float]]) -> Means:
    by_kind: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for scale, rule, name, seconds in jobs:
        for kind in dict.fromkeys(kinds(rule, name)):
            by_kind[scale, rule, kind].append(seconds)
    return {key: fmean(some) for key, some in by_kind.items()}
