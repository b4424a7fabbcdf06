"""The state of a run: what is done, how long the rest takes, and the files that say so."""

import json
import os
import time

import pytest

from netdyn.records.progress_files import ProgressFile, read_progress
from netdyn.watch import run_state
from netdyn.watch.screen import picture
from netdyn.watch.work_left import WorkLeft


def test_pictures_fit_the_terminal_where_a_hundred_jobs_run():
    state = run_state.RunState(total=200, seconds_waiting=2000.0, local=False, cores=100)
    jobs = {n: run_state.Job(f"job {n}", "", 10.0, time.time()) for n in range(100)}
    state.running = jobs
    for height in (2, 5, 12):
        lines = [line.plain for line in picture(state, {}, 79, height, time.time())]
        assert len(lines) == height
        assert all(len(line) <= 79 for line in lines)
        assert f"{100 - (height - 2)} more jobs" in lines[-1]


def test_a_training_counts_by_its_steps_and_the_time_left_follows(tmp_path):
    now = time.time()
    state = run_state.RunState(cores=2, total=2, seconds_waiting=100.0, started=now - 50)
    state.running = {1: run_state.Job("train x", str(tmp_path / "log"), 100.0, now - 50)}
    quarter = {
        **{"name": "x", "step": 250, "steps": 1000, "text": "", "first": 0},
        **{"started": now - 25, "updated": now, "host": "h", "pid": 1},
    }
    assert state.share_done({1: quarter}, now) == pytest.approx(0.125)
    # 750 steps at 10 a second; a training that was resumed has made fewer steps in the time.
    assert run_state.seconds_left(state.running[1], quarter, now) == pytest.approx(75)
    resumed = {**quarter, "first": 200}
    assert run_state.seconds_left(state.running[1], resumed, now) == pytest.approx(375)
    assert state.seconds_left({1: resumed}, now) == pytest.approx(375)
    # Without progress a job counts by its time, on a cluster as not begun.
    assert state.share_done({}, now) == pytest.approx(0.25)
    state.local = False
    assert state.share_done({}, now) == 0.0


def test_the_time_left_is_the_work_by_the_jobs_at_a_time():
    now = time.time()
    state = run_state.RunState(cores=2, total=100, seconds_waiting=1000.0, started=now)
    assert state.seconds_left({}, now) == pytest.approx(500)
    # One job at a time, for long: two cores are not what there is.
    state.started, state.seconds_done = now - 10_000, 10_000.0
    assert state.seconds_left({}, now) == pytest.approx(1000, rel=0.01)


def test_work_is_corrected_rule_by_rule():
    work = WorkLeft()
    for number in range(10):
        work.add(number, "train" if number < 5 else "draw", 100.0)
    assert work.seconds() == 1000.0
    assert work.begin(0, "train", 0.0) == 100.0
    assert work.seconds() == 900.0
    work.end(0, 10.0)
    # One job of ten seconds, and one job's worth of trust in a hundred: 55 of each of four.
    assert work.seconds() == pytest.approx(4 * 55 + 500)
    assert work.begin(1, "train", 0.0) == pytest.approx(55)
    for number in (1, 2, 3):
        work.begin(number, "train", 0.0)
        work.end(number, 10.0)
    # A job that begins a second time, or that nobody expected, leaves no work below none.
    work.begin(4, "train", 0.0)
    work.begin(4, "train", 0.0)
    assert work.begin(77, "else", 3.0) == 3.0
    assert work.seconds() == pytest.approx(500)


def test_a_state_is_read_as_it_was_written_and_nothing_else_is(tmp_path):
    path = tmp_path / "state.json"
    state = run_state.RunState(scale="cpu", total=3, failed={4: ("draw x", "log")})
    state.running = {7: run_state.Job("train x", "log", 3.0, 1.0)}
    state.write(path)
    assert run_state.read_state(path) == state
    for text in ("", "[]", "{}", '{"running": 3, "failed": {}}', json.dumps({"running": {}})):
        path.write_text(text)
        assert run_state.read_state(path) is None
    assert run_state.read_state(tmp_path / "none.json") is None


def test_progress_is_written_at_most_once_a_second_and_goes_with_the_job(tmp_path, monkeypatch):
    log = tmp_path / "a.log"
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with ProgressFile(log).kept() as progress:
        progress.step("a", 10, 100)
        progress.step("a", 20, 100)
        assert read_progress(log)["step"] == 10
        clock[0] = 1.5
        progress.step("a", 30, 100, "accuracy 1")
        seen = read_progress(log)
        assert (seen["step"], seen["first"], seen["text"]) == (30, 10, "accuracy 1")
        assert seen["pid"] == os.getpid()
        progress.step("b", 0, 5)
        assert (read_progress(log)["name"], read_progress(log)["first"]) == ("b", 0)
    assert read_progress(log) is None
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"step": 1}'])
def test_half_a_progress_file_says_nothing(tmp_path, text):
    (tmp_path / "a.log.progress").write_text(text)
    assert read_progress(tmp_path / "a.log") is None


def test_progress_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "file").write_text("")
    ProgressFile(tmp_path / "file" / "a.log").step("a", 1, 2)
    ProgressFile(None).step("a", 1, 2)
