"""The tables that a scale's explorer is made from."""

from collections.abc import Iterable, Mapping
from typing import Any

from netdyn.plan.tables import TablePlan

__all__ = ["explored_tables"]

# What the explorer has a panel for.
QUANTITIES = {
    *("history", "rpd_gradient", "rank_probability", "pruning", "noise_accuracy", "basin_size"),
    *("projection", "projection_course", "region", "cone"),
}
# What no figure needs: where trainings are reused, it is shown if it is committed, too.
OPTIONAL = {"projection_course"}


def explored_tables(plan: TablePlan) -> list[str]:
    """Return the tables with a panel in the explorer, of runs whose g was measured at all steps.

    A table that no figure needs is left out where `reuse` is set and rows of it are not committed:
    runs would be trained for it alone.
    """
    measurements = plan.config["measurements"]
    over_time = {
        run
        for settings in measurements.values()
        if settings["quantity"] == "rpd_gradient" and settings["steps"] == "all"
        for run in _runs(settings)
    }
    return [
        name
        for name, settings in measurements.items()
        if settings["quantity"] in QUANTITIES
        and over_time.intersection(_runs(settings))
        and not (settings["quantity"] in OPTIONAL and _would_be_trained_for(plan, name))
    ]


def _runs(settings: Mapping[str, Any]) -> Iterable[str]:
    run = settings.get("run", [])
    return [run] if isinstance(run, str) else run


def _would_be_trained_for(plan: TablePlan, name: str) -> bool:
    return plan.config["reuse"] and bool(plan.blocks(name))
