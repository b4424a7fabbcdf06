"""What the sources of `netdyn.quantities` say, read without importing them."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["quantity_names", "returned_columns", "typed_keys"]

FOLDER = "src/netdyn/quantities"
MODULES = {"test_distance": "nearest_training_sample"}
LEFT_OUT = ("threads",)  # explained once, for all


def quantity_names(schema: Mapping) -> list[str]:
    """Return the names of all quantities, in the schema's order."""
    return schema["$defs"]["measurement"]["properties"]["quantity"]["enum"]


def returned_columns(root: Path, quantity: str) -> str:
    """Return what the docstring of a quantity's `measure` says that it returns; "" if nothing."""
    tree = _tree(root, MODULES.get(quantity, quantity))
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef) and node.name == "measure":
            found = re.search(r"Returns:\n(.*?)(?:\n\n|\Z)", ast.get_docstring(node), re.DOTALL)
            return " ".join(found[1].split())
    return ""


def typed_keys(root: Path, quantity: str) -> list[tuple[str, str, str]]:
    """Return name, type and comment of each setting that a quantity's `measure` takes."""
    module = MODULES.get(quantity, quantity)
    tree = _tree(root, module)
    if tree is None:
        return []
    (measure,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "measure")
    annotated = [a.annotation for a in measure.args.args if a.arg == "settings"]
    return _keys(root, module, ast.unparse(annotated[0])) if annotated else []


def _keys(root: Path, module: str, name: str) -> list[tuple[str, str, str]]:
    """Return the keys of a TypedDict, those of its bases first."""
    tree = _tree(root, module)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("netdyn.quantities."):
            if name in (alias.asname or alias.name for alias in node.names):
                return _keys(root, node.module.rpartition(".")[2], name)
        elif isinstance(node, ast.ClassDef) and node.name == name:
            bases = (ast.unparse(base) for base in node.bases)
            keys = [key for b in bases if b != "TypedDict" for key in _keys(root, module, b)]
            lines = _path(root, module).read_text(encoding="utf-8").splitlines()
            own = [n for n in node.body if isinstance(n, ast.AnnAssign)]
            new = [(ast.unparse(n.target), _type(n), _comment(lines, n.lineno)) for n in own]
            names = {key for key, *_ in new} | set(LEFT_OUT)
            return [key for key in keys if key[0] not in names] + [
                key for key in new if key[0] not in LEFT_OUT
            ]
    raise ValueError(f"{module} has no type {name}")


def _type(node: ast.AnnAssign) -> str:
    words = ast.unparse(node.annotation).replace("'", "")
    words = re.sub(r"^NotRequired\[(.*)\]$", r"\1, optional", words)
    return re.sub(r"Literal\[(.*?)\]", r"\1", words).replace("StepSelector", "steps")


def _comment(lines: list[str], number: int) -> str:
    """Return the comment on a line, or else the lines of comment above it."""
    if found := re.search(r"#\s*(.*)$", lines[number - 1]):
        return found[1]
    above = []
    while (found := re.match(r"\s*#\s*(.*)$", lines[number - 2])) and number > 1:
        above.insert(0, found[1])
        number -= 1
    return " ".join(above)


def _tree(root: Path, module: str) -> ast.Module | None:
    path = _path(root, module)
    return ast.parse(path.read_text(encoding="utf-8")) if path.exists() else None


def _path(root: Path, module: str) -> Path:
    return root / FOLDER / f"{module}.py"
