"""The scorecard as a Markdown page: counts of verdicts, then every claim, by section."""

from collections.abc import Mapping

import pandas as pd

from netdyn.claims.markdown import plain, table
from netdyn.claims.sections import SECTIONS
from netdyn.claims.verdicts import DIVERGED, NOT_REPRODUCED, NOT_TESTED, PARTLY, REPRODUCED

__all__ = ["markdown"]

MEANINGS = {
    REPRODUCED: "the claim passes its test",
    PARTLY: "it passes weaker thresholds, in a part of the networks, or in the only seed",
    NOT_REPRODUCED: "it fails its test",
    DIVERGED: "the training of a network that it needs diverged",
    NOT_TESTED: "what it needs is not there at this scale; measured all the same where it can be",
}


def markdown(scorecard: pd.DataFrame, dataset: str) -> str:
    """Return the page of a scorecard (see `netdyn.claims.scorecard.evaluate`).

    Args:
        dataset: whose samples the networks were trained on.
    """
    scale = scorecard["scale"].iloc[0]
    parts = [
        f"# Scorecard: {len(scorecard)} claims of the paper, scale {scale}, {dataset}",
        "Each claim is judged by the test and the thresholds of `workflow/claims.yaml`, written "
        "down before the runs; what was changed afterwards, the judging of C33, stands in "
        "`docs/deviations.md`. Values are means ± the standard deviation over seeds, where there "
        "are several. *n* is the number of training samples. Accuracies called best, and the steps "
        "at which basins are measured, are best on the test set, among the evaluated steps. Shares "
        "and counts are of the points, pairs or networks that could be judged; where some could "
        "not, *seen* says how many.",
        _counts(scorecard),
    ]
    unknown = [section for section in scorecard["section"].unique() if section not in SECTIONS]
    for section in [*SECTIONS, *unknown]:
        rows = scorecard[scorecard["section"] == section]
        if not rows.empty:
            title = ": ".join(filter(None, [section, SECTIONS.get(section, "")]))
            parts += [f"## {title}", _claims(rows)]
    return "\n\n".join(parts) + "\n"


def _counts(scorecard: pd.DataFrame) -> str:
    """Return the table of verdict counts; claims judged in two modes count by the first."""
    counts = scorecard["verdict"].value_counts()
    rows = [
        [verdict, str(counts.get(verdict, 0)), meaning] for verdict, meaning in MEANINGS.items()
    ]
    return table(["verdict", "claims", "which says that"], rows)


def _claims(rows: pd.DataFrame) -> str:
    header = ["id", "where", "the paper says", "paper", "measured", "n", "seeds", "verdict", "seen"]
    return table(header, [_cells(row) for _, row in rows.iterrows()])


def _cells(row: Mapping) -> list[str]:
    verdict = f"**{row['verdict']}**"
    if row["verdict_training"]:
        verdict = f"{verdict}; in training mode **{row['verdict_training']}**"
    paper = "" if pd.isna(row["paper_value"]) else f"{row['paper_value']:g}"
    around = ""
    # Most numbers already contain their spread.
    if not pd.isna(row["spread"]) and "±" not in row["measured"]:
        around = f" (seed spread {row['spread']:.2g})"
    measured = row["measured"] + around if row["measured"] else ""
    texts = [row["id"], row["figure"], row["claim"], paper, measured, row["n"], row["seeds"]]
    return [*map(plain, texts), verdict, plain(row["seen"])]
