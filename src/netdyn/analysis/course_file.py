"""The course of a monitored training as text: a line of JSON, then the table as CSV.

`pandas.read_csv(path, comment="#")` reads the table. Nothing in it is ever run.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write

__all__ = [
    "COLUMNS",
    "Course",
    "Row",
    "as_text",
    "course_table",
    "from_text",
    "is_course",
    "read_course",
    "write_course",
]

COLUMNS = ("step", "quantity", "site", "value", "error")
START = "# netdyn monitor 1 "
# How files begin that hold pickled objects: archives of torch.save, and pickles themselves.
PICKLES = (b"PK", b"\x80")


class Row(NamedTuple):
    """A row of the table."""

    step: int
    quantity: str
    site: int
    value: float
    error: float


class Course(NamedTuple):
    """Rows, and what stands beside them: JSON values by name."""

    header: Mapping
    rows: Sequence[Row]


def course_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as a table with the columns `COLUMNS`."""
    types = {"step": "int64", "site": "int64", "value": "float64", "error": "float64"}
    return pd.DataFrame(rows, columns=[*COLUMNS]).astype(types)


def is_course(path: Path) -> bool:
    """Return whether a file begins as the courses of monitors do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(START)) == START.encode()


def as_text(course: Course) -> str:
    """Return the text of a course; numbers are read back bit for bit."""
    stream = io.StringIO()
    header = json.dumps({**course.header, "rows": len(course.rows)})
    stream.write(f"{START}{header}\n")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in course.rows:
        writer.writerow([*row[:3], *(repr(value) for value in row[3:])])
    return stream.getvalue()


def from_text(text: str, name: str) -> Course:
    """Return the course of a text.

    Args:
        name: of the text in messages.

    Raises:
        NetdynError: for a text that is no course, or a damaged one.
    """
    first, _, rest = text.partition("\n")
    if not first.startswith(START):
        raise NetdynError(f"{name} is no course of a training: give what netdyn.Monitor saved")
    try:
        header = dict(json.loads(first.removeprefix(START)))
        columns, *lines = csv.reader(io.StringIO(rest))
        rows = [Row(int(a), b, int(c), float(d), float(e)) for a, b, c, d, e in lines]
        if tuple(columns) != COLUMNS or len(rows) != header.pop("rows"):
            raise ValueError("rows are missing")
    except (ValueError, KeyError, TypeError) as error:
        raise NetdynError(f"{name} is damaged ({error}): restore it from a copy") from error
    return Course(header, rows)


def write_course(path: Path, course: Course) -> None:
    """Write a course; a file that cannot be written leaves an earlier one as it was."""
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(as_text(course), encoding="utf-8")
    except OSError as error:
        raise NetdynError(
            f"{path} cannot be written ({error.strerror or error}): make room, or save it "
            "elsewhere; nothing was lost, and an earlier file is as it was"
        ) from error


def read_course(path: Path) -> Course:
    """Return a course that was written; NetdynError for anything else, which is not opened."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NetdynError(f"{path} cannot be read: {error.strerror or error}") from error
    if content.startswith(PICKLES):
        raise NetdynError(
            f"{path} is an archive that may run code when it is opened (pickle), so it is not "
            "opened: give what netdyn.Monitor saved"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise NetdynError(f"{path} is no text: give what netdyn.Monitor saved") from error
    return from_text(text, str(path))
