"""Accuracy of a network whose later layers are replaced by their L-map."""

from typing import Literal

import pandas as pd
from torch import Tensor

from netdyn.networks.lmap import pruned
from netdyn.networks.reading import Network
from netdyn.quantities.subject import MeasurementSettings, StepSelector, Subject

__all__ = ["PruningSettings", "measure"]


class PruningSettings(MeasurementSettings):
    """What is pruned."""

    steps: StepSelector
    start_layers: Literal["all"] | list[int]  # the first layers that are replaced, 1 … L
    splits: list[Literal["train", "test"]]


def measure(subject: Subject, settings: PruningSettings) -> pd.DataFrame:
    """Return the pruning accuracy by starting layer (see `netdyn.prune`).

    Args:
        settings: steps, start_layers ("all" or a list from 1 … L), splits (train, test).

    Returns:
        step, split, start_layer (1: one affine map of the input, the L-map's accuracy),
        accuracy and full_accuracy (of the network itself), both in [0, 1], evaluation mode.
    """
    rows = []
    for split in settings["splits"]:
        x, y = subject.samples(split)
        for step, network in subject.each_network(settings["steps"]):
            start_layers = settings["start_layers"]
            if start_layers == "all":
                start_layers = range(1, network.depth + 1)
            full = _accuracy(network, x, y)
            for start in start_layers:
                accuracy = _accuracy(pruned(network, start), x, y)
                rows.append(
                    {
                        "step": step,
                        "split": split,
                        "start_layer": start,
                        "accuracy": accuracy,
                        "full_accuracy": full,
                    }
                )
    return pd.DataFrame(rows)


def _accuracy(network: Network, x: Tensor, y: Tensor) -> float:
    return (network.logits(x).argmax(1) == y).double().mean().item()
