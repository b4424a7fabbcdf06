"""Test accuracy with running statistics of batch norm that start from the first batch's."""

import pandas as pd
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.reading import Network
from netdyn.networks.running_statistics import started_from_first_batch
from netdyn.quantities.subject import MeasurementSettings, StepSelector, Subject

__all__ = ["FirstBatchStatisticsSettings", "measure"]


class FirstBatchStatisticsSettings(MeasurementSettings):
    """Which networks are compared."""

    steps: StepSelector


def measure(subject: Subject, settings: FirstBatchStatisticsSettings) -> pd.DataFrame:
    """Return the test accuracy with both histories of the running statistics and the same weights.

    See `netdyn.networks.running_statistics.started_from_first_batch`; the statistics of the first
    batch follow from the network after one step.

    Args:
        settings: steps.

    Returns:
        step, test_accuracy, test_accuracy_first_batch (had the running statistics started from
        those of the run's first batch instead of 0 and 1), both in [0, 1], evaluation mode.

    Raises:
        NetdynError: the run has no snapshot after step 1.
    """
    if 1 not in subject.steps("all"):
        raise NetdynError(
            f"run {subject.run_folder} has no snapshot of step 1, from which the statistics of "
            "the first batch follow: add it to its snapshots (every_step_until: 1)"
        )
    after_one_step = subject.network(1)
    x, y = subject.samples("test")
    rows = []
    for step, network in subject.each_network(settings["steps"]):
        restarted = started_from_first_batch(network, after_one_step)
        rows.append(
            {
                "step": step,
                "test_accuracy": _accuracy(network, x, y),
                "test_accuracy_first_batch": _accuracy(restarted, x, y),
            }
        )
    return pd.DataFrame(rows)


def _accuracy(network: Network, x: Tensor, y: Tensor) -> float:
    return (network.logits(x).argmax(1) == y).double().mean().item()
