"""How large results become: against the committed tables, and within what can be committed."""

import functools
import re

import pandas as pd
import pytest
import torch
from settings_example import ROOT

from netdyn.errors import NetdynError
from netdyn.plan import settings, snapshots, table_sizes
from netdyn.plan.explored import OPTIONAL
from netdyn.plan.settings import Measurement
from netdyn.quantities import cone
from netdyn.results.reference import LARGEST
from netdyn.results.runs import build_model
from netdyn.results.tables import rows_of

TOLERANCE = 1.15  # of `table_bytes`
# The only tables whose rows training or data decide: samples classified right, digits of a subset.
AT_MOST = ("deep23_adversarial", "grokking_projection")


@functools.cache
def config(scale):
    return settings.load(ROOT, {"scale": scale})


@functools.cache
def measurements(scale):
    return settings.measurements(config(scale))


@functools.cache
def committed(name):
    return pd.read_csv(ROOT / "results/cpu/reference/tables" / f"{name}.csv")


@functools.cache
def best_steps():
    """The best step of every run of scale cpu, by its id: the first of best test accuracy."""
    found = {}
    for measurement in measurements("cpu").values():
        for run in measurement.runs if measurement.quantity == "history" else ():
            history = rows_of(committed(measurement.name), run.columns())
            found[run.id] = int(history.loc[history["test_accuracy"].idxmax(), "step"])
    return found


COMMITTED = [name for name, each in measurements("cpu").items() if each.quantity not in OPTIONAL]


@pytest.mark.parametrize("name", COMMITTED)
def test_sizes_are_those_of_the_committed_tables(name):
    measurement, table = measurements("cpu")[name], committed(name)
    assert sorted(table_sizes.columns(measurement)) == sorted(table.columns)
    rows = table_sizes.table_rows(measurement, best_steps())
    if name in AT_MOST:
        assert len(table) < rows < 1.05 * len(table)
    else:
        assert rows == len(table)
    # What is not known beforehand, the best steps, adds a step of each run at most.
    assert rows <= table_sizes.table_rows(measurement) <= 1.05 * rows
    actual = (ROOT / "results/cpu/reference/tables" / f"{name}.csv").stat().st_size
    assert (
        actual / TOLERANCE < table_sizes.table_bytes(measurement, best_steps()) < actual * TOLERANCE
    )


@pytest.mark.parametrize("scale", ["cpu", "demo", "paper"])
def test_every_table_of_a_scale_can_be_committed(scale):
    found = {name: table_sizes.table_bytes(table) for name, table in measurements(scale).items()}
    assert {name: size for name, size in found.items() if size * TOLERANCE > LARGEST} == {}
    assert min(found.values()) > 100


def test_the_snapshot_steps_of_committed_runs_are_the_scheduled_and_the_best():
    table, best = committed("deep10_gradient"), best_steps()
    for run in measurements("cpu")["deep10_gradient"].runs:
        steps = set(rows_of(table, run.columns())["step"])
        assert steps == {*snapshots.snapshot_steps(run.settings, best[run.id])}
        assert len(snapshots.snapshot_steps(run.settings)) >= len(steps)


def schedule(every_step_until, per_decade):
    return {"every_step_until": every_step_until, "per_decade": per_decade}


@pytest.mark.parametrize(
    ("evaluated", "kept", "steps"),
    [
        (schedule(0, 1), schedule(0, 0), [0, 10, 20]),  # evaluated: 0, 1, 10, 20
        (schedule(0, 1), schedule(2, 1), [0, 1, 2, 10, 20]),  # every evaluated step is kept anyway
        (schedule(0, 0), schedule(0, 0), [0, 20]),
    ],
)
def test_an_unknown_best_step_is_one_more_where_there_is_another(evaluated, kept, steps):
    run = {"evaluate": evaluated, "snapshots": kept, "steps": 20}
    assert snapshots.snapshot_steps(run) == steps


def test_best_and_last_are_two_steps_unless_they_are_known_to_be_one():
    table = measurements("cpu")["sign_agreement"]
    layers = sum(run.settings["depth"] - 1 for run in table.runs)
    assert table_sizes.table_rows(table) == 2 * layers
    last = {run.id: run.settings["steps"] for run in table.runs}
    assert table_sizes.table_rows(table, last) == layers


def test_a_quantity_without_a_size_is_an_error_that_says_where_it_goes():
    (run,) = measurements("cpu")["deep23_class_noise"].runs[:1]
    new = Measurement("new", "entropy", (run,), {"steps": "all"})
    for size in (table_sizes.table_rows, table_sizes.table_bytes):
        with pytest.raises(NetdynError, match=r"'entropy' has no size: add it to netdyn\.plan"):
            size(new)


def test_constants_are_those_of_the_modules_that_import_torch():
    assert table_sizes.DATA_POINTS == cone.DATA_POINTS


@pytest.mark.parametrize("name", ["shallow", "deep23", "grokking"])
@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_weights_are_those_of_the_networks(name, precision):
    run = {**settings.runs(config("cpu"))[name][0].settings, "precision": precision}
    state = build_model(run, snapshots.INPUTS, snapshots.CLASSES).state_dict().values()
    one = sum(tensor.numel() * tensor.element_size() for tensor in state)
    assert sum(tensor.dtype == torch.int64 for tensor in state) == run["batch_norm"] * 22
    assert snapshots.snapshot_bytes(run) == len(snapshots.snapshot_steps(run)) * one


def test_the_documented_disk_is_what_the_weights_of_scale_paper_take():
    declared = settings.runs(config("paper"))
    taken = sum(snapshots.snapshot_bytes(r.settings) for runs in declared.values() for r in runs)
    page = (ROOT / "docs/running_on_a_cluster.md").read_text()
    (said,) = re.findall(r"weights take (\d+) GB", page)
    assert float(said) == pytest.approx(taken / 1e9, abs=0.5)
