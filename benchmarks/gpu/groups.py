"""The groups of runs that the tables of a GPU's times have a row for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from netdyn.plan import settings
from netdyn.plan.settings import Run
from netdyn.records.files import read_yaml

__all__ = ["groups", "load"]

ROOT = Path(__file__).parents[2]
SUPPLEMENT = ("initial_scales", "fixed_range", "translations")


def load(scale: str, files: Sequence[Path] = ()) -> dict:
    """Return the settings of a scale, as the workflow reads them, with `files` laid over them."""
    overrides = settings.overlay({}, *map(read_yaml, files), {"scale": scale})
    return settings.read(ROOT, overrides)


def groups(trained: Mapping[str, list[Run]]) -> dict[str, list[Run]]:
    """Return the trainings by group: deep10_* together, the supplement's together, the rest alone.

    Args:
        trained: the trainings of every declared run, as `settings.runs` returns them.
    """
    grouped: dict[str, list[Run]] = {}
    for name, runs in trained.items():
        grouped.setdefault(_group(name), []).extend(runs)
    supplement = grouped.pop("supplement", [])
    return grouped | ({"supplement": supplement} if supplement else {})


def _group(name: str) -> str:
    if name.startswith("deep10_"):
        return "deep10"
    return "supplement" if name in SUPPLEMENT else name
