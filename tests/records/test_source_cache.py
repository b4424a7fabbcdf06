"""An entry of the cache is valid for the bytes of the source and of the parser alone."""

import json
import os
import sys

import pytest
from small_package import forget

from netdyn.records import import_graph, source_cache
from netdyn.records.import_graph import code_digests

SOURCE = "from netdyn import b\nx = 1\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in place of the true one, nothing kept of it, in a process that may keep."""
    folder = tmp_path / "netdyn"
    folder.mkdir()
    for name, text in {"__init__.py": "", "a.py": SOURCE, "b.py": "y = 2\n"}.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(import_graph, "PACKAGE", folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    forget()
    yield folder
    forget()


def found():
    """The digests as the next process finds them."""
    forget()
    return code_digests("netdyn.a")


@pytest.fixture
def parsed(monkeypatch):
    """The sources that were parsed, in order."""
    contents = []
    parse = import_graph._parsed

    def noting(content):
        contents.append(content.decode())
        return parse(content)

    monkeypatch.setattr(import_graph, "_parsed", noting)
    return contents


def entry(package, name):
    (path,) = (package / "__pycache__").glob(f"{name}.*.json")
    return path


def test_each_source_is_parsed_once_and_told_the_same_after(package, parsed):
    first = found()
    assert list(first) == ["__init__.py", "a.py", "b.py"]
    assert sorted(parsed) == ["", SOURCE, "y = 2\n"]
    assert found() == first
    assert len(parsed) == 3


@pytest.mark.parametrize("text", ["from netdyn import b\nx = 2\n", "x = 1\n", ""])
def test_a_change_is_seen_whatever_the_dates_and_so_is_its_being_taken_back(package, text):
    before = found()
    stamp = (package / "a.py").stat()
    (package / "a.py").write_text(text)
    os.utime(package / "a.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    changed = found()
    assert changed["a.py"] != before["a.py"]
    assert ("b.py" in changed) == ("import b" in text)
    (package / "a.py").write_text(SOURCE)
    assert found() == before


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: '{"facts": {}}',
        lambda text: text[: len(text) // 2],
        lambda text: json.dumps({**json.loads(text), "seal": "0"}),
        lambda text: text.replace("netdyn.b", "netdyn.c"),
    ],
    ids=["empty", "list", "unsealed", "cut", "another seal", "another name"],
)
def test_a_damaged_entry_counts_as_none_and_is_mended(package, parsed, harm):
    first = found()
    path = entry(package, "a")
    content = path.read_text()
    assert harm(content) != content
    path.write_text(harm(content))
    del parsed[:]
    assert found() == first
    assert parsed == [SOURCE]
    assert path.read_text() == content


def test_what_another_parser_told_is_not_taken(package, monkeypatch):
    found()
    other = import_graph._Source(frozenset(), "of another parser")
    monkeypatch.setattr(import_graph, "_PARSER", b"another")
    monkeypatch.setattr(import_graph, "_parsed", lambda content: other)
    assert found() == {"__init__.py": "of another parser", "a.py": "of another parser"}


def test_what_is_kept_of_one_file_is_not_taken_for_another(package):
    before = found()
    entry(package, "b").write_bytes(entry(package, "a").read_bytes())
    assert found() == before


@pytest.mark.parametrize("how", ["no bytecode", "no folder"])
def test_nothing_is_kept_where_nothing_may_be_written(package, monkeypatch, how):
    kept = found()
    for path in (package / "__pycache__").iterdir():
        path.unlink()
    (package / "__pycache__").rmdir()
    if how == "no bytecode":
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
    else:
        (package / "__pycache__").touch()
    assert found() == kept
    assert not (package / "__pycache__").is_dir()


def test_keys_are_of_both_contents():
    pairs = [(b"", b""), (b"a", b""), (b"", b"a"), (b"ab", b"c"), (b"a", b"bc")]
    assert len({source_cache.key(*pair) for pair in pairs}) == len(pairs)
