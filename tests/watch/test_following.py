"""What is shown of a run, by Snakemake's events: on a terminal, elsewhere, in a dry run."""

import io
import logging

import pytest
from rich.console import Console
from snakemake_events import expected_job, finished, job_error, job_info, record
from snakemake_interface_logger_plugins.common import LogEvent

from netdyn.records.progress_files import ProgressFile
from netdyn.watch import following, output, run_state
from netdyn.watch.following import Follower
from netdyn.watch.output import Output

RUN = "grokking_width-32_seed-0-feaa4ae6fa"
TRAIN = ("train_run", f"train {RUN} (scale demo)")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Pictures are drawn by the tests alone.
    monkeypatch.setattr(following, "PICTURE_SECONDS", 1e6)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def plain(**how) -> tuple[Follower, io.StringIO]:
    stream = io.StringIO()
    return Follower(Output(stream), **how), stream


def begun(follower: Follower, jobs: int, cores: int = 2) -> None:
    """Let a run begin, of `jobs` figures."""
    expected = [
        expected_job(n, "draw_figure", f"results/demo/figures/fig{n}.pdf", scale="demo")
        for n in range(1, jobs + 1)
    ]
    follower.expect(cores=cores, scale="demo")
    follower.expect(jobs=[*expected, expected_job(0, "figures", "")])


def test_elsewhere_than_on_a_terminal_a_job_is_a_line():
    follower, stream = plain()
    begun(follower, 3)
    noise = ("Building DAG of jobs...", "Select jobs to execute...", "Execute 2 jobs...")
    for text in noise:
        follower.handle(record(None, text))
    for number in (1, 2, 3):
        follower.handle(job_info(number, "draw_figure", f"draw fig{number} (scale demo)"))
        follower.handle(finished(number))
    # The target itself is no job that anybody waits for.
    target = job_info(0, "figures", None)
    target.output = []
    follower.handle(target)
    follower.handle(finished(0))
    follower.close()
    first, *jobs, last = stream.getvalue().splitlines()
    assert first.startswith("3 jobs, about ")
    assert first.endswith(" on 2 cores; figures will be in results/demo/figures")
    assert jobs == [f"[{n} of 3] draw fig{n}: done in 0 s" for n in (1, 2, 3)]
    assert last == "3 jobs done in 0 s; figures are in results/demo/figures"


def test_a_failure_shows_the_end_of_its_log_and_where_it_is(tmp_path):
    follower, stream = plain()
    begun(follower, 2)
    log, cluster = tmp_path / "a.log", tmp_path / "slurm.log"
    log.write_text("\n".join([*map(str, range(100)), "error: no such thing", ""]))
    follower.handle(job_info(1, "draw_figure", "draw fig1 (scale demo)", log))
    follower.handle(job_info(2, "draw_figure", "draw fig2 (scale demo)"))
    text = "RuleException:\nCalledProcessError in file x\nCommand returned non-zero exit status 1"
    follower.handle(record(LogEvent.ERROR, text, logging.ERROR))
    follower.handle(job_error(1, "draw_figure", [log]))
    cluster.write_text("error: out of memory\n")
    follower.handle(job_error(2, "draw_figure", [tmp_path / "lost.log", cluster]))
    text = "WorkflowError:\nAt least one job did not complete successfully."
    follower.handle(record(LogEvent.ERROR, text, logging.ERROR))
    follower.close()
    said_lines = stream.getvalue().splitlines()
    at = said_lines.index(f"[1 of 2] draw fig1: FAILED. The end of its log, {log}:")
    assert said_lines[at + 1 : at + 21] == [*map(str, range(81, 100)), "error: no such thing"]
    at = said_lines.index(f"[2 of 2] draw fig2: FAILED. The end of its log, {cluster}:")
    assert said_lines[at + 1] == "error: out of memory"
    assert "CalledProcessError" not in stream.getvalue()
    assert "WorkflowError" not in stream.getvalue()
    assert said_lines[-4:] == [
        "2 of 2 jobs failed, 0 done, after 0 s:",
        f"  draw fig1, see {log}",
        f"  draw fig2, see {tmp_path / 'lost.log'}",
        "The same command goes on from here.",
    ]


