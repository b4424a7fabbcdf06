"""How many samples lie inside the training samples' region of their class, over steps."""

from collections.abc import Mapping

import pandas as pd

from netdyn.measures.projections import bottleneck, inside_region
from netdyn.quantities.subject import Subject, in_mode

__all__ = ["measure"]


def measure(subject: Subject, settings: Mapping) -> pd.DataFrame:
    """Return the share of each digit's projections inside the region of their own class.

    The plane is that of Fig. 6 (`netdyn.measures.projections.bottleneck`). The regions are those of
    the training samples in training mode (`netdyn.measures.projections.inside_region`), as training
    sees them; without batch norm the modes are one.

    Args:
        settings: steps; views ([split, mode]); digits; samples, how many training samples make the
            regions and stand for the split "train"; percentile.

    Returns:
        step, split, mode, digit, points (how many of the digit there are), share (of these inside,
        in [0, 1]; empty where there are none). In training mode all samples of the split form the
        batch.
    """
    training, training_labels = subject.samples("train", settings["samples"])
    samples = {"train": (training, training_labels), "test": subject.samples("test")}
    own = {"train": training_labels.cpu(), "test": samples["test"][1].cpu()}
    rows = []
    for step, network in subject.each_network(settings["steps"]):
        reference = bottleneck(in_mode(network, training, "training"), training).cpu()  # (P, 2)
        for split, mode in settings["views"]:
            x, y = samples[split][0], own[split]
            # On the CPU: so few coordinates are not worth a GPU's launches.
            points = bottleneck(in_mode(network, x, mode), x).cpu()  # (P_split, 2)
            for digit in settings["digits"]:
                inside = inside_region(
                    points[y == digit], reference[own["train"] == digit], settings["percentile"]
                )
                columns = {"step": step, "split": split, "mode": mode, "digit": digit}
                share = inside.double().mean().item()
                rows.append({**columns, "points": len(inside), "share": share})
    return pd.DataFrame(rows)
