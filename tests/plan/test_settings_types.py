"""The types of settings say what is in them: as the plan resolves them, and as the schema does."""

import pytest
from settings_example import ROOT, SCHEMA
from typed_settings import mismatches, type_of

from netdyn.plan.targets import Plan
from netdyn.quantities import toy_neurons
from netdyn.records.figure_settings import FigureSettings, Training
from netdyn.records.job_settings import BlockSettings, ClaimsSettings, KeepSettings, TableSettings
from netdyn.records.run_settings import RunSettings

DECLARED = SCHEMA["$defs"]["measurement"]
QUANTITIES = DECLARED["properties"]["quantity"]["enum"]
MADE_BY_THE_PLAN = {"title", "note", "runs", "noise_return", "test_samples"}


def declared_keys(quantity):
    """Return the keys that the schema allows and requires, without those that select runs."""
    allowed, required = {"threads"}, {"threads"}  # added from the configuration where missing
    for rule in DECLARED["allOf"]:
        named = rule["if"]["properties"]["quantity"]
        if quantity in named.get("enum", [named.get("const")]):
            then = rule["then"]
            allowed |= {*then.get("properties", {}), *then.get("then", {}).get("properties", {})}
            required |= {*then.get("required", ())}
    return allowed, required


@pytest.fixture(scope="module", params=["demo", "cpu", "paper"])
def plan(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield Plan(ROOT, {}, request.param, tmp_path_factory.mktemp("settings"))


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_quantitys_settings_have_the_keys_of_the_schema(quantity):
    expected = type_of(quantity)
    allowed, required = declared_keys(quantity)
    assert expected.__annotations__.keys() == allowed
    assert expected.__required_keys__ == required


def test_toy_neurons_check_all_settings_of_their_type():
    assert toy_neurons.ToyNeuronsSettings.__annotations__.keys() == {
        *toy_neurons.SETTINGS,
        "threads",
    }


def test_resolved_measurements_are_of_their_types(plan):
    for name, measurement in plan.measurements.items():
        assert mismatches(measurement.settings, type_of(measurement.quantity), name) == []


def test_resolved_runs_are_of_their_type(plan):
    for run_id, run in plan.runs.items():
        assert mismatches(run.settings, RunSettings, run_id) == []


def test_settings_of_measuring_joining_and_keeping_are_of_their_types(plan):
    for name in plan.measurements:
        for block in plan.blocks(name):
            assert mismatches(plan.block_settings(name, block), BlockSettings, name) == []
        assert mismatches(plan.table_settings(name), TableSettings, name) == []
        assert mismatches(plan.keep_settings(name), KeepSettings, name) == []


def test_settings_of_figures_are_of_their_type_and_complete(plan):
    for figure in plan.figures():
        block = plan.figure_settings(figure)
        assert mismatches(block, FigureSettings, figure) == []
        # The toy neurons of Fig. 1 are of no data set.
        made = MADE_BY_THE_PLAN - ({"test_samples"} if figure == "fig1" else set())
        assert block.keys() == made | plan.config["figures"][figure].keys()


@pytest.mark.parametrize(("switch", "text"), [("title", "title"), ("footer", "note")])
def test_a_text_of_a_figure_that_is_switched_off_is_left_out(switch, text):
    shown = Plan(ROOT, {}, "demo").figure_settings("fig2")
    left = Plan(ROOT, {"figures": {"fig2": {switch: False}}}, "demo").figure_settings("fig2")
    assert shown.keys() - left.keys() == {text}
    as_before = Plan(ROOT, {"figures": {"fig2": {switch: True}}}, "demo").figure_settings("fig2")
    assert as_before == shown


def test_the_type_of_figures_has_the_keys_of_the_schema():
    declared = SCHEMA["properties"]["figures"]["additionalProperties"]
    keys = FigureSettings.__annotations__.keys()
    # A footer that is switched off is a note that is left out; rows are those of a redrawing.
    declared_keys = declared["properties"].keys() - {"footer"}
    assert keys - {"rows"} == MADE_BY_THE_PLAN | declared_keys
    assert FigureSettings.__required_keys__ == {*declared["required"]}
    assert Training.__annotations__.keys() < RunSettings.__annotations__.keys()


def test_settings_of_the_scorecard_are_of_their_type(plan):
    assert mismatches(plan.claims_settings(), ClaimsSettings) == []


PRUNING = {"threads": 1, "steps": ["best", 5], "start_layers": "all", "splits": ["test"]}


@pytest.mark.parametrize(
    ("quantity", "wrong", "named"),
    [
        ("pruning", {"splits": ["test", "both"]}, "settings.splits[1]"),
        ("pruning", {"threads": True}, "settings.threads"),
        ("pruning", {"steps": ["best", 0.5]}, "settings.steps"),
        ("pruning", {"bins": 3}, "settings: bins"),
        ("projection", {"views": [["train"]]}, "settings.views[0]"),
        ("projection", {"moments": {"before": None}}, "settings.moments.before"),
        ("noise_accuracy", {"amplitudes": {"first": 1.0}}, "settings.amplitudes"),
        ("rank_probability", {"classes": 1}, "settings.classes"),
    ],
)
def test_a_wrong_key_or_value_is_named(quantity, wrong, named):
    lines = mismatches({**PRUNING, **wrong}, type_of(quantity))
    assert any(line.startswith(named) for line in lines), lines


def test_a_missing_key_is_named():
    assert mismatches(PRUNING, type_of("pruning")) == []
    (line,) = mismatches({k: v for k, v in PRUNING.items() if k != "splits"}, type_of("pruning"))
    assert line == "settings: splits is missing"
