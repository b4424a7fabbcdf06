"""The networks that a claim compares: all, or only those that fit their training set.

Option `compared` (`netdyn.claims.options`). A network fits its training set where the training
accuracy of its last evaluated step, in evaluation mode, is at least `FITTED`. What is measured of
networks that do not fit may say how far they were trained rather than what they are.
"""

import pandas as pd

from netdyn.claims.options import chosen
from netdyn.claims.tables import at_last_step, identity_columns
from netdyn.claims.values import at_least
from netdyn.claims.verdicts import Claim, NotTested, Outcome

__all__ = [
    "FITTED",
    "compared",
    "compared_curves",
    "fitting",
    "is_compared",
    "tell_left_out",
    "unfitted_settings",
]

FITTED = 0.99


def compared(row: Claim, table: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table whose networks are compared, by the history of their training.

    Raises:
        NotTested: the history has no training accuracy, or no network fits its training set.
    """
    return table if chosen(row, "compared") == "all" else fitting(table, history)


def compared_curves(
    row: Claim, table: pd.DataFrame, history: pd.DataFrame, along: str, of: str = "seed"
) -> tuple[pd.DataFrame, int]:
    """Return the rows of the networks that are compared along a setting, and what is left out.

    There is a curve per value of column `of` and seed. One of which fewer than three networks fit
    their training set has no trend, and is left out whole: the number of these comes second.

    Raises:
        NotTested: as `compared`, or no curve is left.
    """
    if chosen(row, "compared") == "all":
        return table, 0
    keys = list(dict.fromkeys([of, "seed"]))
    rows = fitting(table, history)
    points = rows.groupby(keys)[along].transform("nunique")
    left = rows[points >= 3]
    if left.empty:
        raise NotTested(f"of no curve do three networks reach a training accuracy of {FITTED:g}")
    return left, table.groupby(keys).ngroups - left.groupby(keys).ngroups


def fitting(table: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table whose networks fit their training set (see `compared`)."""
    columns = identity_columns(table)
    last = _last(history)
    fit = last.loc[last["fits"], columns]
    keys = pd.MultiIndex.from_frame(table[columns])
    rows = table[keys.isin(pd.MultiIndex.from_frame(fit))]
    if rows.empty:
        raise NotTested(f"no network reaches a training accuracy of {FITTED:g} at its last step")
    return rows


def is_compared(row: Claim, history: pd.DataFrame) -> bool:
    """Return whether the network of a history of one run is compared."""
    return chosen(row, "compared") == "all" or bool(_last(history)["fits"].all())


def unfitted_settings(row: Claim, history: pd.DataFrame, setting: str) -> set:
    """Return the values of a setting at which a network is not compared; none if all are."""
    if chosen(row, "compared") == "all":
        return set()
    last = _last(history)
    return set(last.loc[~last["fits"], setting])


def tell_left_out(
    row: Claim, outcome: Outcome, history: pd.DataFrame, unjudged: int = 0
) -> Outcome:
    """Return the outcome whose sentence tells how many networks are not compared, if any is not.

    Args:
        unjudged: the number of curves that are not judged for it (`compared_curves`).
    """
    if chosen(row, "compared") == "all":
        return outcome
    fits = _last(history)["fits"]
    if fits.all():
        return outcome
    curves = f" ({unjudged} of the curves have too few for a trend)" if unjudged else ""
    return outcome._replace(
        seen=f"{outcome.seen.rstrip('.')}; {(~fits).sum()} of {len(fits)} networks, with a "
        f"training accuracy below {FITTED:g} at the last step, are left out{curves}.",
        unjudged=unjudged or outcome.unjudged,
    )


def _last(history: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of each run, with `fits`; a run that diverged does not fit."""
    if "train_accuracy" not in history.columns:
        raise NotTested("a history has no column train_accuracy")
    last = at_last_step(history)
    return last.assign(fits=[at_least(value, FITTED) for value in last["train_accuracy"]])
