"""Which source a module depends on: what makes code an input of the workflow's rules.

Read from the source text, without importing anything, so that a dry run stays cheap.
"""

import ast
import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

from netdyn.errors import NetdynError
from netdyn.records import source_cache

__all__ = ["code_digests", "source_files"]

PACKAGE = Path(__file__).parents[1]
_PARSER = Path(__file__).read_bytes()  # what is kept of a parsing follows from it


def source_files(module: str) -> list[Path]:
    """Return the files of `module` and of every module of this package that it imports.

    Directly or through others, anywhere in the file (imports inside functions count too), with
    the packages they lie in; sorted.

    Raises:
        NetdynError: if `module` is a package, which stands for no code, or there is no such file.

    >>> [path.name for path in source_files("netdyn.errors")]
    ['__init__.py', 'errors.py']
    """
    if _path(module).name == "__init__.py":
        raise NetdynError(f"{module} is a package: name the module in it whose code counts")
    if not _path(module).is_file():
        raise NetdynError(f"no module {module}: there is no {_path(module)}")
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting.extend(_imports(name))
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return sorted(_path(name) for name in seen)


def code_digests(module: str) -> dict[str, str]:
    """Return a SHA-256 of the meaning of each of `source_files`, by its path inside the package.

    It is taken over the syntax tree without docstrings: a comment, a docstring or the formatting
    changes nothing, so that rewording an explanation does not train for hours again.
    """
    return {
        path.relative_to(PACKAGE).as_posix(): _source(path).meaning for path in source_files(module)
    }


class _Source(NamedTuple):
    """What one parsing of a file tells."""

    names: frozenset[str]  # that it imports, modules or what is in them
    meaning: str


@functools.cache
def _source(path: Path) -> _Source:
    content = path.read_bytes()
    key = source_cache.key(content, _PARSER)
    facts = source_cache.load(path, key)
    if facts is None:
        parsed = _parsed(content)
        facts = {"names": sorted(parsed.names), "meaning": parsed.meaning}
        source_cache.store(path, key, facts)
    return _Source(frozenset(facts["names"]), facts["meaning"])


def _parsed(content: bytes) -> _Source:
    tree = ast.parse(content)  # decoded as Python does, whatever the locale
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            # `from netdyn.measures.ranks import rpd` names a module, `from
            # netdyn.measures.ranks.rpd import x` does not.
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        body = getattr(node, "body", None)
        if isinstance(node, _DOCUMENTED) and body and _is_text(body[0]):
            node.body = body[1:]
    return _Source(frozenset(names), hashlib.sha256(_dump(tree).encode()).hexdigest())


def _dump(value: object) -> str:
    """Return what `ast.dump` of Python 3.11 returns: later versions write equal trees otherwise.

    Python 3.12 adds `type_params` to every function and class, and its first releases an empty
    constant to some formatted strings; 3.13 omits empty lists.
    """
    if isinstance(value, list):
        return f"[{', '.join(map(_dump, value))}]"
    if isinstance(value, ast.JoinedStr):
        parts = [p for p in value.values if not (isinstance(p, ast.Constant) and p.value == "")]
        return f"JoinedStr(values={_dump(parts)})"
    if not isinstance(value, ast.AST):
        return repr(value)
    fields = [
        f"{name}={_dump(field)}"
        for name, field in ast.iter_fields(value)
        if not (field is None and getattr(type(value), name, ...) is None)
        and not (name == "type_params" and field == [])
    ]
    return f"{type(value).__name__}({', '.join(fields)})"


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _path(name: str) -> Path:
    parts = name.split(".")[1:]
    package = PACKAGE.joinpath(*parts) / "__init__.py"
    return package if package.is_file() else PACKAGE.joinpath(*parts).with_suffix(".py")


@functools.cache
def _imports(name: str) -> tuple[str, ...]:
    names = _source(_path(name)).names
    ours = {other for other in names if other.split(".")[0] == PACKAGE.name}
    return tuple(sorted(other for other in ours if _path(other).is_file()))
