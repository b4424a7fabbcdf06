"""The trainings of Fig. 3a to g, by their panel: accuracies and RPD gradients over steps."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from netdyn.claims.kinds import NotTested, mean_spread
from netdyn.claims.options import chosen
from netdyn.claims.tables import (
    Tables,
    at_last_step,
    best_accuracy,
    each_run,
    matching,
    raise_if_diverged,
)
from netdyn.claims.values import measured
from netdyn.claims.verdicts import Claim

__all__ = [
    "PANELS",
    "accuracies",
    "by_layer",
    "by_seed",
    "common_steps",
    "compared_at",
    "final_gradients",
    "largest_spread",
    "layer_gradients",
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


def accuracies(
    tables: Tables, letters: Iterable[str], at: str | int = "best"
) -> dict[str, pd.Series]:
    """Return, per panel, the test accuracy in percent by seed.

    Args:
        at: "best", the best over steps; "last", each training's last step; or a step of all.
    """
    history = of_panels(tables, "history", letters, ["test_accuracy"])
    measured(history["test_accuracy"])
    rows = best_accuracy(history) if at == "best" else _at(history, at)
    return {
        letter: 100 * by_seed(matching(rows, run=PANELS[letter]), "test_accuracy")
        for letter in letters
    }


def final_gradients(
    tables: Tables, letters: Iterable[str], mode: str, at: str | int = "last"
) -> dict[str, pd.DataFrame]:
    """Return, per panel, g_l at the last step, or at a step of all: seeds by layers, (S, L−1)."""
    rows = _at(layer_gradients(tables, letters, mode), at)
    return {letter: by_layer(matching(rows, panel=letter), "seed") for letter in letters}


def layer_gradients(tables: Tables, letters: Iterable[str], mode: str) -> pd.DataFrame:
    """Return the rows of g_l, the means over classes, of panels in a mode."""
    columns = ["mode", "layer", "class", "gradient"]
    table = of_panels(tables, "gradient", letters, columns)
    return matching(table, mode=mode, **{"class": -1})


def common_steps(tables: Tables, letters: Iterable[str], mode: str) -> list[int]:
    """Return the kept steps that all trainings of the panels have, ascending.

    Raises:
        NotTested: they have none in common.
    """
    letters = list(letters)
    histories = of_panels(tables, "history", letters)
    steps = [
        set(rows["step"])
        for table in (histories, layer_gradients(tables, letters, mode))
        for _, rows in each_run(table)
    ]
    common = sorted(int(step) for step in set.intersection(*steps))
    if not common:
        raise NotTested(f"the trainings of Fig. 3{', '.join(letters)} have no step in common")
    return common


def compared_at(row: Claim, tables: Tables, letters: Iterable[str], mode: str) -> str | int:
    """Return the step at which a claim compares panels, by option `step`: see `accuracies`."""
    step = chosen(row, "step")
    return common_steps(tables, letters, mode)[-1] if step == "common" else step


def _at(table: pd.DataFrame, at: str | int) -> pd.DataFrame:
    """Return the rows at a step, or at the last step of each run ("last")."""
    return at_last_step(table) if at == "last" else matching(table, step=at)


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
