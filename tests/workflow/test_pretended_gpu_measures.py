"""Every quantity on a pretended GPU: the table that the CPU measures."""

import pandas as pd
import pytest
from pretended_gpu import pretended_gpu
from test_every_quantity import EVERY, quantity

from netdyn.quantities.subject import Subject

MORE = {
    "all groups": ("basin_size", {"of": ["average", "class", "sample"]}),
    "all groups, noise on weights": (
        "basin_size",
        {"of": ["average", "class", "sample"], "space": "weight"},
    ),
    "own range": ("noise_accuracy", {"space": "sample", "noise_return": "range"}),
    "clipped": ("noise_accuracy", {"space": "sample", "noise_return": "clip"}),
    "principal components": ("cone", {"projection": "pca"}),
    "noise returned affinely": ("fragile_sample", {"noise_return": "affine"}),
}
WANTED = {name: (name, settings) for name, settings in EVERY.items()} | {
    name: (of, EVERY[of] | changed) for name, (of, changed) in MORE.items()
}


@pytest.fixture(scope="module", params=[True, False], ids=["batch norm", "plain"])
def run_folder(request, tmp_path_factory, run_settings, train_run):
    settings = run_settings(
        samples=60,
        steps=20,
        snapshots={"every_step_until": 1, "per_decade": 1},
        seed=3,
        batch_norm=request.param,
    )
    return train_run(tmp_path_factory.mktemp("runs"), settings)


@pytest.mark.parametrize(("name", "settings"), WANTED.values(), ids=[*WANTED])
def test_measures_as_the_cpu_does(monkeypatch, run_folder, toy_data, name, settings):
    expected = quantity(name).measure(Subject.open(run_folder, toy_data, "cpu"), settings)
    with pretended_gpu(monkeypatch) as counts:
        subject = Subject.open(run_folder, toy_data, "cuda")
        assert subject.device.type == "cuda"
        found = quantity(name).measure(subject, settings)
    assert counts.launches.total()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)
