"""The house: a module imports only from rooms below its own floor, and no circle is anywhere."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import resolve_name
from pathlib import Path

import pytest

import netdyn

PACKAGE = Path(netdyn.__file__).parent

# Rooms by floors, from the top. A module that lies in no room (`cli`, `errors`) is one itself;
# "" is the package's own file with its public names. Rooms that are not built yet may be missing.
FLOORS = (
    ("__main__", "", "_public"),
    ("cli",),
    ("commands",),
    ("jobs", "watch"),
    ("plan",),
    ("training", "quantities", "figures", "claims", "analysis"),
    ("explorer",),
    ("training.engine",),
    ("measures", "results", "plots"),
    ("measures.ranks", "measures.basins"),
    ("networks", "data"),
    ("runtime", "records"),
    ("errors",),
)
HEIGHT = {room: -floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Imports within a room of single modules: the public names stand in a module beside the package's.
TOGETHER = {("__main__", ""), ("", "_public")}
WITHOUT_TORCH = ("plan", "figures", "claims", "plots", "explorer", "watch")
# What brings PyTorch, as the first part of a module's name.
TORCH = {"torch", "torchvision"}


def read() -> dict[str, str]:
    """Return the source of every module by its name below the package, "" the package's own.

    A room's own file stands under the room's name.
    """
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


SOURCES = read()


def packages(sources: Mapping[str, str]) -> set[str]:
    return {name.rpartition(".")[0] for name in sources} | {""}


@functools.cache
def imported(name: str, text: str, is_package: bool) -> tuple[tuple[int, str], ...]:
    """Return line and full name of all that a module imports, anywhere in it.

    `from a import b` gives `a.b`; so does `import_module("a.b")`, or "a.b.{c}" of an f-string.
    """
    return tuple(_imported(name, ast.parse(text), is_package))


def _imported(name: str, tree: ast.Module, is_package: bool) -> Iterator[tuple[int, str]]:
    full = f"netdyn.{name}" if name else "netdyn"
    own = full if is_package else full.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = resolve_name("." * node.level + (node.module or ""), own)
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            called = called.id if isinstance(called, ast.Name) else called
            target = node.args[0]
            if isinstance(target, ast.JoinedStr) and target.values:
                target = target.values[0]
            if called in ("import_module", "__import__", "_import_module") and isinstance(
                target, ast.Constant
            ):
                yield node.lineno, resolve_name(str(target.value).rstrip("."), own)


def ours(full: str, sources: Mapping[str, str]) -> str | None:
    """Return which module of the package an imported name is, or is in; None for others'."""
    if full.split(".")[0] != "netdyn":
        return None
    parts = full.split(".")[1:]
    while parts and ".".join(parts) not in sources:
        parts.pop()
    return ".".join(parts)


