"""Shares of samples inside their class's region, against Mahalanobis distances by SciPy."""

import inspect

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.measures.projections import output_plane
from netdyn.quantities import region_share
from netdyn.quantities.subject import Subject
from netdyn.results import runs

STEPS = {"every_step_until": 0, "per_decade": 2}
VIEWS = [["test", "evaluation"], ["test", "training"], ["train", "evaluation"]]
SETTINGS = {
    "steps": "all",
    "views": VIEWS,
    "digits": [0, 2],
    "samples": "all",
    "percentile": 80,
}


@pytest.fixture(scope="module")
def subject(tmp_path_factory, run_settings, train_run, toy_data):
    run = train_run(tmp_path_factory.mktemp("with"), run_settings(steps=20, snapshots=STEPS))
    return Subject.open(run, toy_data, "cpu")


@pytest.fixture(scope="module")
def plain(tmp_path_factory, run_settings, train_run, toy_data):
    settings = run_settings(steps=20, snapshots=STEPS, batch_norm=False)
    return Subject.open(train_run(tmp_path_factory.mktemp("without"), settings), toy_data, "cpu")


@torch.no_grad()
def plane(subject, step, x, mode):
    """The samples in the plane, by the modes of PyTorch."""
    model = runs.load_model(subject.run_folder, step).train(mode == "training")
    hidden = torch.nn.Sequential(*[*model][:-1])
    return (hidden(x) @ output_plane(model).T).double().numpy()


def share_inside(points, training, percentile):
    mean, inverse = training.mean(axis=0), np.linalg.inv(np.cov(training.T, bias=True))
    reference, distances = (
        cdist(some, mean[None], "mahalanobis", VI=inverse)[:, 0] for some in (training, points)
    )
    return np.mean(distances <= np.percentile(reference, percentile) * (1 + 1e-9))


@pytest.mark.parametrize("percentile", [99, 80])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_shares_follow_the_definition(subject, plain, toy_data, batch_norm, percentile):
    subject = subject if batch_norm else plain
    table = region_share.measure(subject, {**SETTINGS, "percentile": percentile})
    assert list(table) == ["step", "split", "mode", "digit", "points", "share"]
    described = inspect.getdoc(region_share.measure).partition("Returns:")[2]
    assert all(column in described for column in table)
    kept = runs.load_manifest(subject.run_folder)["steps"]
    assert len(kept) > 3
    expected = [(step, *view, digit) for step in kept for view in VIEWS for digit in (0, 2)]
    columns = ["step", "split", "mode", "digit"]
    assert [*table[columns].itertuples(index=False, name=None)] == expected
    loaded = prepared.load(toy_data)
    samples = {
        "train": (loaded.train_images.float() / 255, loaded.train_labels),
        "test": (loaded.test_images.float() / 255, loaded.test_labels),
    }
    training, labels = samples["train"]
    for row in table.itertuples():
        reference = plane(subject, row.step, training, "training")[labels == row.digit]
        x, y = samples[row.split]
        points = plane(subject, row.step, x, row.mode)[y == row.digit]
        assert row.points == len(points)
        assert row.share == pytest.approx(share_inside(points, reference, percentile), abs=1e-9)
    assert table["share"].nunique() > 3
    by_mode = table[table["split"] == "test"].groupby("mode")["share"].apply(list)
    assert (by_mode["evaluation"] != by_mode["training"]) == batch_norm


@pytest.mark.parametrize(("percentile", "inside"), [(100, 30), (60, 18), (10, 3)])
def test_a_region_holds_its_percentile_of_the_samples_that_made_it(
    subject, plain, percentile, inside
):
    for measured, mode in ((subject, "training"), (plain, "evaluation")):
        views = [["train", mode]]
        table = region_share.measure(
            measured, {**SETTINGS, "views": views, "percentile": percentile}
        )
        assert set(table["points"]) == {30}
        assert (table["share"] * 30).round(6).tolist() == [inside] * len(table)


def test_fewer_training_samples_make_the_regions(subject):
    settings = {**SETTINGS, "samples": 45, "views": [["test", "evaluation"], ["train", "training"]]}
    table = region_share.measure(subject, settings)
    points = table.groupby("split")["points"].unique()
    assert (points["train"].tolist(), points["test"].tolist()) == ([15], [10])
    x, y = subject.samples("train", 45)
    test_x, test_y = subject.samples("test")
    for row in table.query("split == 'test'").itertuples():
        reference = plane(subject, row.step, x, "training")[y == row.digit]
        points = plane(subject, row.step, test_x, "evaluation")[test_y == row.digit]
        assert row.share == pytest.approx(share_inside(points, reference, 80), abs=1e-9)


def test_a_digit_that_was_not_trained_on_has_no_region(subject):
    with pytest.raises(NetdynError, match="training projections"):
        region_share.measure(subject, {**SETTINGS, "digits": [7]})
