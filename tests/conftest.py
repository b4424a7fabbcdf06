import os
from pathlib import Path

# Before PyTorch is imported: the tests' networks are too small to share, and the threads of two
# workers on two cores spend most of their time waiting for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a test starts keeps its bytecode, and what parsing the code told: the next one reads it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import numpy as np
import pytest
import torch
import yaml
from comparing import after
from oracles import write_prepared

from netdyn.networks.layers import layers
from netdyn.networks.mlp import MLP
from netdyn.runtime.random_streams import generator
from netdyn.training import train as training

# Files that take longest, the longest first: begun first, they leave no worker alone at the end.
LONGEST = (
    *("test_dag", "test_whole_demo", "test_faults", "test_rounding", "test_workers"),
    *("test_part_of_a_workflow", "test_scale_run"),
    *("test_pretended_gpu_trains", "test_resuming", "test_keeping", "test_figures_deep"),
    *("test_claims_scorecard", "test_figures_boxes", "test_gpu_benchmark", "test_gpu_page"),
    *("test_pretended_gpu_measures", "test_figures", "test_devices_asked", "test_stages"),
)


def pytest_collection_modifyitems(items):
    """Put the longest files first; `make test` has pytest-xdist hand files out in this order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture
def stream():
    """A fresh generator for a test's own data."""
    return generator(0, "test data")


@pytest.fixture
def make_network():
    """Build an MLP whose batch norm, if any, has random statistics, weights and offsets."""

    def make(widths, activation="relu", batch_norm=True, seed=0):
        numbers = generator(seed, "test network")
        model = MLP(widths, activation, batch_norm).double()
        with torch.no_grad():
            for linear, norm, *_ in layers(model):
                for parameter in linear.parameters():
                    parameter.normal_(generator=numbers).div_(linear.in_features**0.5)
                if norm is not None:
                    norm.running_mean.normal_(generator=numbers)
                    norm.running_var.uniform_(0.5, 2.0, generator=numbers)
                    norm.weight.normal_(generator=numbers)
                    norm.bias.normal_(generator=numbers)
        return model

    return make


@pytest.fixture
def unchanged():
    """Check that a call leaves the model as it was: `with unchanged(model): …`."""

    class Unchanged:
        def __init__(self, model):
            self.model = model

        def __enter__(self):
            self.before = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.modes = [module.training for module in self.model.modules()]

        def __exit__(self, *_):
            after = self.model.state_dict()
            assert list(after) == list(self.before)
            assert all(torch.equal(after[name], value) for name, value in self.before.items())
            assert [module.training for module in self.model.modules()] == self.modes
            assert all(parameter.grad is None for parameter in self.model.parameters())

    return Unchanged


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (12, 25), dtype=np.uint8),
        "train_labels": np.arange(12, dtype=np.uint8) % 3,
        "test_images": random.integers(0, 256, (5, 25), dtype=np.uint8),
        "test_labels": np.arange(5, dtype=np.uint8) % 3,
    }


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory):
    """A prepared data set that a tiny network learns: 90 training samples of 4 × 4, 3 classes."""
    return prepared_toy(tmp_path_factory, dark=[])


@pytest.fixture(scope="session")
def dark_toy_data(tmp_path_factory):
    """The same with corners that are dark in all samples, which training leaves out."""
    return prepared_toy(tmp_path_factory, dark=[0, 3, 12, 15])


def prepared_toy(tmp_path_factory, dark):
    random = np.random.default_rng(1)
    centres = random.integers(0, 156, (3, 16))

    def split(samples):
        labels = np.arange(samples, dtype=np.uint8) % 3
        images = centres[labels] + random.integers(0, 100, (samples, 16))
        images[:, dark] = 0
        return images.astype(np.uint8), labels

    names = ("train_images", "train_labels", "test_images", "test_labels")
    path = tmp_path_factory.mktemp("data") / "toy.safetensors"
    write_prepared(path, dict(zip(names, (*split(90), *split(30)), strict=True)))
    return path


@pytest.fixture(scope="session")
def run_settings():
    """Make the resolved settings of a tiny run on `toy_data`, some of them changed."""
    config = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
    tiny = {
        "format": 1,
        "dataset": "toy",
        "threads": 1,
        **config["run_defaults"],
        "samples": 90,
        "depth": 3,
        "width": [8, 6],
        "learning_rate": 0.01,
        "batch_size": 20,
        "steps": 12,
        "evaluate": {"every_step_until": 3, "per_decade": 4},
        "snapshots": {"every_step_until": 0, "per_decade": 3},
        "seed": 0,
    }

    def make(**changed):
        assert changed.keys() <= tiny.keys()
        return tiny | changed

    return make


@pytest.fixture(scope="session")
def train_run(toy_data):
    """Train a run of these settings, whole, below `folder`; return the run's folder."""

    def train(folder, settings, **more):
        folders = folder / "run", folder / "checkpoints"
        assert training.train(settings, toy_data, *folders, "cpu", **more)
        return folder / "run"

    return train


@pytest.fixture
def sitting(tmp_path, toy_data):
    """Train in `tmp_path`, or go on there, for so many steps; say whether the run is whole."""

    def train(settings, steps=None, **more):
        stopping = (lambda: False) if steps is None else after(steps)
        folders = tmp_path / "run", tmp_path / "checkpoints"
        return training.train(settings, toy_data, *folders, "cpu", stopping=stopping, **more)

    return train
