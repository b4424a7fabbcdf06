"""The multiverse as a Markdown page: under what each claim holds, and what was declared for it."""

from collections.abc import Mapping, Sequence

import pandas as pd

from netdyn.claims import multiverse_sentences as sentences
from netdyn.claims.markdown import plain, table
from netdyn.claims.sections import SECTIONS
from netdyn.claims.verdicts import NOT_TESTED, VERDICTS, Claim
from netdyn.results.verdict_cells import checked_cells, counted_readings, judged, share_held
from netdyn.results.verdicts import FEWEST_CLAIMS, FROZEN, STRENGTHS

__all__ = ["markdown"]

FACTS = {
    "seeds": "seeds, of the setting with the fewest: at least",
    "without_a_seed": "share of judgements without one seed that give the same verdict: at least",
    "moved_thresholds": "share of those with one threshold moved that do: at least",
    "unjudged": "share of points, pairs or networks that could not be judged: at most",
    "unequal_training": "points of final training accuracy between networks compared: at most",
    "p_value": "p-value, where the test has one: at most",
}


def markdown(
    readings: pd.DataFrame,
    claims: Sequence[Claim],
    declared: Sequence[Mapping],
    criteria: Sequence[Mapping],
    strength: Mapping,
    scale: str,
    dataset: str,
) -> str:
    """Return the page of the claims under every reading.

    Args:
        readings: the cells (see `netdyn.results.verdict_cells`).
        claims: the claims with their frozen criteria.
        declared: the readings of workflow/readings.yaml, each with its `name`.
        criteria: the further criteria: `claim`, `id`, `added`, `reason`, `sees`.
        strength: the block of workflow/claims.yaml: `move`, `strong`, `weak`.
        scale: whose tables were judged.
        dataset: whose samples the networks were trained on.

    Raises:
        NetdynError: the cells are incomplete or name something unknown.
    """
    names = [reading["name"] for reading in declared]
    cells = checked_cells(readings, [claim.id for claim in claims], names)
    counted = counted_readings(cells, names)
    parts = [
        f"# Readings: under what each of {len(claims)} claims holds, scale {scale}, {dataset}",
        "The paper's words leave choices open. A *reading* is one of them; the *frozen* reading is "
        "the one by which every claim was judged first, by tests and thresholds written down "
        "before the runs. A claim has a cell under a reading only where that changes what its "
        "test reads or computes. A reading is a column, and counts, where it judges at least "
        f"{FEWEST_CLAIMS} claims. A claim *holds* where its verdict is “reproduced”; “partly” does "
        "not count.",
        _counts(cells, [claim.id for claim in claims], names, counted),
    ]
    labels = {r["name"]: f"{r['question']}: {r['choice']}" for r in declared}
    for section in dict.fromkeys([*SECTIONS, *(claim.section for claim in claims)]):
        of_section = [claim for claim in claims if claim.section == section]
        if of_section:
            items = (_claim(claim, cells, counted, labels) for claim in of_section)
            title = ": ".join(filter(None, [section, SECTIONS.get(section, "")]))
            parts += [f"## {title}", "\n".join(items)]
    parts += ["## The readings", *_readings(cells, declared, counted)]
    if criteria:
        parts += ["## Further criteria", _criteria(cells, criteria)]
    parts += ["## Strength of the evidence", *_rules(strength)]
    return "\n\n".join(parts) + "\n"


def _counts(
    cells: pd.DataFrame, claims: Sequence[str], names: list[str], counted: list[str]
) -> str:
    """Return the counts of columns, cells and claims, and that of verdicts by strength."""
    columns = [FROZEN, *counted]
    in_columns = cells[(cells["criterion"] == FROZEN) & cells["reading"].isin(columns)]
    tested = judged(in_columns)
    shares = [share_held(cells, claim, columns) for claim in claims]
    several = [share for share in shares if share.judged > 1]
    single = [share for share in shares if share.judged == 1]
    under_all = sum(share.holds == share.judged for share in several)
    under_none = sum(share.holds == 0 for share in several)
    rows = [
        [
            "columns",
            f"{len(columns)}: the frozen reading and {len(counted)} of {len(names)} others",
        ],
        ["cells", f"{len(tested)} judged, {len(in_columns) - len(tested)} not tested yet"],
        [
            "claims judged under several readings",
            f"{len(several)}: {under_all} hold under all, "
            f"{len(several) - under_all - under_none} under some, {under_none} under none",
        ],
        [
            "claims judged under one reading",
            f"{len(single)}: {sum(share.holds for share in single)} hold",
        ],
    ]
    if untested := sum(share.judged == 0 for share in shares):
        rows.append(["claims not tested", str(untested)])
    verdicts = [
        [verdict, str(len(of)), *(str((of["strength"] == grade).sum()) for grade in STRENGTHS)]
        for verdict in VERDICTS
        if verdict != NOT_TESTED
        for of in [tested[tested["verdict"] == verdict]]
    ]
    header = ["verdict", "cells", *(f"on {grade} evidence" for grade in STRENGTHS)]
    return table(["what", "how many"], rows) + "\n\n" + table(header, verdicts)


