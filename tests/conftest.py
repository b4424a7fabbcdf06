import numpy as np
import pytest
import torch

from netdyn.mlp import MLP, layers
from netdyn.random_streams import generator


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
            for linear, norm, _ in layers(model):
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
