"""The rows of workflow/claims.yaml: what the paper claims and by what each claim is judged."""

import math
from collections.abc import Mapping
from pathlib import Path

from netdyn.claims.verdicts import Claim
from netdyn.errors import NetdynError
from netdyn.records.files import read_yaml

__all__ = ["load_claims"]

IDS = [f"C{number:02d}" for number in range(1, 55)]
NEEDED = ("id", "where", "section", "claim", "kind", "test", "tables")
OPTIONAL = ("paper_value", "modes", "thresholds")
MODES = ("evaluation", "training")
# What saturates has a trend first, so it is judged by the thresholds of both.
INCLUDES = {"saturates": "trend"}


class Thresholds(dict[str, float]):
    """A claim's thresholds; that its test asks for one in vain is a mistake in the file."""

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
        NetdynError: the file is none of claims; a claim is missing, unknown or there twice; a row
            lacks a key or has an unknown one; its kind or a mode is not known; a threshold or the
            paper's value is no number. A claim's `thresholds` raise it too, for one that is not
            there.
    """
    path = Path(path)
    content = read_yaml(path)
    if not isinstance(content.get("kinds"), dict) or not isinstance(content.get("claims"), list):
        raise NetdynError(f"{path} must hold kinds, by name, and claims, a list")
    claims = [_claim(path, content["kinds"], row) for row in content["claims"]]
    found = [claim.id for claim in claims]
    wrong = {
        "missing": [i for i in IDS if i not in found],
        "unknown": [i for i in found if i not in IDS],
        "there twice": list(dict.fromkeys(i for i in found if found.count(i) > 1)),
    }
    said = "; ".join(f"{what}: {', '.join(map(str, ids))}" for what, ids in wrong.items() if ids)
    if said:
        raise NetdynError(f"{path} must hold the claims C01 to C54, once each; {said}")
    return claims


def _claim(path: Path, kinds: Mapping, row: object) -> Claim:
    if not isinstance(row, dict):
        raise NetdynError(f"{path}: {row!r} is no claim; it must hold {', '.join(NEEDED)}")
    where = f"{path}: claim {row.get('id', '(without id)')}"
    if lacking := [key for key in NEEDED if key not in row]:
        raise NetdynError(f"{where} lacks {', '.join(lacking)}")
    if unknown := [str(key) for key in row if key not in NEEDED + OPTIONAL]:
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
    """Return a row's thresholds: those of its kind, and its own over them."""
    found = Thresholds(where)
    kind = row["kind"]
    for some in (kinds.get(INCLUDES.get(kind), {}), kinds[kind], row.get("thresholds", {})):
        if not isinstance(some, Mapping):
            raise NetdynError(f"{where}: thresholds {some!r} must be keys and values")
        _refuse_other_than_numbers(where, some)
        found.update(some)
    return found


def _refuse_other_than_numbers(where: str, values: Mapping) -> None:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise NetdynError(f"{where}: {key} {value!r} must be a number")
