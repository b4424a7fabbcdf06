"""`netdyn explore --measure`: what is measured of a run's folder, once, and what is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from netdyn.errors import NetdynError
from netdyn.explorer.encoding import unpack
from netdyn.jobs import exploring, measured_runs
from netdyn.quantities import rpd_gradient
from netdyn.quantities.subject import Subject
from netdyn.results.tables import write_table


@pytest.fixture(autouse=True)
def small_bundle(monkeypatch):
    monkeypatch.setattr("netdyn.explorer.page.plotly_bundle", lambda: "/* plotly.js */")


@pytest.fixture(scope="module")
def results(tmp_path_factory, run_settings, train_run, toy_data):
    """A folder results/ with one run, named as the workflow would, and its data set."""
    results = tmp_path_factory.mktemp("results")
    (results / "data").mkdir()
    (results / "data" / "toy.safetensors").write_bytes(toy_data.read_bytes())
    trained = train_run(tmp_path_factory.mktemp("training"), run_settings())
    (results / "mine" / "runs").mkdir(parents=True)
    trained.rename(results / "mine" / "runs" / "deep_seed-0-0123456789")
    return results


@pytest.fixture
def run(results):
    return results / "mine" / "runs" / "deep_seed-0-0123456789"


def shown(page):
    block = r'<script type="application/json" id="data">(.*?)</script>'
    return json.loads(re.search(block, page.read_text("utf-8"), re.DOTALL)[1])["runs"]


def test_what_no_table_has_is_measured_once_and_kept_beside_the_page(
    run, toy_data, tmp_path, capsys, monkeypatch
):
    page = tmp_path / "page.html"
    exploring.explore([run], page)
    assert "--measure measures g, RPDs and projections" in capsys.readouterr().err
    assert "gradient" not in shown(page)[0]
    exploring.explore([run], page, overwrite=True, measure=True)
    said = capsys.readouterr().err
    assert re.search(r"deep_seed-0-0123456789: g, RPDs, projections at \d+ steps take about", said)
    (content,) = shown(page)
    assert {"history", "gradient", "rpd", "projection"} <= content.keys()
    part = content["gradient"]["evaluation"]
    settings = {"steps": "all", "samples": "all", "modes": ["evaluation"], "classes": False}
    expected = rpd_gradient.measure(Subject.open(run, toy_data, "cpu"), settings)
    assert np.allclose(unpack(part["values"]), expected["gradient"], atol=1e-3)
    assert part["of"] == "the standard error over classes"
    # A second call measures nothing, and needs not be told to take what was measured.
    monkeypatch.setattr(measured_runs, "_measured", None)
    exploring.explore([run], page, overwrite=True, measure=True)
    exploring.explore([run], page, overwrite=True)
    assert shown(page)[0]["gradient"] == content["gradient"]
    assert "--measure" not in capsys.readouterr().err


@pytest.mark.parametrize("change", ["settings", "manifest"])
def test_what_was_measured_otherwise_is_measured_again(run, tmp_path, change, monkeypatch):
    page, measured = tmp_path / "page.html", []
    kinds = {"rpd": measured_runs._MEASURED["rpd"]}
    monkeypatch.setattr(measured_runs, "_MEASURED", kinds)
    exploring.explore([run], page, measure=True)
    if change == "settings":
        changed = {**kinds["rpd"][1], "bins": 7}
        monkeypatch.setitem(measured_runs._MEASURED, "rpd", ("rank_probability", changed))
    else:
        monkeypatch.setattr(measured_runs, "digest_file", lambda path: "another run")
    monkeypatch.setattr(
        measured_runs, "_measured", lambda subject, kinds, steps: measured.append(kinds) or {}
    )
    exploring.explore([run], page, overwrite=True, measure=True)
    assert measured == [["rpd"]]


@pytest.mark.parametrize("kind", ["course", "tables"])
def test_measuring_needs_a_runs_folder(tmp_path, kind):
    course = tmp_path / "course.csv"
    course.write_text(
        '# netdyn monitor 1 {"rows": 1}\nstep,quantity,site,value,error\n'
        "0,train_accuracy,0,1.0,nan\n"
    )
    history = {"run": ["a"], "seed": 0, "step": 0, "train_loss": 1.0, "train_accuracy": 1.0}
    write_table(tmp_path / "table.csv", pd.DataFrame({**history, "test_accuracy": 1.0}))
    source = course if kind == "course" else tmp_path / "table.csv"
    with pytest.raises(NetdynError, match="no run's folder is given"):
        exploring.explore([source], tmp_path / "page.html", measure=True)
    assert not (tmp_path / "page.html").exists()


def test_another_data_set_is_refused(run, tmp_path, dark_toy_data, monkeypatch):
    monkeypatch.setattr(measured_runs, "_data_of", lambda folder: dark_toy_data)
    with pytest.raises(NetdynError, match="is not the data set that"):
        exploring.explore([run], tmp_path / "page.html", measure=True)


def test_a_data_set_that_is_not_there_is_asked_for(run, tmp_path, results):
    data = results / "data" / "toy.safetensors"
    data.rename(tmp_path / "moved.safetensors")
    try:
        with pytest.raises(NetdynError, match="give its prepared file by --data"):
            exploring.explore([run], tmp_path / "page.html", measure=True)
        moved = tmp_path / "moved.safetensors"
        exploring.explore([run], tmp_path / "page.html", measure=True, data=moved)
    finally:
        (tmp_path / "moved.safetensors").rename(data)
    assert "rpd" in shown(tmp_path / "page.html")[0]


def test_steps_at_which_a_run_had_diverged_are_left_out(run, tmp_path, capsys, monkeypatch):
    real = measured_runs._is_finite
    monkeypatch.setattr(
        measured_runs, "_is_finite", lambda folder, step: step < 5 and real(folder, step)
    )
    exploring.explore([run], tmp_path / "page.html", measure=True)
    assert "steps at which it had diverged are left out" in capsys.readouterr().err
    steps = shown(tmp_path / "page.html")[0]["gradient"]["evaluation"]["steps"]
    assert max(steps) < 5


def test_the_course_of_a_monitor_becomes_a_page(tmp_path):
    course = tmp_path / "my course.csv"
    course.write_text(
        '# netdyn monitor 1 {"rows": 2}\nstep,quantity,site,value,error\n'
        "0,train_accuracy,0,0.5,nan\n4,train_accuracy,0,1.0,nan\n"
    )
    exploring.explore([course], tmp_path / "page.html")
    (content,) = shown(tmp_path / "page.html")
    assert (content["name"], content["history"]["steps"]) == ("my course", [0, 4])
