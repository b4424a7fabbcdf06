"""The course of a monitored training as tables of a run, its sites as layers."""

from collections.abc import Iterator

import pandas as pd

from netdyn.errors import NetdynError
from netdyn.explorer.sources import Source

__all__ = ["course_sources"]

ACCURACIES = ("train_accuracy", "test_accuracy")
SPACES = ("sample", "weight")


def course_sources(name: str, course: pd.DataFrame) -> list[Source]:
    """Return the tables of a monitor's course: accuracies, g, pruning and basins over steps.

    Args:
        name: what the page calls the training.
        course: step, quantity, site, value and error, as `netdyn.Monitor.table`.

    Raises:
        NetdynError: nothing of it has a panel.
    """
    sources = [
        Source(name, kind, {"monitor": True}, table.assign(run=name, seed=0)[_ordered(table)])
        for kind, table in _tables(course)
        if len(table)
    ]
    if not any(source.kind == "history" for source in sources):
        raise NetdynError(
            f"{name} has no accuracies to show: let the monitor measure accuracy, and save it after"
        )
    return sources


def _ordered(table: pd.DataFrame) -> list[str]:
    return ["run", "seed", *table.columns]


def _tables(course: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    of = dict(list(course.groupby("quantity")))
    none = course[:0]
    yield "history", _history(course)
    gradient = of.get("rpd_gradient", none).rename(columns={"site": "layer", "value": "gradient"})
    yield "gradient", gradient.assign(mode="evaluation", **{"class": -1})
    yield "pruning", _pruning(of.get("pruning", none))
    basins = [
        of[f"{space}_basin"].assign(space=space) for space in SPACES if f"{space}_basin" in of
    ]
    sizes = pd.concat(basins or [none]).rename(columns={"value": "size", "error": "size_error"})
    yield "basin", sizes.assign(of="average", index=-1)


def _history(course: pd.DataFrame) -> pd.DataFrame:
    of_network = course[course["site"] == 0]
    wide = of_network.pivot_table(
        index="step", columns="quantity", values="value", aggfunc="last", dropna=False
    )
    present = [column for column in ACCURACIES if column in wide]
    if not present:
        return course[:0]
    wide = wide.dropna(how="all", subset=present)
    # A training whose logits are no longer finite has accuracies that are not; its loss may not
    # have been measured.
    loss = wide[present[0]].where(wide[present[0]].isna(), 0.0)
    table = wide.reindex(columns=ACCURACIES)
    return table.assign(train_loss=wide.get("train_loss", loss)).reset_index()


def _pruning(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy pruned from each site, beside that of the whole network."""
    if rows.empty:
        return rows
    full = rows.loc[rows.groupby("step")["site"].idxmax()].set_index("step")
    pruned = rows[rows["site"] < rows["step"].map(full["site"])]
    return pd.DataFrame(
        {
            "step": pruned["step"],
            "split": "train",
            "start_layer": pruned["site"],
            "accuracy": pruned["value"],
            "full_accuracy": pruned["step"].map(full["value"]),
        }
    )
