"""Settings: what wins over what, what makes a run's hash, and that the schema is the code's."""

import json
from functools import partial
from importlib import resources
from typing import get_args, get_type_hints

import pytest
from settings_example import CONFIG, DEFAULTS, ROOT, SCHEMA, resolved, workflow_folder

from netdyn.data import datasets, translation
from netdyn.data.prepared import load
from netdyn.errors import NetdynError
from netdyn.measures.basins.noise import NOISE_RETURNS
from netdyn.networks.elementwise import ACTIVATIONS
from netdyn.plan import declared_runs, settings
from netdyn.quantities import toy_neurons
from netdyn.quantities.modules import quantity_of
from netdyn.records import files
from netdyn.records.run_settings import RunSettings
from netdyn.training.engine import optimizers
from netdyn.training.engine.steps import ENGINES


@pytest.fixture
def workflow(tmp_path):
    return partial(workflow_folder, tmp_path)


def run_hash(run):
    return run.id.rpartition("-")[2]


@pytest.mark.parametrize("scale", ["demo", "cpu", "paper"])
def test_every_scale_resolves_to_runs_that_can_be_trained(scale):
    config = settings.load(ROOT, {"scale": scale})
    assert config["scale"] == scale
    declared = settings.runs(config)
    every = [run for trained in declared.values() for run in trained]
    assert len({run.id for run in every}) == len(every)
    for run in every:
        given = run.settings
        assert given["samples"] <= declared_runs.TRAINING_SAMPLES[given["dataset"]] * (
            17 if given["translated"] else 1
        )
        assert len(given["width"]) == given["depth"] - 1
        assert json.loads(json.dumps(given)) == given
    measured = settings.measurements(config)
    for name, measurement in measured.items():
        assert all(run in every for run in measurement.runs)
        assert bool(measurement.runs) == (measurement.quantity != "toy_neurons"), name
    assert {t for figure in config["figures"].values() for t in figure["tables"]} <= {*measured}


def test_a_scale_lies_over_the_configuration_and_the_command_line_over_both(workflow):
    scale = {"threads": 2, "dataset": "digits", "runs": {"wide": {"width": 9}}}
    config = settings.load(
        workflow(scale=scale), {"dataset": "kmnist", "runs": {"deep": {"depth": 4}}}
    )
    assert (config["threads"], config["dataset"]) == (2, "kmnist")
    assert config["data_root"] == "data"
    wide = settings.runs(config)["wide"][0].settings
    assert wide["width"] == [9]
    assert wide["batch_size"] == 50
    assert wide["learning_rate"] == DEFAULTS["learning_rate"]
    # A list is replaced, not added to.
    lists = settings.load(workflow(), {"seeds": [1, 7], "runs": {"deep": {"width": 2}}})
    assert lists["seeds"] == [1, 7]
    assert settings.runs(lists)["deep"][0].settings["width"] == [2, 2, 2]


def test_the_scale_is_the_command_lines_or_the_configurations(workflow):
    folder = workflow(scale={"threads": 5})
    assert settings.load(folder)["threads"] == 5
    assert settings.load(folder, {"scale": "paper"})["threads"] == 1


@pytest.mark.parametrize(
    ("block", "name", "said"),
    [
        ("runs", "deeep", "no run 'deeep' in config.yaml; did you mean 'deep'?"),
        ("runs", "xyzzy", "no run 'xyzzy' in config.yaml: declare it there first"),
        ("runs", 3, "no run 3 in config.yaml: declare it there first"),
        (
            "measurements",
            "wide_histori",
            "no measurement 'wide_histori' in config.yaml; did you mean 'wide_history'?",
        ),
        ("figures", "fig3", "no figure 'fig3' in config.yaml; did you mean 'fig2'?"),
    ],
)
def test_a_scale_only_overrides_what_the_configuration_declares(workflow, block, name, said):
    own = next(iter(CONFIG[block].values()))
    with pytest.raises(NetdynError) as caught:
        settings.load(workflow(scale={block: {name: own}}))
    assert str(caught.value) == f"workflow/scales/demo.yaml: {said}"
    # Who asks for another scale is not kept from working.
    assert settings.load(workflow(scale={block: {name: own}}), {"scale": "cpu"})["scale"] == "cpu"


