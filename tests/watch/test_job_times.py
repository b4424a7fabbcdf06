"""Which seconds are expected of a job, and in which words it is named."""

import pytest

from netdyn.plan.written import RESULTS
from netdyn.watch.dry_run import PlannedJob, predicted
from netdyn.watch.job_times import UNKNOWN_SECONDS, JobTimes
from netdyn.watch.words import duration, job_name, shortened

HEADER = "s\th:m:s\tmax_rss\n"
ROWS = """scale,rule,kind,seconds,jobs
demo,train_run,,4.0,2
demo,train_run,deep23,9.0,1
cpu,train_run,,100.0,6
cpu,draw_figure,fig4,30.0,1
cpu,draw_figure,,6.0,4
"""


@pytest.fixture
def times(tmp_path):
    table = tmp_path / "times.csv"
    table.write_text(ROWS)
    return JobTimes(table)


def trained(folder, run: str, seconds: float):
    path = folder / "results/demo/benchmarks/train_run" / f"{run}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:09\t5\n")
    return str(path)


def test_without_benchmarks_the_committed_times_count(times):
    def seconds(rule, **wildcards):
        return times.seconds(rule, wildcards, None)

    assert seconds("train_run", scale="demo", run="deep23_seed-0-0123456789") == 9.0
    assert seconds("train_run", scale="demo", run="shallow_seed-0-0123456789") == 4.0
    assert seconds("draw_figure", scale="cpu", figure="fig4") == 30.0
    assert seconds("draw_figure", scale="cpu", figure="fig5") == 6.0
    # A reading's runs are those of its scale; a scale without times has the mean of all jobs.
    assert seconds("train_run", scale="cpu/readings/x", run="a_seed-0-0123456789") == 100.0
    assert seconds("train_run", scale="paper", run="a_seed-0-0123456789") == pytest.approx(76.0)
    assert seconds("sort") == UNKNOWN_SECONDS
    # A module's rules have the names that the other workflow gives them.
    assert seconds("netdyn_draw_figure", scale="cpu", figure="fig4") == 30.0


def test_what_this_machine_has_measured_comes_first(times, tmp_path):
    own = trained(tmp_path, "grokking_width-8_seed-0-0123456789", 50.0)
    trained(tmp_path, "grokking_width-16_seed-0-0123456789", 70.0)

    def seconds(run, scale="demo"):
        path = own.replace("grokking_width-8_seed-0-0123456789", run).replace("demo", scale)
        return times.seconds("train_run", {"scale": scale, "run": run}, path)

    assert seconds("grokking_width-8_seed-0-0123456789") == 50.0  # the very job
    assert seconds("grokking_width-16_seed-5-aaaaaaaaaa") == 70.0  # another seed of one
    assert seconds("grokking_width-99_seed-0-0123456789") == 60.0  # the same run, swept
    assert seconds("deep23_seed-0-0123456789") == 60.0  # the rule on this machine
    assert seconds("deep23_seed-0-0123456789", "cpu") == 100.0  # none of this scale here


@pytest.mark.parametrize("text", ["", "s\n", "s\th:m:s\nNA\t0\n"])
def test_half_a_benchmark_counts_as_none(times, tmp_path, text):
    path = trained(tmp_path, "a_seed-0-0123456789", 1.0)
    with open(path, "w") as file:
        file.write(text)
    wildcards = {"scale": "demo", "run": "a_seed-0-0123456789"}
    assert times.seconds("train_run", wildcards, path) == 4.0


def test_the_committed_table_knows_every_scale():
    times = JobTimes()
    for scale in ("demo", "cpu", "paper"):
        for rule in ("train_run", "measure_run", "draw_figure"):
            assert 0 < times.seconds(rule, {"scale": scale}, f"{RESULTS}/none.tsv") < 3600


def test_a_prediction_is_bounded_by_the_cores_and_by_the_longest_job():
    jobs = [PlannedJob("a", 10.0)] * 8
    assert [predicted(jobs, cores) for cores in (1, 2, 4)] == [80.0, 40.0, 20.0]
    assert predicted([*jobs, PlannedJob("b", 70.0)], 4) == 70.0
    assert predicted([PlannedJob("a", 10.0, threads=2)] * 2, 2) == 20.0
    # More threads than there are cores are scaled down.
    assert predicted([PlannedJob("a", 10.0, threads=8)], 2) == 10.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[
            (-1, "0 s"),
            (0.4, "0 s"),
            (59.4, "59 s"),
            (60, "1 min"),
            (64, "1 min"),
            (66, "1 min 10 s"),
        ],
        *[(598, "10 min"), (600, "10 min"), (3569, "59 min"), (3700, "1 h 02 min")],
        *[(86_399, "1 d 0 h"), (90_000, "1 d 1 h"), (3598, "1 h 00 min")],
    ],
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            "train architecture_width-1024_depth-10_seed-0-b31299025a (scale demo)",
            "train architecture, width 1024, depth 10, seed 0",
        ),
        (
            "train learning_rates_learning_rate-1.6_seed-0-438c42d22d (scale cpu)",
            "train learning_rates, learning rate 1.6, seed 0 (scale cpu)",
        ),
        ("measure deep23_cone on deep10_adam_batches_seed-1-438c42d22d (scale demo)",
         "measure deep23_cone on deep10_adam_batches, seed 1"),
        ("measure toy_neurons on none (scale demo)", "measure toy_neurons"),
        ("", "rule key=value"),
        (None, "rule key=value"),
    ],
)  # fmt: skip
def test_jobs_are_named_in_words(message, text):
    assert job_name("rule", message, {"key": "value"}, "demo") == text


@pytest.mark.parametrize("width", [1, 2, 3, 10, 26, 40])
def test_a_shortened_text_keeps_both_ends(width):
    text = "abcdefghijklmnopqrstuvwxyz"
    short = shortened(text, width)
    assert len(short) == min(width, len(text))
    if 3 <= width < 26:
        assert (short[0], short[-1], short.count("…")) == ("a", "z", 1)
