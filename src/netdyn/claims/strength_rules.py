"""The rules by which a verdict is strong, fair or weak: the block `strength` of claims.yaml."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from netdyn.errors import NetdynError
from netdyn.records.files import read_yaml

__all__ = ["AT_LEAST", "AT_MOST", "RELATIONS", "Rules", "load_rules", "read_rules"]

# What is known of a verdict, and on which side of its bound it must lie.
AT_LEAST = ("seeds", "without_a_seed", "moved_thresholds")
AT_MOST = ("unjudged", "unequal_training", "p_value")
RELATIONS = ("equal", "at most")


class Rules(NamedTuple):
    """How a verdict is judged again, and the bounds of its strength; the same for all claims."""

    move: float  # share of itself by which each threshold is moved, up and down
    ends_at_one: tuple[str, ...]  # thresholds of shares, which are moved no further than to 1
    runs: Mapping[str, tuple[str, str]]  # threshold → swept column of the runs it chooses, relation
    moments: tuple[str, ...]  # thresholds that choose steps or amplitudes
    strong: Mapping[str, float]  # all of these hold
    weak: Mapping[str, float]  # one of these does not hold

    def is_criterion(self, threshold: str) -> bool:
        """Return whether a number is compared with the threshold, which chooses no data."""
        return threshold not in self.runs and threshold not in self.moments


def load_rules(path: Path) -> Rules:
    """Return the rules of workflow/claims.yaml; raises NetdynError as `read_rules` does."""
    return read_rules(read_yaml(Path(path)).get("strength"), f"{path}: strength")


def read_rules(block: object, where: str = "strength") -> Rules:
    """Return the rules of a block.

    Raises:
        NetdynError: a key is missing or unknown, or a value is not of its kind.
    """
    block = _keys(block, Rules._fields, where)
    for key in ("ends_at_one", "moments"):
        if not isinstance(block[key], list):
            raise NetdynError(f"{where}: {key} {block[key]!r} must be a list of thresholds")
    if not isinstance(block["runs"], dict):
        raise NetdynError(f"{where}: runs {block['runs']!r} must be thresholds and their columns")
    for threshold, choice in block["runs"].items():
        if not isinstance(choice, list) or len(choice) != 2 or choice[1] not in RELATIONS:
            raise NetdynError(
                f"{where}: runs: {threshold} {choice!r} must be a column and one of "
                f"{', '.join(RELATIONS)}"
            )
    bounds = {}
    for grade in ("strong", "weak"):
        bounds[grade] = _keys(block[grade], AT_LEAST + AT_MOST, f"{where}: {grade}")
        for key, bound in bounds[grade].items():
            _number(bound, f"{where}: {grade}: {key}")
    for key in AT_LEAST + AT_MOST:
        easier, harder = (bounds[grade][key] for grade in ("weak", "strong"))
        if (easier > harder) if key in AT_LEAST else (easier < harder):
            raise NetdynError(f"{where}: {key} is strong at {harder:g} and weak at {easier:g}")
    move = _number(block["move"], f"{where}: move")
    if not 0 < move < 1:
        raise NetdynError(f"{where}: move {move:g} must be a share between 0 and 1")
    return Rules(
        move=move,
        ends_at_one=tuple(block["ends_at_one"]),
        runs={threshold: tuple(choice) for threshold, choice in block["runs"].items()},
        moments=tuple(block["moments"]),
        **bounds,
    )


def _keys(block: object, keys: tuple[str, ...], where: str) -> dict:
    if not isinstance(block, dict):
        raise NetdynError(f"{where} must hold {', '.join(keys)}")
    if missing := [key for key in keys if key not in block]:
        raise NetdynError(f"{where} lacks {', '.join(missing)}")
    if unknown := [str(key) for key in block if key not in keys]:
        raise NetdynError(f"{where} has an unknown key {', '.join(unknown)}")
    return block


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise NetdynError(f"{where} {value!r} must be a number")
    return value
