"""The model of times on a GPU against closed forms, and the measuring on the processor."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import typer
from gpu import (
    cases,
    command,
    comparing,
    groups,
    kernels,
    measuring,
    model,
    rates,
    steps,
)
from torch.utils.flop_counter import FlopCounterMode

from netdyn.measures.basins import noisy_passes
from netdyn.measures.ranks import rank_sums
from netdyn.networks.mlp import initialise
from netdyn.plan import settings
from netdyn.results import runs
from netdyn.training import evaluation, new_runs
from netdyn.training.engine import cuda_graphs
from netdyn.training.engine.steps import TrainingSteps, arithmetic, training_steps
from netdyn.training.schedules import scheduled_steps

ROOT = Path(__file__).parents[2]
H100, H200 = rates.GPUS["h100"], rates.GPUS["h200"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def demo():
    return settings.runs(groups.load("demo"))


@pytest.fixture(scope="module")
def paper():
    return settings.runs(groups.load("paper"))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(steps, "REPEATS", 1)
    monkeypatch.setattr(steps, "MOST_STEPS", 2)
    monkeypatch.setattr(cases, "MANY_STEPS", 25)


def some_cases(demo):
    """A network without batch norm in small batches, and one with it that takes all samples."""
    grouped = {"grokking": demo["grokking"], "architecture": demo["architecture"][:1]}
    return cases.cases(grouped)


@pytest.mark.parametrize("name", ["shallow", "deep10_sgd", "deep10_adam_batches", "grokking"])
def test_a_step_has_the_flop_that_pytorch_counts(demo, name):
    chosen = demo[name][0].settings
    network = runs.build_model(chosen, rates.INPUTS, rates.CLASSES)
    x = torch.rand(kernels.batch_of(chosen), rates.INPUTS)
    with FlopCounterMode(display=False) as counter:
        network(x).square().sum().backward()
    launched = kernels.step_kernels(chosen, "float32")
    assert kernels.step_flop(chosen) == counter.get_total_flops()
    assert sum(kernel.flop for kernel in launched) == counter.get_total_flops()
    assert kernels.parameters(chosen) == sum(p.numel() for p in network.parameters())


def test_a_kernel_takes_as_long_as_its_products_or_its_bytes():
    large = kernels.product("large", 8192, 8192, 8192, 2)
    assert kernels.seconds_of(large, H100, "bfloat16") == pytest.approx(
        2 * 8192**3 / H100.attained["bfloat16"]
    )
    narrow = kernels.product("narrow", 60_000, 128, 128, 2)
    moved = 2 * (2 * 60_000 * 128 + 128 * 128)
    assert kernels.seconds_of(narrow, H100, "bfloat16") == pytest.approx(moved / H100.copy)
    alone = kernels.product("one tile", 128, 128, 128, 4)
    one_of_all = H100.attained["float32"] / H100.multiprocessors
    assert kernels.seconds_of(alone, H100, "float32") == pytest.approx(2 * 128**3 / one_of_all)


def test_half_of_the_bytes_between_products_in_bfloat16(paper):
    def passes(precision):
        launched = kernels.step_kernels(paper["deep10_sgd"][0].settings, precision)
        return sum(k.bytes for k in launched if k.name in ("normalise", "activation"))

    assert 2 * passes("bfloat16") == passes("float32") == 4 * 60_000 * 9 * 512 * 4


def test_the_model_takes_samples_as_netdyn_does():
    assert kernels.RESIDENT_VALUES == new_runs.RESIDENT_VALUES
    assert kernels.WORTH_A_GRAPH == cuda_graphs.WORTH_A_GRAPH
    assert measuring.CHUNK == evaluation.CHUNK
    assert measuring.FIELDS_AT_A_TIME == rank_sums.FIELDS_AT_A_TIME_ON_GPU
    assert measuring.SAMPLES_PER_STREAM == noisy_passes.SAMPLES_PER_STREAM
    assert measuring.SAMPLES_PER_PASS == noisy_passes.SAMPLES_PER_PASS_ON_GPU


def test_costs_are_sums_over_trainings_in_order(paper):
    grouped = groups.groups(paper)
    assert sorted(run.id for each in grouped.values() for run in each) == sorted(
        run.id for each in paper.values() for run in each
    )
    costs = model.training_costs(grouped, H100).set_index("group")
    parts, total = costs.drop("training"), costs.loc["training"]
    assert total["trainings"] == parts["trainings"].sum()
    assert total["steps"] == sum(r.settings["steps"] for each in paper.values() for r in each)
    for column in ("pflop", *model.COLUMNS):
        assert total[column] == pytest.approx(parts[column].sum(), rel=0.01)  # rounded
    # Without graphs bfloat16 may be slower than float32: it has more kernels to launch.
    slowest_first = [parts[column] for column in [*model.COLUMNS][1:]]
    for slower, faster in itertools.pairwise(slowest_first):
        assert (faster <= slower).all()
    quicker = model.training_costs(grouped, H200).set_index("group")
    assert (quicker[[*model.COLUMNS]] <= costs[[*model.COLUMNS]]).all(axis=None)


def test_small_steps_wait_for_the_host_and_large_ones_do_not(paper):
    small, large = paper["grokking"][0].settings, paper["learning_rates"][0].settings
    launched = kernels.step_kernels(small, "float32")
    host = rates.HOST_STEP + rates.HOST_LAUNCH * len(launched)
    assert model.step_seconds(small, H100, "float32", "launches") == pytest.approx(host)
    alone, recorded = (
        model.step_seconds(large, H100, "float32", how) for how in ("launches", "graphs")
    )
    assert recorded == pytest.approx(alone, rel=0.01)


@pytest.mark.parametrize("seeds", [2, 5])
def test_stacked_runs_share_the_starts_of_kernels_and_not_their_work(paper, seeds):
    small, large = paper["grokking"][0].settings, paper["learning_rates"][0].settings
    recorded = model.step_seconds(small, H100, "float32", "graphs")
    stacked = model.step_seconds(small, H100, "float32", "stacked", seeds)
    launched = kernels.step_kernels(small, "float32")
    bytes_alone = sum(k.bytes / (rates.PASS_SHARE * H100.copy) for k in launched if not k.shape)
    assert bytes_alone < stacked < recorded
    starts = rates.KERNEL_START * (len(launched) + model.STACK_LAUNCHES)
    assert stacked >= starts / seeds
    assert stacked <= recorded - rates.KERNEL_START * len(launched) + starts / seeds
    for one in (small, large):
        graphs, alone = (
            model.step_seconds(one, H100, "float32", how, 1) for how in ("graphs", "stacked")
        )
        assert alone == graphs
    large_stacked = model.step_seconds(large, H100, "float32", "stacked", seeds)
    assert large_stacked == model.step_seconds(large, H100, "float32", "graphs")


def test_measuring_counts_networks_and_noise():
    config = groups.load("paper")
    trained = settings.runs(config)
    measurements = settings.measurements(config, trained)
    table = measuring.measuring_costs(measurements, H100).set_index("table")
    run = trained["grokking"][0].settings
    evaluated = set(scheduled_steps(run["evaluate"], run["steps"]))
    evaluated |= set(scheduled_steps(run["snapshots"], run["steps"]))
    seeds = len(trained["grokking"])
    assert table.loc["grokking_history", "networks"] == seeds * len(evaluated)
    basin = measurements["architecture_sample_basin"]
    blocks = math.ceil(basin.settings["samples"] / 1000)
    noises = len({each.settings["seed"] for each in basin.runs})  # shared by the networks
    normals = noises * basin.settings["trials"] * blocks * 1000 * 784
    drawn = normals / rates.HOST_NORMALS + 4 * normals / rates.HOST_COPY
    assert table.loc["architecture_sample_basin", "noise_s"] == pytest.approx(drawn, rel=0.01)


def test_twice_the_trials_take_twice_the_time():
    config = groups.load("demo")

    def seconds(trials):
        for each in ("deep23_class_basin", "deep23_weight_basin"):
            config["measurements"][each]["trials"] = trials
        table = measuring.measuring_costs(settings.measurements(config), H100)
        chosen = table["table"].isin(["deep23_class_basin", "deep23_weight_basin"])
        return table.loc[chosen, "seconds"].to_numpy()

    assert seconds(20) == pytest.approx(2 * seconds(10), rel=0.01)


@pytest.mark.parametrize("name", ["gpu_compared.csv", "gpu_compared_trainings.csv"])
def test_the_committed_comparison_is_what_the_command_writes(tmp_path, name):
    command.main(compare=True, output=tmp_path / "gpu_compared.csv")
    committed = (ROOT / "docs" / "speed" / name).read_text()
    hint = "python benchmarks/gpu.py --compare --output docs/speed/gpu_compared.csv"
    assert (tmp_path / name).read_text() == committed, hint


@pytest.mark.parametrize("name", ["gpu_model.csv", "gpu_model_measurements.csv"])
def test_the_committed_tables_are_the_settings(tmp_path, name):
    command.main(model=True, output=tmp_path / "gpu_model.csv")
    committed = (ROOT / "docs" / "speed" / name).read_text()
    remade = (tmp_path / name).read_text()
    hint = "python benchmarks/gpu.py --model --output docs/speed/gpu_model.csv"
    assert remade == committed, hint


def test_the_model_needs_no_torch(tmp_path):
    asks = (
        "import sys, pathlib; from gpu.command import main;"
        f"main(model=True, scale='demo', output=pathlib.Path({str(tmp_path / 'model.csv')!r}));"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", asks], cwd=ROOT / "benchmarks", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {"model.csv", "model_measurements.csv"} == {path.name for path in tmp_path.iterdir()}


def test_training_starts_and_goes_as_netdyn_trains(demo):
    chosen = demo["grokking"][0].settings
    images, labels, _ = cases.Samples(None).of(chosen)
    trained = cases.Training(chosen, (images, labels), CPU)
    network = runs.build_model(chosen, rates.INPUTS, rates.CLASSES)
    initialise(network, chosen["seed"], chosen["initial_scale"])
    own = training_steps(network, images.float() / 255, labels, chosen, rates.CLASSES, "plain")
    losses = trained.advance(6)  # into the second epoch
    with arithmetic("float32", CPU, "plain"):
        assert losses.tolist() == [own.step(index).item() for index in range(6)]
    exact = cases.Training({**chosen, "precision": "float64"}, (images, labels), CPU)
    again = cases.Training(chosen, (images, labels), CPU)
    assert torch.equal(exact.weights(), again.weights())


def test_steps_are_compared_and_timed(demo, quick):
    written = []
    rows = steps.measure(some_cases(demo), CPU, {"float32": 1e12}, H100, 60, written=written.append)
    table = pd.DataFrame(rows)
    plain = table[table["engine"] == "plain"].set_index("group")
    assert list(plain.index) == ["grokking", "architecture"]
    assert (table["failed"] == "").all()
    assert table["equal_bits"].all()
    assert plain["equals_plain"].all()
    # On the processor in float32 the device's steps are those that the rounding is read from.
    assert (plain["error"] == plain["rounding"]).all()
    assert 0 < plain.loc["grokking", "error"] < 1e-3
    assert (plain["error_after_one"] < 0.1).all()
    assert (plain["tflop_per_second"] == plain["share_of_ceiling"]).all()
    assert len(written) == len(some_cases(demo)) + 1


def test_an_engine_is_compared_with_the_plain_one(demo, quick, monkeypatch):
    rows = steps.measure(some_cases(demo)[:1], CPU, {}, None, 60)
    assert [(row["engine"], row["taken_by"]) for row in rows] == [
        ("plain", "plain"),
        ("auto", "blocks"),
    ]
    assert all(row["equal_bits"] for row in rows)
    # Blocks may sum in another order: other bits, the same values within rounding.
    assert rows[1]["error"] < 100 * rows[1]["rounding"]

    class Fewer(TrainingSteps):
        def advance(self, index, count):
            return super().advance(index, min(count, 3))

    def fewer(*arguments):
        return Fewer(*arguments) if arguments[-1] == "auto" else training_steps(*arguments)

    monkeypatch.setattr(cases, "training_steps", fewer)
    rows = steps.measure(some_cases(demo)[:1], CPU, {}, None, 60)
    assert "made 3 steps" in rows[-1]["failed"]


def test_measured_times_stand_beside_the_models(paper):
    table = comparing.step_times(paper)
    measured = pd.read_csv(comparing.MEASURED)
    assert set(table["group"]) <= set(measured["group"])
    assert len(table) == measured["run"].isin([r.id for each in paper.values() for r in each]).sum()
    # The constants were corrected by these times: they must lie within a third.
    assert table["ratio"].between(1 / 1.34, 1.34).all()


def test_complete_trainings_take_what_the_model_says_within_a_third(paper):
    trainings = comparing.training_times(groups.groups(paper)).set_index("group")
    assert trainings["trainings"].sum() == len(pd.read_csv(comparing.TRAININGS))
    assert trainings["ratio"].between(3 / 4, 4 / 3).all()
    parts = trainings[["steps_s", "evaluation_s", "kept_s"]]
    assert (parts > 0).all(axis=None)
    assert parts.sum(axis=1).to_numpy() == pytest.approx(trainings["model_s"], rel=0.01)


def test_a_case_that_fails_leaves_the_others(demo, quick):
    first, second = some_cases(demo)
    broken = first.run._replace(settings={**first.settings, "activation": "none such"})
    rows = steps.measure([first._replace(run=broken), second], CPU, {}, None, 60)
    assert "none such" in rows[0]["failed"]
    assert rows[-1]["failed"] == ""
    assert rows[-1]["ms_per_step"] > 0


def test_nothing_is_begun_after_the_budget_and_the_status_says_so(tmp_path):
    output = tmp_path / "gpu.csv"
    with pytest.raises(typer.Exit) as ended:
        command.main(scale="demo", device="cpu", seconds=0, output=output)
    assert ended.value.exit_code == 1
    table = pd.read_csv(output)
    assert set(table["group"]) == set(groups.groups(settings.runs(groups.load("demo"))))
    assert table["failed"].str.contains("budget").all()
    assert (table["ceiling_float32"] > 0).all()


def test_a_reference_keeps_how_batches_follow(demo):
    for name in ("deep10_adam_batches", "grokking", "deep23"):
        chosen = demo[name][0].settings
        small = cases.reduced(chosen)
        full = chosen["batch_size"] == "full"
        assert (small["batch_size"] == "full") == full
        assert small["samples"] <= chosen["samples"]
        if not full:
            batches = min(3, chosen["samples"] // chosen["batch_size"])
            assert small["samples"] == batches * small["batch_size"]
