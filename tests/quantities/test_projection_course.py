"""Projections over training: those of `projection`, in the same plane, within 16 bits."""

import numpy as np
import pytest
import torch

from netdyn.measures.projections import output_plane
from netdyn.quantities import projection, projection_course
from netdyn.quantities.projection_course import LEVELS
from netdyn.quantities.subject import Subject
from netdyn.results import runs

VIEWS = [["train", "training"], ["test", "evaluation"]]
SETTINGS = {"steps": "all", "samples": "all", "views": VIEWS, "digits": [0, 2], "points": 7}
KEYS = ["step", "split", "mode"]


@pytest.fixture(scope="module")
def subject(tmp_path_factory, run_settings, train_run, toy_data):
    steps = {"every_step_until": 0, "per_decade": 2}
    run = train_run(tmp_path_factory.mktemp("run"), run_settings(steps=20, snapshots=steps))
    return Subject.open(run, toy_data, "cpu")


@pytest.fixture(scope="module")
def table(subject):
    return projection_course.measure(subject, SETTINGS)


@torch.no_grad()
def in_plane(subject, step, split, mode, digit):
    """All samples of a digit in the plane, by the modes of PyTorch."""
    x, y = subject.samples(split)
    model = runs.load_model(subject.run_folder, step).train(mode == "training")
    hidden = torch.nn.Sequential(*[*model][:-1])(x)
    return (hidden @ output_plane(model).T).double().numpy()[y.numpy() == digit]


def test_each_point_is_a_sample_in_the_plane_within_16_bits(subject, table):
    for (step, split, mode), rows in table.groupby(KEYS):
        for coordinate in ("h1", "h2"):
            half = 0.5 * np.ptp(rows[coordinate]) / LEVELS * 1.001 + 1e-6
            for digit, points in rows.groupby("digit"):
                whole = in_plane(subject, step, split, mode, digit)[:, int(coordinate[1]) - 1]
                distance = np.abs(points[coordinate].to_numpy()[:, None] - whole).min(axis=1)
                assert distance.max() <= half
    assert sorted(table["step"].unique()) == subject.steps("all")


def test_the_samples_are_the_first_of_those_at_one_moment(subject, table):
    moments = {"moments": {"end": "last"}, "views": VIEWS, "digits": [0, 2], "points": 20}
    many = projection.measure(subject, moments)
    last = table[table["step"] == table["step"].max()]
    for digit in (0, 2):
        of = [
            each[(each["split"] == "test") & (each["digit"] == digit)][:7] for each in (last, many)
        ]
        for coordinate in ("h1", "h2"):
            first, other = (each[coordinate].to_numpy() for each in of)
            assert np.allclose(first, other, rtol=0, atol=1e-4 + np.ptp(other) / LEVELS)


def test_samples_are_the_same_at_every_step(subject, table):
    counts = table.groupby([*KEYS, "digit"]).size()
    assert (counts == 7).all()
    fewer = projection_course.measure(subject, {**SETTINGS, "points": 2, "steps": "last"})
    last = table[(table["step"] == table["step"].max()) & (table["digit"] == 2)]
    firsts = last.groupby(["split", "mode"]).head(2)[["h1", "h2"]].to_numpy()
    same = fewer[fewer["digit"] == 2][["h1", "h2"]].to_numpy()
    assert np.allclose(same, firsts, atol=1e-2 * np.abs(firsts).max())


@pytest.mark.parametrize("values", [[1.0, 2.0, 1e-6], [-3e4, 5e4, 1.23456], [7.0, 7.0]])
def test_numbers_are_rounded_within_half_a_level(values):
    rounded = projection_course._rounded(torch.tensor(values))
    exact = torch.tensor(values).double().numpy()
    assert np.abs(rounded - exact).max() <= 0.5 * np.ptp(exact) / LEVELS * (1 + 1e-9)


@pytest.mark.parametrize("weight", ["0.weight", "-1.weight"])
def test_a_diverged_network_has_empty_coordinates(subject, weight, monkeypatch):
    real = runs.load_model

    def diverged(folder, step):
        model = real(folder, step)
        parameters = [parameter for parameter in model.parameters() if parameter.ndim == 2]
        parameters[int(weight.split(".")[0])].data.fill_(float("nan"))
        return model

    monkeypatch.setattr("netdyn.quantities.subject.runs.load_model", diverged)
    table = projection_course.measure(subject, {**SETTINGS, "steps": "last"})
    assert table[["h1", "h2"]].isna().all().all()
    assert len(table) == 2 * 2 * 7
