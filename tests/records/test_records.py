"""A table whose bytes are not those on record is refused, whatever was done to it."""

import json
import re

import pandas as pd
import pytest

from netdyn.errors import NetdynError
from netdyn.figures import drawing
from netdyn.records.files import write_json
from netdyn.records.sealed import read_record, record_path, write_record
from netdyn.results import reference, tables

TABLE = pd.DataFrame({"step": [0, 10, 20], "accuracy": [0.125, 1 / 3, 0.9]})


def damages(content):
    """Return a table's bytes with one flipped, here and there, cut short, and grown."""
    flipped = [
        content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :] for i in range(0, len(content), 5)
    ]
    return [*flipped, b"", content[:7], content[:-1], content + b"\n", content + content]


@pytest.fixture
def written(tmp_path):
    tables.write_table(tmp_path / "tables" / "a.csv", TABLE, {"kind": "part", "quantity": "some"})
    return tmp_path / "tables" / "a.csv"


@pytest.fixture
def committed(tmp_path, written):
    wanted = {"name": "a", "quantity": "some", "settings": {}, "runs": []}
    reference.keep(written, [], wanted, tmp_path / "reference")
    return tmp_path / "reference" / "tables" / "a.csv"


@pytest.fixture
def history(tmp_path, train_run, run_settings):
    return train_run(tmp_path, run_settings()) / "history.csv"


@pytest.mark.parametrize(
    ("kind", "mend"),
    [
        ("written", r"delete .*a\.csv and run the workflow again"),
        ("committed", "restore both from the repository"),
        ("history", r"delete .*run and run the workflow again"),
    ],
)
def test_a_changed_byte_and_a_cut_are_refused_with_the_mend(request, kind, mend):
    path = request.getfixturevalue(kind)
    whole = path.read_bytes()
    pd.testing.assert_frame_equal(tables.read_table(path)[:0], pd.read_csv(path)[:0])
    for content in damages(whole):
        path.write_bytes(content)
        said = rf"table .*{path.name} is damaged \(its SHA-256 is not the one on record.*: {mend}"
        with pytest.raises(NetdynError, match=said):
            tables.read_table(path)
    path.write_bytes(whole)
    assert not tables.read_table(path).empty


def test_a_table_is_plain_csv_for_anyone_and_equal_content_an_equal_file(written, tmp_path):
    pd.testing.assert_frame_equal(pd.read_csv(written), tables.read_table(written))
    tables.write_table(tmp_path / "b.csv", TABLE, {"kind": "other"})
    assert (tmp_path / "b.csv").read_bytes() == written.read_bytes()


def test_a_table_without_its_record_is_refused(written):
    record_path(written).unlink()
    with pytest.raises(NetdynError, match=r"a\.csv has no record a\.csv\.json: delete .* again"):
        tables.read_table(written)


def test_a_committed_tables_record_is_named_where_it_lies_and_restored(committed):
    record = committed.parents[1] / "provenance/tables/a.json"
    for content in ("", "{", "[]", '{"seal": "none"}'):
        record.write_text(content)
        with pytest.raises(NetdynError, match=rf"{record} is damaged .*: restore it from the rep"):
            tables.read_table(committed)
    record.unlink()
    with pytest.raises(NetdynError, match=rf"a\.csv has no record {record}: restore it from the"):
        tables.read_table(committed)
    scorecard = committed.parents[1] / "claims.csv"
    scorecard.write_bytes(committed.read_bytes())
    with pytest.raises(NetdynError, match=rf"no record {record.parents[1]}/claims\.json: restore"):
        tables.read_table(scorecard)


def test_another_tables_record_will_not_do(written, tmp_path):
    tables.write_table(tmp_path / "b.csv", TABLE[:2])
    record_path(written).write_bytes(record_path(tmp_path / "b.csv").read_bytes())
    with pytest.raises(NetdynError, match="is damaged"):
        tables.read_table(written)


def test_a_changed_record_is_refused(written):
    path = record_path(written)
    text = path.read_text()
    path.write_text(text.replace('"some"', '"more"'))
    with pytest.raises(NetdynError, match=r"a\.csv\.json is damaged .*delete it and run again"):
        tables.read_table(written)
    said = json.loads(text)
    write_json(path, {key: value for key, value in said.items() if key != "seal"})
    with pytest.raises(NetdynError, match=r"a\.csv\.json is damaged"):
        tables.read_table(written)


def test_a_record_comes_back_as_it_was(tmp_path):
    content = {"a": [1, 0.1, None, "ä"], "b": {"c": True}}
    write_record(tmp_path / "a.json", content)
    assert read_record(tmp_path / "a.json") == content


def test_no_figure_is_made_of_a_damaged_table(tmp_path):
    from netdyn.quantities import toy_neurons

    few = {"seed": 0, "samples": 6, "neurons": 8, "steps": 2, "bins": 4, "points": 11}
    path = tmp_path / "tables" / "toy_neurons.csv"
    tables.write_table(path, toy_neurons.measure(few))
    path.write_text(re.sub(r"1\b", "2", path.read_text(), count=1))
    settings = {"tables": ["toy_neurons"], "title": "Figure 1", "note": "toy"}
    with pytest.raises(NetdynError, match=r"toy_neurons\.csv is damaged .*delete .* again"):
        drawing.draw("fig1", path.parent, settings, tmp_path / "fig1")
    assert not list(tmp_path.glob("fig1*"))


def test_a_kept_table_tells_when_and_by_which_code_its_parts_were_measured(tmp_path):
    made = {"netdyn": "0", "python": "3", "packages": {}, "machine": {}, "command": ["x"]}
    runs = [{"id": f"run-{seed}", "identity": {"run": "run", "seed": seed}} for seed in (0, 1, 2)]
    wanted = {"name": "a", "quantity": "some", "settings": {}, "runs": runs}
    for seed in (1, 0, 1):
        part = tmp_path / f"part-{seed}.csv"
        own = {**made, "code_sha256": f"code {seed}", "seconds": seed}
        tables.write_table(part, TABLE.assign(run="run", seed=seed), {"kind": "part", "made": own})
        record = reference.keep(part, [tmp_path / f"run-{seed}"], wanted, tmp_path / "reference")
    told = [(entry["runs"], entry["code_sha256"]) for entry in record["measured"]]
    assert told == [(["run-0"], "code 0"), (["run-1"], "code 1")]
    assert {entry["environment"] for entry in record["measured"]} == record["environments"].keys()
    assert len(record["environments"]) == 1
    assert all("command" not in entry for entry in record["measured"])
    assert reference.committed_runs(tmp_path / "reference", wanted) == {"run-0", "run-1"}
