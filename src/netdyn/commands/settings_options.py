"""Options that lay settings over those of the workflow, and the plan that they give."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from netdyn.errors import NetdynError

if TYPE_CHECKING:
    from netdyn.plan.targets import Plan

__all__ = ["chosen_names", "overrides_of", "plan_for", "planned"]


def chosen_names(text: str | None) -> list[str]:
    """Return the names in a list by commas; none where the option is not given."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise NetdynError(
            f"--tables {text!r}: name tables or figures, by commas; all without this option"
        )
    return names


def plan_for(
    workflow: Path,
    scale: str | None,
    override: str,
    files: list[Path] | None,
    settings_folder: Path | None = None,
    **settings: object,
) -> "Plan":
    """Return the plan of a scale with the settings laid over it."""
    from netdyn.plan.readings import plan_of

    return plan_of(*planned(workflow, scale, override, files, **settings), settings_folder)


def planned(
    workflow: Path, scale: str | None, override: str, files: list[Path] | None, **settings: object
) -> tuple[Path, dict, str]:
    """Return what a plan is made of: the workflow's folder, the overrides and the scale."""
    overrides = {**overrides_of(override, files), **settings}
    return workflow, overrides, scale or overrides.get("scale", "demo")


def overrides_of(override: str, files: list[Path] | None) -> dict:
    """Return the settings of the files, each laid over the one before, and `override` over all."""
    from netdyn.plan.settings import overlay
    from netdyn.records.files import read_yaml

    for file in files or ():
        if not file.is_file():
            raise NetdynError(f"--configfile {file}: there is no such file")
    try:
        last = json.loads(override)
    except ValueError as error:
        raise NetdynError(f"--set {override!r} is not JSON: {error}") from error
    if not isinstance(last, dict):
        raise NetdynError(f'--set {override!r}: give keys and values, such as {{"threads": 2}}')
    return overlay({}, *map(read_yaml, files or []), last)
