"""Settings: what is refused and how it is said, what wins over what, what makes a run's hash."""

import datetime
import json
import math
from importlib import resources
from pathlib import Path

import pytest
import yaml

from netdyn import datasets, files, optimizers, settings, translation
from netdyn.data import load
from netdyn.errors import NetdynError
from netdyn.layers import ACTIVATIONS
from netdyn.measurements import toy_neurons
from netdyn.noise import NOISE_RETURNS

ROOT = Path(__file__).parents[1]
SCHEMA_FILE = "workflow/schemas/settings.schema.yaml"
SCHEMA = yaml.safe_load((ROOT / SCHEMA_FILE).read_text())
DEFAULTS = yaml.safe_load((ROOT / "config.yaml").read_text())["run_defaults"]

CONFIG = {
    "scale": "demo",
    "data_root": "data",
    "dataset": "mnist",
    "device": "auto",
    "threads": 1,
    "seeds": [0, 1],
    "runs_per_job": 1,
    "reuse": False,
    "run_defaults": DEFAULTS,
    "runs": {
        "wide": {
            "sweep": {"activation": ["tanh", "relu"], "samples": [100, "all"]},
            "width": 7,
            "batch_size": 50,
        },
        "deep": {"depth": 4, "width": [6, 5, 4], "seeds": [3]},
    },
    "measurements": {
        "wide_history": {"quantity": "history", "run": "wide"},
        "wide_gradient": {
            "quantity": "rpd_gradient",
            "run": "wide",
            "where": {"samples": [100]},
            "seeds": [1],
            "steps": "all",
            "samples": 50,
            "modes": ["evaluation"],
        },
        "deep_pruning": {
            "quantity": "pruning",
            "run": "deep",
            "steps": ["best", 5],
            "start_layers": [1, 4],
            "splits": ["test"],
        },
        "deep_noise": {
            "quantity": "noise_accuracy",
            "run": "deep",
            "steps": "train>=0.9",
            "space": "sample",
            "amplitudes": [0.0, 0.5, 1],
            "trials": 2,
            "samples": "all",
            "of": ["average"],
        },
        "deep_projection": {
            "quantity": "projection",
            "run": "deep",
            "moments": {"before": "train>=0.8", "after": "best"},
            "views": [["train", "training"]],
            "digits": [0, 1],
            "points": 10,
        },
    },
    "figures": {"fig2": {"tables": ["wide_history"], "small_samples": 100}},
}


@pytest.fixture
def workflow(tmp_path):
    """A workflow folder with a small configuration, one scale and the true schema."""

    def make(config=CONFIG, scale=None):
        (tmp_path / "workflow/scales").mkdir(parents=True, exist_ok=True)
        (tmp_path / "workflow/schemas").mkdir(exist_ok=True)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        (tmp_path / "workflow/scales/demo.yaml").write_text(yaml.safe_dump(scale or {}))
        (tmp_path / SCHEMA_FILE).write_bytes((ROOT / SCHEMA_FILE).read_bytes())
        return tmp_path

    return make


def at(path, value):
    """The nested mapping with `value` at a dotted path."""
    *outer, last = path.split(".")
    nested = {last: value}
    for key in reversed(outer):
        nested = {key: nested}
    return nested


