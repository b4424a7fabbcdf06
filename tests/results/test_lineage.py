"""Where a file came from: found by its bytes or by what it carries, wherever it lies."""

import json
import re
import shutil

import pytest
from dag import ROOT

from netdyn import cli
from netdyn.errors import NetdynError
from netdyn.records.files import digest_file, read_json, write_json
from netdyn.records.sealed import write_record
from netdyn.results import lineage, tables

RESULTS = ROOT / "results"
COMMITTED = sorted((RESULTS / "cpu/reference/figures").glob("fig*.*"))


def of_kind(node, kind):
    found = [node] if node["kind"] == kind else []
    return found + [each for origin in node.get("from", ()) for each in of_kind(origin, kind)]


@pytest.fixture
def netdyn(monkeypatch, capsys):
    """Call the command line; return what it printed."""

    def call(*words):
        monkeypatch.setattr("sys.argv", ["netdyn", *map(str, words)])
        cli.main()  # which raises SystemExit where it fails
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize("figure", COMMITTED, ids=lambda path: path.name)
def test_a_committed_figure_is_traced_to_runs_and_data_wherever_it_lies(figure, tmp_path):
    copy = shutil.copy(figure, tmp_path / f"renamed{figure.suffix}")
    found = lineage.trace(copy, RESULTS)
    assert (found["kind"], found["name"], found["exact"]) == ("figure", figure.stem, True)
    assert found["sha256"] == digest_file(figure)
    assert set(found["embedded"]) == set(lineage.EMBEDDED)
    committed = read_json(RESULTS / f"cpu/reference/provenance/{figure.stem}.json")
    assert [node["name"] for node in found["from"]] == committed["settings"]["tables"]
    for node in found["from"]:
        assert node["sha256"] == digest_file(RESULTS / f"cpu/reference/tables/{node['name']}.csv")
    for run in of_kind(found, "run"):
        assert run["identity"]["seed"] >= 0
        assert {"code_sha256", "machine", "packages", "started", "data_sha256"} <= set(run["made"])
    assert of_kind(found, "run") or figure.stem == "fig1"


@pytest.mark.parametrize("ending", ["pdf", "png"])
def test_another_drawing_of_the_same_is_found_by_what_it_carries(tmp_path, ending):
    drawn = (RESULTS / f"cpu/reference/figures/fig6.{ending}").read_bytes()
    (tmp_path / "other").write_bytes(drawn + b"\n")
    found = lineage.trace(tmp_path / "other", RESULTS)
    assert (found["name"], found["exact"]) == ("fig6", False)


@pytest.mark.parametrize("place", ["figures", "redrawn", "reference/figures"])
def test_of_a_changed_figure_the_record_of_its_own_place_is_named(tmp_path, place):
    results = tmp_path / "results"
    shutil.copytree(RESULTS / "cpu/reference", results / "cpu/reference")
    committed = results / "cpu/reference/provenance/fig6.json"
    record = {**lineage.read_records(results).files[str(committed)], "sha256": {}}
    for folder in ("figures", "redrawn"):
        write_record(results / "cpu" / folder / "fig6.json", record)
    own = committed if "reference" in place else results / "cpu" / place / "fig6.json"
    figure = results / "cpu" / place / "fig6.png"
    drawn = (results / "cpu/reference/figures/fig6.png").read_bytes()
    figure.write_bytes(drawn + b"\n")
    found = lineage.trace(figure, results)
    assert (found["record"], found["exact"]) == (str(own), False)


def test_a_file_of_which_nothing_is_known_says_so(tmp_path):
    carried = (RESULTS / "cpu/reference/figures/fig6.pdf").read_bytes()
    (tmp_path / "a.pdf").write_bytes(carried)
    with pytest.raises(NetdynError, match=r"a\.pdf: no record .*it carries tables .*--results"):
        lineage.trace(tmp_path / "a.pdf", tmp_path)
    with pytest.raises(NetdynError, match=r"b\.pdf is missing"):
        lineage.trace(tmp_path / "b.pdf", tmp_path)


