"""Local fields and L-map signs of every hidden layer, for RPDs and for their gradients."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from netdyn.quantities.subject import Subject, in_mode

__all__ = ["hidden_layers"]


def hidden_layers(
    subject: Subject, settings: Mapping
) -> Iterator[tuple[dict[str, Any], Tensor, Tensor, Tensor]]:
    """Yield, per chosen step, mode and hidden layer, the input of its RPD.

    Args:
        settings: steps; samples, the number that is ranked; all_samples_at, steps at which all are
            ranked (none where it is missing); modes.

    Yields:
        the columns step, mode, layer and samples_measured; the local fields h^(l) (P, N_l); the
        labels (P,); and sign(M_l), (K, N_l).
    """
    some, complete = subject.samples("train", settings["samples"]), subject.samples("train")
    full = subject.steps(settings.get("all_samples_at", []))
    for step, network in subject.each_network(settings["steps"]):
        x, y = complete if step in full else some
        for mode in subject.modes(settings["modes"]):
            measured = in_mode(network, x, mode)
            maps, fields = measured.linear_maps(), measured.propagate(x)
            for l, field in enumerate(itertools.islice(fields, len(measured.sites)), 1):
                columns = {"step": step, "mode": mode, "layer": l, "samples_measured": len(y)}
                yield columns, field, y, maps[l][0].sign()
