"""What the multiverse of scale cpu is judged from: committed tables, each with its own runs."""

from pathlib import Path

import pytest
from settings_example import ROOT
from typed_settings import mismatches, type_of

from netdyn.plan.multiverse import MultiversePlan
from netdyn.plan.readings import plan_of
from netdyn.plan.settings import overlay
from netdyn.records.figure_settings import MultiverseFigure
from netdyn.records.files import read_yaml
from netdyn.records.job_settings import DeclaredReading, MultiverseSettings
from netdyn.results.verdicts import FROZEN

DATA_SETS = {"data_fashion_mnist", "data_kmnist"}


@pytest.fixture(scope="module")
def multiverse(tmp_path_factory):
    """The plan of scale cpu as it is committed; a fresh clone has no more than this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        plan = MultiversePlan(plan_of(ROOT, {}, "cpu", tmp_path_factory.mktemp("settings")))
        yield plan


@pytest.fixture(scope="module")
def committed(multiverse):
    return multiverse.settings(committed=True)


@pytest.fixture(scope="module")
def own(multiverse):
    return multiverse.settings(committed=False)


@pytest.fixture(scope="module")
def plans(multiverse):
    return {each.reading.name: each for each in multiverse.readings}


def test_every_declared_reading_can_be_laid_over_the_scale(plans):
    declared = read_yaml(ROOT / "workflow/readings.yaml")["readings"]
    assert [*plans] == [*declared]
    for name, plan in plans.items():
        claims = {table for claim in plan.claim_rows if claim.id in plan.reading.claims
                  for table in claim.tables}  # fmt: skip
        assert set(plan.claim_tables()) == claims, name
        # Each named run and measurement is there for a claim of the reading.
        for measurement in plan.reading.settings.get("measurements", ()):
            assert measurement in plan.changed_tables(), (name, measurement)


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_readings_of_the_other_scales_are_those_of_this_one(plans, scale, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = [
        each.reading.name for each in MultiversePlan(plan_of(ROOT, {}, scale, tmp_path)).readings
    ]
    # The digits of scale demo are no place for data sets 46 times as large.
    expected = [name for name in plans if scale != "demo" or name not in DATA_SETS]
    assert names == expected


def test_a_fresh_clone_judges_from_committed_files_alone(multiverse, committed):
    files = multiverse.table_files(committed=True)
    assert len(files) > 50
    for file in files:
        assert Path(file).is_file(), file
        assert "reference" in Path(file).parts, file
    # The frozen verdicts stand on every table of the scorecard.
    frozen = committed["readings"][0]
    assert (frozen["name"], frozen["options"], frozen["changed"]) == (FROZEN, {}, [])
    for name, key in frozen["tables"].items():
        (part,) = committed["tables"][key]["parts"]
        assert part == {"file": f"results/cpu/reference/tables/{name}.csv"}


def test_tables_that_a_reading_does_not_change_are_the_scales(own, committed):
    for settings in (own, committed):
        frozen, *readings = settings["readings"]
        for reading in readings:
            for name, key in reading["tables"].items():
                same = key == frozen["tables"][name]
                assert same == (name not in reading["changed"]), (reading["name"], name)


def test_no_reading_is_judged_by_rows_of_a_run_that_it_changes(plans, multiverse, committed):
    checked = 0
    for reading in committed["readings"][1:]:
        plan = plans[reading["name"]]
        for name, key in reading["tables"].items():
            runs = plan.measurement(name).runs
            changed = [run.columns() for run in runs if run.id not in multiverse.plan.runs]
            # Its own tables, or those of a reading that it crosses, which has the same runs.
            names = reading["name"], *reading["crosses"]
            here = tuple(f"results/cpu/readings/{each}/" for each in names)
            for part in committed["tables"][key]["parts"]:
                if not changed or part["file"].startswith(here):
                    continue
                # A file of the scale may hold their names and seeds: only named rows are taken.
                assert not [row for row in part["rows"] if row in changed], (reading["name"], name)
                checked += 1
    assert checked  # deep10_history, of which the changed batch leaves the runs of Adam


def test_a_batch_of_sgd_leaves_the_committed_runs_of_adam(committed, plans):
    reading = next(each for each in committed["readings"] if each["name"] == "sgd_batch_200")
    entry = committed["tables"][reading["tables"]["deep10_history"]]
    base = "results/cpu/reference/tables/deep10_history.csv"
    (part,) = [part for part in entry["parts"] if part["file"] == base]
    assert {row["run"] for row in part["rows"]} == {
        "deep10_adam", "deep10_adam_batches", "deep10_adam_linear",
    }  # fmt: skip
    # What it must hold are all six.
    assert len(entry["runs"]) == len(plans["sgd_batch_200"].measurement("deep10_history").runs) == 6


def test_what_must_be_made_for_a_reading_lies_in_its_folder_or_is_the_scales(own, multiverse):
    scale = {multiverse.plan.table_file(name) for name in multiverse.plan.measurements}
    folders = {name: f"results/cpu/readings/{name}/tables/" for name in
               (each["name"] for each in own["readings"])}  # fmt: skip
    crossed = {each.reading.name: each.reading.crosses for each in multiverse.readings}
    for reading in own["readings"][1:]:
        mine = tuple(folders[name] for name in (reading["name"], *crossed[reading["name"]]))
        for key in reading["tables"].values():
            if reading["name"] in DATA_SETS:  # made by name alone: here only committed tables count
                assert all("/reference/" in part["file"] for part in own["tables"][key]["parts"])
                continue
            (part,) = own["tables"][key]["parts"]
            assert part["file"] in scale or part["file"].startswith(mine)


def test_data_sets_are_judged_by_all_claims_but_those_that_quote_accuracies(plans):
    values = {
        claim.id for claim in plans["data_kmnist"].claim_rows if claim.paper_value is not None
    }
    every = {f"C{number:02d}" for number in range(1, 55)}
    for name in DATA_SETS:
        assert set(plans[name].reading.claims) == every - values - {"C17"}
        assert not set(plans[name].runs) & set(plans[name].hosts[0].runs)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("signs_jacobian", {"signs": "jacobian", "sign_samples": 10_000}),
        ("standardization_row", {"standardization": "row"}),
        ("standardization_all", {"standardization": "all"}),
        ("basins_by_prediction", {"correct": "prediction"}),
    ],
)
def test_a_setting_that_readings_add_is_all_that_they_change(plans, multiverse, name, setting):
    plan = plans[name]
    assert plan.changed_tables()
    for table in plan.changed_tables():
        before = multiverse.plan.measurement(table)
        assert not before.settings.keys() & setting.keys()  # absent where it has its default
        now = plan.measurement(table)
        assert now.runs == before.runs
        assert now.settings == overlay(before.settings, setting)


def test_settings_of_the_multiverse_are_of_their_types(multiverse, own, committed):
    assert mismatches(own, MultiverseSettings) == []
    assert mismatches(committed, MultiverseSettings) == []
    for reading in own["readings"][1:]:
        assert mismatches(reading, DeclaredReading) == []
    assert mismatches(multiverse.figure_settings(), MultiverseFigure) == []


def test_measurements_under_a_reading_are_of_their_types(plans):
    for name, plan in plans.items():
        for table, measurement in plan.measurements.items():
            expected = type_of(measurement.quantity)
            assert mismatches(measurement.settings, expected, f"{name}: {table}") == []
