"""The rows of workflow/claims.yaml: what the paper claims and by what each claim is judged."""

import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from netdyn.claims.verdicts import FROZEN, Claim, Criterion
from netdyn.errors import NetdynError
from netdyn.records.files import read_yaml

__all__ = ["PAPERS_DATA", "load_claims", "load_criteria"]

PAPERS_DATA = "mnist"  # what the claims are about
IDS = [f"C{number:02d}" for number in range(1, 55)]
REQUIRED = ("id", "where", "section", "claim", "kind", "test", "tables")
OPTIONAL = ("paper_value", "modes", "thresholds", "criteria")
# Of a further criterion. Its kind is the claim's unless it has one of its own.
CRITERION_REQUIRED = ("id", "added", "reason", "sees", "test", "thresholds")
CRITERION_OPTIONAL = ("kind",)
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
    content = _content(path)
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


def load_criteria(path: Path) -> list[Criterion]:
    """Return the further criteria of the claims, in the file's order.

    Raises:
        NetdynError: as `load_claims`; a criterion has a missing or an unknown key, an id that is no
            word or not its own, a date that is none, or no text where it needs one.
    """
    kinds = _content(path)["kinds"]
    claims = {claim.id: claim for claim in load_claims(path)}
    criteria = []
    for row in _content(path)["claims"]:
        declared = row.get("criteria", [])
        where = f"{path}: claim {row['id']}"
        if not isinstance(declared, list):
            raise NetdynError(f"{where}: criteria {declared!r} must be a list")
        of_claim = [_criterion(where, kinds, each, claims[row["id"]]) for each in declared]
        ids = [criterion.id for criterion in of_claim]
        if twice := [i for i in dict.fromkeys(ids) if ids.count(i) > 1]:
            raise NetdynError(f"{where} has the criterion {', '.join(twice)} twice")
        criteria += of_claim
    return criteria


def _content(path: Path) -> dict:
    content = read_yaml(Path(path))
    if not isinstance(content.get("kinds"), dict) or not isinstance(content.get("claims"), list):
        raise NetdynError(f"{path} must hold kinds, by name, and claims, a list")
    return content


def _criterion(where: str, kinds: Mapping, row: object, claim: Claim) -> Criterion:
    if not isinstance(row, dict):
        needed = ", ".join(CRITERION_REQUIRED)
        raise NetdynError(f"{where}: {row!r} is not a criterion; it must hold {needed}")
    where = f"{where}, criterion {row.get('id', '(without id)')}"
    _check_keys(where, row, CRITERION_REQUIRED, CRITERION_OPTIONAL)
    texts = {key: row[key] for key in ("id", "reason", "sees", "test")}
    for key, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise NetdynError(f"{where}: {key} {text!r} must be a text")
    if not row["id"].isidentifier() or row["id"] == FROZEN:
        raise NetdynError(f"{where}: its id must be a word of letters, digits and _, not {FROZEN}")
    try:
        added = date.fromisoformat(str(row["added"])).isoformat()
    except ValueError as error:
        raise NetdynError(f"{where}: added {row['added']!r} must be a date, 2026-11-27") from error
    kind = _kind(where, kinds, row.get("kind", claim.kind))
    judged = claim._replace(
        kind=kind,
        test=row["test"],
        thresholds=_thresholds(where, kinds, {**row, "kind": kind}),
        criterion=row["id"],
    )
    return Criterion(row["id"], added, row["reason"], row["sees"], judged)


def _check_keys(
    where: str, row: Mapping, required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    if missing := [key for key in required if key not in row]:
        raise NetdynError(f"{where} lacks {', '.join(missing)}")
    if unknown := [str(key) for key in row if key not in required + optional]:
        raise NetdynError(f"{where} has an unknown key {', '.join(unknown)}")


def _kind(where: str, kinds: Mapping, kind: object) -> str:
    if kind not in list(kinds):
        raise NetdynError(f"{where}: kind {kind!r} is none of {', '.join(kinds)}")
    return kind


def _claim(path: Path, kinds: Mapping, row: object) -> Claim:
    if not isinstance(row, dict):
        raise NetdynError(f"{path}: {row!r} is not a claim; it must hold {', '.join(REQUIRED)}")
    where = f"{path}: claim {row.get('id', '(without id)')}"
    _check_keys(where, row, REQUIRED, OPTIONAL)
    kind = _kind(where, kinds, row["kind"])
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
