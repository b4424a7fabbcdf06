"""The workflow: a tiny run of every rule, then exactly what each change makes it do again."""

import os
import shutil

import pandas as pd
import pytest
from dag import FIGURES, TINY, copy_repository, planned, snakemake
from safetensors import safe_open

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A working folder in which figures, scorecard and the report's pages were just made."""
    folder = copy_repository(tmp_path_factory.mktemp("workflow"))
    said = snakemake(folder, *TINY)
    assert said.returncode == 0, said.stdout
    return folder


@pytest.fixture
def edited(finished):
    """Change a file for one test: `edited(name, old, new)`."""
    before = {}

    def edit(name, old, new):
        path = finished / name
        before[path] = path.read_bytes(), path.stat()
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    yield edit
    for path, (content, stamp) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert planned(finished, "figures", *TINY) == {}


def test_every_figure_is_made_and_a_second_run_does_nothing(finished):
    for figure in FIGURES:
        for ending in ("pdf", "png"):
            path = finished / "results/demo/figures" / f"{figure}.{ending}"
            assert path.stat().st_size > 10_000
    for kind in ("logs", "benchmarks"):
        rules = {path.name for path in (finished / "results/demo" / kind).iterdir()}
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


def test_a_touch_of_everything_changes_nothing(finished):
    for path in finished.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()
    assert planned(finished, "figures", *TINY) == {}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("src/netdyn/rpd.py", "import numpy as np\n", "import numpy as np  # said again\n", {}),
        ("src/netdyn/rpd.py", "2**20", "2**19", {"measure_run", "tabulate", "draw_figure"}),
        ("src/netdyn/basins.py", "= 1000", "= 999", {"measure_run", "tabulate", "draw_figure"}),
        (
            "src/netdyn/training.py",
            "500_000_000",
            "500_000_001",
            {"train_run", "measure_run", "tabulate", "draw_figure"},
        ),
        ("src/netdyn/figures/fig7.py", "\nimport ", "\nX = 1\nimport ", {"draw_figure"}),
        ("src/netdyn/drawing.py", "PNG_DPI = 200", "PNG_DPI = 100", {"draw_figure"}),
    ],
    ids=["comment", "rpd", "basins", "training", "fig7", "drawing"],
)
def test_an_edit_reruns_exactly_what_uses_it(finished, edited, name, old, new, expected):
    edited(name, old, new)
    jobs = planned(finished, "figures", *TINY)
    assert set(jobs) == set(expected)
    if name.endswith("fig7.py"):
        assert jobs == {"draw_figure": 1}
    if name.endswith("drawing.py"):
        assert jobs == {"draw_figure": 9}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        # Fig. 7 alone: one training, its measurements and tables, one drawing.
        (
            "tests/workflow_tiny.yaml",
            "initial_scale: 1.0",
            "initial_scale: 2.0",
            {"train_run": 1, "measure_run": 6, "tabulate": 7, "draw_figure": 2},
        ),
        (
            "config.yaml",
            "noise_return: affine   #",
            "noise_return: clip   #",
            {"measure_run": 1, "tabulate": 1, "draw_figure": 1},
        ),
        ("config.yaml", "device: auto", "device: cpu", {}),
        ("config.yaml", "data_root: data", "data_root: elsewhere", {}),
    ],
    ids=["initial scale", "noise return", "device", "data root"],
)
def test_a_changed_key_reruns_exactly_what_depends_on_it(
    finished, edited, name, old, new, expected
):
    edited(name, old, new)
    assert planned(finished, "figures", *TINY) == expected


def test_a_lost_figure_comes_back_alone(finished):
    path = finished / "results/demo/figures/fig2.png"
    before = path.read_bytes()
    path.unlink()
    assert planned(finished, "fig2", *TINY) == {"draw_figure": 1}
    assert snakemake(finished, "fig2", *TINY).returncode == 0
    assert path.read_bytes() == before


def test_published_results_are_redrawn_from_tables_alone(finished, tmp_path):
    said = snakemake(finished, "results/demo/published/fig7.json", *TINY)
    assert said.returncode == 0, said.stdout
    clone = copy_repository(tmp_path / "clone")
    shutil.copytree(finished / "results/demo/reference", clone / "results/demo/reference")
    redrawn = [f"results/demo/redrawn/{name}" for name in ("fig7.pdf", "claims.csv")]
    assert planned(clone, *redrawn, *TINY) == {"draw_figure": 1, "score_claims": 1}
    assert snakemake(clone, *redrawn, *TINY).returncode == 0
    for ending in ("pdf", "png"):
        redrawn = clone / f"results/demo/redrawn/fig7.{ending}"
        reference = clone / f"results/demo/reference/figures/fig7.{ending}"
        assert redrawn.read_bytes() == reference.read_bytes()
    # What was not committed is not tested, and said to be missing.
    card = pd.read_csv(clone / "results/demo/redrawn/claims.csv").set_index("id")
    assert "Table deep10_history is missing" in card.loc["C08", "seen"]
    assert "%" in card.loc["C42", "measured"] or "amplitude" in card.loc["C42", "measured"]


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
        (("results/demo/runs/; rm -rf x/manifest.json",), "No rule to produce"),
        (("results/demo/runs/other-123/manifest.json",), "error: no run 'other-123'"),
    ],
)
def test_a_mistake_ends_in_one_line(finished, arguments, said):
    ended = snakemake(finished, "-n", *arguments)
    assert ended.returncode != 0
    assert said in ended.stdout
    assert "Traceback (most recent call last)" not in ended.stdout


def test_a_damaged_run_is_never_measured(finished):
    (run,) = (finished / "results/demo/runs").glob("grokking*")
    snapshots, table = run / "snapshots.safetensors", "results/demo/tables/grokking_gradient.csv"
    whole = snapshots.read_bytes()
    stamp = snapshots.stat()
    snapshots.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        said = snakemake(finished, table, *TINY)
        assert said.returncode != 0
        assert "snapshots.safetensors is damaged" in said.stdout
        assert "exited with non-zero exit code" in said.stdout
        assert "completed successfully" not in said.stdout
        assert not list((finished / "results/demo/tables/parts/grokking_gradient").glob("*"))
    finally:
        snapshots.write_bytes(whole)
        os.utime(snapshots, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert snakemake(finished, "figures", *TINY).returncode == 0


def test_lint_finds_nothing_but_the_missing_container(finished):
    found = [line for line in snakemake(finished, "--lint").stdout.splitlines() if "    * " in line]
    assert all("Specify a conda environment or container" in line for line in found)
