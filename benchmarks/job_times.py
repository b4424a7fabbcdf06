"""Write how long jobs take where they have not run yet: src/netdyn/watch/job_times.csv.

    python benchmarks/job_times.py [--results FOLDER]

takes, of each scale, the processor time in the benchmark files of results/<scale>/benchmarks, which
is what a job takes on a core of its own, and where there are none the seconds in the provenance of
the committed results, with START_SECONDS for Python's start. Rows of rules without either stay as
they are.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from netdyn.watch.job_times import COMMITTED, benchmarked, kinds

COLUMNS = ("scale", "rule", "kind", "seconds", "jobs")
SCALES = ("demo", "cpu", "paper")
START_SECONDS = 3.0


def of_benchmarks(folder: Path) -> Iterator[tuple[str, str, float]]:
    """Yield rule, name and seconds of the jobs that have run here."""
    for path in sorted(folder.glob("*")):
        rule = path.stem
        if path.is_dir():
            jobs = benchmarked(folder, rule, "cpu_time")
            yield from ((rule, name, seconds) for name, seconds in jobs)


def of_provenance(reference: Path) -> Iterator[tuple[str, str, float]]:
    """Yield the same of trainings and measurements whose results are committed."""
    runs = reference / "provenance" / "runs.json"
    for name, record in (
        json.loads(runs.read_text(encoding="utf-8")).items() if runs.is_file() else ()
    ):
        yield "train_run", name, record["seconds"] + START_SECONDS
    for path in sorted(reference.glob("provenance/tables/*.json")):
        for part in json.loads(path.read_text(encoding="utf-8")).get("measured", ()):
            yield "measure_run", path.stem, part["seconds"] + START_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=Path, default=Path("results"))
    results = parser.parse_args().results
    rows = {}
    if COMMITTED.is_file():
        with COMMITTED.open(encoding="utf-8", newline="") as file:
            rows = {(row["scale"], row["rule"], row["kind"]): row for row in csv.DictReader(file)}
    for scale in SCALES:
        folder = results / scale
        local = list(of_benchmarks(folder / "benchmarks"))
        rules = {rule for rule, _, _ in local}
        committed = [job for job in of_provenance(folder / "reference") if job[0] not in rules]
        seconds = defaultdict(list)
        for rule, name, one in [*local, *committed]:
            # The general kinds are enough for scales whose runs nobody has timed.
            for kind in dict.fromkeys(kinds(rule, name)):
                seconds[rule, kind].append(one)
        for (rule, kind), some in seconds.items():
            values = (scale, rule, kind, f"{fmean(some):.1f}", len(some))
            rows[scale, rule, kind] = dict(zip(COLUMNS, values, strict=True))
    with COMMITTED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))


if __name__ == "__main__":
    main()
