"""Committed tables: parts put in one after another, rows taken up again, nothing stale."""

import os
import threading

import pandas as pd
import pytest

from netdyn.errors import NetdynError
from netdyn.plan.settings import Run
from netdyn.records.files import read_json, write_json
from netdyn.results import reference
from netdyn.results.tables import read_table, tabulate, write_table

RATES = (0.1, 0.25, 1 / 3)


def runs(*rates):
    identities = [{"run": "sgd", "learning_rate": rate, "seed": 0} for rate in rates]
    return tuple(Run(f"sgd-{i['learning_rate']:.3f}", "toy", i, {}) for i in identities)


def measurement(*rates, quantity="rpd_gradient", **settings):
    told = [{"id": run.id, "identity": run.columns()} for run in runs(*rates)]
    return {"name": "gradient", "quantity": quantity, "settings": settings, "runs": told}


@pytest.fixture
def part(tmp_path):
    """Make the part of one run, and its folder; return what `keep` is given."""

    def make(run, values=(0.5, 1 / 7)):
        folder = tmp_path / "runs" / run["id"]
        write_json(folder / "provenance.json", {"seconds": len(run["id"])})
        table = pd.DataFrame({**run["identity"], "step": [0, 10], "gradient": values})
        write_table(tmp_path / f"{run['id']}.csv", table)
        return tmp_path / f"{run['id']}.csv", [folder]

    return make


def keep(tmp_path, part, wanted):
    return reference.keep(*part, wanted, tmp_path / "reference")


def kept(tmp_path, wanted):
    return reference.committed_runs(tmp_path / "reference", wanted)


def test_parts_that_are_kept_in_any_order_become_the_whole_table(tmp_path, part):
    wanted = measurement(*RATES)
    for run in (wanted["runs"][2], wanted["runs"][0], wanted["runs"][1]):
        assert run["id"] not in kept(tmp_path, wanted)
        keep(tmp_path, part(run), wanted)
        assert run["id"] in kept(tmp_path, wanted)
    whole, _ = tabulate([{"file": tmp_path / f"{run['id']}.csv"} for run in wanted["runs"]])
    write_table(tmp_path / "whole.csv", whole)
    committed = tmp_path / "reference" / "tables" / "gradient.csv"
    assert committed.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    provenance = read_json(tmp_path / "reference" / "provenance" / "runs.json")
    assert provenance == {run["id"]: {"seconds": len(run["id"])} for run in wanted["runs"]}


def test_rows_that_are_taken_up_again_are_the_same_table(tmp_path, part):
    wanted = measurement(*RATES)
    for run in wanted["runs"][:2]:
        keep(tmp_path, part(run), wanted)
    part(wanted["runs"][2])
    taken = [
        {"file": tmp_path / f"{wanted['runs'][2]['id']}.csv"},
        {
            "file": tmp_path / "reference" / "tables" / "gradient.csv",
            "rows": [run["identity"] for run in wanted["runs"][:2]],
        },
    ]
    order = [run["identity"] for run in wanted["runs"]]
    measured, _ = tabulate([{"file": tmp_path / f"{run['id']}.csv"} for run in wanted["runs"]])
    pd.testing.assert_frame_equal(tabulate(taken, order)[0], measured)


def test_a_run_that_is_kept_again_replaces_its_rows(tmp_path, part):
    wanted = measurement(*RATES[:2])
    for run in wanted["runs"]:
        keep(tmp_path, part(run), wanted)
    keep(tmp_path, part(wanted["runs"][0], (3.0, 4.0)), wanted)
    table = read_table(tmp_path / "reference" / "tables" / "gradient.csv")
    assert table["gradient"].tolist() == pytest.approx([3.0, 4.0, 0.5, 1 / 7])


def test_rows_of_other_settings_or_of_runs_no_longer_declared_are_left(tmp_path, part):
    for run in measurement(*RATES)["runs"]:
        keep(tmp_path, part(run), measurement(*RATES))
    assert len(kept(tmp_path, measurement(*RATES))) == 3
    assert kept(tmp_path, measurement(*RATES, samples=100)) == set()
    assert kept(tmp_path, measurement(*RATES, quantity="pruning")) == set()
    # Kept from now on, the table holds nothing of what was measured otherwise.
    few = measurement(0.25, samples=100)
    keep(tmp_path, part(few["runs"][0]), few)
    assert kept(tmp_path, few) == {few["runs"][0]["id"]}
    assert kept(tmp_path, measurement(*RATES)) == set()
    table = read_table(tmp_path / "reference" / "tables" / "gradient.csv")
    assert set(table["learning_rate"]) == {0.25}
    # Nor is the provenance of runs kept that no table is of any more.
    keep(tmp_path, part(few["runs"][0]), few)
    provenance = read_json(tmp_path / "reference" / "provenance" / "runs.json")
    assert set(provenance) == {few["runs"][0]["id"]}