def _claim(
    claim: Claim, cells: pd.DataFrame, counted: Sequence[str], labels: Mapping[str, str]
) -> str:
    share = share_held(cells, claim.id, [FROZEN, *counted])
    of_claim = cells[cells["claim"] == claim.id]
    text = sentences.under_what(claim.id, share, of_claim, counted, labels)
    return f"- *{plain(claim.claim)}* ({plain(claim.where)}) {text}"


def _readings(cells: pd.DataFrame, declared: Sequence[Mapping], counted: list[str]) -> list[str]:
    """Return the readings that are columns, those that judge too few claims, and the others."""
    groups: dict[str, list[str]] = {
        "Columns": [],
        f"Fewer than {FEWEST_CLAIMS} claims judged: not counted": [],
        "Not tested yet": [],
    }
    columns, few, waiting = groups.values()
    for reading in declared:
        of_reading = cells[(cells["reading"] == reading["name"]) & (cells["criterion"] == FROZEN)]
        tested = judged(of_reading)
        group = columns if reading["name"] in counted else few if len(tested) else waiting
        group.append(_reading(reading, of_reading, tested, listed=group is few))
    return [
        text
        for title, items in groups.items()
        if items
        for text in (f"### {title}", "\n".join(items))
    ]


def _reading(reading: Mapping, of_reading: pd.DataFrame, tested: pd.DataFrame, listed: bool) -> str:
    counts = tested["verdict"].value_counts()
    verdicts = [f"{counts[word]} {word}" for word in VERDICTS if counts.get(word)]
    judging = f"{len(tested)} claims judged" if len(tested) != 1 else "1 claim judged"
    if verdicts:
        judging += f": {', '.join(verdicts)}"
    if untested := list(of_reading["claim"][of_reading["verdict"] == NOT_TESTED]):
        judging += f"; not tested yet: {', '.join(untested)}"
    if listed:
        each = (
            f"{cell['claim']} {sentences.SAYS[cell['verdict']]}{sentences.numbers(cell)}"
            for _, cell in tested.iterrows()
        )
        judging += f". {', '.join(each)}"
    return (
        f"- **{plain(reading['question'])}: {plain(reading['choice'])}** "
        f"(`{reading['name']}`, declared {reading['added']}). "
        f"“{plain(reading['words'])}” (Sec. {plain(reading['section'])}). "
        f"{plain(reading['reason'])} {judging}."
    )


def _criteria(cells: pd.DataFrame, criteria: Sequence[Mapping]) -> str:
    items = []
    for criterion in criteria:
        of = (cells["claim"] == criterion["claim"]) & (cells["criterion"] == criterion["id"])
        at = cells[of & (cells["reading"] == FROZEN)]
        verdict = NOT_TESTED if at.empty else at["verdict"].iloc[0]
        numbers = "" if at.empty else sentences.numbers(at.iloc[0])
        items.append(
            f"- **{criterion['claim']}, `{criterion['id']}`** (added {criterion['added']}). "
            f"{plain(criterion['reason'])} It sees what the frozen criterion does not: "
            f"{plain(criterion['sees']).rstrip('.')}. Under the frozen reading: "
            f"**{verdict}**{numbers}."
        )
    return "\n".join(items)


def _rules(strength: Mapping) -> list[str]:
    rows = [
        [FACTS.get(fact, plain(fact)), f"{bound:g}", f"{strength['weak'][fact]:g}"]
        for fact, bound in strength["strong"].items()
    ]
    return [
        "The same rules hold for every claim, for a verdict against the paper as for one for it. "
        "Evidence is *strong* where all bounds of the first column are kept, *weak* where one of "
        "the second is not, *fair* otherwise. A bound counts where its number exists. Thresholds "
        f"are moved one at a time, up and down by {100 * strength['move']:g} % of themselves.",
        table(["what is known of a verdict", "strong", "not weak"], rows),
    ]
