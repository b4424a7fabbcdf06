"""Every quantity: equal tables of equal measurements, an unchanged run, documented columns."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from netdyn import quantities
from netdyn.quantities.modules import module_of, quantity_of
from netdyn.quantities.subject import Subject

AMPLITUDES = {"first": 0.01, "last": 3.0, "points": 4}
RANKS = {"steps": [0, "last"], "samples": "all", "modes": ["evaluation", "training"]}
NOISE = {"steps": "last", "amplitudes": AMPLITUDES, "trials": 2, "samples": 30, "of": ["average"]}
SAMPLE_NOISE = {**NOISE, "space": "sample", "noise_return": "affine"}
VIEWS = {
    "moments": {"before": 0, "after": "last"},
    "views": [["train", "training"], ["test", "evaluation"]],
    "digits": [0, 1, 2],
}
SHARES = {"steps": "all", "samples": "all", "views": [["test", "evaluation"]], "digits": [0, 1, 2]}
CONES = {
    "steps": "best",
    "projection": "half_sums",
    "digits": [0, 1, 2],
    "samples_per_class": 1,
    "shift": 0,
    "amplitudes": [0.1, 0.5],
    "trials": 6,
    "percentile": 90,
}
SINGLE = {
    "steps": "best",
    "samples": 20,
    "amplitudes": AMPLITUDES,
    "trials": 3,
    "noise_return": "range",
}
EVERY = {
    "rpd_gradient": {**RANKS, "errors": True},
    "rank_probability": {**RANKS, "bins": 5, "classes": True},
    "pruning": {"steps": "all", "start_layers": "all", "splits": ["train", "test"]},
    "noise_accuracy": {**NOISE, "space": "weight"},
    "basin_size": SAMPLE_NOISE,
    "projection": {**VIEWS, "points": 5},
    "projection_course": {**SHARES, "points": 5},
    "region": {**VIEWS, "percentile": 90},
    "first_batch_statistics": {"steps": "all"},
    "sign_agreement": {"steps": "all", "samples": 20},
    "region_share": {**SHARES, "percentile": 90},
    "test_distance": {},
    "cone": {**CONES, "noise_return": "range", "points": 4},
    "cone_overlap": {**CONES, "noise_return": ["affine", "range"]},
    "cone_shape": {**CONES, "noise_return": ["affine", "range"]},
    "adversarial": SINGLE,
    "fragile_sample": {**SINGLE, "held_out_trials": 5, "held_out_seed": 1},
}


def quantity(name):
    return importlib.import_module(module_of(name))


@pytest.fixture(scope="module")
def subject(tmp_path_factory, run_settings, train_run, toy_data):
    settings = run_settings(
        samples=60, steps=20, snapshots={"every_step_until": 0, "per_decade": 1}, seed=3
    )
    return Subject.open(train_run(tmp_path_factory.mktemp("runs"), settings), toy_data, "cpu")


def test_no_quantity_is_left_out():
    modules = {module.name for module in pkgutil.iter_modules(quantities.__path__)}
    names = {quantity_of(module) for module in modules}
    measuring = {name for name in names if hasattr(quantity(name), "measure")}
    assert measuring == {*EVERY, "toy_neurons"}


@pytest.mark.parametrize(("name", "settings"), EVERY.items(), ids=[*EVERY])
def test_measuring_again_gives_the_same_table_and_leaves_the_run_alone(subject, name, settings):
    before = {path.name: path.read_bytes() for path in subject.run_folder.iterdir()}
    table = quantity(name).measure(subject, settings)
    pd.testing.assert_frame_equal(quantity(name).measure(subject, settings), table)
    assert {path.name: path.read_bytes() for path in subject.run_folder.iterdir()} == before


@pytest.mark.parametrize(("name", "settings"), EVERY.items(), ids=[*EVERY])
def test_columns_are_described_and_none_is_named_as_a_swept_setting(subject, name, settings):
    table = quantity(name).measure(subject, settings)
    described = inspect.getdoc(quantity(name).measure).partition("Returns:")[2]
    assert all(column in described for column in table)
    schema = Path(__file__).parents[2] / "workflow/schemas/settings.schema.yaml"
    run = yaml.safe_load(schema.read_text())["properties"]["runs"]["additionalProperties"]
    swept = run["properties"]["sweep"]["propertyNames"]["enum"]
    # The workflow inserts these before the columns of the table.
    assert not {*table} & {"run", "seed", *swept}
