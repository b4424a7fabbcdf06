"""One public face: its names, what it costs to import, and what becomes of the names of 0.1."""

import ast
import importlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import netdyn
from netdyn import _public
from netdyn._public import NAMES, moved_to
from netdyn.records.import_graph import source_files

PUBLIC = {
    *("MLP", "Monitor", "NetdynError", "basin_size", "find_basins", "linear_map", "linear_maps"),
    *("load_model", "local_fields", "logits", "prune", "rank_probability", "rank_statistics"),
    *("plot", "read", "rpd_gradient", "sample_noise_correct", "weight_noise_correct"),
}
ROOT = Path(__file__).parents[1]
# Modules of 0.1, and where each is now.
MOVED = {
    "rpd": "netdyn.measures.ranks.rpd",
    "lmap": "netdyn.networks.lmap",
    "basins": "netdyn.measures.basins.sizes",
    "settings": "netdyn.plan.settings",
    "measurements": "netdyn.quantities",
    "products": "netdyn.runtime.products",
}


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


def seconds(program: str) -> float:
    start = time.perf_counter()
    run(program)
    return time.perf_counter() - start


def test_the_public_names_are_these():
    assert {*NAMES} == PUBLIC
    assert {*dir(netdyn)} >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_is_what_its_module_holds(name):
    home = importlib.import_module(f"netdyn.{NAMES[name]}")
    if name == "plot":
        assert netdyn.plot is importlib.import_module("netdyn.plots.plot")
        return
    assert getattr(netdyn, name) is getattr(home, name)
    assert getattr(netdyn, name).__module__ == home.__name__


def test_types_stand_beside_the_names():
    nodes = ast.parse((ROOT / "src/netdyn/__init__.pyi").read_text()).body
    found = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert found == {name: f"netdyn.{home}.{name}" for name, home in NAMES.items()}
    assert (ROOT / "src/netdyn/py.typed").is_file()


def test_importing_the_package_brings_next_to_nothing():
    brought = run(
        "import sys; before = {*sys.modules}; import netdyn; "
        "print(*sorted({*sys.modules} - before - {'importlib', 'importlib._bootstrap'}))"
    )
    assert [name for name in brought.split() if not name.startswith(("importlib", "warnings"))] == [
        "netdyn"
    ]


def test_importing_the_package_takes_no_time():
    bare = min(seconds("pass") for _ in range(5))
    assert min(seconds("import netdyn") for _ in range(5)) <= bare + 0.15


def test_the_names_are_in_no_results_code():
    for module in ("netdyn.training.train", "netdyn.quantities.basin_size", "netdyn.figures.fig1"):
        assert "_public.py" not in {path.name for path in source_files(module)}


@pytest.mark.parametrize("old", [*MOVED])
@pytest.mark.parametrize(
    "statement", ["import netdyn.{}", "from netdyn import {}", "from netdyn.{} import x"]
)
def test_an_import_of_old_says_where_the_module_is(statement, old):
    assert moved_to(old) == MOVED[old]
    importlib.import_module(MOVED[old])
    with pytest.raises(ImportError) as error:
        exec(statement.format(old), {})
    assert str(error.value).startswith(f"netdyn.{old} is {MOVED[old]} since netdyn 0.2; ")


def test_a_folder_that_an_update_left_behind_changes_nothing(tmp_path):
    shutil.copytree(ROOT / "src/netdyn", tmp_path / "netdyn")
    (tmp_path / "netdyn/measurements/__pycache__").mkdir(parents=True, exist_ok=True)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import netdyn.measurements"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert said.returncode == 1
    assert "netdyn.measurements is netdyn.quantities since netdyn 0.2; " in said.stderr


def test_every_old_module_is_where_the_list_says():
    for now in _public._MOVED.values():
        importlib.import_module(f"netdyn.{now}")


def test_an_attribute_of_old_says_where_it_is_and_others_are_just_missing():
    with pytest.raises(AttributeError, match=r"'rpd': it is netdyn\.measures\.ranks\.rpd now"):
        _ = netdyn.rpd
    assert not hasattr(netdyn, "lmap")
    with pytest.raises(AttributeError, match=r"no attribute 'entropy'$"):
        _ = netdyn.entropy
    with pytest.raises(ImportError, match="cannot import name 'entropy'"):
        exec("from netdyn import entropy", {})
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'netdyn\.entropy'"):
        exec("import netdyn.entropy", {})


def test_the_version_is_that_of_the_citation():
    assert f"\nversion: {netdyn.__version__}\n" in (ROOT / "CITATION.cff").read_text()
