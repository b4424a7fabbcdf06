"""Text is read and written as UTF-8 whatever the locale: every call that opens text names it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("src", "benchmarks", "tests/helpers", "tests/slurm")
# What these open is binary, or no text file at all.
OTHERS = {"os", "tarfile", "gzip", "Subject", "Image"}
# Where the encoding stands among the positional arguments of a method.
POSITION = {"read_text": 0, "write_text": 1}


def without_encoding(text):
    """Return line and source of every call that reads or writes text as the locale has it."""
    return [
        (node.lineno, ast.unparse(node))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and depends_on_locale(node)
    ]


def depends_on_locale(call):
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    if "encoding" in given:
        return False
    if name in POSITION:
        return len(call.args) <= POSITION[name]
    if name == "open" and getattr(owner, "id", None) not in OTHERS:
        # A path's own mode comes first, a function's after the file.
        is_path = owner is not None and getattr(owner, "id", None) != "io"
        return "b" not in mode(given, call.args[0 if is_path else 1 :], "r")
    if name in ("fdopen", "makefile"):
        return "b" not in mode(given, call.args[name == "fdopen" :], "r")
    if name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile"):
        return "b" not in mode(given, call.args, "w+b")
    return any(
        isinstance(given.get(key), ast.Constant) and given[key].value
        for key in ("text", "universal_newlines")
    )


def mode(given, positional, default):
    """Return the constant mode of a call, "" where it is no constant."""
    node = given.get("mode", positional[0] if positional else ast.Constant(default))
    return node.value if isinstance(node, ast.Constant) else ""


def test_every_text_names_its_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {call}"
        for place in PLACES
        for path in sorted((ROOT / place).rglob("*.py"))
        for line, call in without_encoding(path.read_text(encoding="utf-8"))
    ]
    assert not found, 'give encoding="utf-8":\n' + "\n".join(found)


def test_rules_open_no_text_without_encoding():
    # Rules are no Python; what opens a file in them is looked for as text.
    for path in (ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")):
        for line in path.read_text(encoding="utf-8").splitlines():
            opens = re.search(r"\b(open|read_text|write_text)\s*\(|\btext=True", line)
            assert not opens or "encoding" in line, f"{path}: {line}"


@pytest.mark.parametrize(
    "call",
    [
        "open('a')",
        "open('a', 'w')",
        "open('a', mode='w+')",
        "io.open('a')",
        "path.open()",
        "path.open('w')",
        "path.read_text()",
        "path.read_text(errors='replace')",
        "path.write_text('a')",
        "os.fdopen(3)",
        "connection.makefile()",
        "tempfile.NamedTemporaryFile('w')",
        "subprocess.run(['git'], text=True)",
        "subprocess.Popen(['git'], universal_newlines=True)",
    ],
)
def test_a_call_that_hangs_on_the_locale_is_seen(call):
    assert without_encoding(call)
    assert not without_encoding(f"{call[:-1]}, encoding='utf-8')".replace("(, ", "("))


@pytest.mark.parametrize(
    "call",
    [
        "open('a', 'rb')",
        "path.open('wb')",
        "path.read_text('utf-8')",
        "path.read_bytes()",
        "os.open('a', 0)",
        "tarfile.open('a')",
        "tempfile.TemporaryFile()",
        "subprocess.run(['git'])",
    ],
)
def test_bytes_need_no_encoding(call):
    assert not without_encoding(call)