@pytest.mark.parametrize("block", ["runs", "measurements", "figures"])
def test_a_block_of_a_scale_that_holds_no_names_is_named(workflow, block):
    for wrong in (None, "deep", ["deep"]):
        with pytest.raises(NetdynError, match=f"^{block}: .* must be keys and values"):
            settings.load(workflow(scale={block: wrong}))


def test_the_command_line_may_declare_more(workflow):
    config = settings.load(workflow(), {"runs": {"mine": {"depth": 3}}})
    assert [run.settings["depth"] for run in settings.runs(config)["mine"]] == [3, 3]


def test_overlaying_leaves_its_arguments_alone():
    base, top = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": {"e": 5}}
    before = json.dumps([base, top])
    assert settings.overlay(base, top) == {"a": {"b": 4, "c": 2}, "d": {"e": 5}}
    assert json.dumps([base, top]) == before


def test_a_sweep_is_every_point_under_every_seed():
    runs = settings.runs(CONFIG)["wide"]
    points = [(r.settings["activation"], r.settings["samples"], r.settings["seed"]) for r in runs]
    assert points == [
        (activation, samples, seed)
        for activation in ("tanh", "relu")
        for samples in (100, 60_000)
        for seed in (0, 1)
    ]
    first = runs[0]
    assert first.identity == {"run": "wide", "activation": "tanh", "samples": 100, "seed": 0}
    assert first.id.startswith("wide_activation-tanh_samples-100_seed-0-")
    assert runs[2].identity["samples"] == 60_000
    assert [r.settings["seed"] for r in settings.runs(CONFIG)["deep"]] == [3]
    assert {*first.settings} == {*DEFAULTS, "format", "dataset", "threads", "seed"}


def test_points_of_a_sweep_have_seeds_of_their_own():
    fewer = [
        {"where": {"samples": ["all"]}, "seeds": [1]},
        {"where": {"samples": ["all"], "activation": ["relu"]}, "seeds": [4, 5]},
    ]
    config = settings.overlay(CONFIG, {"runs": {"wide": {"seeds_where": fewer}}})
    found = {}
    for run in settings.runs(config)["wide"]:
        point = run.identity["activation"], run.identity["samples"]
        found.setdefault(point, []).append(run.identity["seed"])
    assert found == {
        ("tanh", 100): [0, 1],
        ("relu", 100): [0, 1],
        ("tanh", 60_000): [1],
        ("relu", 60_000): [4, 5],
    }
    # Which seeds a run is repeated with is no part of what it is.
    every = {run.id for run in settings.runs(CONFIG)["wide"]}
    assert {run.id for run in settings.runs(config)["wide"] if run.identity["seed"] < 2} < every


def test_a_swept_width_is_told_and_chosen_by_its_one_number():
    config = settings.overlay(CONFIG, {"runs": {"deep": {"sweep": {"width": [6, [3, 2, 1]]}}}})
    one, other = settings.runs(config)["deep"]
    assert (one.identity["width"], one.settings["width"]) == (6, [6, 6, 6])
    assert one.id.startswith("deep_width-6_seed-3-")
    assert other.id.startswith("deep_width-3x2x1_seed-3-")
    chosen = {"measurements": {"deep_pruning": {"where": {"width": [6]}}}}
    assert settings.measurements(settings.overlay(config, chosen))["deep_pruning"].runs == (one,)


def test_numbers_are_chosen_by_their_value():
    sweep = {"runs": {"deep": {"sweep": {"initial_scale": [1, 2.5]}}}}
    chosen = {"measurements": {"deep_pruning": {"where": {"initial_scale": [1]}}}}
    (run,) = settings.measurements(settings.overlay(CONFIG, sweep, chosen))["deep_pruning"].runs
    assert run.settings["initial_scale"] == 1
    flags = {"runs": {"deep": {"sweep": {"batch_norm": [True]}}}}
    wrong = {"measurements": {"deep_pruning": {"where": {"batch_norm": [1]}}}}
    with pytest.raises(NetdynError, match=r"where.batch_norm: no run has 1; there are True"):
        settings.measurements(settings.overlay(CONFIG, flags, wrong))


def test_the_data_a_run_needs_follows_from_its_settings():
    assert resolved().data == "mnist"
    translated = resolved(translated=True)
    assert translated.data == "mnist_translated"
    assert translated.settings["samples"] == 17 * 60_000
    with pytest.raises(NetdynError, match="1020001 asked for, but mnist has 1020000"):
        resolved(translated=True, samples=1_020_001)


