"""Toy neurons of Fig. 1: the effect of the two transformation modes on samples and weights."""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
import pandas as pd
import torch
from scipy.optimize import least_squares
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.measures.ranks.rpd import rank_probability, rpd_gradient
from netdyn.networks.mlp import MLP, initialise
from netdyn.networks.reading import read
from netdyn.runtime.random_streams import generator

__all__ = ["SETTINGS", "ToyNeuronsSettings", "measure"]

# The settings that `measure` needs, all of them integers.
SETTINGS = {
    "seed": "master seed of samples and initial weights",
    "samples": "samples per class in (c) and (d)",
    "neurons": "hidden neurons in (c) and (d)",
    "steps": "full-batch Adam steps in (c) and (d)",
    "bins": "bins of the RPDs on [0, 1]",
    "points": "points of the curves in (a) and (b)",
}
RATE = 0.02  # of Adam
# Factors on PyTorch's initial weights: small where training is to set the directions of the weight
# vectors, large where their directions are to remain diverse.
INITIAL_SCALE = {"identity": 0.3, "gaussian": 2.0}
A, B = 0, 1


class ToyNeuronsSettings(TypedDict):
    """The integers named in `SETTINGS`, and threads."""

    seed: int  # at least 0; all others at least 1
    samples: int  # per class
    neurons: int  # hidden
    steps: int  # of Adam
    bins: int  # of r in [0, 1]
    points: int  # of a curve
    threads: int  # of the processor


def measure(settings: ToyNeuronsSettings) -> pd.DataFrame:
    """Measure the four panels of Fig. 1 on toy neurons.

    Args:
        settings: the integers named in `SETTINGS`; all but the seed positive.

    Returns:
        A tidy table of columns panel ("a" … "d"), quantity, group, index, x, y:

        a, b  "sample": x = h, y = the output, of samples 1 … 5, numbered by rising local field;
              "curve": y(h) over an even grid; "neuron" (b only): the two terms w_i tanh(h_i).
        c, d  "sample": the two coordinates, group "A" or "B"; "weight": a neuron's unit weight
              vector times sign(M_1[A, i]); "rpd": the RPD of class A, y = density, x = r;
              "gradient", "resultant" (length of the mean unit vector, 0 isotropic, 1 all the same)
              and "accuracy" (training samples): the number as y.

    Raises:
        NetdynError: for a setting that is missing or out of range.
    """
    for name, meaning in SETTINGS.items():
        value = settings.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or (name != "seed" and value < 1):
            raise NetdynError(f"toy neurons: set {name} ({meaning}) to a positive integer")
    h = _five_fields(settings["seed"])
    grid = np.linspace(h[0] - 0.6, h[-1] + 0.6, settings["points"])
    rows = [
        *_rows("a", "sample", "", h, np.tanh(h)),
        *_rows("a", "curve", "", grid, np.tanh(grid)),
    ]
    weights = _peak_weights(h[2], grid)
    rows += [
        *_rows("b", "sample", "", h, _pair(weights, h).sum(0)),
        *_rows("b", "curve", "", grid, _pair(weights, grid).sum(0)),
    ]
    for i, term in enumerate(_pair(weights, grid), 1):
        rows += _rows("b", "neuron", f"h{i}", grid, term)
    rows += _trained("c", "identity", _separable(settings), settings)
    rows += _trained("d", "gaussian", _alternating(settings), settings)
    return pd.DataFrame(rows, columns=["panel", "quantity", "group", "index", "x", "y"])


def _rows(panel: str, quantity: str, group: str, x: np.ndarray, y: np.ndarray) -> Iterator[tuple]:
    for index, (one, other) in enumerate(zip(x, y, strict=True), 1):
        yield panel, quantity, group, index, float(one), float(other)


def _five_fields(seed: int) -> np.ndarray:
    """Return the local fields, rising, of five samples scattered about a line in the plane."""
    stream = generator(seed, "toy samples", "five")
    along = torch.arange(-2.0, 3.0, dtype=torch.float64, device="cpu") * 0.8  # (5,)
    scatter = 0.15 * torch.randn(5, 2, generator=stream, dtype=torch.float64, device="cpu")
    samples = (
        along[:, None] * torch.tensor([0.8, 0.6], dtype=torch.float64, device="cpu") + scatter
    )  # (5, 2)
    weight = torch.tensor([0.6, 0.8], dtype=torch.float64, device="cpu")
    return (samples @ weight).sort().values.numpy()