def graph(sources: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return per module those that it imports, with the line.

    Importing the package itself, for its version, is no import of its public names.
    """
    rooms = packages(sources)
    found: dict[str, dict[str, int]] = {}
    for name, text in sources.items():
        lines = {ours(full, sources): line for line, full in imported(name, text, name in rooms)}
        found[name] = {other: lines[other] for other in lines if other and other != name}
    return found


def room(module: str) -> str:
    """Return the innermost room of a module, or the module where it is in none."""
    parts = module.split(".")
    while len(parts) > 1 and ".".join(parts) not in HEIGHT:
        parts.pop()
    return ".".join(parts)


def upward(sources: Mapping[str, str]) -> list[str]:
    """Name every import that goes up or sideways, and every module that has no room."""
    wrong = [f"{name}: in no room" for name in sources if room(name) not in HEIGHT]
    for name, targets in graph(sources).items():
        for other, line in targets.items():
            here, there = room(name), room(other)
            if here == there or (here, there) in TOGETHER or not {here, there} <= HEIGHT.keys():
                continue
            if HEIGHT[there] >= HEIGHT[here]:
                wrong.append(f"{name}:{line} ({here}) imports {other} ({there})")
    return wrong


def closure(start: str, edges: Mapping[str, Mapping[str, int]]) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(edges[name])
    return found


def circles(sources: Mapping[str, str]) -> list[str]:
    edges = graph(sources)
    return [
        f"{name} imports {other}, which imports it"
        for name in edges
        for other in edges[name]
        if name in closure(other, edges)
    ]


def bringing_torch(sources: Mapping[str, str]) -> list[str]:
    """Name what brings PyTorch into a room that is to be without, through all its imports."""
    edges, rooms = graph(sources), packages(sources)
    direct = {
        name
        for name, text in sources.items()
        for _, full in imported(name, text, name in rooms)
        if full.split(".")[0] in TORCH
    }
    return [
        f"{name} brings torch by {other}"
        for name in sources
        if name.split(".")[0] in WITHOUT_TORCH
        for other in sorted(closure(name, edges) & direct)
    ]


def test_every_module_imports_from_floors_below():
    assert upward(SOURCES) == []


def test_no_modules_import_one_another():
    assert circles(SOURCES) == []


def test_some_rooms_bring_no_torch():
    assert bringing_torch(SOURCES) == []


def test_some_rooms_import_no_torch_where_they_are_imported():
    names = [f"netdyn.{name}" for name in SOURCES if name.split(".")[0] in WITHOUT_TORCH]
    program = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_rooms_own_files_hold_a_docstring_and_nothing_else():
    for name in packages(SOURCES) - {""}:
        (only,) = ast.parse(SOURCES[name]).body
        assert isinstance(only, ast.Expr), name
        assert isinstance(only.value, ast.Constant), name


PLANTED = {  # where, a line that breaks the rule, and how the test names the import
    "upward": (
        "networks.lmap",
        "from netdyn.measures.ranks import rpd",
        "imports measures.ranks.rpd",
    ),
    "sideways": (
        "measures.ranks.rpd",
        "import netdyn.measures.basins.noise",
        "measures.basins.noise",
    ),
    "sideways, room": ("figures.fig1", "from netdyn.claims.kinds import trend", "claims.kinds"),
    "from above": ("training.engine.blocks", "from netdyn.training import train", "training.train"),
    "relative": ("networks.lmap", "from ..measures.ranks.rpd import x", "measures.ranks.rpd"),
    "relative, of the package": ("networks.lmap", "from .. import cli", "imports cli"),
    "in a function": ("errors", "def f():\n    from netdyn.records import files", "records.files"),
    "by name": ("records.files", "import_module('netdyn.results.tables')", "results.tables"),
    "by name, relative": (
        "records.files",
        "importlib.import_module('..results.tables', __package__)",
        "results.tables",
    ),
    "by part of a name": ("plan.tables", "import_module(f'netdyn.jobs.{x}')", "jobs.x"),
}


@pytest.mark.parametrize("kind", [*PLANTED])
def test_a_planted_upward_import_is_named(kind):
    where, line, named = PLANTED[kind]
    number = SOURCES[where].count("\n") + 1 + line.count("\n")
    jobs = {"jobs": "", "jobs.x": ""}
    if named == "jobs.x":
        named = "imports jobs (jobs)"
    (found,) = upward(SOURCES | jobs | {where: SOURCES[where] + line + "\n"})
    assert found.startswith(f"{where}:{number} (")
    assert named in found


def test_a_module_without_a_room_is_named():
    assert upward({**SOURCES, "attic": ""}) == ["attic: in no room"]
    assert upward({**SOURCES, "attic.box": "", "attic": ""}) == [
        "attic.box: in no room",
        "attic: in no room",
    ]


def test_a_planted_circle_is_named():
    text = SOURCES["networks.layers"] + "def f():\n    import netdyn.networks.lmap\n"
    assert "networks.layers imports networks.lmap, which imports it" in circles(
        {**SOURCES, "networks.layers": text}
    )


@pytest.mark.parametrize("line", ["import torch", "def f():\n    from torch import nn"])
def test_planted_torch_is_named_wherever_it_comes_from(line):
    text = SOURCES["records.files"] + line + "\n"
    assert "plan.targets brings torch by records.files" in bringing_torch(
        {**SOURCES, "records.files": text}
    )
