"""The rows of workflow/claims.yaml: what the paper claims and by what each claim is judged."""

import math
from collections.abc import Mapping
from pathlib import Path

from netdyn.claims.verdicts import Claim
from netdyn.errors import NetdynError
from netdyn.records.files import read_yaml

__all__ = ["load_claims"]

IDS = [f"C{number:02d}" for number in range(1, 55)]
REQUIRED = ("id", "where", "section", "claim", "kind", "test", "tables")
OPTIONAL = ("paper_value", "modes", "thresholds")
MODES = ("evaluation", "training")
# A saturating curve also has a trend, so its claim has the thresholds of both kinds.
INCLUDES = {"saturates": "trend"}


class Thresholds(dict[str, float]):
    """A claim's thresholds; a missing one is reported as a mistake in the claims' file."""

    def __init__(self, where: str):
        super().__init__()
        self.where = where

    def __missing__(self, key: str) -> float:
        raise NetdynError(
            f"{self.where} needs the threshold {key!r}; there are "
            f"{', '.join(map(str, self)) or 'none'}: correct its name, or add it"
        )


def load_claims(path: Path) -> list[Claim]:
    """Return the claims C01 … C54 in the file's order, each with all its thresholds.

    Raises:
        NetdynError: the file does not hold claims; a claim is missing, unknown or duplicated; a row
            has a missing or an unknown key, or an unknown kind or mode; a threshold or the paper's
            value is not a number. A claim's `thresholds` raise it too when one is looked up that
            the file does not give.
    """
    path = Path(path)
    content = read_yaml(path)
    if not isinstance(content.get("kinds"), dict) or not isinstance(content.get("claims"), list):
        raise NetdynError(f"{path} must hold kinds, by name, and claims, a list")
    claims = [_claim(path, content["kinds"], row) for row in content["claims"]]
    ids = [claim.id for claim in claims]
    wrong = {
        "missing": [i for i in IDS if i not in ids],
        "unknown": [i for i in ids if i not in IDS],
        "duplicated": list(dict.fromkeys(i for i in ids if ids.count(i) > 1)),
    }
    problems = "; ".join(
        f"{what}: {', '.join(map(str, affected))}" for what, affected in wrong.items() if affected
    )
    if problems:
        raise NetdynError(f"{path} must hold the claims C01 to C54, once each; {problems}")
    return claims


def _claim(path: Path, kinds: Mapping, row: object) -> Claim:
    if not isinstance(row, dict):
        raise NetdynError(f"{path}: {row!r} is not a claim; it must hold {', '.join(REQUIRED)}")
    where = f"{path}: claim {row.get('id', '(without id)')}"
    if missing := [key for key in REQUIRED if key not in row]:
        raise NetdynError(f"{where} lacks {', '.join(missing)}")
    if unknown := [str(key) for key in row if key not in REQUIRED + OPTIONAL]:
        raise NetdynError(f"{where} has an unknown key {', '.join(unknown)}")
    kind = row["kind"]
    if kind not in list(kinds):
        raise NetdynError(f"{where}: kind {kind!r} is none of {', '.join(kinds)}")
    for key in ("modes", "tables"):
        if not isinstance(row.get(key, []), list):
            raise NetdynError(f"{where}: {key} {row[key]!r} must be a list")
    modes = tuple(row.get("modes", ("evaluation",)))
    if not modes or any(mode not in MODES for mode in modes):
        raise NetdynError(f"{where}: modes must be evaluation, training, or both")
    if kind == "number" and "paper_value" not in row:
        raise NetdynError(f"{where} lacks paper_value, with which its kind compares")
    if "paper_value" in row:
        _refuse_other_than_numbers(where, {"paper_value": row["paper_value"]})
    return Claim(
        id=row["id"],
        where=row["where"],
        section=str(row["section"]),
        claim=row["claim"],
        paper_value=row.get("paper_value"),
        kind=kind,
        thresholds=_thresholds(where, kinds, row),
        modes=modes,
        test=row["test"],
        tables=tuple(row["tables"]),
    )


def _thresholds(where: str, kinds: Mapping, row: Mapping) -> Thresholds:
    """Return the thresholds of a row's kind, overridden by the row's own."""
    thresholds = Thresholds(where)
    kind = row["kind"]
    for group in (kinds.get(INCLUDES.get(kind), {}), kinds[kind], row.get("thresholds", {})):
        if not isinstance(group, Mapping):
            raise NetdynError(f"{where}: thresholds {group!r} must be keys and values")
        _refuse_other_than_numbers(where, group)
        thresholds.update(group)
    return thresholds


def _refuse_other_than_numbers(where: str, values: Mapping) -> None:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise NetdynError(f"{where}: {key} {value!r} must be a number")