def resolved(config=CONFIG, **changed):
    """The settings of the only run of a configuration with these settings for it."""
    return settings.runs({**config, "runs": {"only": changed}, "seeds": [0]})["only"][0]


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
        assert given["samples"] <= settings.TRAINING_SAMPLES[given["dataset"]] * (
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


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("datasett", "mnist", r"settings: unknown key 'datasett'; did you mean 'dataset'\?"),
        ("sede", [1], r"settings: unknown key 'sede'; did you mean 'seeds'\?"),
        ("xyzzy", 1, r"settings: unknown key 'xyzzy': remove it"),
        ("learning_rate", 0.1, r"settings: .*'learning_rate'.*remove it"),
        ("runs.wide.widht", 3, r"runs.wide: unknown key 'widht'; did you mean 'width'\?"),
        ("run_defaults.widht", 3, r"run_defaults: unknown key 'widht'; did you mean 'width'\?"),
        ("runs.wide.sweep.widht", [3], "runs.wide.sweep: 'widht' must be one of .*, width, "),
        ("runs.wide.sweep.seed", [3], "runs.wide.sweep: 'seed' must be one of "),
        (
            "runs.wide.evaluate.per_decad",
            3,
            r"runs.wide.evaluate: unknown key 'per_decad'; did you mean 'per_decade'\?",
        ),
        (
            "measurements.deep_pruning.start_layer",
            [1],
            r"measurements.deep_pruning: unknown key 'start_layer'; did you mean 'start_layers'\?",
        ),
        ("measurements.wide_history.steps", "all", "wide_history: .*'steps'.*: remove it"),
        ("figures.fig2.colour", "red", "figures.fig2: unknown key 'colour'"),
        ("figures.fig9.tables", ["wide_history"], "figures: 'fig9' must be one of fig1, fig2, .*"),
        ("figures.fig2.tables", ["a b"], "figures.fig2.tables.0: 'a b' .*a name is a letter"),
        ("run_defaults.learning_rate", "1e-3", "run_defaults.learning_rate: '1e-3' .*number 0.001"),
        ("runs.wide.learning_rate", "0.5", "runs.wide.learning_rate: '0.5' .*number"),
        (
            "runs.wide.seeds_where",
            [{"where": {"samples": [101]}, "seeds": [0]}],
            "runs.wide.seeds_where: samples 101 is not in the sweep; there are 100",
        ),
        (
            "runs.deep.seeds_where",
            [{"where": {"width": [6]}, "seeds": [0]}],
            "runs.deep.seeds_where: width 6 is not in the sweep",
        ),
        ("runs.wide.sweep.learning_rate", ["0.5"], "wide.sweep.learning_rate: '0.5' .*number"),
        ("runs.wide.learning_rate", 0, "runs.wide.learning_rate: 0 is less than or equal to"),
        (
            "runs.wide.width",
            -3,
            "runs.wide.width: -3 must be a whole number of at least 1, or a list of them$",
        ),
        ("runs.wide.width", 512.0, "runs.wide.width: 512.0 must be a whole number of .*list"),
        ("runs.wide.width", "1e2", "runs.wide.width: '1e2' is text: write the number 100, "),
        ("runs.deep.width", [6, 5, 4.0], "runs.deep.width.2: 4.0 must be a whole number$"),
        ("runs.deep.width", [6, 5, -4], "runs.deep.width.2: -4 is less than the minimum of 1"),
        ("runs.deep.width", [], r"runs.deep.width: \[\] should be non-empty"),
        ("runs.deep.width", {"all": 7}, "runs.deep.width: {'all': 7} must be a whole number of"),
        ("runs.deep.width", [6, 5], "runs.deep.width: 2 hidden widths, .* or 3$"),
        (
            "runs.wide.steps",
            1000.0,
            r"runs.wide.steps: 1000.0 must be a whole number .*{epochs: n}",
        ),
        ("runs.wide.steps", True, "runs.wide.steps: True must be a whole number"),
        ("runs.wide.steps", {"epoch": 3}, "runs.wide.steps: unknown key 'epoch'; .*'epochs'"),
        ("runs.wide.steps", {"epochs": 0}, "runs.wide.steps.epochs: 0 is less than the minimum"),
        ("runs.wide.sweep.steps", [10.0], "runs.wide.sweep.steps: 10.0 must be a whole number"),
        ("runs.wide.sweep.width", [[3], 0], "runs.wide.sweep.width: 0 "),
        ("runs.wide.batch_size", 101, "runs.wide.batch_size: 101 .* the 100 .*most that many"),
        ("runs.wide.batch_size", "half", "runs.wide.batch_size: 'half' must be .*, or full"),
        ("runs.deep.samples", 60_001, "runs.deep.samples: 60001 .* mnist has 60000 .*, or all"),
        ("runs.wide.sweep.samples", [90_000], "runs.wide.samples: 90000 .* mnist has 60000"),
        ("runs.wide.sweep.samples", [100, 60_000, "all"], r"runs.wide.sweep: .* twice"),
        ("runs.deep.activation", "Tanh", "runs.deep.activation: 'Tanh' must be one of relu, tanh"),
        ("runs.deep.momentum", 1.5, "runs.deep.momentum: 1.5 is greater than the maximum of 1"),
        ("runs.deep.learning_rate", math.nan, "runs.deep.learning_rate: nan .*a finite number"),
        ("runs.deep.initial_scale", math.inf, "runs.deep.initial_scale: inf .*a finite number"),
        ("runs.deep.momentum", math.nan, "runs.deep.momentum: nan .*a finite number"),
        ("runs.wide.width", math.nan, "runs.wide.width: nan "),
        ("runs.wide.sweep.weight_decay", [0, math.inf], "wide.sweep.weight_decay.1: inf .*finite"),
        ("measurements.wide_gradient.where.samples", [math.nan], "where.samples.0: nan .*finite"),
        ("run_defaults.learning_rate", datetime.date(2024, 1, 1), "learning_rate: .*date.*numbers"),
        ("runs.wide", None, "runs.wide: None must be keys and values"),
        ("dataset", "imagenet", "dataset: 'imagenet' must be one of digits, mnist"),
        ("scale", "huge", "scale: 'huge' must be one of demo, cpu, paper"),
        ("scale", "../../x", r"scale: '../../x' must be one of demo"),
        ("device", "gpu", "device: 'gpu' must be one of auto, cpu"),
        ("threads", 0, "threads: 0 is less than the minimum of 1"),
        ("seeds", 0, r"seeds: 0 must be a list: write \[0\]; on the .* --configfile$"),
        ("seeds", None, "seeds: None must be a list$"),
        ("seeds", {"a": 0}, "seeds: {'a': 0} must be a list$"),
        ("reuse", "yes", "reuse: 'yes' must be true or false"),
        ("data_root", 5, "data_root: 5 must be text"),
        ("seeds", [0, 0], r"seeds: \[0, 0\] has non-unique"),
        ("seeds", [1.0], "seeds.0: 1.0 must be a whole number"),
        ("seeds", ["1"], "seeds.0: '1' is text: write the number 1, .*; on .* --configfile$"),
        ("threads", "1", "threads: '1' is text: write the number 1, without quotes$"),
        ("runs.deep.seeds", [-1], "runs.deep.seeds.0: -1 is less than the minimum of 0"),
        ("measurements.wide_gradient.quantity", "gradient", "wide_gradient.quantity: 'gradient'"),
        (
            "measurements.wide_gradient.run",
            "wiede",
            "wide_gradient.run: no run 'wiede'.*wide, deep",
        ),
        ("measurements.wide_gradient.seeds", [5], "wide_gradient.seeds: no run has 5; .* 0, 1"),
        (
            "measurements.wide_gradient.where.samples",
            [101],
            "wide_gradient.where.samples: no run has 101; there are 100, 60000",
        ),
        (
            "measurements.wide_gradient.where.sample",
            [100],
            "wide_gradient.where: .*'sample'.*activation, samples",
        ),
        (
            "measurements.wide_gradient.where.sample",
            [None],
            "wide_gradient.where: .*'sample'.*activation, samples",
        ),
        ("measurements.wide_gradient.samples", "many", "wide_gradient.samples: 'many' .*, or all"),
        ("measurements.deep_pruning.start_layers", [5], "start_layers: 5 is beyond the 4 layers"),
        ("measurements.deep_pruning.steps", "train>0.5", "deep_pruning.steps: 'train>0.5' .*>=x"),
        ("measurements.deep_pruning.steps", ["best", "a"], "deep_pruning.steps.1: 'a' must be all"),
        ("measurements.deep_noise.of", "class", r"deep_noise.of: 'class' .*: write \[\"class\"\]"),
        (
            "measurements.deep_noise.amplitudes",
            [0.0, 0.2, 0.2],
            "deep_noise.amplitudes: .*increase",
        ),
        ("measurements.deep_noise.amplitudes", [0.1, 0.2], "deep_noise.amplitudes: .*start at 0"),
        (
            "measurements.deep_noise.amplitudes",
            {"first": 2, "last": 1, "points": 3},
            "deep_noise.amplitudes: first must be below last",
        ),
        (
            "measurements.deep_noise.amplitudes",
            {"first": 0, "last": 1, "points": 3},
            "deep_noise.amplitudes.first: 0 is less than or equal to the minimum of 0",
        ),
        ("measurements.deep_noise.of", ["mean"], "deep_noise.of.0: 'mean' must be one of average"),
        (
            "measurements.deep_projection.moments.after",
            "all",
            "moments.after: 'all' must be best, ",
        ),
        ("measurements.new.quantity", "history", "measurements.new: 'run' is a required property"),
        ("figures.fig2.tables", ["wide_histori"], "fig2.tables: no measurement 'wide_histori'; "),
    ],
)
def test_a_mistake_is_named_with_its_mend(workflow, path, value, said):
    with pytest.raises(NetdynError, match=said) as caught:
        settings.load(workflow(), at(path, value))
    assert "\n" not in str(caught.value)


