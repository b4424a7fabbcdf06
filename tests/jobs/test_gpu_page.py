"""The commands of docs/gpu.md, as they stand, on a machine without Snakemake and network.

`make test-workflow` types them; what `netdyn run` does is in `test_scale_run`.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from dag import copy_repository

from netdyn.plan.targets import Plan
from netdyn.records.files import read_yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gpu.md").read_text()
# Found by Python at its start, since the page puts src on its path.
BLOCKED = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("snakemake", "jsonschema"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def block(heading: str) -> str:
    """Return the commands of a section."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    (commands,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return commands


def without_network() -> list[str]:
    """Return the words that take a command's network away, where that is permitted."""
    words = ["unshare", "--net"]
    permitted = shutil.which("unshare") and (
        subprocess.run([*words, "true"], capture_output=True).returncode == 0
    )
    return words if permitted else []


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A copy of the repository in which the page's commands have run; what they showed."""
    folder = copy_repository(tmp_path_factory.mktemp("machine"))
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
    shutil.copy2(ROOT / "tests" / "gpu_rehearsal.yaml", folder / "tests")
    (folder / "src" / "sitecustomize.py").write_text(BLOCKED)
    probe = "python -c 'import jsonschema' 2> blocked.txt || true\n"
    typed = block("What to type").splitlines()
    # The benchmark's status is 1 where this machine is too slow for its budget.
    typed = [f"{line} || true" if "benchmarks/gpu.py" in line else line for line in typed]
    # A third of the page's minute, in which some kinds of networks are measured.
    assert sum("--seconds 60" in line for line in typed) == 1
    typed = [line.replace("--seconds 60", "--seconds 20") for line in typed]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NETDYN_")}
    shown = subprocess.run(
        [*without_network(), "bash", "-ec", block("Rehearse it") + "\n".join(typed) + "\n" + probe],
        cwd=folder,
        env={
            **inherited,
            "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}:{inherited['PATH']}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert shown.returncode == 0, shown.stdout
    assert "No module named 'jsonschema'" in (folder / "blocked.txt").read_text()
    return folder, shown.stdout


@pytest.mark.workflow_runs
def test_the_benchmark_finds_nothing_wrong(machine):
    folder, _ = machine
    table = pd.read_csv(folder / "gpu.csv")
    assert set(table["group"]) >= {"shallow", "deep10", "deep23", "grokking"}
    assert set(table["failed"].dropna()) <= {
        "TimeoutError: not measured, the budget of seconds is spent"
    }
    measured = table[table["failed"].isna()]
    assert len(measured)
    assert measured["equal_bits"].astype(bool).all()


@pytest.mark.workflow_runs
def test_the_run_is_complete_and_comes_back_in_one_archive(machine, tmp_path, monkeypatch):
    folder, shown = machine
    assert "scale paper: done: the tables are in results/paper/reference" in shown
    assert shown.count("jsonschema is not installed") == 2  # once by each command
    monkeypatch.chdir(tmp_path)
    with tarfile.open(folder / "paper.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    tables = {path.stem for path in Path("results/paper/reference/tables").glob("*.csv")}
    assert tables == {"toy_neurons", "grokking_history", "grokking_gradient"}
    settings = [read_yaml(ROOT / "tests" / f"{n}.yaml") for n in ("workflow_tiny", "gpu_rehearsal")]
    merged = {**settings[0], **settings[1]}
    merged["runs"] = {
        name: {**settings[0]["runs"].get(name, {}), **settings[1]["runs"].get(name, {})}
        for name in {*settings[0]["runs"], *settings[1]["runs"]}
    }
    plan = Plan(ROOT, {**merged, "reuse": True}, "paper")
    assert [plan.parts(name) for name in sorted(tables)] == [[], [], []]


def test_the_options_of_the_page_are_those_of_the_command():
    options = re.findall(r"`(--[a-z-]+)", PAGE.split("## Rehearse it")[1])
    words = [sys.executable, "-m", "netdyn", "run", "--help"]
    environment = {**os.environ, "COLUMNS": "200"}
    shown = subprocess.run(words, capture_output=True, text=True, env=environment).stdout
    assert set(options) > {"--tables", "--pack", "--until"}
    assert [option for option in options if option not in shown] == []
