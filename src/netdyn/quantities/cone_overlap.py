"""How far the effective basins of single samples overlap in a projection (Fig. 4h, 5a)."""

import itertools
from collections.abc import Mapping

import pandas as pd

from netdyn.measures.cones import basin_overlaps
from netdyn.measures.projections import inside_region
from netdyn.quantities.apexes import (
    MeasuredCones,
    noise_amplitudes,
    projection_of,
    single_sample_cones,
)
from netdyn.quantities.subject import Subject

__all__ = ["measure"]


def measure(subject: Subject, settings: Mapping) -> pd.DataFrame:
    """Return the overlap of each two samples' basins (see `netdyn.measures.cones.basin_overlaps`).

    Args:
        settings: as for `netdyn.quantities.cone`, but noise_return is a list of returns; and
            percentile, where the regions of basins and of all training images end.

    Returns:
        step, noise_return, sample_a, sample_b (places among the run's training samples), digit_a,
        digit_b, shift_a, shift_b, amplitude (empty: the points of all amplitudes pooled, the
        effective basin), overlap (in [0, 1]; empty where too few points count), points (how many
        count: the smaller number of both samples).
    """
    images, _ = subject.samples("train")
    project = projection_of(settings["projection"], images)
    data, rows = project(images), []  # (P, D)
    for found in single_sample_cones(subject, settings, project, settings["noise_return"]):
        points = found.cones.points  # (S, A, T, D)
        within = inside_region(points.flatten(0, 2), data, settings["percentile"])
        within = within.view(points.shape[:3])
        kept = found.cones.kept
        for a, amplitude in enumerate(noise_amplitudes(settings)):
            at_amplitude = points[:, a], kept[:, a], within[:, a]
            rows += _pairs(found, amplitude, *at_amplitude, settings["percentile"])
        pooled = points.flatten(1, 2), kept.flatten(1), within.flatten(1)
        rows += _pairs(found, None, *pooled, settings["percentile"])
    return pd.DataFrame(rows).astype({"amplitude": float})


def _pairs(found: MeasuredCones, amplitude, points, kept, within, percentile) -> list[dict]:
    overlaps, counts = basin_overlaps(points, kept, within, percentile)
    samples = found.samples.to_dict("records")
    rows = []
    for (a, one), (b, other) in itertools.combinations(enumerate(samples), 2):
        pair = {
            f"{name}_{letter}": sample[name]
            for name in ("sample", "digit", "shift")
            for letter, sample in (("a", one), ("b", other))
        }
        rows.append(
            {
                "step": found.step,
                "noise_return": found.noise_return,
                **pair,
                "amplitude": amplitude,
                "overlap": round(overlaps[a, b].item(), 4),
                "points": min(counts[a].item(), counts[b].item()),
            }
        )
    return rows