def test_on_a_cluster_jobs_are_counted_and_a_groups_own_log_is_shown(tmp_path):
    follower, stream = plain()
    begun(follower, 1)
    follower.handle(record(LogEvent.RESOURCES_INFO, "Provided remote nodes: 100", nodes=100))
    follower.handle(record(None, "SLURM run ID: 1"))
    follower.handle(job_info(1, "draw_figure", "draw fig1"))
    follower.handle(record(None, "Job 1 has been submitted with SLURM jobid 7 (log: x)."))
    log = tmp_path / "7.log"
    log.write_text("slurmstepd: out of memory\n")
    how = {"groupid": 0, "aux_logs": [log], "job_error_info": []}
    follower.handle(record(LogEvent.GROUP_ERROR, "Error in group 0", logging.ERROR, **how))
    follower.handle(job_error(1, "draw_figure", []))
    first, group, end, job, *_ = stream.getvalue().splitlines()
    assert " on 100 jobs at a time; " in first
    assert group == f"a group of jobs: FAILED. The end of its log, {log}:"
    assert end == "slurmstepd: out of memory"
    assert job == "[1 of 1] draw fig1: FAILED, and has no log"
    assert not follower.state.local


def test_a_job_that_succeeds_at_its_second_attempt_has_not_failed():
    follower, stream = plain()
    begun(follower, 1)
    follower.handle(job_info(1, "draw_figure", "draw fig1"))
    follower.handle(job_error(1, "draw_figure", []))
    follower.handle(job_info(1, "draw_figure", "draw fig1"))
    follower.handle(finished(1))
    follower.close()
    assert stream.getvalue().splitlines()[-1].startswith("1 job done")


def test_a_run_that_is_cut_says_how_to_go_on():
    follower, stream = plain()
    begun(follower, 5)
    follower.handle(job_info(1, "draw_figure", "draw fig1"))
    follower.close()
    assert stream.getvalue().splitlines()[-1] == (
        "Stopped after 0 s: 0 of 5 jobs done. The same command goes on from here."
    )


@pytest.mark.parametrize(
    ("quiet", "left"),
    [
        ({"host", "reason"}, ["2 jobs", "Touched", "[1 of", "[2 of", "1 of 2"]),
        ({"rules"}, ["2 jobs", "Touched", "[2 of", "1 of 2"]),
        ({"progress"}, ["[2 of", "1 of 2"]),
        ({"rules", "progress"}, ["[2 of", "1 of 2"]),
        ({"all"}, []),
    ],
)
def test_quiet_leaves_out_what_it_names_but_no_failure(quiet, left):
    follower, stream = plain(quiet=quiet)
    begun(follower, 2)
    follower.handle(job_info(1, "draw_figure", "draw fig1"))
    follower.handle(record(None, "Touched something."))
    follower.handle(finished(1))
    follower.handle(job_info(2, "draw_figure", "draw fig2"))
    follower.handle(job_error(2, "draw_figure", []))
    follower.close()
    shown = [line for line in stream.getvalue().splitlines() if line[0] != " "]
    shown = [line for line in shown if not line.startswith("The same command")]
    assert len(shown) == len(left)
    assert all(line.startswith(start) for line, start in zip(shown, left, strict=True))


def test_mistakes_and_unknown_messages_are_shown():
    follower, stream = plain()
    follower.handle(record(None, "Unlocked working directory."))
    follower.handle(record(None, "the disk is nearly full", logging.WARNING))
    follower.handle(record(LogEvent.ERROR, "MissingRuleException: x", logging.ERROR))
    follower.handle(record(None, "a detail", logging.DEBUG))
    follower.handle(record(None, None))
    follower.close()
    assert stream.getvalue().splitlines() == [
        *("Unlocked working directory.", "the disk is nearly full", "MissingRuleException: x")
    ]


