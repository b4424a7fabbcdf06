"""Descriptions of runs in figures, from the settings that the plan writes."""

import json
from pathlib import Path

import pandas as pd
import pytest
from figure_tables import crossed

from netdyn.figures import descriptions
from netdyn.plan.targets import Plan

ROOT = Path(__file__).parents[2]
RUNS = {
    "one": {
        "optimizer": "adam", "learning_rate": 0.001, "batch_size": 20000, "activation": "identity",
        "samples": 60000, "depth": 3, "width": [1024, 1024],
    },
    "other": {
        "optimizer": "sgd", "learning_rate": 0.03, "batch_size": "full", "activation": "relu",
        "samples": 6000, "depth": 3, "width": [1024, 1024],
    },
    "swept": {"optimizer": "sgd", "samples": 6000},
}  # fmt: skip
SETTINGS = {"runs": RUNS, "noise_return": {"cones": "range"}}


@pytest.fixture
def figure_settings(tmp_path, monkeypatch):
    """Return the reader of a figure's settings at a scale."""
    monkeypatch.chdir(tmp_path)

    def read(scale, figure):
        return json.loads(Path(Plan(ROOT, {}, scale).figure_settings_file(figure)).read_text())

    return read


def test_a_training_is_described_by_its_settings():
    assert descriptions.training_of(SETTINGS, "one") == "Adam, rate 0.001, linear, batch 20,000"
    assert descriptions.training_of(SETTINGS, "other") == "SGD, rate 0.03"
    assert descriptions.training_of(SETTINGS, "swept") == "SGD"
    assert descriptions.training_of({}, "one") == "one"


def test_shapes_and_samples_are_those_that_runs_have_in_common():
    assert descriptions.shape_of(SETTINGS, "one", "other") == "3 layers of 1,024"
    assert descriptions.shape_of(SETTINGS, "one", "swept") == ""
    assert descriptions.samples_of(SETTINGS, "other", "swept") == "n = 6,000"
    assert descriptions.samples_of(SETTINGS, "one", "other") == "n = 6,000 to 60,000"
    assert descriptions.samples_of({}, "one") == descriptions.shape_of({}, "one") == ""


def test_seeds_are_counted_at_every_point_of_a_sweep():
    table = crossed(width=[8, 16], seed=[3, 4, 5])
    assert descriptions.seeds_of(table) == descriptions.seeds_of(table, ["width"]) == "3 seeds"
    fewer = table[(table["width"] == 8) | (table["seed"] == 3)]
    assert descriptions.seeds_of(fewer, ["width"]) == "1 to 3 seeds"
    assert descriptions.seeds_of(pd.DataFrame({"seed": [4, 4]})) == "seed 4"


def test_the_return_of_noisy_samples_is_that_of_the_table():
    assert descriptions.return_of(SETTINGS, "cones") == "returned to its own range"
    assert descriptions.return_of(SETTINGS, "history") == descriptions.return_of({}, "cones") == ""


def test_the_plan_tells_figures_what_their_trainings_have_in_common(figure_settings):
    settings = figure_settings("paper", "fig4")
    runs = settings["runs"]
    assert runs["architecture"]["samples"] == 60000
    assert not {"depth", "width"} & set(runs["architecture"])  # swept
    assert runs["learning_rates"]["depth"] == 12
    assert "learning_rate" not in runs["learning_rates"]
    assert runs["batch_sizes"]["optimizer"] == "adam"
    assert settings["noise_return"]["architecture_sample_noise"] == "affine"
    assert settings["noise_return"]["deep23_shift_cone"] == "range"
    assert "deep23_class_basin" not in settings["noise_return"]  # drawn in no panel
    runs = figure_settings("paper", "fig3")["runs"]
    assert descriptions.training_of({"runs": runs}, "deep10_sgd_fast") == "SGD, rate 0.37"
    assert descriptions.training_of({"runs": runs}, "deep10_adam_batches") == (
        "Adam, rate 0.001, batch 20,000"
    )


@pytest.mark.parametrize(
    ("figure", "title"),
    [
        ("fig3", "Figure 3"),
        ("fig3_training", "Figure 3, training mode"),
        ("supplement", "Supplement"),
    ],
)
def test_figures_have_their_titles(figure_settings, figure, title):
    assert figure_settings("demo", figure)["title"] == title


EXPECTED = {"shallow_history": 12, "shallow_pruning": 6, "shallow_rpd": 4, "shallow_gradient": 4}


def test_a_figure_that_is_redrawn_is_of_the_configured_seeds_alone(monkeypatch):
    monkeypatch.chdir(ROOT)  # where the committed tables are
    rows = Plan(ROOT, {"seeds": [0]}, "cpu").figure_settings("fig2", redrawn=True)["rows"]
    assert {name: len(runs) for name, runs in rows.items()} == EXPECTED
    assert {run["seed"] for runs in rows.values() for run in runs} == {0}
    assert "rows" not in Plan(ROOT, {}, "cpu").figure_settings("fig2", redrawn=True)
    assert "rows" not in Plan(ROOT, {"seeds": [0]}, "cpu").figure_settings("fig2")
