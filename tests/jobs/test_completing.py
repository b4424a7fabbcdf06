"""Stacks of runs beside their checkpoints: what is complete, what was cut, in which order."""

import itertools

import pytest
from comparing import after, bits

from netdyn.jobs import completing
from netdyn.jobs.completing import Candidate, complete, divide


@pytest.fixture
def candidates(tmp_path, toy_data, run_settings):
    return [
        Candidate(
            *(run_settings(seed=seed), toy_data),
            *(tmp_path / place / f"seed-{seed}" for place in ("runs", "checkpoints")),
        )
        for seed in range(3)
    ]


def train(candidates, looks=None, engine="stacked"):
    stopping = (lambda: False) if looks is None else after(looks)
    return complete(*(candidates, "cpu", engine, lambda *_: None, stopping, 1e9, lambda: False))


def all_bits(folders):
    return [bits(folder) for folder in folders]


def test_a_stack_that_is_complete_is_not_trained_again(candidates, monkeypatch):
    folders = train(candidates)
    monkeypatch.setattr(completing.train, "train_stack", None)
    monkeypatch.setattr(completing.train, "train", None)
    assert train(candidates) == folders
    assert train(candidates[1:2]) == folders[1:2]


def test_a_run_of_a_stack_is_not_one_of_another_engine(candidates):
    assert train(candidates[:2])[0] != train(candidates[:1], engine="auto")[0]


def test_the_order_in_which_runs_are_given_changes_no_bit(tmp_path, candidates):
    assert train(candidates, 5) is None
    elsewhere = [
        each._replace(checkpoints=tmp_path / "elsewhere" / each.output.name) for each in candidates
    ]
    resumed = train(candidates[::-1])[::-1]
    assert all_bits(resumed) == all_bits(train(elsewhere))
    assert not any(each.checkpoints.exists() for each in candidates)


class Killed(BaseException):
    """Stands for a kill, which nothing catches."""


@pytest.mark.parametrize("runs_written", [1, 2])
def test_a_kill_between_two_runs_that_are_written_changes_no_bit(
    tmp_path, candidates, monkeypatch, runs_written
):
    elsewhere = [
        each._replace(checkpoints=tmp_path / "elsewhere" / each.output.name) for each in candidates
    ]
    undisturbed = all_bits(train(elsewhere))
    assert train(candidates, 8) is None
    count, write = itertools.count(), completing.train.runs_files.write_run

    def killing(*arguments):
        if next(count) == runs_written:
            raise Killed
        write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(completing.train.runs_files, "write_run", killing)
        with pytest.raises(Killed):
            train(candidates)
    started = []
    stack = completing.train.train_stack
    monkeypatch.setattr(completing.train, "train_stack", lambda *a: started.append(a) or stack(*a))
    assert all_bits(train(candidates)) == undisturbed
    assert len(started) == 1
    assert len(started[0][0]) == 3


def test_a_run_whose_stack_is_complete_but_for_it_trains_alone(candidates, monkeypatch):
    train(candidates[:2])
    monkeypatch.setattr(completing.train, "train_stack", None)
    assert len(train(candidates)) == 3


def test_only_the_engine_stacked_stacks(run_settings):
    runs = [run_settings(seed=0), run_settings(seed=1), run_settings(seed=1, steps=20)]
    assert divide(runs, "cpu", "stacked") == [[0, 1], [2]]
    for engine in ("auto", "plain"):
        assert divide(runs, "cpu", engine) == [[0], [1], [2]]
