"""docs/tutorial.md: its files, commands and script, and what it says that they print."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dag import copy_repository, run

TUTORIAL = (Path(__file__).parents[2] / "docs/tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'^```(\w+)(?: title="(\S+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


@pytest.mark.workflow
@pytest.mark.workflow_runs
def test_the_tutorial_does_what_it_says(tmp_path):
    folder = copy_repository(tmp_path / "netdyn")
    (folder / "tests/workflow_tiny.yaml").unlink()
    (_, _, activation), *blocks = BLOCK.findall(TUTORIAL)
    assert activation == ". .venv/bin/activate\n"
    said = ""
    for kind, title, text in blocks:
        if title:
            (folder / title).write_text(text)
        if title.endswith(".py"):
            script = [sys.executable, title]
            said = subprocess.run(
                script, cwd=folder, check=True, capture_output=True, text=True
            ).stdout
        elif kind == "sh":
            for command, *arguments in map(str.split, text.splitlines()):
                if command == "cp":
                    shutil.copy(*(folder / name for name in arguments))
                else:
                    assert command == "snakemake"
                    said = run(folder, *arguments, full=False)
        elif kind == "text":
            assert_said(text, said)


# What differs by machine: durations, with the spaces that fill their column, and its cores.
TIMES = r"\s+(?:\d+ (?:s|min|h)\b\s*)+"
CORES = r"\d+ cores?\b"


def assert_said(text, said):
    """Check that `text` was said, but for cores and times; steps of thresholds within a third."""
    for line in text.splitlines():
        pattern = ""
        for part in re.split(f"({TIMES}|{CORES})", line):
            if re.fullmatch(TIMES, part) or re.fullmatch(CORES, part):
                pattern += TIMES if re.fullmatch(TIMES, part) else CORES
            else:
                words = re.split(r"(?<=step )(\d+)", part)
                pattern += r"(\d+)".join(re.escape(word) for word in words[::2])
        words = re.split(r"(?<=step )(\d+)", line)
        found = re.search(pattern, said)
        assert found, f"{line!r} is not in {said}"
        steps = [float(step) for step in words[1::2]]
        assert [float(step) for step in found.groups()] == pytest.approx(steps, rel=0.34, abs=3)
