"""The scorecard: a verdict on each of the paper's claims, from tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path

import pandas as pd

from netdyn.claims import (
    basins,
    concepts,
    deep_grokking,
    page,
    rank_gradients,
    shallow,
    shallow_grokking,
    supplement,
)
from netdyn.claims.kinds import NOT_TESTED, Claim
from netdyn.claims.rows import PAPERS_DATA, load_claims
from netdyn.claims.tables import Judge, Tables, outcome_of
from netdyn.records.files import atomic_write, digest_file
from netdyn.records.job_settings import ClaimsSettings
from netdyn.records.provenance import Origin
from netdyn.results.tables import read_checked, write_table

__all__ = ["COLUMNS", "evaluate", "load_claims", "write"]

JUDGES: Mapping[str, Judge] = {
    **concepts.CLAIMS,
    **shallow.CLAIMS,
    **rank_gradients.CLAIMS,
    **basins.CLAIMS,
    **deep_grokking.CLAIMS,
    **shallow_grokking.CLAIMS,
    **supplement.CLAIMS,
}
COLUMNS = [
    "id",
    "figure",
    "section",
    "claim",
    "paper_value",
    "measured",
    "spread",
    "n",
    "seeds",
    "mode",
    "scale",
    "verdict",
    "verdict_training",
    "seen",
    "test",
]
IN_WORDS = {"digits": "the digits"}


def write(
    settings: ClaimsSettings,
    claims_file: Path,
    table_folder: Path,
    csv_path: Path,
    markdown_path: Path,
) -> None:
    """Judge all claims from the tables of a folder and write the scorecard, as table and as page.

    Args:
        settings: `scale`; `dataset`; `tables`, name → {`runs`: [{run, swept values, seed, samples
            (number of training samples)}], `file`: its path, by default <name>.csv in the folder}.
            The claims of a table whose file is missing are not tested.
        claims_file: workflow/claims.yaml.

    Raises:
        NetdynError: the claims are not C01 … C54, or a table is damaged.
    """
    origin = Origin(__name__)
    claims = load_claims(claims_file)
    present, expected, digests = {}, {}, {}
    for name, entry in settings["tables"].items():
        file = Path(entry.get("file", Path(table_folder) / f"{name}.csv"))
        if file.is_file():
            present[name], record = read_checked(file)
            digests[name] = record["sha256"]
        if entry["runs"]:
            expected[name] = entry["runs"]
    tables = Tables(present, expected)
    scorecard = evaluate(claims, tables, settings["dataset"], settings["scale"])
    with atomic_write(markdown_path) as temporary:
        temporary.write_text(page.markdown(scorecard, settings["dataset"]), encoding="utf-8")
    record = {
        "kind": "scorecard",
        "settings": {"scale": settings["scale"], "dataset": settings["dataset"]},
        "claims_sha256": digest_file(claims_file),
        "tables": digests,
        "page_sha256": digest_file(markdown_path),
        "made": origin.record(),
    }
    write_table(csv_path, scorecard, record)


def evaluate(rows: Sequence[Claim], tables: Tables, dataset: str, scale: str) -> pd.DataFrame:
    """Return the scorecard: a row per claim, in the order of `rows`.

    A claim whose tables are incomplete is not tested; a claim whose run diverged has the verdict
    "diverged"; `seen` gives the reason. The claims are about MNIST: on other data the verdict is
    "not tested", but the numbers are given all the same.

    Returns:
        id; figure (or section of the paper); section; claim; paper_value; measured; spread, the
        sample standard deviation over seeds of the main number, empty for one seed; n, training
        samples of the networks in the claim's tables, and seeds, the number of seeds that all of
        the tables have: a range where they differ; mode, in which it is judged; scale; verdict;
        verdict_training, with the batch's own statistics, where it is judged in both modes; seen;
        test, the text of the claims' file.
    """
    return pd.DataFrame(
        [_scored(row, tables, dataset, scale) for row in rows], columns=COLUMNS
    ).astype({"paper_value": float, "spread": float})


def _scored(row: Claim, tables: Tables, dataset: str, scale: str) -> dict:
    by_table = [tables.expected(name) for name in row.tables]
    runs = [run for table_runs in by_table for run in table_runs]
    on_mnist = dataset == PAPERS_DATA
    fitting = row if on_mnist else _at_most_present(row, runs)
    outcomes = [outcome_of(JUDGES[row.id], fitting, tables, mode) for mode in row.modes]
    verdicts = [outcome.verdict if on_mnist else NOT_TESTED for outcome in outcomes]
    seen = _both_modes([_sentence(outcome.seen) for outcome in outcomes], " In training mode: ")
    return {
        "id": row.id,
        "figure": row.where,
        "section": row.section,
        "claim": row.claim,
        "paper_value": row.paper_value,
        "measured": _both_modes([o.measured for o in outcomes], "; in training mode: "),
        "spread": outcomes[0].spread,
        "n": _reach(run["samples"] for run in runs if "samples" in run),
        "seeds": _reach(_seed_counts(by_table)),
        "mode": ", ".join(row.modes),
        "scale": scale,
        "verdict": verdicts[0],
        "verdict_training": verdicts[1] if len(verdicts) > 1 else "",
        "seen": seen if on_mnist else f"On {IN_WORDS.get(dataset, dataset)}: {seen}",
        "test": row.test,
    }


def _at_most_present(row: Claim, runs: Sequence[Mapping]) -> Claim:
    """Return the claim with its training-set size limited to the largest available."""
    counts = [run["samples"] for run in runs if "samples" in run]
    required = row.thresholds.get("samples")
    if required is None or not counts or max(counts) >= required:
        return row
    thresholds = copy(row.thresholds)
    thresholds["samples"] = max(counts)
    return row._replace(thresholds=thresholds)


def _both_modes(parts: Sequence[str], between: str) -> str:
    """Join the texts of evaluation and of training mode; equal texts are given once."""
    return between.join(dict.fromkeys(part for part in parts if part))


def _sentence(text: str) -> str:
    """Return the text with a full stop, and a capital unless it begins with a symbol (g, ρ)."""
    first = text.split(" ", 1)[0]
    if len(first) > 1 and first.isalpha() and first.isascii():
        text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _seed_counts(by_table: Sequence[Sequence[Mapping]]) -> list[int]:
    """Return, per run and swept values, the number of seeds that all of its tables have."""
    seeds: dict[str, set] = {}
    for runs in by_table:
        in_table: dict[str, set] = {}
        for run in runs:
            in_table.setdefault(json.dumps({**run, "seed": 0}), set()).add(run["seed"])
        for point, numbers in in_table.items():
            seeds[point] = seeds.get(point, numbers) & numbers
    return [len(numbers) for numbers in seeds.values()]


def _reach(counts: Iterable[int]) -> str:
    """Return the lowest and the highest count: "600–60000"; empty if there are none."""
    counts = list(counts)
    return "–".join(dict.fromkeys(f"{f(counts)}" for f in (min, max))) if counts else ""
