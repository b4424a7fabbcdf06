"""README.md from docs/README.in, a Jinja template: numbers are those of the committed tables."""

import csv
import re
from pathlib import Path

import jinja2

import netdyn

__all__ = ["Numbers", "page"]


class Numbers:
    """What the template asks for."""

    def __init__(self, root: Path):
        """Read the tables below `root`, the folder of the repository."""
        self.scorecards = {
            scale: _rows(root / f"results/{scale}/reference/claims.csv")
            for scale in ("cpu", "paper")
        }
        self.claims = {row["id"]: row for row in self.scorecards["cpu"]}
        self.strengths = {
            row["claim"]: row["strength"]
            for row in _rows(root / "results/cpu/reference/readings.csv")
            if row["reading"] == row["criterion"] == "frozen"
        }
        costs = _rows(root / "docs/speed/first_run.csv")
        self.costs = {row["what"]: row["value"] for row in costs}
        pipeline = _rows(root / "docs/speed/pipeline_avx512.csv")
        self.seconds = {row["what"]: float(row["seconds"]) for row in pipeline}

    def verdicts(self, scale: str, verdict: str) -> int:
        """Return how many claims have the verdict."""
        return sum(row["verdict"] == verdict for row in self.scorecards[scale])

    def reproduced_of(self, *figures: str) -> str:
        """Return how many of the claims on these figures are reproduced at scale cpu, "3 of 4"."""
        of = [
            row["verdict"]
            for row in self.scorecards["cpu"]
            if re.match(r"Fig\. (\d)", row["figure"]) and row["figure"][5] in figures
        ]
        return f"{of.count('reproduced')} of {len(of)}"

    def differing(self) -> int:
        """Return how many claims that both scales judge have another verdict at scale paper."""
        pairs = zip(*self.scorecards.values(), strict=True)
        verdicts = ({cpu["verdict"], paper["verdict"]} for cpu, paper in pairs)
        return sum(len(pair) > 1 and "not tested at this scale" not in pair for pair in verdicts)

    def verdict(self, claim: str) -> str:
        """Return a claim's verdict, with the strength of the evidence in brackets."""
        return f"**{self.claims[claim]['verdict']}** ({self.strengths[claim]})"

    def seen(self, claim: str, pattern: str, between: str = "") -> str:
        """Return what stands at each {} of the pattern in what was measured or seen of a claim.

        Raises:
            ValueError: if the pattern does not occur: the scorecard says it otherwise now.
        """
        *heads, tail = map(re.escape, pattern.split("{}"))
        expression = "(.+?)".join(heads) + "(.+?)" + (tail or r"(?:$|;|, )")
        for text in (self.claims[claim]["measured"], self.claims[claim]["seen"]):
            if found := re.search(expression, text):
                return between.join(found.groups())
        raise ValueError(f"the scorecard says nothing of {claim} like {pattern!r}")

    def cost(self, what: str) -> str:
        """Return a value of docs/speed/first_run.csv."""
        return self.costs[what]

    def minutes(self, what: str) -> str:
        """Return a time of docs/speed/pipeline_avx512.csv, in minutes."""
        return f"{self.seconds[what] / 60:.1f}"


def page(root: Path) -> str:
    """Return README.md.

    Args:
        root: of the repository.
    """
    numbers = Numbers(root)
    names = ("differing", "reproduced_of", "verdicts", "verdict", "seen", "cost", "minutes")
    context = {name: getattr(numbers, name) for name in names} | {
        "claims": numbers.claims,
        "version": netdyn.__version__,
    }
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    template = (root / "docs/README.in").read_text(encoding="utf-8")
    return environment.from_string(template).render(context)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
