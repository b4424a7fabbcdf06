"""Runs whose steps are timed on a device: their samples, their engines, what they compute."""

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gpu.kernels import batch_of, step_flop
from gpu.rates import CLASSES, INPUTS
from netdyn.data import prepared as data
from netdyn.data.prepared import Dataset
from netdyn.networks.mlp import initialise
from netdyn.plan.settings import Run
from netdyn.results import runs
from netdyn.training import new_runs
from netdyn.training.engine.steps import arithmetic, training_steps

__all__ = ["STEPS", "Case", "Samples", "Training", "as_bytes", "cases", "compared_steps"]
__all__ += ["reference_errors"]

# Steps after which weights are compared with the reference, and bits with other bits; of small
# steps, of so many FLOP at most, these are more, since an engine may take several of them at once.
STEPS = 20
MANY_STEPS = 100
SMALL_STEP = 1e11
# FLOP that a reference may take on the processor, and the least samples of its batch.
REFERENCE_FLOP = 3e10
LEAST_BATCH = 64
# Batches of the reference's epochs, where the run's have several.
BATCHES = 3


class Case(NamedTuple):
    """A group's run of the largest or of the smallest step."""

    group: str
    run: Run

    @property
    def settings(self) -> dict:
        return self.run.settings


def cases(grouped: Mapping[str, list[Run]]) -> list[Case]:
    """Return each group's first run of the largest step, then those of the smallest."""
    chosen: dict[str, Case] = {}
    for extreme in (max, min):
        for group, members in grouped.items():
            run = extreme(members, key=lambda run: step_flop(run.settings))
            chosen.setdefault(run.id, Case(group, run))
    return [*chosen.values()]


class Samples:
    """Training samples: of a prepared data set where one is given and fits, else random bytes."""

    def __init__(self, prepared: Path | None):
        self._loaded: Dataset | None = None if prepared is None else data.load(prepared)

    def of(self, settings: Mapping) -> tuple[Tensor, Tensor, str]:
        """Return a run's images (P, N_0), bytes, labels (P,), and where they are from."""
        loaded = self._loaded
        expected = settings["dataset"] + "_translated17" * settings["translated"]
        if loaded is not None and loaded.name == expected:
            return *data.training_samples(loaded, settings), loaded.name
        images, labels = _random_samples(settings["samples"])
        return images, labels, "random"


@functools.lru_cache(maxsize=2)
def _random_samples(count: int) -> tuple[Tensor, Tensor]:
    """Ten random images under noise, as bytes; all inputs are used."""
    random = np.random.default_rng(0)
    centres = random.integers(0, 156, (CLASSES, INPUTS), dtype=np.uint8)
    labels = random.integers(0, CLASSES, count)
    images = centres[labels] + random.integers(0, 100, (count, INPUTS), dtype=np.uint8)
    return torch.from_numpy(images), torch.from_numpy(labels)


def compared_steps(settings: Mapping) -> int:
    """Return the steps after which two runs' bits are compared."""
    return MANY_STEPS if step_flop(settings) < SMALL_STEP else STEPS


class Training:
    """The steps of a run on a device, by one engine, from its initial weights."""

    def __init__(
        self,
        settings: Mapping,
        samples: tuple[Tensor, Tensor],
        device: torch.device,
        engine: str = "plain",
    ):
        """Args: settings; images (P, N_0), bytes, and labels (P,); engine: plain or auto."""
        self._arithmetic = functools.partial(arithmetic, settings["precision"], device, engine)
        self.count = 0
        images, labels = (tensor.to(device) for tensor in samples)
        if images.numel() <= new_runs.RESIDENT_VALUES:
            images = data.unit_floats(images, runs.weight_dtype(settings))
        self.model = _initial(settings).to(device)
        self._steps = training_steps(self.model, images, labels, settings, CLASSES, engine)

    def advance(self, count: int) -> Tensor:
        """Make so many steps; return their losses (count,), which stay on the device."""
        with self._arithmetic():
            losses = self._steps.advance(self.count, count)
        if not losses.isfinite().all():
            raise RuntimeError(f"the loss of step {self.count + len(losses)} is not finite")
        if len(losses) != count:
            raise RuntimeError(f"advance({self.count}, {count}) made {len(losses)} steps")
        self.count += count
        return losses

    def made_by(self) -> str:
        """Return what made the steps so far: "plain", or another engine's own word."""
        return self._steps.engine

    def weights(self) -> Tensor:
        """Return all that is trained, as one vector of float64 on the host."""
        parameters = [parameter.detach() for parameter in self._steps.network().parameters()]
        return torch.cat([parameter.flatten().cpu().double() for parameter in parameters])

    def bits(self) -> list[Tensor]:
        """Return a copy of all that the network holds, running statistics included, as bytes."""
        tensors = self._steps.network().state_dict().values()
        return [as_bytes(tensor) for tensor in tensors]


