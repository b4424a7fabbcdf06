"""Shares of signs of the L-map that are those of the true connections, layer by layer."""

from typing import Literal

import pandas as pd

from netdyn.networks import jacobian
from netdyn.quantities.subject import MeasurementSettings, StepSelector, Subject

__all__ = ["SignAgreementSettings", "measure"]


class SignAgreementSettings(MeasurementSettings):
    """Which networks are compared, on how many samples."""

    steps: StepSelector
    samples: int | Literal["all"]  # training samples that the Jacobian is averaged over


def measure(subject: Subject, settings: SignAgreementSettings) -> pd.DataFrame:
    """Return the agreement of signs of every hidden layer (see `jacobian.sign_agreement`).

    Args:
        settings: steps; samples, the number of training samples that the Jacobian is averaged over.

    Returns:
        step, layer (l = 1 … L−1), agreement: the share of entries (k, i) in which M_l and the mean
        Jacobian of the logits with respect to x^(l) have the same sign, in [0, 1], evaluation mode.
    """
    x, _ = subject.samples("train", settings["samples"])
    rows = [
        {"step": step, "layer": layer, "agreement": agreement}
        for step, network in subject.each_network(settings["steps"])
        for layer, agreement in enumerate(jacobian.sign_agreement(network, x, first=1), 1)
    ]
    return pd.DataFrame(rows)