def test_another_workflow_without_expectations_is_counted_too():
    follower, stream = plain()
    follower.handle(record(LogEvent.RESOURCES_INFO, "Provided cores: 4", cores=4))
    stats = {"all": 1, "sort": 2, "total": 3}
    follower.handle(record(LogEvent.RUN_INFO, "Job stats:\n…", stats=stats))
    follower.handle(job_info(1, "sort", None, name="a"))
    follower.handle(finished(1))
    follower.close()
    first, job, last = stream.getvalue().splitlines()
    assert first.startswith("3 jobs, about ")
    assert first.endswith(" on 4 cores")
    assert job == "[1 of 3] sort name=a: done in 0 s"
    assert last.startswith("Stopped after 0 s: 1 of 3 jobs done")


def test_a_dry_run_ends_in_a_few_lines():
    follower, stream = plain(is_dry=True)
    follower.expect(cores=2, scale="demo")
    stats = {"figures": 1, "train_run": 1000, "draw_figure": 9, "total": 1010}
    follower.handle(record(LogEvent.RUN_INFO, "Job stats:\n…", stats=stats))
    for number in range(1000):
        follower.handle(job_info(number, *TRAIN, scale="demo", run=RUN))
    for number in range(9):
        follower.handle(job_info(1000 + number, "draw_figure", "draw it", scale="demo"))
    follower.handle(record(LogEvent.RUN_INFO, "Job stats:\n…", stats=stats))
    follower.handle(record(None, "Reasons:\n    (check individual jobs above for details)"))
    follower.handle(record(None, "Rules with provenance triggered jobs: train_run\n"))
    follower.close()
    first, train, draw, last = stream.getvalue().splitlines()
    assert first.startswith("1,009 jobs would run, in about ")
    assert first.endswith(" on 2 cores:")
    assert train.split()[:2] == ["1,000", "train_run"]
    assert draw.split()[:2] == ["9", "draw_figure"]
    assert "--logger-netdyn-full" in last
    assert not run_state.STATE_FILE.exists()


def test_a_quiet_dry_run_counts_by_rule():
    follower, stream = plain(is_dry=True, quiet={"rules", "progress"})
    stats = {"train_run": 3, "total": 3}
    follower.handle(record(LogEvent.RUN_INFO, "Job stats:\n…", stats=stats))
    follower.close()
    assert stream.getvalue().splitlines()[1].split()[:2] == ["3", "train_run"]


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_terminal_a_run_is_a_line_and_its_jobs_one_each(width, monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    follower = Follower(Output(stream))
    size = (width, 24)
    monkeypatch.setattr(follower.output._console, "_width", size[0])
    monkeypatch.setattr(follower.output._console, "_height", size[1])
    begun(follower, 4)
    log = tmp_path / "train.log"
    follower.handle(job_info(1, *TRAIN, log, scale="demo", run=RUN))
    long = "measure deep23_shift_overlap on architecture_width-1024_depth-10_seed-0-b31299025a"
    follower.handle(job_info(2, "measure_run", long, scale="demo"))
    progress = ProgressFile(log)
    accuracies = "training accuracy 0.9712, test 0.8800"
    progress.step(RUN, 1200, 6000, accuracies)
    follower.state.running[2].seconds = 60.0
    follower._refresh(force=True)
    follower.close()
    with Console(file=io.StringIO(), width=width) as console:
        console.print(stream.getvalue())
    drawn = stream.getvalue().split("results/demo/figures", 1)[1]
    lines = [_without_controls(line) for line in drawn.splitlines()]
    overall = next(line for line in lines if " of 4 jobs" in line)
    train = next(line for line in lines if "step 1,200 of 6,000" in line)
    measure = next(line for line in lines if "measure" in line)
    assert all(len(line) < width for line in lines[:4])
    assert "0 of 4 jobs · about " in overall
    assert " left" in overall
    assert "train grokking, width 32" in train
    assert (accuracies in train) == (width == 120)
    assert "…" in measure or width == 120
    assert "left" in measure


def _without_controls(line: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line)


def test_an_ascii_terminal_gets_ascii():
    class Ascii(io.StringIO):
        encoding = "ascii"

    follower = Follower(Output(stream := Ascii()))
    follower.handle(record(None, "draw η … and ━", logging.WARNING))
    assert stream.getvalue() == "draw \\u03b7 ... and #\n"
    assert output._encodable("a · b", "latin-1") == "a · b"
