"""RPD gradients of every hidden layer over steps."""

from typing import NotRequired

import pandas as pd

from netdyn.measures.ranks.rpd import rpd_gradient
from netdyn.quantities.layerwise import LayerwiseSettings, hidden_layers
from netdyn.quantities.subject import Subject

__all__ = ["RPDGradientSettings", "measure"]


class RPDGradientSettings(LayerwiseSettings):
    """Of which samples and neurons there are gradients."""

    classes: NotRequired[bool]  # whether each class has rows beside the layer's; true unless given


def measure(subject: Subject, settings: RPDGradientSettings) -> pd.DataFrame:
    """Return g_l on training samples (see `netdyn.measures.ranks.rpd.rpd_gradient`).

    Args:
        settings: steps, samples, modes, signs, as for `layerwise.hidden_layers`; classes: whether
            each class has rows (true where it is missing), which make the table of ten classes
            eleven times as long.

    Returns:
        step, mode, layer, samples_measured, class (−1: g_l, mean over classes), gradient (mean
        over neurons; 0 isotropic, at most 12·(P − n_k)/P·½).
    """
    rows = []
    for columns, field, labels, signs in hidden_layers(subject, settings):
        of_class = rpd_gradient(field, labels, signs).mean(dim=1)  # (K,)
        rows.append({**columns, "class": -1, "gradient": of_class.nanmean().item()})
        if not settings.get("classes", True):
            continue
        for k, gradient in enumerate(of_class.tolist()):
            rows.append({**columns, "class": k, "gradient": gradient})
    return pd.DataFrame(rows)
