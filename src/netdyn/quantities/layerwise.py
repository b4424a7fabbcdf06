"""Local fields and connections' signs of every hidden layer, for RPDs and their gradients."""

import itertools
from collections.abc import Iterator
from typing import Any, Literal, NotRequired

from torch import Tensor

from netdyn.networks.jacobian import mean_jacobians
from netdyn.networks.reading import Network
from netdyn.quantities.subject import MeasurementSettings, StepSelector, Subject, in_mode

__all__ = ["LayerwiseSettings", "hidden_layers"]


class LayerwiseSettings(MeasurementSettings):
    """Which samples are ranked by whose neurons."""

    steps: StepSelector
    samples: int | Literal["all"]  # training samples that are ranked
    all_samples_at: NotRequired[StepSelector]  # steps at which all are ranked; none unless given
    modes: list[Literal["evaluation", "training"]]
    signs: NotRequired[Literal["lmap", "jacobian"]]  # of connections; lmap unless given
    # Training samples that the Jacobian is averaged over, where it gives the signs.
    sign_samples: NotRequired[int | Literal["all"]]


def hidden_layers(
    subject: Subject, settings: LayerwiseSettings
) -> Iterator[tuple[dict[str, Any], Tensor, Tensor, Tensor]]:
    """Yield, per chosen step, mode and hidden layer, the input of its RPD.

    Args:
        settings: steps; samples, the number that is ranked; all_samples_at, steps at which all are
            ranked (none where it is missing); modes; signs: whether the sign of a connection is
            that of the L-map, "lmap", which holds where it is missing, or of the mean "jacobian"
            of the logits, over sign_samples of the training samples.

    Yields:
        the columns step, mode, layer and samples_measured; the local fields h^(l) (P, N_l); the
        labels (P,); and the connections' signs, (K, N_l).
    """
    some, complete = subject.samples("train", settings["samples"]), subject.samples("train")
    by_jacobian = settings.get("signs", "lmap") == "jacobian"
    averaged = subject.samples("train", settings["sign_samples"])[0] if by_jacobian else None
    full = subject.steps(settings.get("all_samples_at", []))
    for step, network in subject.each_network(settings["steps"]):
        x, y = complete if step in full else some
        for mode in subject.modes(settings["modes"]):
            measured = in_mode(network, x, mode)
            signs, fields = _signs(measured, averaged), measured.propagate(x)
            for l, field in enumerate(itertools.islice(fields, len(measured.sites)), 1):
                columns = {"step": step, "mode": mode, "layer": l, "samples_measured": len(y)}
                yield columns, field, y, signs[l - 1]


def _signs(network: Network, averaged: Tensor | None) -> list[Tensor]:
    """Return sign(M_l), or of the Jacobian averaged over samples, (K, N_l), l = 1 … L−1."""
    if averaged is None:
        return [weight.sign() for weight, _ in network.linear_maps()[1:]]
    if not network.sites:
        return []
    return [jacobian.sign() for jacobian in mean_jacobians(network, averaged, first=1)]
