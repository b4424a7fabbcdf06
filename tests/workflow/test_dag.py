"""The workflow: a tiny run of every rule, then exactly what each change makes it do again."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from dag import FIGURES, ROOT, TINY, copy_repository, errors, planned, run, snakemake
from reruns import CHANGES, RULES, made, row, told
from safetensors import safe_open

pytestmark = pytest.mark.workflow

DEMO = Path("results/demo")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, finished_demo):
    """A working folder in which figures, scorecard and the report's pages were just made."""
    return finished_demo(tmp_path_factory.mktemp("workflow") / "finished")


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


def test_every_text_of_the_report_is_used():
    rules = [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    text = "".join(path.read_text() for path in rules)
    texts = {path.name for path in (ROOT / "workflow/report").iterdir()}
    assert texts == set(re.findall(r"report/(\w+\.rst)", text))


def test_every_change_is_in_the_table():
    assert set(told()) == set(CHANGES)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_what_the_table_says(finished, change):
    with made(CHANGES[change], finished) as arguments:
        jobs = planned(finished, *arguments)
    assert row(change, jobs) == told()[change]
    assert jobs.keys() <= set(RULES)


def test_after_all_changes_were_taken_back_nothing_is_out_of_date(finished):
    assert planned(finished, *TINY) == {}


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


def test_translated_data_are_a_rule_of_their_own(finished):
    path = "results/data/digits_translated.safetensors"
    assert snakemake(finished, path, *TINY).returncode == 0
    with safe_open(finished / path, "np") as file:
        assert file.get_slice("train_images").get_shape() == [17 * 1297, 784]


@pytest.mark.parametrize("scale", ["cpu", "paper"])
def test_the_other_scales_resolve_by_key_and_by_path(finished, scale):
    by_key = planned(finished, "fig7", "--config", f"scale={scale}")
    by_path = planned(finished, f"results/{scale}/figures/fig7.pdf")
    assert by_key == by_path
    assert by_key["train_run"] >= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--config", "scael=cpu"), "error: settings: unknown key 'scael'; did you mean 'scale'?"),
        (("--config", "scale=nope"), "error: scale: 'nope' must be one of demo, cpu, paper"),
        (("results/demo/runs/; rm -rf x/manifest.json",), "error: there is no target 'results/"),
        (("results/demo/runs/other-123/manifest.json",), "error: no run 'other-123'"),
        (("results/demo/tables/nothing.csv",), "error: no measurement 'nothing' at scale demo"),
        (
            ("results/demo/tables/parts/grokking_noise/other.csv",),
            "error: measurement 'grokking_noise' has no run 'other'",
        ),
        (("fig8",), "error: there is no target 'fig8'; did you mean 'fig7'? targets are all, fig"),
        (("fig1", "cliams", "--config", "scale=cpu"), "target 'cliams'; did you mean 'claims'?"),
        (("results/demo/figures/fig8.pdf",), "error: there is no target 'results/demo/figures/f"),
    ],
)
def test_a_mistake_ends_in_one_line(finished, arguments, said):
    ended = snakemake(finished, "-n", *arguments)
    assert ended.returncode != 0
    assert said in ended.stdout
    assert "Traceback (most recent call last)" not in ended.stdout


def test_lint_finds_nothing_but_the_missing_container(finished):
    found = [line for line in snakemake(finished, "--lint").stdout.splitlines() if "    * " in line]
    assert all("Specify a conda environment or container" in line for line in found)
