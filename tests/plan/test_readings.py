"""A reading's plan: what it shares with its scale, what is its own, and which it cannot be."""

import copy
from functools import partial

import pytest
from readings_example import READINGS, plan_in, reading
from settings_example import CONFIG, ROOT, SCHEMA

from netdyn.errors import NetdynError
from netdyn.plan.multiverse import MultiversePlan
from netdyn.plan.readings import ReadingPlan, declared_readings, plan_of, scale_of
from netdyn.plan.schema import validate
from netdyn.records.files import read_yaml, write_json

DEEP = {"runs": {"deep": {"learning_rate": 0.5}}}
CLIP = {"measurements": {"deep_noise": {"noise_return": "clip"}}}


@pytest.fixture
def new_plan(tmp_path):
    """Make the plan of a workflow of its own: `new_plan(readings, config=…)`."""
    return partial(plan_in, tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return plan_in(tmp_path_factory.mktemp("workflow"))


@pytest.fixture
def plan(built):
    """Make the plan of the same workflow with other readings, which costs next to nothing."""

    def make(readings=READINGS):
        other = copy.copy(built)
        other.config = {**built.config, "readings": readings}
        return other

    return make


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "readings.yaml"
    path.write_text("readings:\n  a: {x: 1}\n  b: 2\n  a: 3\n", encoding="utf-8")
    with pytest.raises(NetdynError, match="the key 'a' in line 4 is there twice"):
        read_yaml(path)
    path.write_text("b: &b {x: 1}\na:\n  <<: *b\n  x: 2\n", encoding="utf-8")
    assert read_yaml(path)["a"] == {"x": 2}  # what a merge brings may be replaced


def test_an_option_that_no_claim_of_it_computes_is_refused(plan):
    other = reading("C24", options={"region": "trimmed"})
    with pytest.raises(NetdynError, match=r"options\.region: none of its claims computes trimmed"):
        ReadingPlan(plan({"other": other}), "other").check()


def test_deviations_are_ordered_by_reading():
    text = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8")
    declared = read_yaml(ROOT / "workflow" / "readings.yaml")["readings"]
    sections = dict(part.split("\n", 1) for part in text.split("\n### ")[1:])
    questions = list(dict.fromkeys(each["question"] for each in declared.values()))
    titles = [question[0].upper() + question[1:] for question in questions]
    assert [title for title in sections if title in titles] == titles
    for name, each in declared.items():
        title = each["question"][0].upper() + each["question"][1:]
        assert f"`{name}`" in sections[title], name


# What is shared -----------------------------------------------------------------------------------


def test_runs_and_tables_that_a_reading_does_not_change_are_the_scales_own(plan):
    base = plan()
    slow = ReadingPlan(base, "slow")
    for name in ("wide_history", "wide_gradient"):
        assert slow.table_file(name) == base.table_file(name)
        assert slow.reference_file(name) == base.reference_file(name)
    assert slow.changed_tables() == slow.tables() == ["deep_noise", "deep_pruning"]
    (changed,) = slow.measurement("deep_noise").runs
    (before,) = base.measurement("deep_noise").runs
    assert changed.identity == before.identity  # no column of a table tells them apart
    assert changed.id != before.id
    assert slow.run_folder(changed.id) == f"results/demo/readings/slow/runs/{changed.id}"
    assert slow.table_file("deep_noise") == "results/demo/readings/slow/tables/deep_noise.csv"
    for run in slow.measurement("wide_history").runs:
        assert slow.run_folder(run.id) == base.run_folder(run.id) == f"results/demo/runs/{run.id}"
    needed = slow.files_needed(slow.claim_tables())
    assert base.table_file("wide_gradient") in needed
    assert not {base.table_file("deep_noise"), f"results/demo/runs/{before.id}/history.csv"} & {
        *needed
    }


def test_a_measurement_of_an_unchanged_run_is_measured_on_the_scales_run(plan):
    base = plan()
    clipped = ReadingPlan(base, "clipped")
    (run,) = clipped.measurement("deep_noise").runs
    assert clipped.run_folder(run.id) == base.run_folder(run.id)
    assert clipped.tables() == ["deep_noise"]


def test_a_table_that_the_scale_has_under_another_name_is_that_one(new_plan):
    affine, clip = CONFIG["measurements"]["deep_noise"], {"noise_return": "clip"}
    config = {
        **CONFIG,
        "measurements": {**CONFIG["measurements"], "deep_clipped": {**affine, **clip}},
    }
    base = new_plan(config=config)
    clipped = ReadingPlan(base, "clipped")
    assert clipped.changed_tables() == ["deep_noise"]
    assert clipped.tables() == []
    assert clipped.table_file("deep_noise") == base.table_file("deep_clipped")
    assert clipped.reference_file("deep_noise") == base.reference_file("deep_clipped")


def test_crossed_readings_hold_together_and_share_each_others_tables(plan):
    base = plan()
    both, slow = ReadingPlan(base, "both"), ReadingPlan(base, "slow")
    (run,) = both.measurement("deep_noise").runs
    assert run.settings["learning_rate"] == 0.0001
    assert both.measurement("deep_noise").settings["noise_return"] == "clip"
    assert both.tables() == ["deep_noise"]  # which neither of them has
    assert both.table_file("deep_pruning") == slow.table_file("deep_pruning")
    assert both.run_folder(run.id) == slow.run_folder(run.id)
    assert both.options == {}


def test_crossed_readings_have_the_options_and_the_mode_of_all(plan):
    crossed = {
        **READINGS,
        "training": reading("C01", mode="training"),
        "all": reading("C01", crosses=["training", "common"]),
    }
    every = ReadingPlan(plan(crossed), "all")
    assert (every.options, every.mode) == ({"step": "common"}, "training")


def test_a_default_that_is_written_out_changes_nothing(plan):
    same = {
        "measurements": {"wide_gradient": {"signs": "lmap"}, "deep_noise": {"correct": "label"}}
    }
    assert (
        ReadingPlan(plan({"same": reading("C01", "C02", settings=same)}), "same").changed_tables()
        == []
    )


# Data sets ----------------------------------------------------------------------------------------

KMNIST = {"kmnist": reading("C01", "C02", settings={"dataset": "kmnist"})}


def test_a_reading_of_another_data_set_trains_every_run_on_it(plan):
    base = plan(KMNIST)
    other = ReadingPlan(base, "kmnist")
    assert other.tables() == ["wide_history", "wide_gradient", "deep_noise"]
    for name in other.tables():
        for run, on_mnist in zip(
            other.measurement(name).runs, base.measurement(name).runs, strict=True
        ):
            assert run.settings == {**on_mnist.settings, "dataset": "kmnist"}
            assert other.data_file(run.id) == "results/data/kmnist.safetensors"
            assert other.run_folder(run.id).startswith("results/demo/readings/kmnist/runs/")


@pytest.mark.parametrize("own", ["digits", "kmnist", "mnist"])
def test_a_data_set_of_the_command_lines_leaves_no_reading_of_another(new_plan, own):
    small = {"runs": {"wide": {"sweep": {"samples": [100, 200]}}}}
    base = new_plan({**READINGS, **KMNIST}, overrides={"dataset": own, **small})
    assert [*declared_readings(base)] == [*READINGS]
    assert [each.reading.name for each in MultiversePlan(base).readings] == [*READINGS]


def test_the_scales_own_data_set_leaves_no_reading_of_another(new_plan):
    config = {**CONFIG, "dataset": "digits"}
    assert [*declared_readings(new_plan({**READINGS, **KMNIST}, config))] == [*READINGS]


@pytest.mark.parametrize("lost", ["reference/tables/a.csv", "readings/slow/reference/tables/a.csv"])
def test_a_table_behind_published_verdicts_that_is_missing_is_named(
    new_plan, tmp_path, monkeypatch, lost
):
    monkeypatch.chdir(tmp_path)
    multiverse = MultiversePlan(new_plan())
    folder = multiverse.plan.folder
    record = folder / "reference" / "provenance" / "readings.json"
    write_json(record, {"judged_from": {lost: "…"}})
    (folder / lost).parent.mkdir(parents=True)
    (folder / lost).touch()
    multiverse.settings(committed=True)
    (folder / lost).unlink()
    multiverse.settings(committed=False)  # is judged from what was measured here
    with pytest.raises(NetdynError, match="restore it from the repository") as refused:
        multiverse.settings(committed=True)
    assert str(refused.value).startswith(f"{folder / lost} is missing")


# Mistakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (reading("C55"), "readings.it.claims.0: 'C55' is not allowed: a claim is named C01 to C54"),
        (reading("c01"), "readings.it.claims.0: 'c01' is not allowed: a claim is named C01 to C54"),
        (reading("C01", opions={"step": "last"}), "unknown key 'opions'; did you mean 'options'?"),
        (reading("C01", added="27/11/2026"), "readings.it.added: '27/11/2026' is not allowed"),
        (reading("C01", mode="evaluation"), "readings.it.mode: 'evaluation' must be one of"),
        (
            reading("C01", settings={"figures": {}}),
            "readings.it.settings: 'figures' was unexpected here",
        ),
        (reading("C01", settings={"dataset": "digits"}), "'digits' must be one of fashion_mnist, "),
        ({}, "readings.it: 'question' is a required property"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_named(declared, said):
    with pytest.raises(NetdynError) as caught:
        validate({**CONFIG, "readings": {"it": declared}}, SCHEMA)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"runs": {"deeep": {"depth": 3}}}, "no run 'deeep' in config.yaml; did you mean 'deep'?"),
        ({"runs": {"xyzzy": {}}}, "no run 'xyzzy' in config.yaml: declare it there first"),
        (
            {"measurements": {"deep_nois": {"trials": 3}}},
            "no measurement 'deep_nois' in config.yaml; did you mean 'deep_noise'?",
        ),
        (
            {"runs": {"deep": {"lerning_rate": 3}}},
            ".runs.deep: unknown key 'lerning_rate'; did you mean 'learning_rate'?",
        ),
        (
            {"measurements": {"deep_noise": {"noise_return": "wrap"}}},
            ".measurements.deep_noise.noise_return: 'wrap' must be one of affine, clip, range",
        ),
        (
            {"measurements": {"deep_noise": {"standardization": "row"}}},
            ".measurements.deep_noise: 'standardization' was unexpected here",
        ),
        (
            {"measurements": {"wide_gradient": {"signs": "jacobian"}}},
            ".measurements.wide_gradient: 'sign_samples' is a required property",
        ),
    ],
)
def test_an_overlay_that_cannot_be_laid_is_named(plan, settings, said):
    base = plan({"it": reading("C01", settings=settings)})
    with pytest.raises(NetdynError, match=r"^readings\.it\.settings") as caught:
        ReadingPlan(base, "it")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"crosses": ["slow", "cliped"]}, "no reading 'cliped'; did you mean 'clipped'?"),
        ({"crosses": ["slow", "xyzzy"]}, "no reading 'xyzzy'; there are slow, clipped, common"),
        ({"crosses": ["slow", "both"]}, "no reading 'both'; there are slow, clipped, common"),
        ({"crosses": ["slow", "clipped"], "settings": DEEP}, "it crosses others, so settings, "),
        ({"crosses": ["slow", "clipped"], "options": {"step": "last"}}, "it crosses others, so "),
        ({"crosses": ["slow", "clipped"], "mode": "training"}, "it crosses others, so settings, "),
    ],
)
def test_a_crossing_is_of_plain_readings_and_has_nothing_of_its_own(plan, declared, said):
    base = plan({**READINGS, "it": reading("C02", **declared)})
    with pytest.raises(NetdynError, match=r"^readings\.it") as caught:
        declared_readings(base)
    assert said in str(caught.value)