def test_the_configuration_of_these_tests_is_right(workflow):
    assert settings.load(workflow()) == CONFIG


def alternatives(schema):
    """Every part of the schema that takes one of several kinds of value."""
    parts = schema.values() if isinstance(schema, dict) else schema
    found = [schema] if "anyOf" in schema else []
    return found + [
        a for part in parts if isinstance(part, dict | list) for a in alternatives(part)
    ]


def test_what_takes_several_kinds_of_value_says_which():
    assert len(alternatives(SCHEMA)) > 10
    assert [part for part in alternatives(SCHEMA) if "description" not in part] == []


@pytest.mark.parametrize(
    "name", ["; rm -rf x", "../../x", "$(reboot)", "a\nb", "a\n", "a b", "", "é", "1", "a" * 65]
)
@pytest.mark.parametrize("block", ["runs", "measurements"])
@pytest.mark.parametrize("own", [{}, {"xyzzy": 1}, {"depth": math.nan}, None])
def test_names_that_are_no_plain_words_are_refused_before_all_else(workflow, block, name, own):
    with pytest.raises(NetdynError) as caught:
        settings.load(workflow(), {block: {name: own}})
    assert str(caught.value) == (
        f"{block}: {name!r} is not allowed: "
        "a name is a letter followed by at most 63 letters, digits and underscores"
    )


