"""What `netdyn status` says of a run that goes on, has ended, or was killed."""

import os
import socket
import time
from types import SimpleNamespace

from netdyn.records.progress_files import ProgressFile
from netdyn.watch.run_state import Job, RunState
from netdyn.watch.status import done_of, is_alive, lines_of_run


def state(**changed) -> RunState:
    how = {"total": 4, "done": 1, "seconds_waiting": 20.0, "seconds_done": 10.0, "cores": 2}
    return RunState(**how | changed)


def test_a_run_that_goes_on_is_shown_with_its_jobs_and_where_figures_will_be(tmp_path):
    now = time.time()
    log = str(tmp_path / "train.log")
    ProgressFile(tmp_path / "train.log").step("grokking_seed-0-0123456789", 5, 10)
    running = state(outputs=["results/demo/figures"], failed={9: ("draw fig1", "a.log")})
    running.running = {1: Job("train grokking, seed 0", log, 10.0, now)}
    overall, job, failed, where = lines_of_run(running, 100, now)
    assert "1 of 4 jobs · 1 failed · about " in overall
    assert "train grokking, seed 0" in job
    assert "step 5 of 10" in job
    assert failed == "  failed: draw fig1, see a.log"
    assert where == "Figures will be in results/demo/figures."


def test_a_run_lives_as_long_as_its_process_or_its_word():
    now = time.time()
    assert is_alive(state(), now)
    assert not is_alive(state(ended=now), now)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert not is_alive(state(pid=child), now)
    elsewhere = state(host=f"not-{socket.gethostname()}", pid=child, updated=now - 40)
    assert is_alive(elsewhere, now)
    assert not is_alive(elsewhere, now + 200)


def test_a_killed_run_names_the_way_out_and_an_ended_one_its_failures():
    now = time.time()
    killed = lines_of_run(state(host="elsewhere", updated=now - 600), 80, now)
    assert "last heard of 10 min ago: 1 of 4 jobs" in killed[0]
    assert "snakemake --unlock" in killed[1]
    ended = state(ended=now - 7300, failed={1: ("draw fig1", "")}, outputs=["a", "b"])
    assert lines_of_run(ended, 80, now) == [
        "The last run ended 2 h 02 min ago: 1 of 4 jobs done, 1 failed.",
        "  failed: draw fig1",
        "Figures are in a.",
        "Figures are in b.",
    ]
    assert len(lines_of_run(None, 80, now)) == 1


def test_what_is_done_of_a_scale_is_counted_by_its_files(tmp_path):
    folder = tmp_path / "results/demo"
    plan = SimpleNamespace(
        scale="demo",
        folder=str(folder),
        tables=lambda: ["a", "b"],
        figures=lambda: ["fig1"],
        runs_needed=lambda tables: ["x", "y", "z"],
        run_folder=lambda run: f"{folder}/runs/{run}",
    )
    for file in ("runs/x/manifest.json", "runs/y/history.csv", "tables/a.csv", "figures/fig1.pdf"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    assert done_of(plan) == [
        f"Scale demo: 1 of 3 runs, 1 of 2 tables, 1 of 1 figures; figures are in {folder}/figures."
    ]
