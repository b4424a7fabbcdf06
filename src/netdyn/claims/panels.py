"""The trainings of Fig. 3a to g, by their panel: accuracies and RPD gradients over steps."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from netdyn.claims.kinds import NotTested, mean_spread
from netdyn.claims.tables import Tables, at_last_step, best_accuracy, matching, raise_if_diverged
from netdyn.claims.values import measured

__all__ = [
    "PANELS",
    "best_accuracies",
    "by_layer",
    "by_seed",
    "final_gradients",
    "largest_spread",
    "of_panels",
]

PANELS = {
    "a": "deep10_sgd",
    "b": "deep10_sgd_fast",
    "c": "deep10_sgd_linear",
    "d": "deep10_adam",
    "e": "deep10_adam_batches",
    "f": "deep10_adam_linear",
    "g": "deep23",
}
_LETTERS = {run: letter for letter, run in PANELS.items()}


def of_panels(
    tables: Tables, quantity: str, letters: Iterable[str], columns: Iterable[str] = ()
) -> pd.DataFrame:
    """Return the rows of tables deep10_<quantity> and deep23_<quantity> that panels of Fig. 3 show.

    Args:
        quantity: "history", "gradient", ….
        letters: the panels, such as "adg".
        columns: the required columns.

    Returns:
        the rows, with the panel's letter in an additional column, `panel`.

    Raises:
        NotTested: a table, a column, or a run is missing (see `Tables.get`).
        Diverged: one of the runs diverged.
    """
    parts = []
    for prefix in ("deep10", "deep23"):
        runs = [PANELS[letter] for letter in letters if PANELS[letter].startswith(prefix)]
        if not runs:
            continue
        raise_if_diverged(tables.history(f"{prefix}_history", runs=runs))
        parts.append(tables.get(f"{prefix}_{quantity}", ["step", *columns], runs))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(panel=table["run"].map(_LETTERS))


def best_accuracies(tables: Tables, letters: Iterable[str]) -> dict[str, pd.Series]:
    """Return, per panel, the best test accuracy in percent by seed."""
    history = of_panels(tables, "history", letters, ["test_accuracy"])
    measured(history["test_accuracy"])
    best = best_accuracy(history)
    return {
        letter: 100 * by_seed(matching(best, run=PANELS[letter]), "test_accuracy")
        for letter in letters
    }


def final_gradients(tables: Tables, letters: Iterable[str], mode: str) -> dict[str, pd.DataFrame]:
    """Return, per panel, g_l at the last step: seeds by layers, (S, L−1)."""
    columns = ["mode", "layer", "class", "gradient"]
    table = of_panels(tables, "gradient", letters, columns)
    last = at_last_step(matching(table, mode=mode, **{"class": -1}))
    return {letter: by_layer(matching(last, panel=letter), "seed") for letter in letters}


def by_layer(rows: pd.DataFrame, index: str) -> pd.DataFrame:
    """Return the gradients of `rows` as a table, `index` by layer in their order.

    Raises:
        NotTested: one of them was not measured.
    """
    measured(rows["gradient"])
    gradients = rows.pivot_table(index=index, columns="layer", values="gradient").sort_index(axis=1)
    if gradients.isna().to_numpy().any():
        raise NotTested("a layer's gradient was not measured everywhere")
    return gradients


def by_seed(rows: pd.DataFrame, column: str) -> pd.Series:
    """Return a column by seed, for rows that hold each seed once."""
    return rows.set_index("seed")[column].sort_index()


def largest_spread(panels: Mapping[str, Sequence[float]]) -> float | None:
    """Return the largest seed spread among panels; None where one of them has a single seed."""
    spreads = [mean_spread(values)[1] for values in panels.values()]
    return None if None in spreads else max(spreads)
