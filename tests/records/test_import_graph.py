"""What makes code an input: every module that is imported, and changes of meaning alone."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dag import in_a_fork
from small_package import forget

from netdyn.errors import NetdynError
from netdyn.records import import_graph, provenance
from netdyn.records.import_graph import PACKAGE, code_digests, source_files


def closure(module):
    """The modules behind `source_files`, by their names inside the package."""
    parts = (path.relative_to(PACKAGE).with_suffix("").parts for path in source_files(module))
    return {".".join(part) for part in parts}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package `netdyn` in place of the true one; rewrite a file of it."""
    folder = tmp_path / "netdyn"

    def write(name, text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        forget()

    monkeypatch.setattr(import_graph, "PACKAGE", folder)
    write("__init__.py", "")
    yield write
    forget()


def names(module):
    return {path.relative_to(import_graph.PACKAGE).as_posix() for path in source_files(module)}


@pytest.mark.parametrize(
    "line",
    [
        "import netdyn.b",
        "import os, netdyn.b as other",
        "from netdyn import b",
        "from netdyn import b as other",
        "from netdyn.b import x",
        "def f():\n    from netdyn import b",
        "class C:\n    def f(self):\n        import netdyn.b",
        "try:\n    from netdyn.b import (\n        x,\n        y,\n    )\nfinally:\n    pass",
    ],
)
def test_every_way_to_import_counts(package, line):
    package("a.py", line + "\n")
    package("b.py", "x = y = 1\n")
    package("c.py", "import netdyn.a\n")
    assert names("netdyn.a") == {"__init__.py", "a.py", "b.py"}
    assert names("netdyn.c") == {"__init__.py", "a.py", "b.py", "c.py"}
    assert names("netdyn.b") == {"__init__.py", "b.py"}


def test_packages_count_and_circles_end(package):
    package("sub/__init__.py", "from netdyn import d\n")
    package("sub/a.py", "from netdyn.sub import b\nimport numpy\nfrom other import thing\n")
    package("sub/b.py", "from netdyn.sub.a import x\n")
    package("sub/c.py", "")
    package("d.py", "")
    assert names("netdyn.sub.a") == {
        "__init__.py", "sub/__init__.py", "sub/a.py", "sub/b.py", "d.py"
    }  # fmt: skip


def test_code_is_that_of_a_module(package):
    package("sub/__init__.py", "")
    package("sub/a.py", "")
    assert [*code_digests("netdyn.sub.a")] == ["__init__.py", "sub/__init__.py", "sub/a.py"]
    for name in ("netdyn", "netdyn.sub"):
        with pytest.raises(NetdynError, match=f"{name} is a package: name the module"):
            code_digests(name)
    with pytest.raises(NetdynError, match=r"no module netdyn\.sub\.b: "):
        code_digests("netdyn.sub.b")


def test_names_of_other_packages_do_not_count(package):
    package("a.py", "import netdynamics\nfrom netdyn_extra import b\nx = 'import netdyn.b'\n")
    package("b.py", "")
    assert names("netdyn.a") == {"__init__.py", "a.py"}


def test_the_closure_of_training_is_what_training_runs():
    found = closure("netdyn.training.train")
    assert found >= {
        "training.train", "networks.mlp", "data.prepared", "runtime.random_streams",
        "training.evaluation", "training.checkpoints", "results.runs", "training.schedules",
        "records.files", "errors", "runtime.devices", "records.provenance", "__init__",
    }  # fmt: skip
    # Its own imports' imports too: provenance alone names import_graph.
    assert "records.import_graph" in found
    rooms = {name.rpartition(".")[0] for name in found}
    assert not rooms & {"measures", "measures.ranks", "measures.basins", "plan", "quantities"}
    assert not found & {"networks.lmap", "cli", "data.datasets", "results.tables"}


def test_imports_inside_functions_count():
    text = (PACKAGE / "commands/stages.py").read_text()
    assert "\n    from netdyn.data import datasets\n" in text
    assert {"data.datasets", "training.train", "quantities.subject"} <= closure("netdyn.cli")


def test_what_a_process_imports_is_in_the_closure():
    program = (
        "import sys, netdyn.quantities.basin_size;"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'netdyn'))"
    )
    imported = {Path(name).resolve() for line in in_a_fork(program) for name in line.split(" ")}
    found = {path.resolve() for path in source_files("netdyn.quantities.basin_size")}
    assert imported == found


