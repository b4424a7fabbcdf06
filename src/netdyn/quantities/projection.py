"""Samples in the plane of the output layer's two leading right-singular vectors (Fig. 6, 7)."""

import pandas as pd
import torch

from netdyn.quantities.moments import MomentSettings, views
from netdyn.quantities.subject import Subject
from netdyn.runtime.random_streams import generator

__all__ = ["ProjectionSettings", "measure"]


class ProjectionSettings(MomentSettings):
    """Which samples are shown when and how."""

    points: int  # samples of each digit, at most


def measure(subject: Subject, settings: ProjectionSettings) -> pd.DataFrame:
    """Return at most `points` samples of each digit in the plane (h_1, h_2).

    Args:
        settings: moments, views and digits as in `netdyn.quantities.moments`; points.

    Returns:
        moment, step, split, mode, digit, h1, h2. The samples are drawn by the run's seed and
        are the same at every moment and in every mode.
    """
    tables = []
    for columns, points in views(subject, settings):
        stream = generator(
            subject.settings["seed"], "shown samples", columns["split"], columns["digit"]
        )
        shown = torch.randperm(len(points), generator=stream, device="cpu")[: settings["points"]]
        h1, h2 = points[shown].T.tolist()
        tables.append(pd.DataFrame({**columns, "h1": h1, "h2": h2}))
    return pd.concat(tables, ignore_index=True).round({"h1": 4, "h2": 4})
