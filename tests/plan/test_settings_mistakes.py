"""Mistakes in settings: what is refused, and how it is said."""

import datetime
import math
from functools import partial

import pytest
from settings_example import CONFIG, DEFAULTS, SCHEMA, at, workflow_folder

from netdyn.errors import NetdynError
from netdyn.plan import settings


@pytest.fixture
def workflow(tmp_path):
    return partial(workflow_folder, tmp_path)


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
        ("engine", "fast", "engine: 'fast' must be one of auto, plain, stacked"),
        ("checkpoint_seconds", -1, "checkpoint_seconds: -1 is less than the minimum of 0"),
        ("checkpoint_seconds", math.inf, "checkpoint_seconds: inf .*finite"),
        ("checkpoint_seconds", "never", "checkpoint_seconds: 'never' must be a number"),
        ("run_defaults.precision", "fp32", "precision: 'fp32' must be one of float32, tf32"),
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
    assert settings.load(workflow()) == {**CONFIG, "readings": {}}


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
    assert settings.load(folder) == {**CONFIG, "readings": {}}