@pytest.fixture(scope="module")
def results(tmp_path_factory, train_run, run_settings, toy_data):
    """Results of one run: a part, a table of it and of the history, and Figure 1 beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETDYN_DEVICE", "cpu")
        return made(tmp_path_factory.mktemp("lineage"), train_run, run_settings, toy_data)


def made(tmp_path, train_run, run_settings, toy_data):
    def netdyn(*words):
        cli.app([*map(str, words)], standalone_mode=False)

    scale = tmp_path / "results" / "demo"
    run = scale / "runs" / "toy_seed-0-123"
    shutil.copytree(train_run(tmp_path / "trained", run_settings()), run)
    block = {
        "settings": {"threads": 1, "steps": "last", "samples": "all", "modes": ["evaluation"]},
        "runs": [
            {"folder": str(run), "data": str(toy_data), "identity": {"run": "toy", "seed": 0}}
        ],
    }
    write_json(tmp_path / "block.json", block)
    part = scale / "tables/parts/gradient/toy.csv"
    netdyn("measure", "rpd_gradient", tmp_path / "block.json", "--output", part)
    for name, file in (("gradient", part), ("history", run / "history.csv")):
        write_json(tmp_path / "parts.json", {"parts": [{"file": str(file)}]})
        output = scale / "tables" / f"{name}.csv"
        netdyn("tabulate", tmp_path / "parts.json", "--output", output)
    toy = {"seed": 0, "samples": 6, "neurons": 8, "steps": 2, "bins": 4, "points": 11, "threads": 1}
    write_json(tmp_path / "toy.json", toy)
    table = scale / "tables/toy_neurons.csv"
    netdyn("measure", "toy_neurons", tmp_path / "toy.json", "--output", table)
    write_json(tmp_path / "fig1.json", {"tables": ["toy_neurons"], "title": "1", "note": "toy"})
    where = "--tables", table.parent, "--output", scale / "figures/fig1"
    netdyn("draw", "fig1", tmp_path / "fig1.json", *where)
    return scale


def test_every_step_of_the_way_tells_code_machine_and_time(results, toy_data):
    run = results / "runs/toy_seed-0-123"
    for name in ("tables/gradient.csv", "tables/parts/gradient/toy.csv", "tables/history.csv"):
        found = lineage.trace(results / name, results.parent)
        (trained,) = of_kind(found, "run")
        assert trained["id"] == run.name
        assert trained["manifest_sha256"] == digest_file(run / "manifest.json")
        assert trained["made"]["threads"] == 1
        assert trained["settings"]["learning_rate"] == 0.01
    (part,) = of_kind(lineage.trace(results / "tables/gradient.csv", results.parent), "part")
    assert part["quantity"] == "rpd_gradient"
    assert part["settings"]["samples"] == "all"
    assert part["made"]["device"] == "cpu"
    assert part["from"][0]["identity"] == {"run": "toy", "seed": 0}
    for key in ("code_sha256", "machine", "packages", "started", "finished", "seconds"):
        assert part["made"][key] is not None
    figure = lineage.trace(results / "figures/fig1.png", results.parent)
    assert figure["from"][0]["sha256"] == digest_file(results / "tables/toy_neurons.csv")
    assert figure["made"]["seconds"] >= 0
    assert lineage.trace(run, results.parent)["settings"]["learning_rate"] == 0.01


def test_what_was_changed_is_not_said_to_be_what_it_was(results, tmp_path):
    results = shutil.copytree(results.parent, tmp_path / "results") / "demo"
    table, run = results / "tables/gradient.csv", results / "runs/toy_seed-0-123"
    table.write_text(table.read_text() + "\n")
    with pytest.raises(NetdynError, match=r"gradient\.csv is damaged"):
        lineage.trace(table, results.parent)
    history = run / "history.csv"
    history.write_bytes(history.read_bytes()[:-1])
    with pytest.raises(NetdynError, match=r"history\.csv is damaged"):
        lineage.trace(run, results.parent)


def test_the_command_prints_the_chain_and_the_same_as_json(results, netdyn):
    words = "provenance", results / "tables/gradient.csv", "--results", results.parent
    text = netdyn(*words)
    for said in (
        "table",
        "part rpd_gradient",
        "run toy_seed-0-123",
        "seed 0",
        "1 threads",
        "torch",
    ):
        assert said in text
    assert json.loads(netdyn(*words, "--json")) == lineage.trace(words[1], results.parent)
    text = netdyn("provenance", RESULTS / "cpu/reference/figures/fig7.pdf", "--results", RESULTS)
    told = re.findall(r"run (grokking_seed-\S+)", text)
    runs = set(told)
    assert len(told) > len(runs) >= 1
    assert text.count("sittings") == len(runs)  # each, behind several tables, is told once
    assert text.count("as above") == len(told) - len(runs)


def test_the_index_of_a_scale_holds_every_record(results, netdyn, tmp_path):
    netdyn("index", "demo", "--results", results.parent, "--output", tmp_path / "index.json")
    index = read_json(tmp_path / "index.json")
    assert set(index["runs"]) == {"toy_seed-0-123"}
    names = {where.split("demo/")[1] for where in index["made"]}
    assert {"figures/fig1.json", "tables/gradient.csv.json", "tables/history.csv.json"} <= names
    assert "tables/parts/gradient/toy.csv.json" in names
    assert tables.read_table(results / "tables/gradient.csv") is not None
