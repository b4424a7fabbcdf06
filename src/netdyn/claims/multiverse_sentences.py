"""Two sentences on a claim, from its cells: under how many readings it holds, and where not."""

from collections.abc import Mapping, Sequence

import pandas as pd

from netdyn.claims.markdown import plain
from netdyn.claims.verdicts import DIVERGED, NOT_REPRODUCED, NOT_TESTED, PARTLY, REPRODUCED
from netdyn.results.verdict_cells import Share, judged
from netdyn.results.verdicts import FROZEN

__all__ = ["SAYS", "numbers", "under_what"]

SAYS = {
    NOT_REPRODUCED: "fails",
    PARTLY: "holds in part",
    DIVERGED: "meets a diverged training",
    REPRODUCED: "holds",
    NOT_TESTED: "is not tested yet",
}
GIVEN = [REPRODUCED, *(verdict for verdict in SAYS if verdict not in (REPRODUCED, NOT_TESTED))]


def under_what(
    claim: str,
    share: Share,
    cells: pd.DataFrame,
    counted: Sequence[str],
    labels: Mapping[str, str],
) -> str:
    """Return the two sentences.

    Args:
        claim: its id.
        share: of the columns under which it holds.
        cells: of this claim.
        counted: the readings that are columns, besides the frozen one.
        labels: how readings are called.
    """
    by_frozen = cells[cells["criterion"] == FROZEN]
    in_columns = by_frozen[by_frozen["reading"].isin([FROZEN, *counted])]
    elsewhere = judged(by_frozen[~by_frozen["reading"].isin([FROZEN, *counted])])
    further = judged(cells[cells["criterion"] != FROZEN])
    waiting = len(by_frozen) - len(judged(by_frozen))
    tested = judged(in_columns)
    parts = []
    if share.judged == 1:
        _, only = next(tested.iterrows())
        strength = f"the evidence is {only['strength']}: " if only["strength"] else ""
        parts = [strength + plain(only["measured"] or only["seen"]).rstrip(".")]
    elif text := _by_verdict(in_columns, GIVEN, labels):
        parts.append(f"it {text}")
    if len(elsewhere):
        outside = _by_verdict(elsewhere, GIVEN, labels)
        parts.append(f"under readings of too few claims to count, it {outside}")
    if len(further):
        parts.append(f"by further criteria, it {_by_verdict(further, GIVEN, labels)}")
    if share.judged == 0:
        parts.append("what it needs is not trained or measured yet")
    elif waiting:
        parts.append(f"it is not tested yet under {waiting} other{'s' * (waiting > 1)}")
    first = f"**{claim} {_first(share, tested, labels)}.**"
    second = "; ".join(parts)
    return f"{first} {second[:1].upper()}{second[1:]}." if second else first


def numbers(cell: Mapping) -> str:
    """Return what was measured and its strength, in brackets; "" where there is neither."""
    texts = [plain(cell["measured"]), cell["strength"] and f"{cell['strength']} evidence"]
    texts = [text for text in texts if text]
    return f" ({'; '.join(texts)})" if texts else ""


def _first(share: Share, tested: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Return under how many readings a claim holds, and on what evidence."""
    if share.judged == 0:
        return "is not tested under any reading"
    if share.judged == 1:
        _, only = next(tested.iterrows())
        verdict = SAYS[only["verdict"]]
        return f"{verdict} under {_reading(only, labels)}, the only column that judges it"
    if share.holds == 0:
        return f"holds under none of {share.judged} readings"
    held = tested[tested["verdict"] == REPRODUCED]
    strong = int((held["strength"] == "strong").sum())
    of = f"{share.holds} of {share.judged}"
    if share.holds == share.judged:
        of = "both" if share.judged == 2 else f"all {share.judged}"
    if share.holds == 1:
        evidence = f"on {held['strength'].iloc[0]} evidence"
    else:
        under = "all" if strong == share.holds else strong or "none"
        evidence = f"on strong evidence under {under} of them"
    return f"holds under {of} readings, {evidence}"


def _by_verdict(cells: pd.DataFrame, verdicts: Sequence[str], labels: Mapping[str, str]) -> str:
    """Return "fails with A (numbers) and B (numbers), holds in part with C (numbers)"."""
    parts = []
    for verdict in verdicts:
        of_verdict = cells[cells["verdict"] == verdict]
        if len(of_verdict):
            where = [_place(cell, labels) + numbers(cell) for _, cell in of_verdict.iterrows()]
            parts.append(f"{SAYS[verdict]} {_listed(where)}")
    return _listed(parts)


def _place(cell: Mapping, labels: Mapping[str, str]) -> str:
    if cell["criterion"] == FROZEN:
        return f"under {_reading(cell, labels)}"
    under = "" if cell["reading"] == FROZEN else f" under {_reading(cell, labels)}"
    return f"by `{cell['criterion']}`{under}"


def _reading(cell: Mapping, labels: Mapping[str, str]) -> str:
    if cell["reading"] == FROZEN:
        return "the frozen reading"
    return f"*{plain(labels[cell['reading']])}*"


def _listed(texts: Sequence[str]) -> str:
    """Join texts by commas and, before the last, "and"."""
    return " and ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))
