"""Which steps a run records and keeps, and the disk that the weights of the kept ones take.

It follows from the run's settings but for the best step, which the training decides; imports no
torch.
"""

import itertools

from netdyn.records.run_settings import RunSettings
from netdyn.training.schedules import scheduled_steps

__all__ = [
    "CLASSES",
    "INPUTS",
    "evaluated_steps",
    "possible_best",
    "snapshot_bytes",
    "snapshot_steps",
]

INPUTS, CLASSES = 784, 10  # of every data set


def evaluated_steps(settings: RunSettings) -> list[int]:
    """Return the steps of a run's history, ascending: the scheduled ones and those of snapshots."""
    steps = settings["steps"]
    snapshots = scheduled_steps(settings["snapshots"], steps)
    return sorted({*scheduled_steps(settings["evaluate"], steps), *snapshots})


def snapshot_steps(settings: RunSettings, best: int | None = None) -> list[int]:
    """Return the steps whose weights a run keeps, ascending.

    Args:
        settings: the run's resolved settings.
        best: its step of best test accuracy; where it is not known, a step that makes them the
            most that there can be.
    """
    scheduled = scheduled_steps(settings["snapshots"], settings["steps"])
    return sorted({*scheduled, possible_best(settings) if best is None else best})


def possible_best(settings: RunSettings) -> int:
    """Return a step that may be the best: the last that nothing else keeps, if there is one."""
    scheduled = scheduled_steps(settings["snapshots"], settings["steps"])
    others = [step for step in evaluated_steps(settings) if step not in scheduled]
    return (others or scheduled[:-1])[-1]


def snapshot_bytes(settings: RunSettings, best: int | None = None) -> int:
    """Return the bytes of the weights that a run keeps, names and shapes left out.

    Args:
        settings: the run's resolved settings.
        best: as for `snapshot_steps`.
    """
    widths = [INPUTS, *settings["width"], CLASSES]
    pairs = list(itertools.pairwise(widths))
    numbers, counters = 0, 0
    for layer, (fan_in, fan_out) in enumerate(pairs, 1):
        normalised = settings["batch_norm"] and layer < len(pairs)
        # Batch norm has factors, offsets, means, variances and a count of batches, else a bias.
        numbers += fan_in * fan_out + fan_out * (4 if normalised else 1)
        counters += normalised
    each = 8 if settings["precision"] == "float64" else 4
    return len(snapshot_steps(settings, best)) * (numbers * each + counters * 8)
