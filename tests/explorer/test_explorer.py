"""The explorer as a file: its size, what is left out, and pages that exist."""

import json
import re
from types import SimpleNamespace

import pytest
from explorer_tables import gradient, history, written

from netdyn.errors import NetdynError
from netdyn.explorer.explorer import write_explorer
from netdyn.jobs.exploring import explore
from netdyn.plan.explored import explored_tables


@pytest.fixture(autouse=True)
def small_bundle(monkeypatch):
    """A stand-in for plotly.js, whose five megabytes would hide the size of the numbers."""
    monkeypatch.setattr("netdyn.explorer.page.plotly_bundle", lambda: "/* plotly.js */")


@pytest.fixture
def tables(tmp_path):
    return written(tmp_path / "tables", a=history(), b=gradient())


def plan_of(reuse=False, blocks=(), **measurements):
    config = {"reuse": reuse, "measurements": measurements}
    return SimpleNamespace(config=config, blocks=lambda name: blocks)


def data_of(path):
    block = r'<script type="application/json" id="data">(.*?)</script>'
    return json.loads(re.search(block, path.read_text("utf-8"), re.DOTALL)[1])


def test_the_page_holds_every_seed(tmp_path, tables):
    said = []
    write_explorer(tmp_path / "page.html", [tables], report=said.append)
    data = data_of(tmp_path / "page.html")
    assert [run["seed"] for run in data["runs"]] == [0, 1, 2]
    assert len(data["layers"]) == 64
    assert re.fullmatch(r".*page\.html: 3 runs, 0\.\d MB", said[0])


def test_what_is_too_large_leaves_out_finer_steps_and_says_so(tmp_path):
    seeds = range(10)
    folder = written(tmp_path, a=history(seeds=seeds), b=gradient(seeds=seeds, layers=20))
    path = tmp_path / "page.html"
    write_explorer(path, [folder])
    whole, said = path.stat().st_size, []
    write_explorer(path, [folder], largest=whole - 1, report=said.append)
    assert path.stat().st_size < whole
    assert "10 runs make" in said[0]
    assert "finer steps are left out" in said[0]
    assert said[1].endswith("every 2nd step")
    assert data_of(path)["runs"][0]["history"]["steps"] == [0, 10, 100]


@pytest.mark.parametrize("largest", [1, 20_000])
def test_what_is_too_large_at_any_rate_is_refused(tmp_path, tables, largest):
    with pytest.raises(NetdynError, match="choose fewer by --run"):
        write_explorer(tmp_path / "page.html", [tables], largest=largest)
    assert not (tmp_path / "page.html").exists()


def test_a_page_that_exists_is_kept_unless_it_may_be_replaced(tmp_path, tables, capsys):
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(NetdynError, match="exists: choose another --output, or give --overwrite"):
        explore([tables], path)
    assert path.read_text() == "mine"
    explore([tables], path, overwrite=True)
    assert len(data_of(path)["runs"]) == 3
    assert "3 runs" in capsys.readouterr().err


def test_explored_are_the_tables_of_runs_whose_gradients_were_measured_over_steps():
    plan = plan_of(
        a_gradient={"quantity": "rpd_gradient", "run": ["a", "b"], "steps": "all"},
        a_history={"quantity": "history", "run": "a"},
        b_sharing={"quantity": "region_share", "run": "b"},
        b_cone={"quantity": "cone", "run": "b"},
        c_gradient={"quantity": "rpd_gradient", "run": "c", "steps": "best"},
        c_history={"quantity": "history", "run": "c"},
        toy={"quantity": "toy_neurons"},
    )
    assert explored_tables(plan) == ["a_gradient", "a_history", "b_cone"]


@pytest.mark.parametrize(
    ("reuse", "blocks", "shown"), [(False, ["run"], 2), (True, [], 2), (True, ["run"], 1)]
)
def test_no_run_is_trained_for_what_no_figure_needs_where_tables_are_reused(reuse, blocks, shown):
    plan = plan_of(
        reuse,
        blocks,
        a_gradient={"quantity": "rpd_gradient", "run": "a", "steps": "all"},
        a_course={"quantity": "projection_course", "run": "a"},
    )
    assert explored_tables(plan) == ["a_gradient", "a_course"][:shown]
