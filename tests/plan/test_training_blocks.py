"""Which runs may share a process: fixed by the configuration alone."""

from collections import Counter, defaultdict

import pytest
from dag import ROOT

from netdyn.plan.tables import TablePlan


def plan_with(folder, **overrides):
    return TablePlan(ROOT, overrides, "demo", folder)


@pytest.mark.parametrize("size", [1, 5, 16])
def test_blocks_are_full_and_of_one_kind(tmp_path, size):
    plan = plan_with(tmp_path, runs_per_job=size)
    blocks = plan.training_blocks()
    assert blocks.keys() == plan.runs.keys()
    kinds = defaultdict(set)
    for run_id, block in blocks.items():
        kinds[block].add((plan.data_file(run_id), plan.run(run_id).settings["threads"]))
    assert all(len(kind) == 1 for kind in kinds.values())
    sizes = Counter(blocks.values())
    assert max(sizes.values()) <= size
    # Per kind all but the last are full.
    assert sum(count < size for count in sizes.values()) <= len(set.union(*kinds.values()))


def test_the_same_configuration_has_the_same_blocks(tmp_path):
    plans = [plan_with(tmp_path / name, runs_per_job=4) for name in ("one", "other")]
    assert plans[0].training_blocks() == plans[1].training_blocks()


def test_another_number_of_threads_is_another_block(tmp_path):
    alike = plan_with(tmp_path / "alike", runs_per_job=64)
    runs = {"grokking": {"threads": 2}}
    other = plan_with(tmp_path / "other", runs_per_job=64, runs=runs)
    assert len(set(other.training_blocks().values())) > len(set(alike.training_blocks().values()))