@pytest.mark.parametrize("name", ["../x", "fig2\n", "Fig2", "fig10"])
def test_names_that_are_none_of_a_figure_are_refused(workflow, name):
    with pytest.raises(NetdynError, match=r"^figures: .* must be one of fig1, .*supplement$") as e:
        settings.load(workflow(), {"figures": {name: {"tabels": []}}})
    assert repr(name) in str(e.value)


@pytest.mark.parametrize("value", ["/a\n", "a\nb", "\x1b", "a\0"])
def test_a_folder_name_with_control_characters_is_refused(workflow, value):
    with pytest.raises(NetdynError, match=r"data_root: .* is not allowed: .*one line"):
        settings.load(workflow(), {"data_root": value})


@pytest.mark.parametrize("value", ["/a b/it's", '"$(id)"', "ü", "a"])
def test_any_other_folder_name_is_taken(workflow, value):
    assert settings.load(workflow(), {"data_root": value})["data_root"] == value


@pytest.mark.parametrize("missing", [*CONFIG])
def test_a_missing_block_is_named(workflow, missing):
    config = {key: value for key, value in CONFIG.items() if key != missing}
    with pytest.raises(NetdynError, match=missing):
        settings.load(workflow(config))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("dataset", "cifar", "config.yaml: dataset: 'cifar' must be one of"),
        ("seeds", [], r"config.yaml: seeds: \[\] "),
        ("runs.wide.width", "seven", "config.yaml: runs.wide.width: 'seven' "),
        ("runs.wide.sweep.samples", [0], "config.yaml: runs.wide.sweep.samples: 0 "),
    ],
)
def test_a_mistake_that_a_scale_or_the_command_line_hides_is_named(workflow, path, value, said):
    hidden, right = settings.overlay(CONFIG, at(path, value)), {"seeds": [1], "dataset": "mnist"}
    right["runs"] = {"wide": {"width": 7, "sweep": {"samples": [100]}}}
    for scale, overrides in ((right, {}), ({}, right)):
        with pytest.raises(NetdynError, match=f"^{said}"):
            settings.load(workflow(hidden, scale), overrides)


@pytest.mark.parametrize("missing", [*DEFAULTS])
def test_a_missing_default_is_named(workflow, missing):
    defaults = {key: value for key, value in DEFAULTS.items() if key != missing}
    with pytest.raises(NetdynError, match=f"run_defaults: '{missing}' is a required property"):
        settings.load(workflow({**CONFIG, "run_defaults": defaults}))


