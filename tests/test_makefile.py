"""Which Python the Makefile makes the environment with."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"
FITS = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
OLD = "#!/bin/sh\nexit 1\n"  # of another version, or without venv: the Makefile's check fails


@pytest.fixture
def make(tmp_path):
    """Return a function that prints what `make env` would run, with these interpreters on PATH."""
    for tool in ("make", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool))

    def run(*arguments, **interpreters):
        for name, script in interpreters.items():
            path = tmp_path / name.replace("_", ".")
            path.write_text(script)
            path.chmod(0o755)
        command = ["make", "--dry-run", "--always-make", "--file", MAKEFILE, "env", *arguments]
        environment = {"PATH": str(tmp_path)}
        return subprocess.run(
            command,
            cwd=MAKEFILE.parent,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    return run


@pytest.mark.parametrize(
    ("interpreters", "chosen"),
    [
        ({"python3": FITS, "python3_11": FITS}, "python3"),
        ({"python3": OLD, "python3_12": FITS, "python3_13": FITS}, "python3.13"),
        ({"python3": OLD, "python3_13": OLD, "python3_12": FITS, "python3_11": FITS}, "python3.12"),
        ({"python3_11": FITS}, "python3.11"),
    ],
)
def test_the_first_interpreter_that_fits_is_chosen_and_printed(make, interpreters, chosen):
    printed = make(**interpreters)
    assert f"\n{chosen} -m venv .venv\n" in printed
    assert f'echo "The environment is made by {chosen}, ' in printed


def test_another_interpreter_can_be_named(make):
    assert "\npython3.11 -m venv .venv\n" in make("PYTHON=python3.11", python3=FITS)


def test_without_an_interpreter_that_fits_nothing_is_made(make):
    printed = make(python3=OLD)
    assert 'test -n "" || { echo "error: no Python 3.11, 3.12 or 3.13 with venv found:"' in printed


@pytest.mark.parametrize("variables", [{"HOME": "/proc/home"}, {"XDG_CACHE_HOME": "/proc/cache"}])
def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, variables):
    command = ["make", "--file", MAKEFILE, "figures", "--old-file", "env", "BIN=/bin/true"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **variables}
    # Nothing but the check: the environment counts as made, and Snakemake is not there.
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    (line,) = (line for line in ended.stderr.splitlines() if not line.startswith("make"))
    assert line.startswith("error: /proc/")
    assert line.endswith(" cannot be written to: set XDG_CACHE_HOME to a folder that can")
