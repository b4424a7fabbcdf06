"""Samples in the plane of the output layer over training, in 16 bits (Fig. 6, 7, at every step)."""

import math
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from netdyn.measures.projections import bottleneck
from netdyn.quantities.subject import MeasurementSettings, StepSelector, Subject, in_mode
from netdyn.runtime.random_streams import generator

__all__ = ["LEVELS", "ProjectionCourseSettings", "measure"]

LEVELS = 65534  # steps of a coordinate's range: what 16 bits tell apart, and a gap


class ProjectionCourseSettings(MeasurementSettings):
    """Which samples are shown when and how."""

    steps: StepSelector
    samples: int | Literal["all"]  # training samples of the split train
    views: list[tuple[str, str]]  # [train or test, evaluation or training]: split and mode
    digits: list[int]  # 0 … 9
    points: int  # samples of each digit, at most


def measure(subject: Subject, settings: ProjectionCourseSettings) -> pd.DataFrame:
    """Return at most `points` samples of each digit in the plane (h_1, h_2), at each step.

    The plane is that of `netdyn.measures.projections.bottleneck`. In training mode all samples of
    the split form the batch, of the split train `samples` of them; without batch norm both modes
    are the same.

    Args:
        settings: steps; samples; views ([split, mode]); digits; points.

    Returns:
        step, split, mode, digit, h1, h2. The samples are drawn by the run's seed, and are the same
        at every step and in every mode. A coordinate is rounded to the decimal place at which it is
        at most half of 1/65,534 of its range at that step and in that view from what was measured;
        it is empty where the network has diverged.
    """
    samples = {
        "train": subject.samples("train", settings["samples"]),
        "test": subject.samples("test"),
    }
    chosen = {
        (split, digit): _shown(subject, split, labels, digit, settings["points"])
        for split, (_, labels) in samples.items()
        for digit in settings["digits"]
    }
    tables = []
    for step, network in subject.each_network(settings["steps"]):
        for split, mode in settings["views"]:
            x = samples[split][0]
            shown = torch.cat([chosen[split, digit] for digit in settings["digits"]])
            points = _points(in_mode(network, x, mode), x)[shown]  # (P, 2)
            digits = [digit for digit in settings["digits"] for _ in chosen[split, digit]]
            columns = {"step": step, "split": split, "mode": mode, "digit": digits}
            columns |= {"h1": _rounded(points[:, 0]), "h2": _rounded(points[:, 1])}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _shown(subject: Subject, split: str, labels: Tensor, digit: int, points: int) -> Tensor:
    """Return which samples of a digit are shown: of all samples the first of `projection`."""
    (places,) = torch.where(labels.cpu() == digit)
    stream = generator(subject.settings["seed"], "shown samples", split, digit)
    return places[torch.randperm(len(places), generator=stream, device="cpu")[:points]]


def _points(network, x: Tensor) -> Tensor:
    weight, _ = network.linear_maps(network.depth - 1)[0]
    if not weight.isfinite().all():  # no plane is to be had of it
        return torch.full((len(x), 2), math.nan, dtype=x.dtype, device="cpu")
    return bottleneck(network, x).cpu()


def _rounded(values: Tensor) -> list[float]:
    """Return coordinates of one view within half of 1/`LEVELS` of their range."""
    finite = values[values.isfinite()].double()
    width = float(finite.max() - finite.min()) if len(finite) else 0.0
    numbers = values.double().where(values.isfinite(), math.nan).tolist()
    if width == 0.0:
        return numbers
    places = math.ceil(math.log10(LEVELS / width))
    return [round(number, places) for number in numbers]
