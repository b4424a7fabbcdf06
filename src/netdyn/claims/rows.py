"""The rows of workflow/claims.yaml: what the paper claims and by what each claim is judged."""

from collections.abc import Mapping
from pathlib import Path

from netdyn.claims.verdicts import Claim
from netdyn.errors import NetdynError
from netdyn.files import read_yaml

__all__ = ["load_claims"]

IDS = [f"C{number:02d}" for number in range(1, 55)]
NEEDED = ("id", "where", "section", "claim", "kind", "test", "tables")
OPTIONAL = ("paper_value", "modes", "thresholds")
MODES = ("evaluation", "training")
# What saturates has a trend first, so it is judged by the thresholds of both.
INCLUDES = {"saturates": "trend"}


def load_claims(path: Path) -> list[Claim]:
    """Return the claims C01 … C54 in the file's order, each with all its thresholds.

    Raises:
        NetdynError: the file is none of claims; a claim is missing, unknown or there twice; a row
            lacks a key or has an unknown one; its kind or a mode is not known.
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
    if kind not in kinds:
        raise NetdynError(f"{where}: kind {kind!r} is none of {', '.join(kinds)}")
    modes = tuple(row.get("modes", ("evaluation",)))
    if not modes or any(mode not in MODES for mode in modes):
        raise NetdynError(f"{where}: modes must be evaluation, training, or both")
    included = kinds.get(INCLUDES.get(kind), {})
    return Claim(
        id=row["id"],
        where=row["where"],
        section=str(row["section"]),
        claim=row["claim"],
        paper_value=row.get("paper_value"),
        kind=kind,
        thresholds={**included, **kinds[kind], **row.get("thresholds", {})},
        modes=modes,
        test=row["test"],
        tables=tuple(row["tables"]),
    )
