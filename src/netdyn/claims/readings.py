"""The paper's claims judged under every reading, by their frozen and by further criteria."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from netdyn.claims import multiverse_page
from netdyn.claims.criteria.judges import JUDGES as FURTHER
from netdyn.claims.rows import load_claims, load_criteria
from netdyn.claims.scorecard import JUDGES, PAPERS_DATA
from netdyn.claims.strength import grade
from netdyn.claims.strength_rules import Rules, load_rules
from netdyn.claims.tables import Tables, outcome_of
from netdyn.claims.verdicts import FROZEN, NOT_TESTED, Claim, Criterion, Options
from netdyn.records.files import atomic_write, digest_file
from netdyn.records.job_settings import MultiverseSettings, ReadingSettings
from netdyn.records.provenance import Origin
from netdyn.results.tables import tabulate, write_table

__all__ = ["COLUMNS", "judge", "write"]

# The evidence behind a verdict: netdyn.claims.strength.Evidence.
EVIDENCE = [
    "seeds",
    "judged",
    "unjudged",
    "without_a_seed",
    "moved_thresholds",
    "unequal_training",
    "p_value",
]
COLUMNS = [
    *("claim", "reading", "criterion", "verdict", "measured", "strength", "seen"),
    *EVIDENCE,
    "reasons",
]


def write(settings: MultiverseSettings, claims_file: Path, output: Path, page: Path) -> None:
    """Judge the claims under every reading; write the verdicts, a row per cell, and their page.

    Args:
        settings: `scale`; `dataset`; `readings`, the frozen one first, each with its `name`,
            `claims`, `options`, `mode`, the names of its `changed` tables, and its `tables`, name →
            key in `tables`; `tables`, key → {`parts`, put together by `netdyn.results.tables`;
            `runs`, the identities of the runs that they must hold}.
        claims_file: workflow/claims.yaml.
        output: the table, CSV.
        page: what the verdicts say, Markdown.

    Raises:
        NetdynError: the claims are not C01 … C54, or a table is damaged.
    """
    origin = Origin(__name__)
    claims, criteria = load_claims(claims_file), load_criteria(claims_file)
    rules, dataset = load_rules(claims_file), settings["dataset"]
    contents: dict[str, pd.DataFrame] = {}
    digests: dict[str, str] = {}
    for key, entry in settings["tables"].items():
        parts = [part for part in entry["parts"] if Path(part["file"]).is_file()]
        if parts:
            contents[key], records = tabulate(parts)
            digests |= {each["file"]: each["sha256"] for each in records}
    expected = {key: entry["runs"] for key, entry in settings["tables"].items()}
    readings = settings["readings"]
    table = judge(readings, claims, criteria, contents, expected, rules, dataset)
    text = multiverse_page.markdown(
        table,
        claims,
        [reading for reading in readings if reading["name"] != FROZEN],
        [_described(criterion) for criterion in criteria],
        rules._asdict(),
        settings["scale"],
        dataset,
    )
    with atomic_write(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    record = {
        "kind": "readings",
        "settings": {"scale": settings["scale"], "dataset": dataset},
        "readings": [reading["name"] for reading in readings],
        "claims_sha256": digest_file(claims_file),
        "tables": digests,
        "page_sha256": digest_file(page),
        "made": origin.record(),
    }
    write_table(output, table, record)


def _described(criterion: Criterion) -> dict[str, str]:
    texts = {name: getattr(criterion, name) for name in ("id", "added", "reason", "sees")}
    return {"claim": criterion.claim.id, **texts}


def judge(
    readings: Sequence[ReadingSettings],
    claims: Sequence[Claim],
    criteria: Sequence[Criterion],
    contents: Mapping[str, pd.DataFrame],
    expected: Mapping[str, Sequence[Mapping]],
    rules: Rules,
    dataset: str = PAPERS_DATA,
) -> pd.DataFrame:
    """Return the verdict on each claim under each reading that changes something for it.

    A reading counts for a claim that it names if the claim's test reads a table that the reading
    changes, looks up one of its options, or is judged in another mode. Other cells have no row. A
    claim whose tables are missing is not tested; on other data than MNIST none is, unless the
    reading is of these data.

    Args:
        readings: as in `write`.
        claims: the claims with their frozen criteria.
        criteria: the further criteria.
        contents: the tables by the keys that `readings` name; one that is missing is not there.
        expected: the runs that each must hold, by the same keys.
        rules: by which verdicts are graded.
        dataset: whose samples the networks of the frozen reading were trained on.

    Returns:
        claim; reading; criterion; verdict; measured; strength; seen; the evidence that the strength
        was graded by (`netdyn.claims.strength.Evidence`), and reasons, why it is not strong.
    """
    rows = []
    for reading in readings:
        available = _tables(reading, contents, expected)
        for claim in claims:
            if claim.id in reading["claims"]:
                tests = [claim, *(each.claim for each in criteria if each.claim.id == claim.id)]
                for test in tests:
                    rows += _cells(test, reading, available, rules, dataset)
    return pd.DataFrame(rows, columns=COLUMNS)


def _cells(
    test: Claim, reading: Mapping, tables: Tables, rules: Rules, dataset: str
) -> Iterator[dict[str, Any]]:
    """Yield the cell of a test under a reading, unless the reading changes nothing for it."""
    mode = test.modes[0] if reading["mode"] == "evaluation" else reading["mode"]
    row = test._replace(options=Options(reading["options"]))
    frozen = test.criterion == FROZEN
    judged = JUDGES[test.id] if frozen else FURTHER[test.id, test.criterion]
    tables = tables.unread()
    outcome = outcome_of(judged, row, tables, mode)
    changes = (
        set(tables.read) & set(reading["changed"])
        or row.options.read
        or mode != test.modes[0]
        or outcome.verdict == NOT_TESTED
    )
    if not changes and reading["name"] != FROZEN:
        return
    cell = {
        "claim": test.id,
        "reading": reading["name"],
        "criterion": test.criterion,
        "verdict": outcome.verdict,
        "measured": outcome.measured,
        "seen": outcome.seen,
    }
    if dataset == PAPERS_DATA:
        strength = grade(row, tables, mode, judged, rules)
        evidence = strength.evidence._asdict()
        cell |= {name: evidence[name] for name in EVIDENCE}
        cell |= {"strength": strength.grade, "reasons": "; ".join(strength.reasons)}
    else:
        cell["verdict"] = NOT_TESTED
    yield cell


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
