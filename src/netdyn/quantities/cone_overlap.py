"""Overlaps of the effective basins of single samples in a projection (Fig. 4h, 5a)."""

import itertools

import pandas as pd
from torch import Tensor

from netdyn.measures.cones import basin_overlaps
from netdyn.measures.projections import inside_region
from netdyn.quantities.apexes import (
    MeasuredCones,
    ReturnedApexSettings,
    noise_amplitudes,
    projection_of,
    single_sample_cones,
)
from netdyn.quantities.subject import Subject

__all__ = ["measure"]


def measure(subject: Subject, settings: ReturnedApexSettings) -> pd.DataFrame:
    """Return the overlap of each two samples' basins (see `netdyn.measures.cones.basin_overlaps`).

    Args:
        settings: as for `netdyn.quantities.cone`, but noise_return is a list of returns; and
            percentile, the boundary of the regions of basins and of all training images.

    Returns:
        step, noise_return, sample_a, sample_b (positions among the run's training samples),
        digit_a, digit_b, shift_a, shift_b, amplitude (empty: the points of all amplitudes pooled,
        the effective basin), overlap (in [0, 1]; empty where too few points count), points (number
        of points that count: the smaller one of both samples).
    """
    images, _ = subject.samples("train")
    project = projection_of(settings["projection"], images)
    data, rows = project(images), []  # (P, D)
    for measured in single_sample_cones(subject, settings, project, settings["noise_return"]):
        points = measured.cones.points  # (S, A, T, D)
        within = inside_region(points.flatten(0, 2), data, settings["percentile"])
        within = within.view(points.shape[:3])
        kept = measured.cones.kept
        for a, amplitude in enumerate(noise_amplitudes(settings)):
            at_amplitude = points[:, a], kept[:, a], within[:, a]
            rows += _pairs(measured, amplitude, *at_amplitude, settings["percentile"])
        pooled = points.flatten(1, 2), kept.flatten(1), within.flatten(1)
        rows += _pairs(measured, None, *pooled, settings["percentile"])
    return pd.DataFrame(rows).astype({"amplitude": float})


def _pairs(
    measured: MeasuredCones,
    amplitude: float | None,
    points: Tensor,
    kept: Tensor,
    within: Tensor,
    percentile: float,
) -> list[dict]:
    """Return a row of the table for each two samples, at one amplitude or pooled (None)."""
    overlaps, counts = basin_overlaps(points, kept, within, percentile)
    samples = measured.samples.to_dict("records")
    rows = []
    for (a, one), (b, other) in itertools.combinations(enumerate(samples), 2):
        pair = {
            f"{name}_{letter}": sample[name]
            for name in ("sample", "digit", "shift")
            for letter, sample in (("a", one), ("b", other))
        }
        rows.append(
            {
                "step": measured.step,
                "noise_return": measured.noise_return,
                **pair,
                "amplitude": amplitude,
                "overlap": round(overlaps[a, b].item(), 4),
                "points": min(counts[a].item(), counts[b].item()),
            }
        )
    return rows