def as_bytes(tensor: Tensor) -> Tensor:
    """Return a tensor's bytes on the host, by which NaN equals NaN."""
    return tensor.detach().cpu().clone().contiguous().reshape(-1).view(torch.uint8)


def _initial(settings: Mapping) -> nn.Module:
    """Return the run's network with its initial weights, in float64 those of float32."""
    names = ("activation", "batch_norm", "momentum", "seed", "initial_scale", "initial_range")
    model = copy.deepcopy(_drawn(tuple(settings["width"]), *(settings[name] for name in names)))
    return model.double() if settings["precision"] == "float64" else model


@functools.lru_cache(maxsize=1)  # drawing a large network takes longer than its steps
def _drawn(
    width: tuple[int, ...],
    activation: str,
    batch_norm: bool,
    momentum: float,
    seed: int,
    scale: float,
    weight_range: float | str,
) -> nn.Module:
    kind = {"activation": activation, "batch_norm": batch_norm, "momentum": momentum}
    model = runs.build_model({**kind, "width": width, "precision": "float32"}, INPUTS, CLASSES)
    initialise(model, seed, scale, None if weight_range == "fan_in" else weight_range)
    return model


def reduced(settings: Mapping) -> dict:
    """Return the settings with as many samples as a float64 reference can afford."""
    batch = batch_of(settings)
    affordable = int(REFERENCE_FLOP * batch / (STEPS * step_flop(settings)))
    small = min(batch, max(affordable, LEAST_BATCH))
    if settings["batch_size"] == "full":
        return {**settings, "samples": small}
    batches = min(BATCHES, settings["samples"] // batch)
    return {**settings, "samples": small * batches, "batch_size": small}


def reference_errors(
    settings: Mapping, samples: tuple[Tensor, Tensor], device: torch.device, tried: list[str]
) -> tuple[int, dict[str, tuple[float, float]]]:
    """Return how far the first step and `STEPS` steps end from those in float64 on the processor.

    Deep networks with batch norm multiply a difference of rounding from step to step. What float32
    on the processor makes of it is therefore one of the errors, that of the engine "rounding".

    Args:
        settings: the run's; its first samples are taken, as many as `reduced` says.
        samples: the run's images and labels.
        tried: engines.

    Returns:
        The number of samples, and by engine ‖w − w_ref‖ / ‖w_ref − w_0‖ after one step and after
        `STEPS`, over all weights, offsets and parameters of batch norm.
    """
    small, host = reduced(settings), torch.device("cpu")
    some = samples[0][: small["samples"]], samples[1][: small["samples"]]

    def course(precision: str, where: torch.device, engine: str = "plain") -> list[Tensor]:
        threads = torch.get_num_threads()
        run = Training({**small, "precision": precision, "threads": threads}, some, where, engine)
        weights = [run.weights()]
        for count in (1, STEPS - 1):
            run.advance(count)
            weights.append(run.weights())
        return weights

    start, *reference = course("float64", host)
    courses = {"rounding": course("float32", host)}
    courses |= {engine: course(settings["precision"], device, engine) for engine in tried}
    return small["samples"], {
        name: tuple(
            ((own - exact).norm() / (exact - start).norm()).item()
            for own, exact in zip(weights[1:], reference, strict=True)
        )
        for name, weights in courses.items()
    }