def test_a_reading_is_a_scale_of_its_own_name_and_an_unknown_one_is_named(new_plan):
    base = new_plan()
    slow = plan_of(base.workflow, {}, "demo/readings/slow")
    assert (slow.scale, slow.reading.name, slow.hosts[0].scale) == (
        scale_of("demo", "slow"), "slow", "demo",
    )  # fmt: skip
    for name, hint in (
        ("slwo", "did you mean 'slow'?"),
        ("xyzzy", "there are slow, clipped, both, common"),
    ):
        with pytest.raises(NetdynError) as caught:
            ReadingPlan(base, name)
        assert str(caught.value) == f"scale demo: no reading {name!r}; {hint}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stepp": "last"}, "readings.it.options: no option 'stepp'; did you mean 'step'?"),
        ({"colour": "red"}, "readings.it.options: no option 'colour'; there are region, "),
        ({"step": "first"}, "readings.it.options.step: 'first' is none of last, common"),
        ({"region": "ellipse"}, "'ellipse' is none of trimmed, centroid; it is the frozen choice"),
    ],
)
def test_an_option_that_no_judge_knows_is_named(plan, options, said):
    with pytest.raises(NetdynError) as caught:
        declared_readings(plan({"it": reading("C01", options=options)}))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "declared",
    [
        reading("C01"),
        reading("C01", settings={"runs": {"deep": {"depth": 4}}}),  # as it is
        reading("C01", settings=DEEP),  # a run that no table of C01 has
        reading("C02", settings={"measurements": {"wide_gradient": {"samples": 20}}}),
    ],
)
def test_a_reading_that_changes_nothing_for_its_claims_is_refused(plan, declared):
    base = plan({**READINGS, "it": declared})
    with pytest.raises(NetdynError) as caught:
        MultiversePlan(base)
    claim = declared["claims"][0]
    assert str(caught.value) == f"readings.it: it changes no table of {claim} and has no options"


@pytest.mark.parametrize(
    ("other", "declared"),
    [
        ("clipped", reading("C02", settings=CLIP)),
        ("clipped", reading("C02", "C03", settings=CLIP)),
        ("common", reading("C17", "C02", options={"step": "common"})),
        ("both", reading("C02", "C03", crosses=["clipped", "slow"])),
    ],
)
def test_two_readings_with_the_same_overlay_are_refused(plan, other, declared):
    base = plan({**READINGS, "it": declared})
    with pytest.raises(NetdynError) as caught:
        MultiversePlan(base)
    said = f"readings.it: it changes the same as {other!r}: remove one"
    assert str(caught.value) == said


def test_the_same_options_in_another_mode_are_another_reading(plan):
    more = {"it": reading("C17", options={"step": "common"}, mode="training")}
    assert len(MultiversePlan(plan({**READINGS, **more})).readings) == len(READINGS) + 1
