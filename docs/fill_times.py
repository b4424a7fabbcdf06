"""docs/times.md from docs/times.in, a Jinja template: times are those of committed tables."""

import csv
from pathlib import Path

from fill_readme import Numbers, rendered

from netdyn.watch.words import duration

__all__ = ["page", "seconds_and_jobs"]

CORES = 2


def seconds_and_jobs(root: Path, scale: str, rule: str = "") -> tuple[float, int]:
    """Return the seconds of all jobs of a scale, one after another, and how many they are.

    Args:
        root: of the repository.
        scale: its name.
        rule: of the jobs; "" for all rules.
    """
    path = root / "src/netdyn/watch/job_times.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["scale"] == scale and not row["kind"] and rule in ("", row["rule"])
        ]
    seconds = sum(float(row["seconds"]) * int(row["jobs"]) for row in rows)
    return seconds, sum(int(row["jobs"]) for row in rows)


def page(root: Path) -> str:
    """Return docs/times.md.

    Args:
        root: of the repository.
    """
    numbers = Numbers(root)
    training, trainings = seconds_and_jobs(root, "cpu", "train_run")
    measuring, measurements = seconds_and_jobs(root, "cpu", "measure_run")
    # Drawing and copying committed tables take as long at any scale.
    reference = root / "results/cpu/reference"
    redrawing = 0.0
    for rule, folder, kind in (("draw_figure", "figures", "pdf"), ("tabulate", "tables", "csv")):
        seconds, jobs = seconds_and_jobs(root, "demo", rule)
        redrawing += seconds / jobs * len([*(reference / folder).glob(f"*.{kind}")])
    context = {name: getattr(numbers, name) for name in ("cost", "minutes", "seconds", "seeds")}
    context |= {
        "trained": duration((training + measuring) / CORES),
        "trainings": trainings,
        "measurements": measurements,
        "redrawn": duration(redrawing / CORES),
    }
    return rendered(root / "docs/times.in", context)
