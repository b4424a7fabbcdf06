"""Digests that are kept are those of the code as it is."""

import pytest

from netdyn.plan import code_cache
from netdyn.plan.code_cache import CodeCache
from netdyn.records import import_graph, source_cache
from netdyn.records.import_graph import code_digests

FILES = {
    "__init__.py": "",
    "a.py": "from netdyn.b import x",
    "b.py": "from netdyn import c\nx = 1",
    "alone.py": "",
    "records/import_graph.py": "",
}


def forget():
    for function in (import_graph._source, import_graph._imports, code_cache._bytes):
        function.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "netdyn"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(import_graph, "PACKAGE", folder)
    # What is kept beside bytecode would hide whether something is parsed again.
    monkeypatch.setattr(source_cache, "load", lambda path, key: None)
    forget()
    yield folder
    forget()


def kept(tmp_path):
    """The digests as the next process has them."""
    forget()
    cache = CodeCache(tmp_path / "code" / "digests.json")
    return {module: cache.digests(f"netdyn.{module}") for module in ("a", "b", "alone")}


def true():
    forget()
    return {module: code_digests(f"netdyn.{module}") for module in ("a", "b", "alone")}


def test_what_is_kept_is_what_would_be_found_and_nothing_is_parsed(folder, tmp_path, monkeypatch):
    first = kept(tmp_path)
    assert first == true()
    assert list(first["a"]) == ["__init__.py", "a.py", "b.py"]

    def parsed(path):
        raise AssertionError(f"{path} is parsed again")

    monkeypatch.setattr(import_graph.ast, "parse", parsed)
    assert kept(tmp_path) == first


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("b.py", "x = 2"),
        ("b.py", "from netdyn import alone\nx = 1"),
        ("c.py", ""),  # what `from netdyn import c` names is a module from now on
        ("__init__.py", "y = 1"),
    ],
)
def test_a_change_of_any_file_is_seen_and_so_is_its_being_taken_back(folder, tmp_path, name, text):
    before = kept(tmp_path)
    (folder / name).write_text(text)
    assert true() != before
    assert kept(tmp_path) == true()
    (folder / name).write_text(FILES[name]) if name in FILES else (folder / name).unlink()
    assert kept(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"[]", b'{"bytes": {}}', b"\xff"])
def test_a_damaged_file_is_not_read(folder, tmp_path, content):
    before = kept(tmp_path)
    (tmp_path / "code" / "digests.json").write_bytes(content)
    assert kept(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_no_error(folder, tmp_path):
    (tmp_path / "code").touch()
    assert kept(tmp_path) == true()


def test_what_was_parsed_before_an_edit_is_not_kept_for_what_was_read_after(folder, tmp_path):
    code_digests("netdyn.b")
    (folder / "b.py").write_text("x = 2")
    CodeCache(tmp_path / "code" / "digests.json").digests("netdyn.b")
    assert kept(tmp_path) == true()


def test_an_edit_while_the_code_is_parsed_is_not_kept(folder, tmp_path):
    before = kept(tmp_path)
    (tmp_path / "code" / "digests.json").unlink()
    forget()
    cache = CodeCache(tmp_path / "code" / "digests.json")
    (folder / "b.py").write_text("x = 2")
    cache.digests("netdyn.b")
    (folder / "b.py").write_text(FILES["b.py"])
    assert kept(tmp_path) == before


def test_nothing_is_kept_once_digests_are_taken_in_another_way(folder, tmp_path, monkeypatch):
    kept(tmp_path)
    (folder / "records/import_graph.py").write_text("WAY = 2")
    monkeypatch.setattr(import_graph, "_dump", lambda tree: "the same for all")
    assert kept(tmp_path) == true()
