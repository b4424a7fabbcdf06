"""The paper's claims judged under every reading, by their frozen and by further criteria."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from netdyn.claims.rows import load_claims
from netdyn.claims.scorecard import judged
from netdyn.claims.tables import Tables
from netdyn.claims.verdicts import NOT_TESTED, Claim, Options
from netdyn.records.files import digest_file
from netdyn.records.provenance import Origin
from netdyn.results.tables import tabulate, write_table

__all__ = ["COLUMNS", "FROZEN", "judge", "write"]

FROZEN = "frozen"
COLUMNS = ["claim", "reading", "criterion", "verdict", "measured", "seen"]


def write(settings: Mapping, claims_file: Path, output: Path) -> None:
    """Judge the claims under every reading and write the verdicts, a row per cell.

    Args:
        settings: `scale`; `dataset`; `readings`, the frozen one first, each with its `name`,
            `claims`, `options`, `mode`, the names of its `changed` tables, and its `tables`, name →
            key in `tables`; `tables`, key → {`parts`, put together by `netdyn.results.tables`;
            `runs`, the identities of the runs that they must hold}.
        claims_file: workflow/claims.yaml.
        output: the table, CSV.

    Raises:
        NetdynError: the claims are not C01 … C54, or a table is damaged.
    """
    origin = Origin(__name__)
    claims = load_claims(claims_file)
    contents: dict[str, pd.DataFrame] = {}
    digests: dict[str, str] = {}
    for key, entry in settings["tables"].items():
        parts = [part for part in entry["parts"] if Path(part["file"]).is_file()]
        if parts:
            contents[key], records = tabulate(parts)
            digests |= {each["file"]: each["sha256"] for each in records}
    expected = {key: entry["runs"] for key, entry in settings["tables"].items()}
    table = judge(settings["readings"], claims, contents, expected, settings["dataset"])
    record = {
        "kind": "readings",
        "settings": {"scale": settings["scale"], "dataset": settings["dataset"]},
        "readings": [reading["name"] for reading in settings["readings"]],
        "claims_sha256": digest_file(claims_file),
        "tables": digests,
        "made": origin.record(),
    }
    write_table(output, table, record)


def judge(
    readings: Sequence[Mapping],
    claims: Sequence[Claim],
    contents: Mapping[str, pd.DataFrame],
    expected: Mapping[str, Sequence[Mapping]],
    dataset: str,
) -> pd.DataFrame:
    """Return the verdict on each claim under each reading that changes something for it.

    A reading counts for a claim that it names if the claim's test reads a table that the reading
    changes, looks up one of its options, or is judged in another mode. Other cells have no row. A
    claim whose tables are missing is not tested.

    Args:
        readings: as in `write`.
        claims: the claims with their frozen criteria.
        contents: the tables by the keys that `readings` name; one that is missing is not there.
        expected: the runs that each must hold, by the same keys.

    Returns:
        claim; reading; criterion; verdict; measured; seen.
    """
    rows = []
    for reading in readings:
        available = _tables(reading, contents, expected)
        for claim in claims:
            if claim.id in reading["claims"]:
                rows += _cells(claim, reading, available)
    return pd.DataFrame(rows, columns=COLUMNS)


def _cells(claim: Claim, reading: Mapping, tables: Tables) -> Iterable[dict[str, Any]]:
    """Yield the cell of a claim under a reading, unless the reading changes nothing for it."""
    mode = claim.modes[0] if reading["mode"] == "evaluation" else reading["mode"]
    row = claim._replace(options=Options(reading["options"]))
    tables = tables.unread()
    outcome = judged(row, tables, mode)
    changes = (
        set(tables.read) & set(reading["changed"])
        or row.options.read
        or mode != claim.modes[0]
        or outcome.verdict == NOT_TESTED
    )
    if changes or reading["name"] == FROZEN:
        yield {
            "claim": claim.id,
            "reading": reading["name"],
            "criterion": FROZEN,
            "verdict": outcome.verdict,
            "measured": outcome.measured,
            "seen": outcome.seen,
        }


def _tables(
    reading: Mapping,
    contents: Mapping[str, pd.DataFrame],
    expected: Mapping[str, Sequence[Mapping]],
) -> Tables:
    keys = reading["tables"]
    return Tables(
        {name: contents[key] for name, key in keys.items() if key in contents},
        {name: expected[key] for name, key in keys.items() if expected[key]},
    )