def _pair(weights: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Return the terms w_i tanh(a_i h + b_i) of two neurons, (2, P); weights is (w, a, b)."""
    w, a, b = weights.reshape(3, 2, 1)
    return w * np.tanh(a * h + b)


def _peak_weights(place: float, grid: np.ndarray) -> np.ndarray:
    """Fit two tanh neurons, by least squares, to a peak of height 1 at the field `place`."""
    target = np.exp(-((grid - place) ** 2))
    start = np.array([0.5, -0.5, 1.0, 1.0, 0.5, -0.5])
    # a_i > 0, so that both neurons see the samples in the same order.
    lowest = [-5, -5, 0.1, 0.1, -5, -5]
    fitted = least_squares(
        lambda weights: _pair(weights, grid).sum(0) - target, start, bounds=(lowest, [5] * 6)
    )
    return fitted.x


def _clusters(settings: ToyNeuronsSettings, name: str, centres: Tensor, spread: float) -> Tensor:
    """Return `samples` points, (P, 2), normally scattered about the centres in turn."""
    noise = torch.randn(
        settings["samples"],
        2,
        generator=generator(settings["seed"], "toy samples", name),
        dtype=torch.float64,
        device="cpu",
    )
    return centres[torch.arange(settings["samples"], device="cpu") % len(centres)] + spread * noise


def _separable(settings: ToyNeuronsSettings) -> tuple[Tensor, Tensor]:
    """Return A and B on either side of a line."""
    centre = torch.tensor([[1.0, 0.6]], dtype=torch.float64, device="cpu")
    return (
        _clusters(settings, "separable A", centre, 0.35),
        _clusters(settings, "separable B", -centre, 0.35),
    )


def _alternating(settings: ToyNeuronsSettings) -> tuple[Tensor, Tensor]:
    """Return A and B in six clusters that alternate around a circle: no line parts them."""
    angles = torch.arange(6, dtype=torch.float64, device="cpu") * torch.pi / 3
    centres = 1.3 * torch.stack([angles.cos(), angles.sin()], dim=1)  # (6, 2)
    return (
        _clusters(settings, "alternating A", centres[::2], 0.2),
        _clusters(settings, "alternating B", centres[1::2], 0.2),
    )


def _trained(
    panel: str, activation: str, samples: tuple[Tensor, Tensor], settings: ToyNeuronsSettings
) -> Iterator[tuple]:
    """Train 2 – neurons – 2 on A and B; yield its rows of the table."""
    x = torch.cat(samples)  # (P, 2)
    labels = torch.tensor(
        [A] * len(samples[A]) + [B] * len(samples[B]), dtype=torch.int64, device="cpu"
    )  # (P,)
    model = MLP([2, settings["neurons"], 2], activation, batch_norm=False).double()
    initialise(model, settings["seed"], scale=INITIAL_SCALE[activation])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(settings["steps"]):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    network = read(model)
    signs = network.linear_maps(1)[0][0].detach().sign()  # (K, N_1)
    weight = model[0].weight.detach() * signs[A, :, None]  # (N_1, 2)
    directions = weight / weight.norm(dim=1, keepdim=True)
    fields = network.local_fields(x)[0]  # (P, N_1)
    density = rank_probability(fields, labels, signs, settings["bins"])[A]
    r = (np.arange(settings["bins"]) + 0.5) / settings["bins"]
    for group, points in zip("AB", samples, strict=True):
        yield from _rows(panel, "sample", group, points[:, 0].numpy(), points[:, 1].numpy())
    yield from _rows(panel, "weight", "A", directions[:, 0].numpy(), directions[:, 1].numpy())
    yield from _rows(panel, "rpd", "A", r, density.numpy())
    for quantity, value in {
        "gradient": float(rpd_gradient(fields, labels, signs)[A].mean()),
        "resultant": float(directions.mean(0).norm()),
        "accuracy": float((network.logits(x).argmax(1) == labels).double().mean()),
    }.items():
        yield from _rows(panel, quantity, "A", np.array([np.nan]), np.array([value]))
