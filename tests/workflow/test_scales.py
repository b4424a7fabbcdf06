"""What scales change: ids of committed runs stay, bfloat16 does less than another seed."""

import itertools

import pytest
import torch
from settings_example import ROOT

from netdyn.data.datasets import prepare
from netdyn.data.prepared import load, to_unit, training_samples
from netdyn.measures.ranks.rpd import rpd_gradient
from netdyn.networks.lmap import linear_maps
from netdyn.networks.mlp import initialise
from netdyn.networks.reading import logits, read
from netdyn.plan import settings
from netdyn.plan.explored import OPTIONAL
from netdyn.plan.tables import TablePlan
from netdyn.records.files import digest, read_json, read_yaml
from netdyn.results.runs import build_model
from netdyn.training.engine.steps import training_steps

PROVENANCE = ROOT / "results/cpu/reference/provenance"
SEEDS = (0, 1, 2)


def test_ids_and_settings_of_scale_cpu_are_those_of_its_committed_tables():
    plan = TablePlan(ROOT, {}, "cpu")
    records = {path.stem: read_json(path) for path in (PROVENANCE / "tables").glob("*.json")}
    needed = {name for name, each in plan.measurements.items() if each.quantity not in OPTIONAL}
    assert records.keys() == needed
    for name, record in records.items():
        now = plan.keep_settings(name)
        # Tables may lack runs that nobody has trained yet; those that they have are configured.
        assert all(run in now["runs"] for run in record["runs"]), name
        assert (now["quantity"], now["settings"]) == (record["quantity"], record["settings"]), name
    trained = read_json(PROVENANCE / "runs.json")
    assert {*trained} == {*plan.runs}
    for run, record in trained.items():
        # An id ends in the digest of the settings; older records have no more than that.
        assert record.get("settings", plan.runs[run].settings) == plan.runs[run].settings


def test_ids_of_scale_demo_are_those_of_version_0_1():
    # Nothing of it is committed: the digest of all ids, as the first version named its runs.
    plan = TablePlan(ROOT, {}, "demo")
    assert len(plan.runs) == 37
    assert digest(sorted(plan.runs)) == (
        "fd0c4456086e9edb0706621534b9a5fa2d871b66c588d93badf2a5beccaafa37"
    )


def test_scale_paper_is_the_configuration_but_for_precision_and_recorded_steps():
    paper = settings.runs(settings.load(ROOT, {"scale": "paper"}))
    plain = settings.runs(read_yaml(ROOT / "config.yaml"))
    assert sum(map(len, paper.values())) == 324
    for name, trained in paper.items():
        assert [run.identity for run in trained] == [run.identity for run in plain[name]]
        for run, other in zip(trained, plain[name], strict=True):
            changed = {key for key, value in run.settings.items() if value != other.settings[key]}
            assert changed <= {"precision", "evaluate", "snapshots"}, name
            rounded = "bfloat16" if run.settings["batch_norm"] else "float32"
            assert run.settings["precision"] == rounded, name


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.safetensors"
    prepare("digits", path.parent, path, download=False)
    return load(path)


@pytest.fixture(scope="module")
def trained(digits):
    """Train 784–64×7–10 per precision and seed; return accuracies (2,) and gradients (2, 7)."""
    (like, *_) = settings.runs(settings.load(ROOT, {"scale": "paper"}))["deep23"]
    small = {"dataset": "digits", "samples": len(digits.train_labels), "depth": 8}
    own = {**like.settings, **small, "width": [64] * 7, "steps": 40}
    return {
        (precision, seed): outcome(digits, {**own, "precision": precision, "seed": seed})
        for precision in ("float32", "bfloat16")
        for seed in SEEDS
    }


def outcome(digits, run):
    """Return test and training accuracy, and g_l, in evaluation and in training mode."""
    images, labels = training_samples(digits, run)
    model = build_model(run, images.shape[1], digits.classes)
    initialise(model, run["seed"])
    steps = training_steps(model, images, labels, run, digits.classes)
    for step in range(run["steps"]):
        steps.step(step)
    x, own = to_unit(images), steps.network().eval()
    batch = read(own).with_batch_statistics(x)
    accuracies = [
        (logits(own, to_unit(digits.test_images)).argmax(1) == digits.test_labels).double().mean(),
        (logits(batch, x).argmax(1) == labels).double().mean(),
    ]
    return torch.stack(accuracies), torch.stack(
        [layer_gradients(m, x, labels) for m in (own, batch)]
    )


def layer_gradients(model, x, labels):
    maps, fields = linear_maps(model), list(read(model).propagate(x))
    return torch.stack(
        [
            rpd_gradient(field, labels, maps[l][0].sign()).mean()
            for l, field in enumerate(fields[:-1], 1)
        ]
    )


def root_mean_square(differences):
    return torch.stack(differences).square().mean().sqrt()


def test_bfloat16_products_change_gradients_less_than_a_seed_and_accuracy_little(trained):
    accuracy, gradient = ({key: found[i] for key, found in trained.items()} for i in (0, 1))
    rounding = root_mean_square([gradient["bfloat16", s] - gradient["float32", s] for s in SEEDS])
    pairs = itertools.combinations(SEEDS, 2)
    seeds = root_mean_square([gradient["float32", a] - gradient["float32", b] for a, b in pairs])
    assert 0 < rounding < 0.7 * seeds
    rounding = root_mean_square([accuracy["bfloat16", s] - accuracy["float32", s] for s in SEEDS])
    assert rounding < 0.02
    assert all(found.min() > 0.9 for found in accuracy.values())