def test_a_measurement_takes_the_runs_it_names_and_hands_on_its_own_settings():
    found = settings.measurements(CONFIG)
    gradient = found["wide_gradient"]
    assert {(r.settings["samples"], r.settings["seed"]) for r in gradient.runs} == {(100, 1)}
    assert len(gradient.runs) == 2
    assert gradient.settings == {
        "threads": 1, "steps": "all", "samples": 50, "modes": ["evaluation"],
    }  # fmt: skip
    assert found["wide_history"].runs == tuple(settings.runs(CONFIG)["wide"])


# A value of each setting that differs from the default.
OTHER = {
    "translated": True, "samples": 100, "depth": 3, "width": 7, "activation": "tanh",
    "batch_norm": False, "momentum": 0.2, "initial_scale": 2.0, "initial_range": 0.1,
    "loss": "mse", "optimizer": "sgd", "learning_rate": 0.002, "weight_decay": 0.1,
    "batch_size": 20, "steps": 999, "precision": "float64", "threads": 2,
    "evaluate": {"every_step_until": 51, "per_decade": 20},
    "snapshots": {"every_step_until": 0, "per_decade": 6},
}  # fmt: skip


@pytest.mark.parametrize("key", [*DEFAULTS, "threads"])
def test_every_changed_setting_is_another_run(key):
    changed = resolved(**{key: OTHER[key]})
    assert changed.settings[key] != resolved().settings[key]
    assert run_hash(changed) != run_hash(resolved())


def test_another_data_set_or_seed_is_another_run():
    assert run_hash(resolved({**CONFIG, "dataset": "kmnist"})) != run_hash(resolved())
    assert run_hash(resolved({**CONFIG, "threads": 2})) != run_hash(resolved())
    both = settings.runs({**CONFIG, "runs": {"only": {}}})["only"]
    assert len({run_hash(run) for run in both}) == 2


@pytest.mark.parametrize(
    "same",
    [
        {"width": [DEFAULTS["width"]]},
        {"samples": 60_000},
        {"samples": "all", "width": DEFAULTS["width"]},
        {"steps": DEFAULTS["steps"]},
        {"initial_scale": int(DEFAULTS["initial_scale"])},
        {"weight_decay": int(DEFAULTS["weight_decay"])},
        {"evaluate": {"per_decade": DEFAULTS["evaluate"]["per_decade"]}},
        {"sweep": {"activation": [DEFAULTS["activation"]]}},
    ],
)
def test_equal_settings_are_the_same_run_however_they_are_said(same):
    assert run_hash(resolved(**same)) == run_hash(resolved())


def test_the_order_of_keys_and_the_name_are_no_part_of_the_hash():
    backwards = {**CONFIG, "run_defaults": dict(reversed(DEFAULTS.items()))}
    assert resolved(backwards).id == resolved().id
    renamed = settings.runs({**CONFIG, "runs": {"other": {}}, "seeds": [0]})["other"][0]
    assert run_hash(renamed) == run_hash(resolved())
    assert renamed.id != resolved().id


@pytest.mark.parametrize(
    "change",
    [
        {"figures": {"fig2": {"small_samples": 200, "tables": ["wide_gradient"]}}},
        {"figures": {"fig3": {"tables": ["wide_gradient"]}}},
        {"device": "cuda", "engine": "plain", "data_root": "/elsewhere", "checkpoint_seconds": 0},
    ],
)
def test_what_is_drawn_and_where_it_runs_change_no_run_and_no_measurement(workflow, change):
    folder = workflow()
    before, after = settings.load(folder), settings.load(folder, change)
    assert before != after
    assert settings.runs(after) == settings.runs(before)
    assert settings.measurements(after) == settings.measurements(before)


def test_a_changed_measurement_changes_no_other_and_no_run(workflow):
    folder = workflow()
    change = {"measurements": {"wide_gradient": {"samples": 60}}}
    before, after = settings.load(folder), settings.load(folder, change)
    assert settings.runs(after) == settings.runs(before)
    old, new = settings.measurements(before), settings.measurements(after)
    assert {name for name in old if old[name] != new[name]} == {"wide_gradient"}


