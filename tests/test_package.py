"""The package as it is installed elsewhere: what it holds, needs and says."""

import email
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import fill_package
import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import sys

class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("matplotlib", "snakemake", "plotly", "torchvision"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

sys.meta_path.insert(0, Blocked)
import torch
import netdyn
from netdyn import cli

assert netdyn.__file__.startswith(sys.argv[1]), netdyn.__file__
model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
x, y = torch.rand(30, 6), torch.arange(30) % 3
table = netdyn.read(model).gradients(x, y)
assert list(table["class"]) == [0, 1, 2, -1]
try:
    netdyn.plot
except netdyn.NetdynError as error:
    print(error)
sys.argv = ["netdyn", "analyse", "model.pt2", "data.npz", "--output", "none"]
cli.main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of what it is made of: a build leaves files in its folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("pyproject.toml", "LICENSE", "docs/package_page.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "src/netdyn").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = source / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    program = (
        "import os, sys; from setuptools import build_meta; os.chdir(sys.argv[1]); "
        "print(build_meta.build_wheel(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, source, folder], check=True, capture_output=True, text=True
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_library_and_says_what_it_does_not_hold(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {*archive.namelist()}
        (name,) = (name for name in held if name.endswith("/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    package = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src/netdyn").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= held
    ours = ("netdyn/", "netdyn-", "snakemake_logger_plugin_netdyn/")
    assert all(name.startswith(ours) for name in held)
    assert {*metadata.get_all("Provides-Extra")} >= {"plot", "analyse", "workflow"}
    needed = [one for one in metadata.get_all("Requires-Dist") if "extra ==" not in one]
    assert not re.search(r"snakemake|matplotlib|plotly|torchvision", " ".join(needed))
    text = metadata.get_payload()
    assert "does not hold:** the workflow" in text
    assert metadata["Description-Content-Type"] == "text/markdown"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the folder into which pip installed the wheel, without what it needs."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", "install", *options, "--target", folder, wheel],
        check=True, capture_output=True, text=True, cwd=folder.parent,
    )  # fmt: skip
    return folder


def test_installed_elsewhere_it_measures_without_what_only_figures_need(installed, tmp_path):
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, sys.argv[1])\n{PROGRAM}",
         installed],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert "needs matplotlib, which is not installed: pip install 'netdyn[plot]'" in run.stdout
    assert run.returncode == 1
    (line,) = run.stderr.strip().splitlines()
    assert re.fullmatch(
        r"error: this needs matplotlib, which is not installed: pip install 'netdyn\[plot\]'", line
    )


@pytest.mark.parametrize("how", ["command", "module"])
def test_installed_elsewhere_the_command_line_names_its_commands(how, installed, tmp_path):
    words = {"command": [installed / "bin/netdyn"], "module": [sys.executable, "-m", "netdyn"]}
    run = subprocess.run(
        [*words[how], "--help"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert {"analyse", "provenance", "explore"} <= {*run.stdout.replace("│", " ").split()}


def test_links_of_the_page_are_absolute_where_the_repository_has_a_url():
    text = "![one](a/b.png) [two](docs/c.md#d) [three](https://e.f) [four](#g)"
    url = "https://host/x/netdyn"
    for given in (url, f"{url}/", f"{url}.git"):
        assert fill_package.absolute(text, given) == (
            f"![one]({url}/raw/HEAD/a/b.png) [two]({url}/blob/HEAD/docs/c.md#d) "
            "[three](https://e.f) [four](#g)"
        )
    assert fill_package.absolute(text, None) == text
