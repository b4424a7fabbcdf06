"""From tables to a figure's files: PDF and PNG that are equal when their content is equal."""

import importlib
from pathlib import Path

import matplotlib

from netdyn.errors import NetdynError
from netdyn.figures.rounding import rounded_table
from netdyn.records.figure_settings import FigureSettings, MultiverseFigure
from netdyn.records.files import atomic_write, digest, digest_file
from netdyn.records.provenance import Origin
from netdyn.records.sealed import write_record
from netdyn.results.tables import read_checked, rows_of_runs

__all__ = ["draw"]

PNG_DPI = 200


def draw(
    figure: str, table_folder: Path, settings: FigureSettings | MultiverseFigure, output: Path
) -> None:
    """Draw a figure from its tables into `output`.pdf and `output`.png, its record `output`.json.

    Args:
        figure: module of `netdyn.figures`, "fig1" ….
        table_folder: holds <table>.csv for each of `settings["tables"]`.
        settings: the figure's block; everything except `tables`, and the `rows` of them that are
            drawn, is passed to the drawing.
        output: path without suffix.

    PDF and PNG contain digests of tables, settings and code, by which their record is found, and
    no date, so that equal content is an equal file.
    """
    module = f"netdyn.figures.{figure}"
    checked = {n: read_checked(Path(table_folder) / f"{n}.csv") for n in settings["tables"]}
    rows = settings.get("rows", {})
    tables = {
        name: rounded_table(rows_of_runs(table, rows[name]) if name in rows else table)
        for name, (table, _) in checked.items()
    }
    digests = {name: record["sha256"] for name, (_, record) in checked.items()}
    drawing_settings = {
        key: value for key, value in settings.items() if key not in ("tables", "rows")
    }
    try:
        draw_figure = importlib.import_module(module).draw
    except (ModuleNotFoundError, AttributeError) as error:
        raise NetdynError(f"no figure {figure!r}: see netdyn/figures") from error
    origin = Origin(module)
    drawn = draw_figure(tables, drawing_settings)
    embedded = {
        "tables": digest(digests),
        "settings": digest(settings),
        "code": origin.code_sha256,
    }
    keywords = " ".join(f"{key}:{value}" for key, value in embedded.items())
    # Text as text, not as outlines: it can be searched and edited.
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        with atomic_write(output.with_suffix(".pdf")) as temporary:
            drawn.savefig(
                temporary, format="pdf", metadata={"CreationDate": None, "Keywords": keywords}
            )
        with atomic_write(output.with_suffix(".png")) as temporary:
            drawn.savefig(
                temporary, format="png", dpi=PNG_DPI, metadata={"Software": None, **embedded}
            )
    files = [output.with_suffix(ending) for ending in (".pdf", ".png")]
    record = {
        "kind": "figure",
        "name": figure,
        "settings": dict(settings),
        "tables": digests,
        "embedded": embedded,
        "sha256": {path.name: digest_file(path) for path in files},
        "made": origin.record(),
    }
    write_record(output.with_suffix(".json"), record)
