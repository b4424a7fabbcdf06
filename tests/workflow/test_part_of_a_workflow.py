"""The workflow as a part of another one: as a module, with a prefix, by include."""

import json

import pytest
from dag import copy_repository, errors, planned, run, snakemake

from netdyn.plan.settings import read, runs
from netdyn.records.files import read_yaml

pytestmark = pytest.mark.workflow

# Of the module's rules, or of those that are included, and what the other workflow adds.
MODULE = """
configfile: "settings.yaml"

rule mine:
    output: "mine.txt"
    shell: "echo mine > {output}"

module netdyn:
    snakefile: "../netdyn/Snakefile"
    config: config
"""
PREFIX = '    prefix: "sub/folder"\n'
USE = "\nuse rule * from netdyn as netdyn_*\n"
WAYS = {
    "module": MODULE + USE,
    "prefix": MODULE + PREFIX + USE,
    "include": 'configfile: "settings.yaml"\ninclude: "../netdyn/Snakefile"\n',
}
PREPARED = {"prepare_data": 1, "train_run": 1}
FIG6 = {**PREPARED, "measure_run": 2, "tabulate": 3, "draw_figure": 1}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """The repository, and beside it a working folder for each way of using it."""
    folder = tmp_path_factory.mktemp("together")
    repository = copy_repository(folder / "netdyn")
    for way, snakefile in WAYS.items():
        (folder / way).mkdir()
        (folder / way / "Snakefile").write_text(snakefile)
        (folder / way / "settings.yaml").write_bytes(
            (repository / "tests/workflow_tiny.yaml").read_bytes()
        )
    return folder


def results(way: str) -> str:
    return "sub/folder/results" if way == "prefix" else "results"


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_plan_the_same_jobs(places, way):
    target = f"{results(way)}/demo/figures/fig6.pdf"
    found = planned(places / way, target, source=places / "netdyn")
    assert {rule.removeprefix("netdyn_"): jobs for rule, jobs in found.items()} == FIG6
    # Rules have the names that the other workflow gives them.
    assert all(rule.startswith("netdyn_") == (way != "include") for rule in found)


def test_it_trains_measures_and_draws_below_a_prefix(places):
    folder, source = places / "prefix", places / "netdyn"
    run(folder, "--cores", "2", "sub/folder/results/demo/figures/fig6.pdf", source=source)
    made = folder / "sub/folder/results"
    assert json.loads((made / "demo/figures/fig6.json").read_text())["name"] == "fig6"
    assert len(list(made.glob("demo/runs/*/manifest.json"))) == 1
    assert list(made.glob("demo/checkpoints/*.whole/*/manifest.json"))
    # Nothing lies outside of the prefix, and nothing is out of date.
    assert not (folder / "results").exists()
    assert not (source / "results").exists()
    assert planned(folder, "sub/folder/results/demo/figures/fig6.pdf", source=source) == {}
    # The bare name, and a run that is lost.
    for path in made.glob("demo/runs/*/*"):
        path.unlink()
    assert planned(folder, "netdyn_fig6", source=source) == {
        "netdyn_train_run": 1,
        "netdyn_measure_run": 2,
        "netdyn_tabulate": 3,
        "netdyn_draw_figure": 1,
        "netdyn_fig6": 1,
    }


@pytest.mark.workflow_runs
def test_it_measures_and_draws_as_a_module(places):
    run(places / "module", "--cores", "2", "netdyn_fig1", source=places / "netdyn")
    assert (places / "module/results/demo/figures/fig1.pdf").stat().st_size > 10_000


def test_it_trains_when_it_is_included(places):
    folder = places / "include"
    configured = {**read_yaml(folder / "settings.yaml"), "scale": "demo"}
    (grokking,) = runs(read(places / "netdyn", configured))["grokking"]
    manifest = f"results/demo/runs/{grokking.id}/manifest.json"
    run(folder, "--cores", "2", manifest, source=places / "netdyn")
    assert (folder / manifest).exists()


def test_the_other_workflows_first_rule_stays_what_is_made(places):
    assert planned(places / "module", source=places / "netdyn") == {"mine": 1}


@pytest.mark.parametrize("way", ["module", "prefix"])
def test_a_mistake_in_its_settings_is_one_line(places, way):
    folder = places / way
    snakefile = folder / "mistaken.smk"
    snakefile.write_text(WAYS[way].replace("config: config", 'config: {"scale": "dmo"}'))
    said = snakemake(folder, "-n", "-s", "mistaken.smk", source=places / "netdyn")
    assert said.returncode == 1
    (line,) = errors(said.stdout)
    assert "dmo" in line