def test_a_further_seed_or_point_keeps_the_runs_there_are(workflow):
    folder = workflow()
    change = {"seeds": [0, 1, 2], "runs": {"wide": {"sweep": {"samples": [50, 100, "all"]}}}}
    before = settings.runs(settings.load(folder))
    after = settings.runs(settings.load(folder, change))
    assert {run.id for run in before["wide"]} < {run.id for run in after["wide"]}
    assert (len(before["wide"]), len(after["wide"])) == (8, 18)
    assert after["deep"] == before["deep"]


def test_the_numbers_of_samples_are_those_of_the_data(tmp_path):
    assert declared_runs.TRAINING_SAMPLES.keys() == datasets.DATASETS.keys()
    assert declared_runs.TEST_SAMPLES.keys() == datasets.DATASETS.keys()
    datasets.prepare("digits", tmp_path, tmp_path / "digits")
    loaded = load(tmp_path / "digits")
    assert len(loaded.train_labels) == declared_runs.TRAINING_SAMPLES["digits"]
    assert len(loaded.test_labels) == declared_runs.TEST_SAMPLES["digits"]
    samples = datasets.FILES["t10k-labels-idx1-ubyte"][0]
    assert {declared_runs.TEST_SAMPLES[n] for n in datasets.DATASETS if n != "digits"} == {samples}
    samples = datasets.FILES["train-labels-idx1-ubyte"][0]
    assert {declared_runs.TRAINING_SAMPLES[n] for n in datasets.DATASETS if n != "digits"} == {
        samples
    }
    assert len(translation.TRANSLATIONS) == declared_runs.TRANSLATIONS


def test_schema_and_defaults_stay_in_step():
    known = SCHEMA["$defs"]["run_settings"]["properties"]
    assert {*known} - {"threads"} == {*DEFAULTS}
    assert {*SCHEMA["properties"]["run_defaults"]["required"]} == {*DEFAULTS}
    run = SCHEMA["properties"]["runs"]["additionalProperties"]["properties"]
    swept = run["sweep"]["propertyNames"]["enum"]
    assert {*swept} == {*DEFAULTS} - {"evaluate", "snapshots"}
    assert {*run} == {*declared_runs.RUN_SELECTION}
    selection = SCHEMA["$defs"]["selection"]["properties"]
    assert {*selection, "quantity"} == {*settings.MEASUREMENT_SELECTION}


@pytest.mark.parametrize("scale", ["demo", "cpu", "paper"])
def test_run_settings_hold_the_keys_and_values_of_their_type(scale):
    types = get_type_hints(RunSettings)
    for declared in settings.runs(settings.load(ROOT, {"scale": scale})).values():
        for key, value in declared[0].settings.items():
            kinds = [*get_args(types[key])] or [types[key]]
            if isinstance(value, dict):
                assert value.keys() == get_type_hints(types[key]).keys()
            elif isinstance(kinds[0], str):
                assert value in kinds
            elif isinstance(value, list):
                assert {type(each) for each in value} <= {int}
            elif isinstance(value, str):
                assert types[key] is str or value in get_args(kinds[-1])
            else:
                assert type(value) in kinds
        assert declared[0].settings.keys() == types.keys()


def test_the_schemas_words_are_those_of_the_code():
    run = SCHEMA["$defs"]["run_settings"]["properties"]
    hints = get_type_hints(RunSettings)
    for key in ("activation", "loss", "optimizer", "precision"):
        assert run[key]["enum"] == [*get_args(hints[key])], key
    assert SCHEMA["properties"]["engine"]["enum"] == [*ENGINES]
    assert run["activation"]["enum"] == [*ACTIVATIONS]
    assert run["optimizer"]["enum"] == [*optimizers.OPTIMIZERS]
    assert SCHEMA["properties"]["dataset"]["enum"] == [*declared_runs.TRAINING_SAMPLES]
    measurement = SCHEMA["$defs"]["measurement"]
    text = json.dumps(measurement)
    assert SCHEMA["$defs"]["noise_return"]["enum"] == [*NOISE_RETURNS]
    assert json.dumps([*toy_neurons.SETTINGS]) in text
    modules = {
        quantity_of(entry.name.removesuffix(".py"))
        for entry in resources.files("netdyn.quantities").iterdir()
        if entry.name.endswith(".py") and "\ndef measure(" in entry.read_text()
    }
    assert {*measurement["properties"]["quantity"]["enum"]} == modules | {"history"}


def test_a_runs_hash_is_that_of_its_settings_file():
    run = resolved()
    assert run_hash(run) == files.digest(json.loads(json.dumps(run.settings)))[:10]
