"""A copy of the repository to run the workflow in, and what a dry run of it says."""

import atexit
import compileall
import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from forking import Forks

__all__ = [
    *("FIGURES", "FULL", "TINY", "copy_repository", "errors", "forks", "in_a_fork"),
    *("jobs_of", "planned", "run", "snakemake"),
]

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "profiles", "src", "workflow", "tests/workflow_tiny.yaml")
TINY = ("--configfile", "tests/workflow_tiny.yaml")
FIGURES = ("fig1", "fig2", "fig3", "fig3_training", "fig4", "fig5", "fig6", "fig7",
           "noise_returns", "supplement")  # fmt: skip
TARGETS = {"all", "figures", "runs", "tables", "claims", "keep", "redraw", "publish", *FIGURES}


def copy_repository(target: Path) -> Path:
    """Copy what the workflow needs of the repository, results left out, into `target`."""
    compiled()
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            # Bytecode that is just being written has another name.
            unwanted = shutil.ignore_patterns("*.pyc.*", ".*", "*.egg-info")
            shutil.copytree(ROOT / part, target / part, ignore=unwanted)
        else:
            shutil.copy2(ROOT / part, target / part)
    return target


@functools.cache
def compiled() -> None:
    """Compile the package, once for all copies: they keep its files' dates, and so its bytecode."""
    compileall.compile_dir(ROOT / "src", quiet=2)


# What lets Snakemake name each job with its number, in place of progress.
FULL = "--logger-netdyn-full"


def snakemake(
    folder: Path, *arguments: str, source: Path | None = None, full: bool = True
) -> subprocess.CompletedProcess:
    """Run Snakemake in `folder` with the code in it, or in `source`; all it says is in `stdout`.

    It says all that there is (`full`), or what it says by default.
    """
    arguments = (FULL, *arguments) if full else arguments
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        environment = environment_of(source or folder)
        status = forks().snakemake(str(folder), arguments, environment, output)
        output.seek(0)
        return subprocess.CompletedProcess(arguments, status, output.read())


def in_a_fork(code: str, folder: Path = ROOT) -> list[str]:
    """Run `python -c code` in `folder` to a good end; return the lines that it prints.

    The process has imported PyTorch, which takes seconds, and nothing of netdyn.
    """
    new = functools.partial(tempfile.TemporaryFile, "w+", encoding="utf-8")
    with new() as output, new() as errors:
        status = forks().code(str(folder), code, environment_of(ROOT), output, errors)
        output.seek(0)
        errors.seek(0)
        assert status == 0, errors.read()
        return output.read().splitlines()


def environment_of(source: Path) -> dict[str, str]:
    """Return the variables of a process that uses the code in `source`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NETDYN_")}
    return {**kept, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1"}


@functools.cache
def forks() -> Forks:
    """Return the process of this session that Snakemake and its jobs are forked from."""
    folder = tempfile.mkdtemp()
    found = Forks(folder)
    atexit.register(shutil.rmtree, folder)
    atexit.register(found.end)
    return found


def run(folder: Path, *arguments: str, source: Path | None = None, full: bool = True) -> str:
    """Run Snakemake to a good end; return what it says."""
    said = snakemake(folder, *arguments, source=source, full=full)
    assert said.returncode == 0, said.stdout
    return said.stdout


def errors(said: str) -> set[str]:
    """Return the lines that name a mistake and its mend, each once."""
    return set(re.findall(r"^error: .*$", said, re.MULTILINE))


def planned(folder: Path, *arguments: str, source: Path | None = None) -> dict[str, int]:
    """Return how many jobs of each rule a dry run would run; target rules left out."""
    return jobs_of(run(folder, "-n", *arguments, source=source))


def jobs_of(said: str) -> dict[str, int]:
    """Return how many jobs of each rule Snakemake says that it runs; target rules left out."""
    table = re.search(r"Job stats:\n.*?\n-+ .*?\n(.*?)\ntotal", said, re.DOTALL)
    if table is None:
        assert "Nothing to be done" in said, said
        return {}
    counts = dict(line.split() for line in table[1].splitlines())
    return {rule: int(n) for rule, n in counts.items() if rule not in TARGETS}
