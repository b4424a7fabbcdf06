"""Files are whole or absent, whatever goes wrong while they are written."""

import errno
import hashlib
import json
import math
import os
import stat

import pytest

from netdyn.errors import NetdynError
from netdyn.records import files


@pytest.fixture(params=["fsync", "replace"])
def full_disk(request, monkeypatch):
    """A disk that is full when a file's content, or its name, is to be made to last."""

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, request.param, fail)


def test_a_new_file_is_there_once_the_block_has_succeeded(tmp_path):
    path = tmp_path / "deep" / "er" / "table.csv"
    with files.atomic_write(path) as temporary:
        assert temporary.parent == path.parent  # a rename is whole only within one file system
        assert temporary.suffix == path.suffix
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_readers_see_the_old_content_until_the_new_is_whole(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with files.atomic_write(path) as temporary:
        temporary.write_text("ne")
        assert path.read_text() == "old"
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, exception):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail_halfway():
        with files.atomic_write(path) as temporary:
            temporary.write_text("half")
            raise exception

    with pytest.raises(exception):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    path, absent = tmp_path / "old.json", tmp_path / "new.json"
    path.write_text("{}\n")
    for place in (path, absent):
        with pytest.raises(OSError, match="No space left"):
            files.write_json(place, {"a": 1})
    assert path.read_text() == "{}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        files.write_json(tmp_path / "file" / "a.json", {})


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_get_the_rights_that_the_umask_grants(tmp_path, mask):
    before = os.umask(mask)
    try:
        files.write_json(tmp_path / "a.json", {})
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o666 & ~mask


def test_json_is_written_only_where_it_changed(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": [1, 0.1, None, "ä"]})
    assert files.read_json(path) == {"a": [1, 0.1, None, "ä"]}
    os.utime(path, ns=(1_000, 1_000))
    files.write_json(path, {"a": [1, 0.1, None, "ä"]})
    assert path.stat().st_mtime_ns == 1_000
    files.write_json(path, {"a": [2, 0.1, None, "ä"]})
    assert path.stat().st_mtime_ns > 1_000
    assert files.read_json(path)["a"][0] == 2


@pytest.mark.parametrize("value", [{"a": math.nan}, {"a": math.inf}])
def test_what_is_not_json_is_not_written(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", value)
    with pytest.raises(ValueError, match="JSON"):
        files.digest(value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00"])
def test_json_that_is_missing_or_damaged_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    with pytest.raises(NetdynError, match=r"a.json is missing: "):
        files.read_json(path)
    path.write_bytes(content)
    with pytest.raises(NetdynError, match=r"a.json is damaged \(.*\): delete it"):
        files.read_json(path)


def test_digests_are_of_the_content_whatever_the_order_of_keys(tmp_path):
    one, other = {"a": 1, "b": {"c": [1, 2], "d": None}}, {"b": {"d": None, "c": [1, 2]}, "a": 1}
    assert json.dumps(one) != json.dumps(other)
    assert files.digest(one) == files.digest(other)
    changed = [{**one, "a": 2}, {**one, "a": "1"}, {**one, "e": 0}, {**one, "b": {"c": [2, 1]}}]
    assert len({files.digest(value) for value in (one, *changed)}) == 5
    (tmp_path / "a").write_bytes(bytes(100_000))
    assert files.digest_file(tmp_path / "a") == hashlib.sha256(bytes(100_000)).hexdigest()


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])  # as editors on Windows begin UTF-8
def test_yaml_and_json_are_utf8(tmp_path, start):
    for path, content in (
        (tmp_path / "a.yaml", "a: Größe η\n"),
        (tmp_path / "a.json", '{"a": "η"}'),
    ):
        path.write_bytes(start + content.encode())
    assert files.read_yaml(tmp_path / "a.yaml") == {"a": "Größe η"}
    assert files.read_json(tmp_path / "a.json") == {"a": "η"}


@pytest.mark.parametrize("content", [b"a: \xff\n", "a: Größe\n".encode("latin1")])
def test_yaml_of_another_encoding_is_named(tmp_path, content):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(NetdynError, match=r"a\.yaml is not YAML: .*UTF-8"):
        files.read_yaml(tmp_path / "a.yaml")
