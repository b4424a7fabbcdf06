"""Shares of samples inside the region of the training samples of their class, over steps."""

from typing import Literal

import pandas as pd

from netdyn.measures.projections import bottleneck, inside_region
from netdyn.quantities.subject import MeasurementSettings, StepSelector, Subject, in_mode

__all__ = ["RegionShareSettings", "measure"]


class RegionShareSettings(MeasurementSettings):
    """Whose shares are measured in which regions."""

    steps: StepSelector
    samples: int | Literal["all"]  # training samples that form regions and the split train
    views: list[tuple[str, str]]  # [train or test, evaluation or training]: split and mode
    digits: list[int]  # 0 … 9
    percentile: float  # of the Mahalanobis distance, in (0, 100]: the boundary of a region


def measure(subject: Subject, settings: RegionShareSettings) -> pd.DataFrame:
    """Return the share of each digit's projections inside the region of their own class.

    The plane is that of Fig. 6 (`netdyn.measures.projections.bottleneck`). The regions are those of
    the training samples in training mode (`netdyn.measures.projections.inside_region`), as in
    training; without batch norm both modes are the same.

    Args:
        settings: steps; views ([split, mode]); digits; samples, the number of training samples
            that form the regions and the split "train"; percentile.

    Returns:
        step, split, mode, digit, points (number of samples of the digit), share (of these inside,
        in [0, 1]; empty where there are none). In training mode all samples of the split form the
        batch.
    """
    training, training_labels = subject.samples("train", settings["samples"])
    samples = {"train": (training, training_labels), "test": subject.samples("test")}
    labels = {"train": training_labels.cpu(), "test": samples["test"][1].cpu()}
    rows = []
    for step, network in subject.each_network(settings["steps"]):
        reference = bottleneck(in_mode(network, training, "training"), training).cpu()  # (P, 2)
        for split, mode in settings["views"]:
            x, y = samples[split][0], labels[split]
            # On the CPU: for so few coordinates the launches of a GPU take longer.
            points = bottleneck(in_mode(network, x, mode), x).cpu()  # (P_split, 2)
            for digit in settings["digits"]:
                inside = inside_region(
                    points[y == digit], reference[labels["train"] == digit], settings["percentile"]
                )
                columns = {"step": step, "split": split, "mode": mode, "digit": digit}
                share = inside.double().mean().item()
                rows.append({**columns, "points": len(inside), "share": share})
    return pd.DataFrame(rows)
