"""Committed tables in the workflow: kept part by part, taken up again, never stale."""

import shutil
from pathlib import Path

import pytest
from dag import TINY, copy_repository, errors, jobs_of, planned, run, snakemake

pytestmark = pytest.mark.workflow

DEMO = Path("results/demo")
NAMES = ("learning_rates_history", "learning_rates_sample_basin")
TABLES = [str(DEMO / "tables" / f"{name}.csv") for name in NAMES]
REUSE = "reuse: true"
REDRAWN = ("redraw", *TINY)


def with_settings(folder, *texts):
    """Lay settings over the tiny ones; return the arguments that say so."""
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text)
    return (*TINY, *(f"{number}.yaml" for number in range(len(texts))))


def records(folder):
    """Return the targets that keep every finished part of the two tables."""
    blocks = [path.stem for path in (folder / DEMO / "tables/parts" / NAMES[1]).glob("*.csv")]
    runs = [path.name for path in (folder / DEMO / "runs").glob("learning_rates_*")]
    return [str(DEMO / "kept" / NAMES[1] / f"{block}.json") for block in blocks] + [
        str(DEMO / "kept" / NAMES[0] / f"{run}.json") for run in runs
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which two tables of two runs were made and kept."""
    folder = copy_repository(tmp_path_factory.mktemp("keeping") / "finished")
    run(folder, *TABLES, *TINY)
    run(folder, *records(folder), *TINY)
    return folder


@pytest.fixture
def clone(finished, tmp_path):
    """A fresh copy of the repository with the committed results alone."""
    folder = copy_repository(tmp_path / "clone")
    shutil.copytree(finished / DEMO / "reference", folder / DEMO / "reference")
    return folder


def test_what_is_kept_is_taken_up_without_training(finished, clone):
    arguments = with_settings(clone, REUSE)
    assert planned(clone, *TABLES, *arguments) == {"tabulate": 2}
    said = snakemake(clone, *TABLES, *arguments)
    assert said.returncode == 0, said.stdout
    for table in TABLES:
        assert (clone / table).read_bytes() == (finished / table).read_bytes()
        committed = clone / DEMO / "reference/tables" / Path(table).name
        assert committed.read_bytes() == (clone / table).read_bytes()


def test_a_change_and_a_change_back_find_the_runs_again(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "changed")
    before = (folder / TABLES[0]).read_bytes()
    run(folder, TABLES[0], *with_settings(folder, "runs: {learning_rates: {width: 12}}"))
    assert (folder / TABLES[0]).read_bytes() != before
    # Neither trained nor measured again.
    assert jobs_of(run(folder, TABLES[0], *TINY)) == {"tabulate": 1}
    assert (folder / TABLES[0]).read_bytes() == before


def test_unless_asked_to_nothing_is_taken_up(clone):
    jobs = planned(clone, *TABLES, *TINY)
    assert jobs == {"prepare_data": 1, "train_run": 2, "measure_run": 1, "tabulate": 2}


def test_only_what_is_missing_is_trained(clone):
    more = "runs: {learning_rates: {sweep: {learning_rate: [0.03, 0.1, 0.3]}}}"
    jobs = planned(clone, *TABLES, *with_settings(clone, REUSE, more))
    assert jobs == {"prepare_data": 1, "train_run": 1, "measure_run": 1, "tabulate": 2}


def test_a_changed_measurement_or_run_takes_nothing_up(clone):
    trials = "measurements: {learning_rates_sample_basin: {trials: 3}}"
    jobs = planned(clone, TABLES[1], *with_settings(clone, REUSE, trials))
    assert jobs == {"prepare_data": 1, "train_run": 2, "measure_run": 1, "tabulate": 1}
    width = "runs: {learning_rates: {width: 12}}"
    jobs = planned(clone, *TABLES, *with_settings(clone, REUSE, width))
    assert jobs == {"prepare_data": 1, "train_run": 2, "measure_run": 1, "tabulate": 2}


def mistake(folder, *arguments):
    """Return the one line in which a dry run ends."""
    said = snakemake(folder, "-n", *arguments)
    assert said.returncode != 0
    assert "Traceback" not in said.stdout
    (line,) = errors(said.stdout)
    return line


def test_what_is_left_out_is_said_at_the_end_and_leaves_nothing_older(clone):
    older = [clone / DEMO / "redrawn" / f"fig4.{ending}" for ending in ("pdf", "png", "json")]
    own = clone / DEMO / "redrawn" / "fig4_mine.png"
    own.parent.mkdir()
    for path in (*older, own):
        path.touch()
    # The second time all that is there is up to date.
    for _ in range(2):
        *_, warning = run(clone, *REDRAWN).rpartition("warning: left out, for tables that are not")
        _, *named, mend = warning.partition("\nComplete log")[0].splitlines()
        assert "  fig1: toy_neurons" in named
        assert any(line.startswith("  some claims: ") for line in named)
        (fig4,) = (line for line in named if line.startswith("  fig4: "))
        assert NAMES[0] not in fig4
        assert mend.startswith("restore these tables from the repository, or make them: ")
        assert mend.endswith("snakemake keep --config scale=demo reuse=True")
        assert [path for path in older if path.exists()] == []
        older[0].touch()
    assert own.exists()
    assert "warning" not in run(clone, "-n", *TABLES, *TINY)


@pytest.mark.parametrize("target", ["redraw", str(DEMO / "redrawn/claims.csv")])
def test_where_nothing_is_committed_nothing_is_redrawn(clone, target):
    shutil.rmtree(clone / DEMO / "reference/tables")
    line = mistake(clone, target, *TINY)
    assert line.startswith("error: nothing is committed for scale demo, results/demo/reference ")
    assert line.endswith(": run `snakemake keep --config scale=demo` first")


def test_a_committed_table_that_was_changed_ends_in_one_line_and_the_mend(finished, clone):
    table = clone / DEMO / "reference/tables/learning_rates_history.csv"
    reuse = with_settings(clone, REUSE)
    for content in (table.read_bytes() + b"\n", b""):
        table.write_bytes(content)
        for targets, mend in (((*TABLES, *reuse), ", or set reuse to false"), (REDRAWN, "")):
            line = mistake(clone, *targets)
            assert f"{table.name} is damaged " in line
            assert line.endswith(f": restore both from the repository{mend}")
    record = Path("reference/provenance/tables/learning_rates_history.json")
    (clone / DEMO / record).unlink()
    for targets, mend in (((*TABLES, *reuse), ", or set reuse to false"), (REDRAWN, "")):
        line = mistake(clone, *targets)
        assert line.endswith(f"has no record {DEMO / record}: restore it from the repository{mend}")
    shutil.copy(finished / DEMO / record, clone / DEMO / record)
    table.unlink()
    line = mistake(clone, *TABLES, *reuse)
    assert f"{table.name} is missing, " in line
    assert line.endswith(": restore it from the repository, or set reuse to false")
