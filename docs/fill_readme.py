"""README.md from docs/README.in, a Jinja template: numbers are those of the committed tables."""

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import jinja2

import netdyn

__all__ = ["Numbers", "page", "rendered"]


class Numbers:
    """What the template asks for."""

    def __init__(self, root: Path):
        """Read the tables below `root`, the folder of the repository."""
        self._root = root
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

    def seeds(self, scale: str) -> str:
        """Return how many networks of each seed have committed results, "seed 0 of 3 networks"."""
        trained = set()
        tables = self._root / f"results/{scale}/reference/tables"
        for path in sorted(tables.glob("*_history.csv")):
            rows = _rows(path)
            columns = [*rows[0]]
            columns = columns[: columns.index("seed") + 1]  # the run, and what is swept
            trained |= {tuple(row[column] for column in columns) for row in rows}
        counts = sorted(Counter(int(network[-1]) for network in trained).items())
        texts = [f"seed {seed} of {count}" for seed, count in counts]
        texts[0] += " networks"
        return " and ".join([", ".join(texts[:-1]), texts[-1]] if texts[1:] else texts)

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
    names = ("differing", "reproduced_of", "verdicts", "verdict", "seen", "seeds", "cost")
    context = {name: getattr(numbers, name) for name in (*names, "minutes")} | {
        "claims": numbers.claims,
        "version": netdyn.__version__,
    }
    return rendered(root / "docs/README.in", context)


def rendered(path: Path, context: Mapping[str, object]) -> str:
    """Return the text of a template; a name that the context lacks is an error."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    return environment.from_string(path.read_text(encoding="utf-8")).render(context)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
