"""One figure, drawn from its tables."""

import importlib
import inspect
import pkgutil
from pathlib import Path

from netdyn import figures
from netdyn.errors import NetdynError
from netdyn.figures import drawing
from netdyn.jobs.settings_files import read_settings

__all__ = ["draw_figure", "figure_names"]


def figure_names() -> list[str]:
    """Return the names of all figures."""
    names = sorted(module.name for module in pkgutil.iter_modules(figures.__path__))
    return [name for name in names if _is_figure(name)]


def _is_figure(name: str) -> bool:
    """Return whether a module of `netdyn.figures` draws a figure from tables and settings."""
    draw = getattr(importlib.import_module(f"netdyn.figures.{name}"), "draw", None)
    return draw is not None and len(inspect.signature(draw).parameters) == 2


def draw_figure(figure: str, settings_file: Path, table_folder: Path, output: Path) -> None:
    """Draw a figure as `output`.pdf and `output`.png, with its record `output`.json.

    Args:
        figure: its name, "fig1" ….
        settings_file: the figure's settings.
        table_folder: holds <table>.csv for each table of the figure.
        output: path without ending.

    Raises:
        NetdynError: no figure has this name (the message lists all), a table is missing or damaged,
            or the settings are another command's.
    """
    if figure not in {module.name for module in pkgutil.iter_modules(figures.__path__)} or (
        not _is_figure(figure)
    ):
        raise NetdynError(f"no figure {figure!r}: choose one of {', '.join(figure_names())}")
    settings = read_settings(settings_file, "tables")
    try:
        drawing.draw(figure, table_folder, settings, output)
    except NetdynError as error:
        # One cause of many errors is that the settings are another figure's.
        raise NetdynError(f"{figure} with the settings {settings_file}: {error}") from error
