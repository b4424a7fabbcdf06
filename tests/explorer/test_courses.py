"""The course of a monitored training as runs, and rows of tables that lie beside run folders."""

import json

import numpy as np
import pandas as pd
import pytest
from explorer_tables import (
    basin,
    course_of_projections,
    gradient,
    history,
    run_folder,
    written,
)

from netdyn.errors import NetdynError
from netdyn.explorer.courses import course_sources
from netdyn.explorer.encoding import unpack
from netdyn.explorer.explorer import all_sources
from netdyn.explorer.payload import payload
from netdyn.explorer.sources import choose_runs, gather_runs

COURSE = [
    (step, quantity, site, value + step, 0.1)
    for step in (0, 5, 9)
    for quantity, site, value in (
        ("train_accuracy", 0, 0.1),
        ("test_accuracy", 0, 0.2),
        ("rpd_gradient", 1, 1.0),
        ("rpd_gradient", 2, 2.0),
        ("pruning", 1, 0.3),
        ("pruning", 2, 0.4),
        ("pruning", 3, 0.5),
        ("weight_basin", 0, 0.6),
    )
]


def course(*left_out):
    table = pd.DataFrame(COURSE, columns=["step", "quantity", "site", "value", "error"])
    return table[~table["quantity"].isin(left_out)]


def shown(*left_out):
    (run,) = choose_runs(gather_runs(course_sources("mine", course(*left_out))))
    return payload(run, [run])


def test_a_course_has_the_parts_of_a_run():
    content = shown()
    assert (content["name"], content["seed"], content["place"]) == ("mine", None, "site")
    assert content["history"]["steps"] == [0, 5, 9]
    assert np.allclose(unpack(content["history"]["test"]), [0.2, 5.2, 9.2], atol=1e-3)
    part = content["gradient"]["evaluation"]
    assert (part["layers"], part["of"]) == ([1, 2], "the standard error over samples")
    assert np.allclose(unpack(part["high"]).reshape(3, 2)[1], [6.1, 7.1], atol=1e-3)
    (pruning,) = content["pruning"]
    assert pruning["layers"] == [1, 2]
    assert np.allclose(unpack(pruning["full"]), [0.5, 5.5, 9.5], atol=1e-3)
    assert np.allclose(unpack(pruning["accuracy"]).reshape(3, 2)[2], [9.3, 9.4], atol=1e-3)
    assert content["basin"][0]["space"] == "weight"
    assert content["diverged"] is None
    json.dumps(content, allow_nan=False)


@pytest.mark.parametrize("missing", ["test_accuracy", "rpd_gradient", "pruning", "weight_basin"])
def test_what_a_monitor_did_not_measure_is_missing(missing):
    content = shown(missing)
    parts = {"rpd_gradient": "gradient", "pruning": "pruning", "weight_basin": "basin"}
    assert parts.get(missing) not in content
    assert ("test" in content["history"]) == (missing != "test_accuracy")


def test_a_course_without_accuracies_says_what_to_do():
    with pytest.raises(NetdynError, match="mine has no accuracies to show"):
        shown("train_accuracy", "test_accuracy")


RUN = "deep_seed-3-0123456789"


def record(*ids, key="parts", seed=3):
    entries = [{"id": name, "identity": {"run": "deep", "seed": seed}} for name in ids]
    return {key: [{"runs": entries}]} if key == "parts" else {key: entries}


@pytest.mark.parametrize("key", ["parts", "runs"])
def test_a_run_folder_alone_has_the_rows_of_the_tables_of_its_scale(tmp_path, key):
    run = run_folder(tmp_path / "runs" / RUN)
    written(tmp_path / "tables", record(RUN, key=key), b=gradient(seeds=[3, 4]))
    claims = pd.DataFrame({"id": ["C1"], "figure": ["Fig. 3g"], "claim": ["x"], "verdict": ["y"]})
    written(tmp_path / "reference", claims=claims)
    read = all_sources([run])
    assert "claims" in {source.kind for source in read}
    (shown,) = gather_runs(read)
    assert (shown.name, shown.seed, {*shown.parts}) == ("deep", 3, {"history", "gradient"})
    assert set(shown.first("gradient")["gradient"]) == {
        layer * step / 100 + 3 for layer in range(1, 5) for step in (0, 1, 10, 100)
    }


@pytest.mark.parametrize("other", ["deep_seed-3-9999999999", "deep_seed-4-0123456789"])
def test_rows_of_another_training_are_not_taken(tmp_path, other):
    run = run_folder(tmp_path / "runs" / RUN)
    written(tmp_path / "tables", record(other), b=gradient(seeds=[3, 4]))
    (shown,) = gather_runs(all_sources([run]))
    assert {*shown.parts} == {"history"}


def test_tables_of_the_scale_come_before_committed_ones(tmp_path):
    run = run_folder(tmp_path / "runs" / RUN)
    written(tmp_path / "tables", record(RUN), b=gradient(seeds=[3]))
    folder = written(tmp_path / "reference" / "tables", b=gradient(seeds=[3]), c=basin())
    kept = tmp_path / "reference" / "provenance" / "tables"
    kept.mkdir(parents=True)
    for name in ("b", "c"):
        beside = folder / f"{name}.csv.json"
        content = json.loads(beside.read_text())
        beside.unlink()
        runs = record(RUN, key="runs", seed=3 if name == "b" else 0)
        (kept / f"{name}.json").write_text(json.dumps({"sha256": content["sha256"], **runs}))
    (shown,) = gather_runs(all_sources([run]))
    assert len(shown.parts["gradient"]) == 1
    assert {*shown.parts} == {"history", "gradient", "basin"}
    assert set(shown.first("basin")["seed"]) == {3}


@pytest.mark.parametrize("damage", ["a,b\n1,2\n", ""])
def test_a_damaged_table_of_the_run_is_named(tmp_path, damage):
    run = run_folder(tmp_path / "runs" / RUN)
    written(tmp_path / "tables", record(RUN), b=gradient(seeds=[3]))
    (tmp_path / "tables" / "b.csv").write_text(damage)
    with pytest.raises(NetdynError, match=r"b\.csv is damaged"):
        all_sources([run])


def test_swept_runs_have_their_group_and_two_trainings_of_one_name_their_digests(tmp_path):
    names = ("shallow_activation-tanh_samples-600_seed-3-0123456789", RUN, RUN[:-1] + "8")
    folders = [run_folder(tmp_path / "runs" / name) for name in names]
    runs = gather_runs(all_sources([*folders, folders[1]]))
    assert [(run.name, run.group) for run in runs] == [
        ("shallow_activation-tanh_samples-600", "shallow"),
        ("deep 0123456789", "deep"),
        ("deep 0123456788", "deep"),
    ]


def test_projections_of_moments_stand_before_those_of_every_step(tmp_path):
    moments = course_of_projections([10])
    moments.insert(2, "moment", "before")
    folder = written(
        tmp_path, a=history(seeds=[0]), b=course_of_projections([0, 10, 100]), c=moments
    )
    (run,) = gather_runs(all_sources([folder]))
    parts = payload(run, [run])["projection"]
    assert [(part["step"], part["moment"]) for part in parts if part["split"] == "test"] == [
        (10, "before"),
        (0, ""),
        (100, ""),
    ]
    assert np.allclose(unpack(parts[-1]["h1"]), 100 + np.array([0, 1, 2] * 2) / 10, atol=1e-5)
