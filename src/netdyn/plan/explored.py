"""The tables that a scale's explorer is made from."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["explored_tables"]

# What the explorer has a panel for.
QUANTITIES = {
    *("history", "rpd_gradient", "rank_probability", "noise_accuracy", "basin_size"),
    *("projection", "region", "cone"),
}


def explored_tables(measurements: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the tables with a panel in the explorer, of runs whose g was measured at all steps.

    Args:
        measurements: the configuration's, by table: `quantity`, `run` and `steps`.
    """
    over_time = {
        run
        for settings in measurements.values()
        if settings["quantity"] == "rpd_gradient" and settings["steps"] == "all"
        for run in _runs(settings)
    }
    return [
        name
        for name, settings in measurements.items()
        if settings["quantity"] in QUANTITIES and over_time.intersection(_runs(settings))
    ]


def _runs(settings: Mapping[str, Any]) -> Iterable[str]:
    run = settings.get("run", [])
    return [run] if isinstance(run, str) else run
