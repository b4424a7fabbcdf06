"""Where in training a run's accuracies pass a mark, and in which phase its gradients are.

The thresholds are those of workflow/claims.yaml, claims C14, C20 and C22.
"""

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["THRESHOLDS", "landmarks", "phase_course"]

THRESHOLDS = {
    "accuracy": 0.8,  # training accuracy reached; the test accuracy follows where it is reached
    "mean_gradient": 0.1,  # of a step, for the order of its g_l to count
    "phase_1_rho": -0.7,
    "phase_2_rho": 0.7,
    "spread_share": 0.5,  # of the largest in phase II, at which g_l have come together
}
LEFT_OUT = (1, 3)  # last hidden layers that the spread of g_l leaves out, by two criteria of C20


def phase_course(gradients: np.ndarray) -> list[str]:
    """Return the phase of each step, "I", "II" or "", from g_l, (steps, layers).

    Phase I is where Spearman's ρ of g_l with l is at most `phase_1_rho`, phase II where it is at
    least `phase_2_rho`; a step whose mean g_l is not above `mean_gradient` is in neither.
    """
    phases = []
    for row in gradients:
        rho = _rank_correlation(row)
        if not row.mean() > THRESHOLDS["mean_gradient"] or np.isnan(rho):
            phases.append("")
        elif rho <= THRESHOLDS["phase_1_rho"]:
            phases.append("I")
        else:
            phases.append("II" if rho >= THRESHOLDS["phase_2_rho"] else "")
    return phases


def landmarks(history: pd.DataFrame, gradients: pd.DataFrame | None) -> dict[str, Any]:
    """Return the steps that tell a run's story, None for what it does not reach.

    Args:
        history: of one run.
        gradients: g_l of one mode, a row per step, a column per layer; None where not measured.

    Returns:
        `train` and `test`: first steps with this accuracy of 80 % or more; `best`: best test
        accuracy and its step; `first`, `second`: first and last step of phase I, before phase II,
        and of phase II; `shares`: the spread of g_l over layers at the last step, as a share of the
        largest in phase II, without the last layer and without the last three; at most half is
        phase III.
    """
    finite = history[history["train_loss"].notna()]
    tested = finite[finite["test_accuracy"].notna()]
    best = tested.loc[tested["test_accuracy"].idxmax()] if len(tested) else None
    story = {
        "train": _reached(finite, "train_accuracy"),
        "test": _reached(finite, "test_accuracy"),
        "best": None if best is None else [int(best["step"]), float(best["test_accuracy"])],
        "first": None,
        "second": None,
        "shares": None,
    }
    if gradients is None or gradients.shape[1] < 3 or gradients.isna().to_numpy().any():
        return story
    values, steps = gradients.to_numpy(), gradients.index.to_numpy()
    phases = np.array(phase_course(values))
    second = phases == "II"
    early = (phases == "I") & ~np.logical_or.accumulate(second)
    for name, members in (("first", early), ("second", second)):
        if members.any():
            story[name] = [int(steps[members][0]), int(steps[members][-1])]
    if second.any():
        shares = []
        for left_out in LEFT_OUT:
            if values.shape[1] < left_out + 2:
                shares.append(None)
                continue
            spread = values[:, :-left_out].std(axis=1)
            largest = spread[second].max()
            shares.append(float(spread[-1] / largest) if largest > 0 else None)
        story["shares"] = shares
    return story


def _reached(history: pd.DataFrame, column: str) -> int | None:
    steps = history.loc[history[column] >= THRESHOLDS["accuracy"], "step"]
    return int(steps.iloc[0]) if len(steps) else None


def _rank_correlation(values: np.ndarray) -> float:
    """Return Spearman's ρ of values with their place; NaN where they are all alike."""
    ranks = pd.Series(values).rank().to_numpy()
    return float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]) if np.ptp(ranks) else np.nan
