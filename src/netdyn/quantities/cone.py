"""Perturbed points of single samples beside the data, in a projection (Fig. 4h, 5a)."""

from collections.abc import Callable
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from netdyn.quantities.apexes import (
    ApexSettings,
    MeasuredCones,
    noise_amplitudes,
    projection_of,
    single_sample_cones,
)
from netdyn.quantities.subject import Subject
from netdyn.runtime.random_streams import generator

__all__ = ["ConeSettings", "measure"]

# Largest number of points of the data, all digits and both splits together: with the cones of 20
# samples at 7 amplitudes, 60 points each, the table stays below 1 MB.
DATA_POINTS = 6000
COLUMNS = ["step", "kind", "sample", "digit", "shift", "amplitude", "c1", "c2", "c3", "kept"]


class ConeSettings(ApexSettings):
    """Of which samples how many points are shown."""

    noise_return: Literal["affine", "clip", "range"]  # how a noisy sample returns to [0, 1]
    points: int  # that are shown per sample and amplitude, at most


def measure(subject: Subject, settings: ConeSettings) -> pd.DataFrame:
    """Return perturbed points of single samples in a projection, in evaluation mode.

    Args:
        settings: projection (half_sums: c1 and c2, sums of the first and the last half of the
            inputs; pca: c1, c2, c3, the principal components of all training images),
            noise_return (one), points (largest number of trials in the table, per sample and
            amplitude), and those of `netdyn.quantities.apexes.single_sample_cones`.

    Returns:
        step, kind, sample, digit, shift, amplitude, c1, c2, c3, kept.

        kind "point": a sample of the run's training samples (its position among them),
        unperturbed (amplitude 0) and perturbed; shift in pixels; kept is 1 where the prediction of
        the unperturbed sample is kept, else 0. kind "train", "test": samples of the digits, only
        with digit and coordinates, at most 10 · points of each, and fewer of many digits; drawn by
        the run's seed. c3 is empty for half_sums. Coordinates are rounded to three digits.
    """
    project = projection_of(settings["projection"], subject.samples("train")[0])
    tables = []
    for measured in single_sample_cones(subject, settings, project, [settings["noise_return"]]):
        tables += _points(measured, settings)
    tables += [_data(subject, split, project, settings) for split in ("train", "test")]
    integers = dict.fromkeys(["step", "sample", "shift", "kept"], "Int64")  # empty for the data
    return pd.concat(tables).reindex(columns=COLUMNS).astype(integers).reset_index(drop=True)


def _points(measured: MeasuredCones, settings: ConeSettings) -> list[pd.DataFrame]:
    amplitudes, shown = noise_amplitudes(settings), settings["points"]
    tables = []
    for s, sample in enumerate(measured.samples.to_dict("records")):
        columns = {"step": measured.step, "kind": "point", **sample}
        apex = _table(measured.cones.apexes[s : s + 1], amplitude=0.0, kept=1, **columns)
        tables.append(apex)
        for a, amplitude in enumerate(amplitudes):
            kept = measured.cones.kept[s, a, :shown].int().tolist()
            points = measured.cones.points[s, a, :shown]
            tables.append(_table(points, amplitude=amplitude, kept=kept, **columns))
    return tables


def _data(
    subject: Subject, split: str, project: Callable[[Tensor], Tensor], settings: ConeSettings
) -> pd.DataFrame:
    images, labels = subject.samples(split)
    digits = settings["digits"]
    most = min(10 * settings["points"], DATA_POINTS // (2 * len(digits)))
    tables = []
    for digit in digits:
        members = (labels == digit).nonzero().squeeze(1)
        stream = generator(subject.settings["seed"], "shown samples", split, digit)
        shown = torch.randperm(len(members), generator=stream, device="cpu")[:most].to(
            members.device
        )
        tables.append(_table(project(images[members[shown]]), kind=split, digit=digit))
    return pd.concat(tables)


def _table(points: Tensor, **columns) -> pd.DataFrame:
    coordinates = {f"c{d}": values for d, values in enumerate(points.T.numpy().round(3), 1)}
    return pd.DataFrame({**coordinates, **columns})