SOURCE = '''"""What it is for."""

import math
import os


class Gaussian:
    """A bell."""

    def value(self, h, width=10_000):
        """Return its height at h."""
        # Why it is so.
        return math.exp(-h) + width


def documented():
    """Return nothing."""


NAME = "not a docstring"
'''
SAME = {
    "comment": ("# Why it is so.", "# Why it is otherwise."),
    "no comment": ("        # Why it is so.\n", ""),
    "docstring of the file": (
        '"""What it is for."""\n',
        '"""What else it is for.\n\nAnd how."""\n',
    ),
    "docstring of a class": ('    """A bell."""\n', ""),
    "docstring of a function": ("Return its height at h.", "Give its height at h."),
    "docstring alone": ("Return nothing.", "Do nothing."),
    "formatting": ("math.exp(-h) + width", "(\n            math.exp( -h ) + width\n        )"),
    "quotes": ('"not a docstring"', "'not a docstring'"),
    "blank lines": ("import math\n", "\n\nimport math\n\n"),
}
CHANGED = {
    "constant": ("width=10_000", "width=10_001"),
    "operator": ("exp(-h)", "exp(+h)"),
    "name": ("class Gaussian", "class Bell"),
    "text": ("not a docstring", "not any docstring"),
    "order": ("import math\nimport os\n", "import os\nimport math\n"),
    "argument": ("value(self, h, width", "value(self, h, /, width"),
}


@pytest.fixture
def edit(package):
    """Edit a.py, which b.py imports and c.py does not."""
    package("a.py", SOURCE)
    package("b.py", "import netdyn.a\n")
    package("c.py", "x = 1\n")

    def replace(old, new):
        assert SOURCE.count(old) == 1
        package("a.py", SOURCE.replace(old, new))

    return replace


@pytest.mark.parametrize("change", [*SAME])
def test_rewording_and_reformatting_leave_the_digests(edit, change):
    before = code_digests("netdyn.b")
    edit(*SAME[change])
    assert code_digests("netdyn.b") == before


@pytest.mark.parametrize("change", [*CHANGED])
def test_a_change_of_meaning_changes_the_digest_of_its_file_alone(edit, change):
    before, digest = code_digests("netdyn.b"), provenance.code_digest("netdyn.b")
    unrelated = code_digests("netdyn.c")
    edit(*CHANGED[change])
    after = code_digests("netdyn.b")
    assert {name for name in before if after[name] != before[name]} == {"a.py"}
    assert provenance.code_digest("netdyn.b") != digest
    assert code_digests("netdyn.c") == unrelated


def test_code_changed_while_a_result_is_made_is_not_what_made_it(edit):
    before = provenance.code_digest("netdyn.b")
    origin = provenance.Origin("netdyn.b")
    edit(*next(iter(CHANGED.values())))
    assert origin.record()["code_sha256"] == before != provenance.code_digest("netdyn.b")


def test_all_versions_of_python_have_the_same_digests(package):
    """The digest is that of `ast.dump` of Python 3.11, which later versions write otherwise."""
    package(
        "a.py",
        "class C:\n    pass\n"
        "def f(x: int = 1, *y, z=None, **k) -> float:\n"
        '    """Omitted."""\n'
        "    match x:\n        case [1, *_]:\n            return []\n"
        "    return f\"{x!r:>{z}} {'a' 'b'}\" if (w := {**k}) else None or -1.5e-300\n"
        "async def g():\n    return [i async for i in () if i], lambda: ..., b'\\0', 'é', 1_0j\n",
    )
    digest = "afd80ed4c21aeac45fe2f4baf85e464c19e1b2d2ca76daefa1b9065805f5af68"
    assert code_digests("netdyn.a")["a.py"] == digest


def test_where_the_package_lies_is_no_part_of_the_digests(tmp_path, monkeypatch):
    here = code_digests("netdyn.quantities.region")
    monkeypatch.setattr(import_graph, "PACKAGE", shutil.copytree(PACKAGE, tmp_path / "netdyn"))
    forget()
    there = code_digests("netdyn.quantities.region")
    forget()
    assert there == here


@pytest.mark.parametrize(
    "module", ["plan.settings", "plan.targets", "plan.schema", "records.import_graph", "cli"]
)
def test_a_dry_run_and_the_help_pay_for_no_torch(module):
    program = f"import sys, netdyn.{module}; print('torch' in sys.modules, 'pandas' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "False"]


def test_no_file_imports_relatively():
    # The graph is read for imports by full name only.
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
