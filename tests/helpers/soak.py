"""Kill the workflow at random moments, go on, and compare with an undisturbed run.

    python tests/helpers/soak.py --kills 40 --seed 0 --output results/soak.csv

What is killed and when follows from the seed; what it hits, also from how fast the machine is. A
soak that was cut goes on with --resume from the last workflow that it finished.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import psutil
import typer
from dag import FULL, TINY, copy_repository
from forking import Forks, Session

# What is killed with -9, each as often as the others, and how the page calls it.
KINDS = {
    "everything": "all processes at once (power cut)",
    "snakemake": "Snakemake alone, its jobs run on",
    "train": "a training",
    "measure": "a measurement",
}
CORES = 2
TABLES = tuple(f"results/demo/tables/grokking_{name}.csv" for name in ("history", "gradient"))
SETTINGS = (
    "{{runs: {{grokking: {{steps: 2000, seeds: {}}}}}, runs_per_job: 1, checkpoint_seconds: 0.1}}"
)
RUN_FILES = ("manifest.json", "history.csv", "snapshots.safetensors")
CONFIGURED = (*TINY, "soak.yaml")
ARGUMENTS = ("--cores", str(CORES), *TABLES, *CONFIGURED)


def prepared(folder: Path, runs: int = 4) -> Path:
    """Return a copy of the repository with a workflow of so many runs, ten checkpoints a second."""
    copy_repository(folder)
    (folder / "soak.yaml").write_text(SETTINGS.format(list(range(runs))), encoding="utf-8")
    return folder


def results(folder: Path) -> dict[str, bytes]:
    """Return what must have the same bits: tables, and the files of every run."""
    files = [folder / table for table in TABLES]
    files += [run / name for run in (folder / "results/demo/runs").iterdir() for name in RUN_FILES]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Sitting:
    """One Snakemake at work in `folder`, as a fork or by itself, until it ends or is killed."""

    def __init__(self, folder: Path, *more: str, log: str = "said.txt", forks: Forks | None = None):
        self.log = folder / log
        words = (FULL, *more, *ARGUMENTS)
        environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
        with self.log.open("w", encoding="utf-8") as said:
            if forks is not None:
                self.process = forks.session(str(folder), words, environment, said)
                return
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("snakemake")), *words],
                cwd=folder,
                env=environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> bool:
        """Wait; say whether it ended by itself."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def jobs(self, command: str) -> dict[psutil.Process, list[str]]:
        """Return the processes of jobs at work of a subcommand of netdyn, and their words."""
        found = {}
        if isinstance(self.process, Session):
            for number, words in self.process.jobs().items():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if words[0] == command:
                        found[psutil.Process(number)] = words
            return found
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if words[1:5] == ["-P", "-m", "netdyn", command]:
                found[process] = words
        return found

    def kill(self, kind: str, moment: float, course: float) -> bool:
        """Kill what `kind` says at `moment` of 0 … 1; say whether it was there to be killed."""
        if kind in ("everything", "snakemake"):
            # Soon enough that several kills hit one course.
            if self.wait(moment * course / 2):
                return False
            kill = os.killpg if kind == "everything" else os.kill
            kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return True
        seconds = moment * course / 5
        while not self.wait(0.01):
            if not (jobs := self.jobs(kind)):
                continue
            time.sleep(seconds)
            try:
                next(iter(jobs)).kill()
            except psutil.NoSuchProcess:
                seconds /= 2  # it ended before: the next job of this kind, and sooner
                continue
            self.process.wait()
            return True
        return False

    def begun(self) -> list[str]:
        """Return the jobs that were begun, in words."""
        return re.findall(r"^Job \d+: (.*)$", self.log.read_text(encoding="utf-8"), re.MULTILINE)

    def end(self) -> None:
        """Kill what is left of it, orphans included."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def finished_runs(folder: Path) -> dict[str, bytes]:
    """Return the provenance of every run that is whole: it tells one training from another."""
    found = folder.glob("results/demo/checkpoints/*.whole/*/manifest.json")
    return {path.parts[-3]: path.with_name("provenance.json").read_bytes() for path in found}


def plan_of_kills(kills: int, seed: int) -> list[tuple[str, float]]:
    """Return the kind and the moment, 0 … 1, of each kill."""
    chosen = random.Random(seed)
    kinds = list(KINDS) * -(-kills // len(KINDS))
    chosen.shuffle(kinds)
    return [(kind, chosen.random()) for kind in kinds[:kills]]


def soak(
    folder: Path,
    kills: int,
    seed: int,
    output: Path | None = None,
    resume: bool = False,
    runs: int = 4,
    forks: Forks | None = None,
) -> pd.DataFrame:
    """Kill `kills` times; return a row per kill: its kind, its moment and what it cost.

    Written to `output` after every course that ended. With `resume` its rows are the first ones.
    """
    planned = plan_of_kills(kills, seed)
    rows = earlier(output, planned) if resume and output is not None else []
    fresh = prepared(folder / "fresh", runs)
    original = shutil.copytree(fresh, folder / "undisturbed")
    started = time.monotonic()
    sitting = Sitting(original, forks=forks)
    try:
        assert sitting.process.wait() == 0, sitting.log.read_text(encoding="utf-8")
    finally:
        sitting.end()
    course, expected = time.monotonic() - started, results(original)
    round_ = rows[-1]["round"] if rows else 0
    while len(rows) < kills:
        round_ += 1
        copy = shutil.copytree(fresh, folder / f"round-{round_}")
        started = time.monotonic()
        new = one_round(copy, planned, len(rows), course, forks)
        if not new:
            course = time.monotonic() - started  # the machine has become faster
        found = results(copy)
        differing = [name for name in expected | found if expected.get(name) != found.get(name)]
        rows += [{"round": round_, **row, "differing": len(differing)} for row in new]
        shutil.rmtree(copy)
        if output is not None:
            atomically = output.with_name(f"{output.name}.part")
            pd.DataFrame(rows).to_csv(atomically, index=False)
            atomically.replace(output)
    return pd.DataFrame(rows)


def earlier(output: Path, planned: list[tuple[str, float]]) -> list[dict]:
    """Return the rows of a soak that was cut; they must be of the same kills."""
    if not output.exists():
        return []
    rows = pd.read_csv(output).to_dict("records")
    if [(row["kind"], row["moment"]) for row in rows] != [
        (kind, round(moment, 3)) for kind, moment in planned[: len(rows)]
    ]:
        raise SystemExit(f"error: {output} is of other kills, or of another seed: delete it")
    return rows


def one_round(
    folder: Path,
    planned: list[tuple[str, float]],
    first: int,
    course: float,
    forks: Forks | None,
) -> list[dict]:
    """Carry out the kills from `first` on until the workflow is finished."""
    rows: list[dict] = []
    begun: list[str] = []
    whole: dict[str, bytes] = {}
    with contextlib.ExitStack() as ending:
        while True:
            sitting = Sitting(folder, forks=forks)
            ending.callback(sitting.end)
            number = first + len(rows)
            killed = number < len(planned) and sitting.kill(*planned[number], course)
            if not killed:
                sitting.process.wait()
            again = [job for job in sitting.begun() if job in begun]
            lost = [run for run, told in whole.items() if finished_runs(folder).get(run) != told]
            if rows:
                rows[-1] |= {"begun_again": len(again), "runs_lost": len(lost)}
            begun += sitting.begun()
            whole = finished_runs(folder)
            if not killed:
                break
            kind, moment = planned[number]
            rows.append({"kind": kind, "moment": round(moment, 3)})
            typer.echo(f"kill {number + 1} of {len(planned)}: {KINDS[kind]}", err=True)
            # What `snakemake --unlock` does, without the seconds that it takes to start.
            shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
    assert sitting.process.returncode == 0, sitting.log.read_text(encoding="utf-8")
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per kind of kill: how often, and what was lost."""
    by_kind = rows.groupby("kind")
    table = pd.DataFrame(
        {
            "killed with -9": pd.Series(KINDS),
            "times": by_kind.size(),
            "jobs begun again": by_kind["begun_again"].sum(),
            "finished runs trained anew": by_kind["runs_lost"].sum(),
            "results with other bits": by_kind["differing"].sum(),
        }
    )
    counted = table.loc[[kind for kind in KINDS if kind in by_kind.groups]]
    return counted.astype(dict.fromkeys(counted.columns[1:], int))


def markdown(table: pd.DataFrame) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(
    kills: Annotated[int, typer.Option(min=1)] = 40,
    seed: int = 0,
    output: Annotated[Path, typer.Option(help="A row per kill, CSV.")] = Path("results/soak.csv"),
    resume: Annotated[bool, typer.Option(help="Go on from the rows in the output.")] = False,
) -> None:
    """Kill the workflow again and again; fails where anything comes out with other bits."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = soak(Path(folder), kills, seed, output, resume)
    typer.echo(markdown(summary(rows)))
    if rows["differing"].any() or rows["runs_lost"].any():
        raise SystemExit(f"error: something was lost: see {output}")


if __name__ == "__main__":
    typer.run(main)
