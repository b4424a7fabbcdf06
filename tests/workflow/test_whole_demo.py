"""A tiny run of every rule of the workflow, and what is made again of results that are lost.

`make test-workflow` runs these: they draw every figure. What needs no results is in `test_dag`, and
what a small workflow shows in `test_faults` and `test_keeping`.
"""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from dag import FIGURES, TINY, copy_repository, errors, planned, run, snakemake
from reruns import CHANGES, RULES, made, row, told

pytestmark = [pytest.mark.workflow, pytest.mark.workflow_runs]

DEMO = Path("results/demo")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A working folder in which figures, scorecard and the report's pages were just made."""
    folder = copy_repository(tmp_path_factory.mktemp("workflow") / "finished")
    run(folder, *TINY)
    return folder


def results(folder):
    """Return what a change or a loss must leave, or bring back, bit for bit."""
    found = [
        path
        for ending in ("pdf", "png", "csv", "md", "safetensors")
        for path in (folder / DEMO).rglob(f"*.{ending}")
        if "checkpoints" not in path.parts
    ]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_every_figure_is_made_and_a_second_run_does_nothing(finished):
    for figure in FIGURES:
        for ending in ("pdf", "png"):
            path = finished / "results/demo/figures" / f"{figure}.{ending}"
            assert path.stat().st_size > 10_000
    logs, benchmarks = (
        {
            str(path.relative_to(finished / DEMO / kind)).removesuffix(ending)
            for path in (finished / DEMO / kind).rglob(f"*{ending}")
        }
        for kind, ending in (("logs", ".log"), ("benchmarks", ".tsv"))
    )
    assert logs == benchmarks
    rules = {path.partition("/")[0] for path in logs}
    assert {"train_run", "measure_run", "tabulate", "draw_figure", "score_claims"} <= rules
    assert planned(finished, *TINY) == {}


def test_the_scorecard_holds_every_claim_and_judges_none_on_the_digits(finished):
    card = pd.read_csv(finished / "results/demo/claims/claims.csv")
    assert card["id"].tolist() == [f"C{number:02d}" for number in range(1, 55)]
    assert set(card["verdict"]) == {"not tested at this scale"}
    assert card["measured"].notna().sum() > 30
    assert (finished / "results/demo/claims/claims.md").read_text().count("| C") >= 54


def test_the_report_is_one_file_with_every_figure_its_caption_and_the_scorecard(finished):
    said = snakemake(finished, "--report", "report.html", *TINY)
    assert said.returncode == 0, said.stdout
    report = (finished / "report.html").read_text()
    for name in (*(f"{figure}.png" for figure in FIGURES), "claims.html", "runs.html"):
        assert name in report
    for words in (
        "Learning dynamics of a shallow network",
        "Supplement",
        "Scorecard",
        "Provenance",
    ):
        assert words in report


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_what_the_table_says(finished, change):
    with made(CHANGES[change], finished) as arguments:
        jobs = planned(finished, *arguments)
    assert row(change, jobs) == told()[change]
    assert jobs.keys() <= set(RULES)


def test_a_change_and_a_change_back_find_the_run_again(finished):
    table = finished / DEMO / "tables/grokking_gradient.csv"
    before = table.read_bytes()
    (first,) = (finished / DEMO / "runs").glob("grokking*")
    (finished / "changed.yaml").write_text("runs: {grokking: {learning_rate: 0.004}}")
    run(finished, str(table.relative_to(finished)), *TINY, "changed.yaml")
    assert table.read_bytes() != before
    (other,) = set((finished / DEMO / "runs").glob("grokking*")) - {first}
    # Neither trained nor measured again.
    assert planned(finished, "fig7", *TINY) == {"tabulate": 1, "draw_figure": 1}
    run(finished, *TINY)
    assert table.read_bytes() == before
    shutil.rmtree(other)


@pytest.mark.parametrize(
    ("lost", "target", "rule"),
    [
        ("runs/grokking*", "runs", "train_run"),
        ("*/grokking_seed-0-*", "runs", "train_run"),
        ("runs/grokking*/history.csv", "runs", "train_run"),
        ("tables/grokking_gradient.csv", "tables", "tabulate"),
        ("figures/fig2.png", "figures", "draw_figure"),
    ],
    ids=["run", "run and what is kept of it", "part of a run", "table", "figure"],
)
def test_what_is_lost_comes_back_alone_and_equal(finished, lost, target, rule):
    before = results(finished)
    for path in (finished / DEMO).glob(lost):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert results(finished).keys() < before.keys()
    assert planned(finished, target, *TINY) == {rule: 1}
    run(finished, target, *TINY)
    assert results(finished) == before
    # Made anew, it has another date in its record.
    assert planned(finished, *TINY).keys() <= {"page_runs", "index_provenance"}
    run(finished, *TINY)


def test_published_results_are_redrawn_from_tables_alone(finished, tmp_path):
    said = snakemake(finished, "results/demo/published/fig7.json", *TINY)
    assert said.returncode == 0, said.stdout
    clone = copy_repository(tmp_path / "clone")
    shutil.copytree(finished / "results/demo/reference", clone / "results/demo/reference")
    # Figures whose tables are not all committed are left out and named, and leave nothing older.
    older = clone / "results/demo/redrawn/fig3.png"
    older.parent.mkdir()
    older.touch()
    assert planned(clone, "redraw", *TINY) == {"draw_figure": 1, "score_claims": 1}
    said = run(clone, "redraw", *TINY)
    assert re.search(r"^  fig3: .*deep23_history", said, re.MULTILINE)
    assert "  fig7: " not in said
    assert not older.exists()
    for ending in ("pdf", "png"):
        redrawn = clone / f"results/demo/redrawn/fig7.{ending}"
        reference = clone / f"results/demo/reference/figures/fig7.{ending}"
        assert redrawn.read_bytes() == reference.read_bytes()
    # What was not committed is not tested, and said to be missing.
    card = pd.read_csv(clone / "results/demo/redrawn/claims.csv").set_index("id")
    assert "Table deep10_history is missing" in card.loc["C08", "seen"]
    assert "%" in card.loc["C42", "measured"] or "amplitude" in card.loc["C42", "measured"]
    # A committed table that was edited is an error, one that is gone leaves its figures out.
    table = clone / "results/demo/reference/tables/grokking_history.csv"
    table.write_text(table.read_text() + "\n")
    edited = snakemake(clone, "-n", "redraw", *TINY)
    assert edited.returncode != 0
    assert "Traceback" not in edited.stdout
    assert [line.split(" is ")[0] for line in errors(edited.stdout)] == [
        "error: results/demo/reference/tables/grokking_history.csv"
    ]
    table.unlink()
    assert "  fig7: grokking_history\n" in run(clone, "-n", "redraw", *TINY)
    assert redrawn.exists()
