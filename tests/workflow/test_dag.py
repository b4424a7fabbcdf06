"""The workflow's plan: exactly what each change makes it do again, and what a mistake says.

No job runs here: Snakemake takes the results for finished, which are empty. The same of results
that were made is in `test_whole_demo`, which `make test-workflow` runs.
"""

import contextlib
import re

import pytest
from dag import ROOT, TINY, copy_repository, planned, snakemake
from reruns import CHANGES, RULES, as_if_finished, made, row, together, told
from safetensors import safe_open

pytestmark = pytest.mark.workflow

NOTHING = [change for change, cells in told().items() if not re.search(r"\d \|", cells)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A working folder whose results Snakemake takes for complete."""
    return as_if_finished(tmp_path_factory.mktemp("workflow") / "finished")


@pytest.fixture(scope="module")
def nothing_runs(finished):
    """Say whether all changes that rerun nothing do so together: then each of them does."""
    with contextlib.ExitStack() as undoing:
        changes = [undoing.enter_context(made(CHANGES[change], finished)) for change in NOTHING]
        return planned(finished, *together(changes)) == {}


def test_every_text_of_the_report_is_used():
    rules = [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    text = "".join(path.read_text() for path in rules)
    texts = {path.name for path in (ROOT / "workflow/report").iterdir()}
    assert texts == set(re.findall(r"report/(\w+\.rst)", text))


def test_every_change_is_in_the_table():
    assert set(told()) == set(CHANGES)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_what_the_table_says(finished, nothing_runs, change):
    if change in NOTHING and nothing_runs:
        return
    with made(CHANGES[change], finished) as arguments:
        jobs = planned(finished, *arguments)
    assert row(change, jobs) == told()[change]
    assert jobs.keys() <= set(RULES)


def test_after_all_changes_were_taken_back_nothing_is_out_of_date(finished):
    assert planned(finished, *TINY) == {}


def test_translated_data_are_a_rule_of_their_own(tmp_path):
    path = "results/data/digits_translated.safetensors"
    folder = copy_repository(tmp_path / "here")
    assert snakemake(folder, path, *TINY).returncode == 0
    with safe_open(folder / path, "np") as file:
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
