"""Which runs may be trained as one stacked network, by their settings alone.

Launches bound the steps of a small network: on a GPU the kernels of several such networks, one
beside the other in each, take hardly longer than those of one. Runs can share their kernels where
all tensors of a step have the same shape and all kernels do the same.
"""

from collections.abc import Sequence

from netdyn.records.run_settings import RunSettings
from netdyn.training.engine.cuda_graphs import steps_of_a_graph

__all__ = ["can_stack", "stacks"]

# Settings that runs of a stack have in common. The others may differ: seed, number of samples
# (where batches are smaller), initial scale and range, learning rate, weight decay, schedules.
EQUAL = (
    *("format", "dataset", "threads", "width", "activation", "batch_norm", "momentum", "loss"),
    *("optimizer", "batch_size", "steps", "precision"),
)


def can_stack(settings: RunSettings, device: str) -> bool:
    """Return whether a run may share its steps with others; else it trains alone.

    Not where the kernels of a batch take longer than their launches (see `cuda_graphs`); not on the
    translated set, whose samples stay bytes; and not in bfloat16 on a processor, whose engine
    rounds in ways of its own.

    Args:
        settings: the run's.
        device: "cpu", "cuda" or "mps".
    """
    full = settings["batch_size"] == "full"
    batch = settings["samples"] if full else settings["batch_size"]
    bound_by_launches = steps_of_a_graph(batch * max(settings["width"], default=1)) > 0
    rounded = settings["precision"] == "bfloat16" and device != "cuda"
    return bound_by_launches and not settings["translated"] and not rounded


def stacks(runs: Sequence[RunSettings], device: str) -> list[list[int]]:
    """Divide runs into those that are trained at once.

    Args:
        runs: their settings; all read one data set.
        device: as of `can_stack`.

    Returns:
        Places in `runs`, each in one list, ascending; lists in the order of their first run.
    """
    places: dict[object, list[int]] = {}
    for place, settings in enumerate(runs):
        key = _key(settings) if can_stack(settings, device) else place
        places.setdefault(key, []).append(place)
    return list(places.values())


def _key(settings: RunSettings) -> tuple[str, ...]:
    full = settings["batch_size"] == "full"
    values = [settings[name] for name in EQUAL] + [settings["samples"] if full else None]
    return tuple(map(repr, values))
