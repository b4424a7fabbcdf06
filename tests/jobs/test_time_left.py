"""The time left, of trainings whose times are known."""

from pathlib import Path

import pandas as pd
import pytest

from netdyn.jobs.time_left import TYPICAL, TimeLeft, training_work
from netdyn.records.files import read_json

ROOT = Path(__file__).parents[2]
RUNS = read_json(ROOT / "results/paper/reference/provenance/runs.json")


def test_the_work_of_a_training_by_hand(run_settings):
    settings = run_settings(
        evaluate={"every_step_until": 2, "per_decade": 0},
        snapshots={"every_step_until": 0, "per_decade": 0},
    )
    passed = 3 * 20 * 12 + 2 * (90 + 10_000) * 4  # evaluated at 0, 1, 2 and 12
    weights = 784 * 8 + 8 * 6 + 6 * 10
    assert training_work(settings) == (passed * weights, passed * (784 + 8 + 6 + 10), 12)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_trainings_that_follow_the_model_are_estimated_exactly(device):
    settings = [record["settings"] for record in RUNS.values()]
    seconds = [
        sum(4 * a * b for a, b in zip(TYPICAL[device], training_work(each), strict=True))
        for each in settings
    ]
    left = TimeLeft(device)
    left.trained(settings[0], seconds[0])
    assert left.estimate(settings[1:], {}) == pytest.approx(sum(seconds[1:]))


def test_two_kinds_of_training_are_told_apart(run_settings):
    small = run_settings(width=[1, 1], batch_size=1, steps=100_000)
    large = run_settings(width=[4000, 4000], batch_size=90, steps=10)
    left = TimeLeft("cpu")
    for _ in range(20):
        left.trained(small, 1.0)
        left.trained(large, 50.0)
    assert left.estimate([small], {}) == pytest.approx(1.0, rel=0.05)
    assert left.estimate([large], {}) == pytest.approx(50.0, rel=0.05)


def test_the_times_of_an_h200_are_foretold_within_two_thirds():
    # Of each training while it had the GPU alone, in the order in which they were made.
    alone = pd.read_csv(ROOT / "docs/speed/gpu_h200_trainings.csv").sort_values("started")
    records = [
        {"settings": RUNS[run]["settings"], "seconds": seconds}
        for run, seconds in zip(alone["run"], alone["seconds"], strict=True)
    ]
    left, rest = TimeLeft("cuda"), sum(record["seconds"] for record in records)
    for number, record in enumerate(records[:-5], 1):
        left.trained(record["settings"], record["seconds"])
        rest -= record["seconds"]
        estimate = left.estimate([later["settings"] for later in records[number:]], {})
        assert 0.6 < estimate / rest < 1.67, (number, estimate, rest)


def test_measurements_take_their_mean(run_settings):
    left = TimeLeft("cpu")
    assert left.estimate([run_settings()], {}) is None
    left.measured("a", 1.0)
    left.measured("a", 3.0)
    left.measured("b", 8.0)
    # An unknown table takes the mean of all measurements.
    assert left.estimate([], {"a": 2, "b": 1, "c": 1}) == pytest.approx(2 * 2 + 8 + 4)
    assert left.estimate([], {}) == 0
