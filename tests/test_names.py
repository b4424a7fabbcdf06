"""Names in the source are words of the field: no identifier is one of the words below."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
BANNED = {
    *("ask", "asked", "behind", "bring", "brought", "everyone", "found", "here", "kept_steps"),
    *("lack", "made", "making", "mend", "own_columns", "own_range", "said", "say", "taken"),
    *("taking", "tell", "told", "told_again", "wanted", "whole"),
}


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of all that a file names: definitions, arguments, variables, attributes.

    Keywords of a call are names too, those of the function that is called. Imported names are
    others' unless the import renames them.
    """
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case ast.MatchMapping(rest=str(name)):
                yield node.lineno, name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((node.lineno, alias.asname) for alias in aliases if alias.asname)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from ((node.lineno, name) for name in names)


def banned(text: str) -> list[tuple[int, str]]:
    """Return line and name of each banned identifier, also with underscores around it."""
    names = identifiers(ast.parse(text))
    return sorted((line, name) for line, name in names if name.strip("_").lower() in BANNED)


def test_no_name_in_the_source_is_a_banned_word():
    places = [
        f"{path.relative_to(SOURCE.parent)}:{line}: {name}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line, name in banned(path.read_text())
    ]
    assert not places, "name these by a word of the field:\n" + "\n".join(places)


def test_no_module_is_a_banned_word():
    assert not [path for path in SOURCE.rglob("*") if path.stem.strip("_").lower() in BANNED]


@pytest.mark.parametrize(
    "text",
    [
        "def told(): pass",
        "async def told(): pass",
        "class Told: pass",
        "def f(told): pass",
        "def f(*told): pass",
        "def f(*, told=1): pass",
        "def f(**told): pass",
        "f = lambda told: 1",
        "told = 1",
        "_told = 1",
        "TOLD: int = 1",
        "x, (told, *y) = z",
        "told += 1",
        "(told := 1)",
        "self.told = 1",
        "f(told=1)",
        "for told in x: pass",
        "[1 for told in x]",
        "with x as told: pass",
        "import x as told",
        "from x import y as told",
        "try: pass\nexcept E as told: pass",
        "match x:\n    case told: pass",
        "match x:\n    case [*told]: pass",
        "match x:\n    case {**told}: pass",
        "def f():\n    global told",
    ],
)
def test_every_way_to_name_something_is_seen(text):
    assert [name.strip("_").lower() for _, name in banned(text)] == ["told"]


def test_words_in_texts_and_in_longer_names_are_none():
    assert not banned('"""told"""\nx = "told"  # told\nuntold = told_steps = x.told\nx["told"]')