def test_the_cause_is_said_before_its_consequences(workflow):
    # A wrong value makes its whole block "unevaluated": the keys beside it are quite right.
    with pytest.raises(NetdynError, match=r"runs.wide.width: 'seven' must be"):
        settings.load(workflow(), {"runs": {"wide": {"width": "seven", "steps": 5}}})
    # A mistyped key also makes the right one missing.
    measurement = {**CONFIG["measurements"]["deep_pruning"]}
    measurement["split"] = measurement.pop("splits")
    config = settings.overlay(CONFIG)
    config["measurements"] = {"deep_pruning": measurement}
    config["figures"] = {}
    with pytest.raises(NetdynError, match=r"unknown key 'split'; did you mean 'splits'\?"):
        settings.load(workflow(config))


@pytest.mark.parametrize(
    ("content", "said"),
    [("- a\n", "must hold keys and values"), ("a: [1\n", "is not YAML: .*line")],
)
def test_files_that_are_no_settings_are_named(workflow, content, said):
    folder = workflow()
    (folder / "workflow/scales/demo.yaml").write_text(content)
    with pytest.raises(NetdynError, match=f"demo.yaml {said}"):
        settings.load(folder)
    (folder / "config.yaml").unlink()
    with pytest.raises(NetdynError, match=r"config.yaml is missing: run from"):
        settings.load(folder)


def test_an_empty_scale_changes_nothing(workflow):
    folder = workflow()
    (folder / "workflow/scales/demo.yaml").write_text("# nothing\n")
    assert settings.load(folder) == CONFIG


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
        {"device": "cuda", "data_root": "/elsewhere"},
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


def test_the_numbers_of_training_samples_are_those_of_the_data(tmp_path):
    assert settings.TRAINING_SAMPLES.keys() == datasets.DATASETS.keys()
    datasets.prepare("digits", tmp_path, tmp_path / "digits")
    loaded = load(tmp_path / "digits")
    assert len(loaded.train_labels) == settings.TRAINING_SAMPLES["digits"]
    samples = datasets.FILES["train-labels-idx1-ubyte"][0]
    assert {settings.TRAINING_SAMPLES[n] for n in datasets.DATASETS if n != "digits"} == {samples}
    assert len(translation.TRANSLATIONS) == settings.TRANSLATIONS


def test_schema_and_defaults_stay_in_step():
    known = SCHEMA["$defs"]["run_settings"]["properties"]
    assert {*known} - {"threads"} == {*DEFAULTS}
    assert {*SCHEMA["properties"]["run_defaults"]["required"]} == {*DEFAULTS}
    run = SCHEMA["properties"]["runs"]["additionalProperties"]["properties"]
    swept = run["sweep"]["propertyNames"]["enum"]
    assert {*swept} == {*DEFAULTS} - {"evaluate", "snapshots"}
    assert {*run} == {*settings.RUN_SELECTION}
    selection = SCHEMA["$defs"]["selection"]["properties"]
    assert {*selection, "quantity"} == {*settings.MEASUREMENT_SELECTION}


def test_the_schemas_words_are_those_of_the_code():
    run = SCHEMA["$defs"]["run_settings"]["properties"]
    assert run["activation"]["enum"] == [*ACTIVATIONS]
    assert run["optimizer"]["enum"] == [*optimizers.OPTIMIZERS]
    assert SCHEMA["properties"]["dataset"]["enum"] == [*settings.TRAINING_SAMPLES]
    measurement = SCHEMA["$defs"]["measurement"]
    text = json.dumps(measurement)
    assert SCHEMA["$defs"]["noise_return"]["enum"] == [*NOISE_RETURNS]
    assert json.dumps([*toy_neurons.SETTINGS]) in text
    modules = {
        entry.name.removesuffix(".py")
        for entry in resources.files("netdyn.measurements").iterdir()
        if entry.name.endswith(".py") and "\ndef measure(" in entry.read_text()
    }
    assert {*measurement["properties"]["quantity"]["enum"]} == modules | {"history"}


def test_a_runs_hash_is_that_of_its_settings_file():
    run = resolved()
    assert run_hash(run) == files.digest(json.loads(json.dumps(run.settings)))[:10]
