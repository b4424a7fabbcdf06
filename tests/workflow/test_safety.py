"""Nothing is unpickled or evaluated, no value reaches a shell unquoted, every version is pinned."""

import ast
import importlib.metadata
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from dag import ROOT, TINY, copy_repository, snakemake
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from snakemake.utils import format as format_text

from netdyn.plan.shell_words import declarable, first_in_path, repeated

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "torch.load",
    "torch.save",
    "np.load",
    "numpy.load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "yaml.load",
    "yaml.unsafe_load",
    "tarfile.open",
    "zipfile.ZipFile",
    "shutil.unpack_archive",
}
# The members of an exported program are read in memory, never extracted, to refuse those that
# PyTorch would unpickle: whether one is of tensors alone is what its restricted reader tells.
LOOKED_AT = {"src/netdyn/networks/exported.py": ["torch.load", "zipfile.ZipFile"]}
ODD = """it's a "folder" $(touch pwned); rm -rf x"""


def violations(source):
    """Return what a module does that none may: line and name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call):
            # An archive that is written is none that somebody else made.
            written = any(k.arg == "mode" and ast.unparse(k.value) == "'w'" for k in node.keywords)
            names = [] if written else [ast.unparse(node.func)]
            if any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in node.keywords):
                found.append((node.lineno, "shell="))
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if options.get("allow_pickle", "False") != "False":
                found.append((node.lineno, "allow_pickle="))
            elif options.get("allow_pickle") == "False":
                names = []
        for name in names:
            if name in FORBIDDEN_CALLS or set(name.split(".")) & FORBIDDEN_MODULES:
                found.append((node.lineno, name))
    return found


def test_nothing_is_unpickled_evaluated_or_handed_to_a_shell():
    sources = sorted((ROOT / "src").rglob("*.py"))
    assert len(sources) > 50
    found = {str(p.relative_to(ROOT)): violations(p.read_text()) for p in sources}
    assert {
        path: sorted(name for _, name in what) for path, what in found.items() if what
    } == LOOKED_AT
    # Rules are no Python; what they may not do is looked for as text.
    for path in (ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")):
        assert not re.search(r"\b(eval|exec|pickle|system|popen)\s*\(", path.read_text()), path


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('x')",
        "from torch import load",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x')",
        "import subprocess\nsubprocess.run('x', shell=True)",
        "eval('1')",
        "import tarfile\ntarfile.open('x')",
        "import tarfile\ntarfile.open('x', mode='r')",
    ],
)
def test_what_is_looked_for_would_be_found(source):
    assert violations(source)


def test_every_value_in_a_rules_command_is_quoted():
    fields = []
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for block in re.findall(r"^    shell:\n((?: {8}.*\n)+)", path.read_text(), re.MULTILINE):
            fields += [(path.name, field) for field in re.findall(r"\{(.*?)\}", block)]
    assert len(fields) > 50
    assert [field for field in fields if not field[1].endswith(":q")] == []


@pytest.mark.parametrize(
    "value", ["data", "/a b/ü", '"$HOME"', "$(id)", ODD, "it's", "a\\b", "a\nb", "`id`", "\x1b"]
)
def test_only_what_survives_the_way_to_a_cluster_is_declared(value):
    # As snakemake_interface_executor_plugins writes it into a job's command.
    command = f"export X={value!r} && printenv X"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert declarable(value) <= (said.stdout == f"{value}\n")
    assert declarable("/plain/path with spaces")


@pytest.mark.parametrize("name", ["bin", "a {b} c", "{}", "{{0}}", "it's {x!r}", '"$HOME" $(id)'])
def test_the_folder_of_python_comes_first_whatever_its_name(name):
    # As Snakemake does: it formats a prefix, then bash reads it.
    command = format_text(first_in_path(Path("/env") / name)) + '; printf %s "$PATH"'
    said = subprocess.run(
        ["/bin/bash", "-c", command], capture_output=True, text=True, env={"PATH": "/usr/bin"}
    )
    assert said.stdout == f"/env/{name}:/usr/bin"


def test_words_are_quoted_one_by_one():
    words = repeated("--file", ["a b", "$(id)"])
    assert shlex.split(" ".join(map(shlex.quote, words))) == words


@pytest.mark.workflow
def test_odd_names_are_names_and_nothing_else(tmp_path):
    folder = copy_repository(tmp_path / ODD)
    root = tmp_path / f"data {ODD}"
    root.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (root / f"{name}-ubyte").write_bytes(b"other data")
    (folder / "x").touch()
    (folder / "odd.yaml").write_text(yaml.safe_dump({"data_root": str(root)}))
    targets = ("fig1", "results/data/mnist.safetensors", "--keep-going")
    said = snakemake(folder, *targets, *TINY, "odd.yaml")
    assert (folder / "results/demo/figures/fig1.pdf").is_file(), said.stdout
    # The rule that reads from the data root got its name whole.
    assert f"error: {root}/train-images-idx3-ubyte: not MNIST's file" in said.stdout
    assert (folder / "x").exists()
    assert not list(tmp_path.rglob("pwned"))


# Versions -----------------------------------------------------------------------------------------


def pins(name):
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    found = dict(line.split("==") for line in lines if line)
    return {canonicalize_name(package): version for package, version in found.items()}


def required(names):
    """Return the installed distributions that these need, themselves included."""
    waiting, seen = list(names), set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        for text in importlib.metadata.requires(name) or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                waiting.append(need.name)
                extras = [m for e in need.extras for m in _of_extra(need.name, e)]
                waiting.extend(extras)
    return seen


def _of_extra(name, extra):
    for text in importlib.metadata.requires(name) or ():
        need = Requirement(text)
        if need.marker is not None and need.marker.evaluate({"extra": extra}):
            yield need.name


# What the CUDA build of PyTorch brings is pinned by PyTorch itself, to exact versions.
BY_TORCH = re.compile(r"nvidia-.*|triton|cuda-.*|setuptools")


def test_every_version_that_runs_is_pinned():
    direct, others = pins("requirements.txt"), pins("constraints.txt")
    assert direct.keys().isdisjoint(others)
    needed = {name for name in required(direct) if not BY_TORCH.fullmatch(name)}
    assert needed - direct.keys() - others.keys() == set()
    for name in sorted(needed):
        # "+cpu" is a build of the same version.
        installed = importlib.metadata.version(name).split("+")[0]
        assert (direct | others)[name] == installed, name