def test_a_history_gets_its_columns_and_a_run_that_need_not_be_trained_no_provenance(tmp_path):
    wanted = {**measurement(0.1, quantity="history"), "name": "history"}
    write_table(tmp_path / "history.csv", pd.DataFrame({"step": [0], "train_loss": [2.5]}))
    folder = tmp_path / "runs" / wanted["runs"][0]["id"]
    reference.keep(tmp_path / "history.csv", [folder], wanted, tmp_path / "reference")
    table = read_table(tmp_path / "reference" / "tables" / "history.csv")
    assert list(table) == ["run", "learning_rate", "seed", "step", "train_loss"]
    assert read_json(tmp_path / "reference" / "provenance" / "runs.json") == {}


def test_a_committed_table_that_was_changed_is_never_taken(tmp_path, part):
    wanted = measurement(*RATES)
    keep(tmp_path, part(wanted["runs"][0]), wanted)
    table = tmp_path / "reference" / "tables" / "gradient.csv"
    table.write_text(table.read_text().replace("0.5", "0.6"))
    record = r"provenance/tables/gradient\.json"
    for content in (table.read_bytes(), table.read_bytes()[:-9], b""):
        table.write_bytes(content)
        with pytest.raises(NetdynError, match=rf"gradient\.csv is damaged .*{record}\): restore"):
            kept(tmp_path, wanted)
    table.unlink()
    with pytest.raises(NetdynError, match=rf"gradient\.csv is missing, .*{record} is there: rest"):
        keep(tmp_path, part(wanted["runs"][1]), wanted)


def test_a_committed_table_without_its_record_is_never_taken_nor_overwritten(tmp_path, part):
    wanted = measurement(*RATES)
    keep(tmp_path, part(wanted["runs"][0]), wanted)
    record = tmp_path / "reference" / "provenance" / "tables" / "gradient.json"
    whole = read_json(record)
    record.write_text("{")
    with pytest.raises(NetdynError, match=r"gradient\.json is damaged .*: restore it from the rep"):
        kept(tmp_path, wanted)
    for content in ([], {}, {**whole, "sha256": 0}, {k: whole[k] for k in whole if k != "runs"}):
        write_json(record, content)
        with pytest.raises(NetdynError, match=r"gradient\.(csv|json) is damaged .*: restore"):
            kept(tmp_path, wanted)
    record.unlink()
    table = tmp_path / "reference" / "tables" / "gradient.csv"
    said = r"gradient\.csv has no record .*/provenance/tables/gradient\.json: restore it"
    with pytest.raises(NetdynError, match=said):
        kept(tmp_path, wanted)
    with pytest.raises(NetdynError, match=said):
        keep(tmp_path, part(wanted["runs"][1]), wanted)
    assert len(pd.read_csv(table)) == 2
    table.unlink()
    assert kept(tmp_path, wanted) == set()


def test_a_table_too_large_to_be_committed_leaves_the_older_one(tmp_path, part, monkeypatch):
    wanted = measurement(*RATES)
    keep(tmp_path, part(wanted["runs"][0]), wanted)
    monkeypatch.setattr(reference, "LARGEST", 100)
    with pytest.raises(NetdynError, match=r"gradient\.csv has \d+ bytes, more than the 100"):
        keep(tmp_path, part(wanted["runs"][1]), wanted)
    assert kept(tmp_path, wanted) == {wanted["runs"][0]["id"]}


def test_parts_that_are_kept_at_once_are_all_there(tmp_path, part):
    wanted = measurement(*(i / 16 for i in range(1, 13)))
    parts = [part(run) for run in wanted["runs"]]
    threads = [threading.Thread(target=keep, args=(tmp_path, one, wanted)) for one in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(tmp_path, wanted)) == 12
    assert len(read_json(tmp_path / "reference" / "provenance" / "runs.json")) == 12


class Killed(BaseException):
    pass


@pytest.mark.parametrize("renamings", range(5))
def test_a_kill_between_any_two_renamings_leaves_table_and_record_of_one_time(
    tmp_path, part, monkeypatch, renamings
):
    wanted = measurement(*RATES)
    first, second, _ = wanted["runs"]
    keep(tmp_path, part(first), wanted)
    new, left, replace = part(second), [renamings], os.replace

    def counted(*paths):
        if not left[0]:
            raise Killed
        left[0] -= 1
        replace(*paths)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", counted)
        # All that is renamed: the new table beside the old, runs.json, the record, the table.
        if renamings < 4:
            with pytest.raises(Killed):
                keep(tmp_path, new, wanted)
        else:
            keep(tmp_path, new, wanted)
    there = kept(tmp_path, wanted)
    assert there == ({first["id"]} if renamings < 3 else {first["id"], second["id"]})
    table = tmp_path / "reference" / "tables" / "gradient.csv"
    assert len(pd.read_csv(table)) == 2 * len(there)
    keep(tmp_path, new, wanted)
    assert kept(tmp_path, wanted) == {first["id"], second["id"]}
    assert [path.name for path in table.parent.iterdir()] == [table.name]
