"""Accuracy of a network whose later layers are replaced by their L-map."""

from collections.abc import Mapping

import pandas as pd

from netdyn.networks.layers import layers
from netdyn.networks.lmap import prune
from netdyn.networks.propagation import logits
from netdyn.quantities.subject import Subject

__all__ = ["measure"]


def measure(subject: Subject, settings: Mapping) -> pd.DataFrame:
    """Return the pruning accuracy by starting layer (see `netdyn.networks.lmap.prune`).

    Args:
        settings: steps, start_layers ("all" or a list from 1 … L), splits (train, test).

    Returns:
        step, split, start_layer (1: one affine map of the input, the L-map's accuracy),
        accuracy and full_accuracy (of the network itself), both in [0, 1], evaluation mode.
    """
    rows = []
    for split in settings["splits"]:
        x, y = subject.samples(split)
        for step, model in subject.each_model(settings["steps"]):
            every = range(1, len(layers(model)) + 1)
            wanted = every if settings["start_layers"] == "all" else settings["start_layers"]
            full = _accuracy(model, x, y)
            for start in wanted:
                pruned = _accuracy(prune(model, start), x, y)
                rows.append(
                    {
                        "step": step,
                        "split": split,
                        "start_layer": start,
                        "accuracy": pruned,
                        "full_accuracy": full,
                    }
                )
    return pd.DataFrame(rows)


def _accuracy(model, x, y) -> float:
    return (logits(model, x).argmax(1) == y).double().mean().item()
