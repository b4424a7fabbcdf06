"""What was found right is not checked again, and nothing else passes for it."""

import copy
import json
from pathlib import Path

import pytest

from netdyn.errors import NetdynError
from netdyn.plan import checked_entries, schema
from netdyn.records.files import read_yaml

ROOT = Path(__file__).parents[2]
CONFIG = read_yaml(ROOT / "config.yaml")
SCHEMA = read_yaml(ROOT / "workflow/schemas/settings.schema.yaml")


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "code").mkdir()
    return tmp_path / "code" / "settings.json"


@pytest.fixture
def checked(monkeypatch):
    """Check settings as a new process does; return the runs and measurements that it looked at."""
    looked_at = []
    refuse = schema._refuse

    def noting(instance, by, prefix):
        looked_at.extend(f"{b}.{n}" for b in checked_entries.BLOCKS for n in instance.get(b, ()))
        refuse(instance, by, prefix)

    monkeypatch.setattr(schema, "_refuse", noting)

    def check(config, path=None, by=SCHEMA):
        checked_entries._of_this_process.cache_clear()
        del looked_at[:]
        schema.validate(config, by, path)
        return list(looked_at)

    return check


def changed(block, name, **values):
    config = copy.deepcopy(CONFIG)
    config[block][name] |= values
    return config


def test_another_process_checks_what_differs_alone(kept, checked):
    assert len(checked(CONFIG, kept)) == len(CONFIG["runs"]) + len(CONFIG["measurements"])
    assert len(checked(CONFIG, kept)) == 2  # one of each block, which may not be empty
    assert "runs.grokking" in checked(changed("runs", "grokking", learning_rate=0.25), kept)
    assert len(checked(CONFIG)) > 2


@pytest.mark.parametrize(
    ("block", "name", "values"),
    [
        ("runs", "grokking", {"learning_rate": "0.1"}),
        ("runs", "grokking", {"width": True}),
        ("runs", "grokking", {"steps": 1e5}),
        ("runs", "shallow", {"sweep": {"samples": [0]}}),
        ("measurements", "grokking_noise", {"trails": 3}),
        ("runs", "grokking", {"learning_rate": float("nan")}),
    ],
)
def test_a_mistake_is_refused_each_time_and_never_kept(kept, checked, block, name, values):
    checked(CONFIG, kept)
    content = kept.read_bytes()
    for _ in range(2):
        with pytest.raises(NetdynError, match=name):
            checked(changed(block, name, **values), kept)
    assert kept.read_bytes() == content


def test_a_right_entry_is_not_right_by_another_name_block_or_schema(kept, checked):
    checked(CONFIG, kept)
    renamed = copy.deepcopy(CONFIG)
    renamed["runs"]["not a name"] = renamed["runs"]["grokking"]
    with pytest.raises(NetdynError, match="not a name"):
        checked(renamed, kept)
    moved = copy.deepcopy(CONFIG)
    moved["measurements"]["grokking"] = moved["runs"]["grokking"]
    with pytest.raises(NetdynError, match=r"measurements\.grokking"):
        checked(moved, kept)
    stricter = copy.deepcopy(SCHEMA)
    stricter["$defs"]["count"]["maximum"] = 1
    with pytest.raises(NetdynError):
        checked(CONFIG, kept, stricter)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"by": 1, "right": 2}', b"\xff"])
def test_a_damaged_file_is_not_read_and_is_written_anew(kept, checked, content):
    every = checked(CONFIG, kept)
    good = kept.read_bytes()
    kept.write_bytes(content)
    assert checked(CONFIG, kept) == every
    assert kept.read_bytes() == good


def test_what_another_checker_found_right_is_checked_again(kept, checked, monkeypatch):
    every = checked(CONFIG, kept)
    monkeypatch.setattr(schema, "_CHECKER", b"another")
    assert checked(CONFIG, kept) == every


def test_no_folder_is_made_and_the_file_does_not_grow_without_end(tmp_path, kept, checked):
    checked(CONFIG, tmp_path / "none" / "settings.json")
    assert not (tmp_path / "none").exists()
    checked(CONFIG, kept)
    entries = json.loads(kept.read_text())
    entries["right"] += [f"{n}" for n in range(checked_entries.MOST)]
    kept.write_text(json.dumps(entries))
    checked(changed("runs", "grokking", learning_rate=0.25), kept)
    assert len(json.loads(kept.read_text())["right"]) == len(
        {*CONFIG["runs"], *CONFIG["measurements"]}
    )
