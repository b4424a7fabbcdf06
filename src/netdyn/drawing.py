"""From tables to a figure's files: PDF and PNG that are equal when their content is equal."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import matplotlib

from netdyn.errors import NetdynError
from netdyn.files import digest, digest_file, written_whole
from netdyn.import_graph import code_digests
from netdyn.tables import read_table

__all__ = ["draw"]

PNG_DPI = 200


def draw(figure: str, table_folder: Path, settings: Mapping, output: Path) -> None:
    """Draw a figure from its tables into `output`.pdf and `output`.png.

    Args:
        figure: module of `netdyn.figures`, "fig1" ….
        table_folder: holds <table>.csv for each of `settings["tables"]`.
        settings: the figure's block; all but `tables` goes to the drawing.
        output: path without ending.

    The files carry digests of tables, settings and code, by which their record is found, and no
    date, so that equal content is an equal file.
    """
    module = f"netdyn.figures.{figure}"
    files = {name: Path(table_folder) / f"{name}.csv" for name in settings["tables"]}
    tables = {name: read_table(path) for name, path in files.items()}
    own = {key: value for key, value in settings.items() if key != "tables"}
    try:
        draw_figure = importlib.import_module(module).draw
    except (ModuleNotFoundError, AttributeError) as error:
        raise NetdynError(f"no figure {figure!r}: see netdyn/figures") from error
    drawn = draw_figure(tables, own)
    said = {
        "tables": digest({name: digest_file(path) for name, path in files.items()}),
        "settings": digest(settings),
        "code": digest(code_digests(module)),
    }
    keywords = " ".join(f"{key}:{value}" for key, value in said.items())
    # Text as text, not as outlines: it can be searched, and edited in print.
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        with written_whole(output.with_suffix(".pdf")) as temporary:
            drawn.savefig(
                temporary, format="pdf", metadata={"CreationDate": None, "Keywords": keywords}
            )
        with written_whole(output.with_suffix(".png")) as temporary:
            drawn.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": None, **said})
