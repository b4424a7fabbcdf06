"""RPD gradients of every hidden layer over steps."""

from typing import NotRequired

import pandas as pd
from torch import Tensor

from netdyn.measures.ranks.errors import gradient_errors
from netdyn.measures.ranks.rpd import rpd_gradient
from netdyn.quantities.layerwise import LayerwiseSettings, hidden_layers
from netdyn.quantities.subject import Subject

__all__ = ["RPDGradientSettings", "measure"]


class RPDGradientSettings(LayerwiseSettings):
    """Of which samples and neurons there are gradients."""

    classes: NotRequired[bool]  # whether each class has rows beside the layer's; true unless given
    # Whether each g has its standard error over samples, in ten times the time; false unless given.
    errors: NotRequired[bool]


def measure(subject: Subject, settings: RPDGradientSettings) -> pd.DataFrame:
    """Return g_l on training samples (see `netdyn.measures.ranks.rpd.rpd_gradient`).

    Args:
        settings: steps, samples, modes, signs, as for `layerwise.hidden_layers`; classes: whether
            each class has rows (true where it is missing), which make the table of ten classes
            eleven times as long; errors: whether each g has its error (false where it is missing).

    Returns:
        step, mode, layer, samples_measured, class (−1: g_l, mean over classes), gradient (mean
        over neurons; 0 isotropic, at most 12·(P − n_k)/P·½); with errors, error (standard error
        of g over samples of the same network, by DeLong's variance).
    """
    rows = []
    has_errors = settings.get("errors", False)
    for columns, field, labels, signs in hidden_layers(subject, settings):
        of_class = rpd_gradient(field, labels, signs).mean(dim=1)  # (K,)
        values = {-1: of_class.nanmean().item()}
        if settings.get("classes", True):
            values |= dict(enumerate(of_class.tolist()))
        errors = _errors(field, labels, signs) if has_errors else {}
        for k, gradient in values.items():
            error = {"error": errors[k]} if has_errors else {}
            rows.append({**columns, "class": k, "gradient": gradient, **error})
    return pd.DataFrame(rows)


def _errors(field: Tensor, labels: Tensor, signs: Tensor) -> dict[int, float]:
    """Return the standard errors of g by class; −1 is the mean over classes."""
    measured = gradient_errors(field, labels, signs)
    return {-1: measured.error, **dict(enumerate(measured.errors.tolist()))}
