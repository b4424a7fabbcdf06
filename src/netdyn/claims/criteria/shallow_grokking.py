"""Further criteria of Sec. V.B: grokking in a shallow network."""

from collections.abc import Iterator

import pandas as pd

from netdyn.claims.curves import (
    fluctuation,
    format_step,
    logarithms,
    sentence,
    steepest_rise,
    together,
    trends,
    within_factor,
)
from netdyn.claims.grokking_course import ACCURACIES, Course, averages, courses
from netdyn.claims.kinds import order
from netdyn.claims.tables import Tables, matching
from netdyn.claims.values import at_least, format_mean, measured
from netdyn.claims.verdicts import (
    VERDICTS,
    Claim,
    NotTested,
    Outcome,
    each,
    verdict,
    worst,
)

__all__ = ["CRITERIA"]


def declines(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Noisy samples are learned up to a threshold of the noise, and lost above it, clearly.

    The threshold is the largest amplitude, of at least `amplitude`, at which the accuracy reaches
    `accuracy` at a kept step after the onset in every seed. At some larger amplitude the accuracy
    at the last step is below its maximum over the kept steps: in every seed by at least `decline`,
    and on average over `spreads` times the standard deviation over seeds
    (`netdyn.claims.kinds.order`).
    """
    noise = tables.get("grokking_noise", ["step", "of", "amplitude", "accuracy"])
    measured(noise["accuracy"])
    learned: list[set[float]] = []
    falls: dict[float, list[tuple[float, float]]] = {}
    for course in courses(tables):
        curves = averages(noise, course).pivot_table(
            index="step", columns="amplitude", values="accuracy"
        )
        after = curves[curves.index >= course.onset].max()
        learned.append({a for a in curves if at_least(after[a], row.thresholds["accuracy"])})
        for a in curves:
            falls.setdefault(float(a), []).append((curves[a].max(), curves[a].iloc[-1]))
    in_all = [a for a in set.intersection(*learned) if at_least(a, row.thresholds["amplitude"])]
    if not in_all:
        return Outcome(
            verdict(False), "learned at no amplitude", None, "Noisy samples are learned nowhere."
        )
    above = {a: pairs for a, pairs in sorted(falls.items()) if a > max(in_all)}
    if not above:
        raise NotTested(f"no amplitude above {max(in_all):g}, where noisy samples are learned")
    outcomes = [order(p, row.thresholds, row.thresholds["decline"]) for p in above.values()]
    listed = ", ".join(
        f"{format_mean([100 * (top - last) for top, last in pairs], ' points')} at {a:g}"
        for a, pairs in above.items()
    )
    return Outcome(
        min((outcome.verdict for outcome in outcomes), key=VERDICTS.index),
        f"learned up to {max(in_all):g}; declines by {listed}",
        None,
        f"Noisy samples are learned up to amplitude {max(in_all):g}; above, from its maximum to "
        f"the end, their accuracy falls by {listed}.",
        len(above),
        0,
    )


def jump(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Both basins jump at the onset of grokking, whatever their sizes.

    In each seed the steepest growth of the logarithm of either basin's size against the logarithm
    of the step is within a `factor` in steps of the onset. Basins form, from nothing, while the
    training set is learned: growth counts from its memorisation on
    (`netdyn.claims.grokking_course.Course`).
    """
    verdicts, details = [], []
    for course, sizes in _basins(tables, "grokking_sample_basin_cone"):
        formed = {space: rows[rows["step"] >= course.memorised] for space, rows in sizes.items()}
        jumps = {
            space: steepest_rise(rows["step"], logarithms(rows["size"]))
            for space, rows in formed.items()
        }
        near = [within_factor(j, course.onset, row.thresholds["factor"]) for j in jumps.values()]
        verdicts.append(verdict(all(near)))
        listed = ", ".join(f"{space} basin at {format_step(at)}" for space, at in jumps.items())
        details.append(f"{listed} (onset {format_step(course.onset)})")
    return Outcome(
        each(*verdicts),
        "; ".join(details),
        None,
        f"The logarithms of the sizes grow most steeply at steps: {'; '.join(details)}.",
        len(verdicts),
        0,
    )


def from_the_maximum(tables: Tables, row: Claim, mode: str) -> Outcome:
    """From the largest weight basin on, the sample basin grows, weight basin and accuracy fall.

    The maximum is that over the kept steps from the onset on. The three trends hold from there in
    each seed, and the weight basin fluctuates more from there on than from the onset up to there
    (`netdyn.claims.curves.fluctuation`).
    """
    history = tables.history("grokking_history", ACCURACIES)
    late: dict[str, list[pd.DataFrame]] = {"sample": [], "weight": [], "test": []}
    rougher, details = [], []
    for course, sizes in _basins(tables, "grokking_sample_basin"):
        weight = sizes["weight"][sizes["weight"]["step"] >= course.onset]
        if weight.empty:
            raise NotTested("no basin was measured from the onset on")
        top = weight.loc[weight["size"].idxmax(), "step"]
        before, after = (
            fluctuation(part)
            for part in (weight[weight["step"] <= top], weight[weight["step"] >= top])
        )
        rougher.append(verdict(after > before))
        details.append(f"from {before:.3f} to {after:.3f} (step {format_step(top)})")
        of_run = matching(history, **course.identity)
        for name, rows in {**sizes, "test": of_run}.items():
            late[name].append(rows[rows["step"] >= top])
    joined = {name: pd.concat(rows) for name, rows in late.items()}
    outcome = together(
        (
            "from there on, the sample basin",
            trends(joined["sample"], "step", "size", 1, row.thresholds),
        ),
        ("the weight basin", trends(joined["weight"], "step", "size", -1, row.thresholds)),
        ("test accuracy", trends(joined["test"], "step", "test_accuracy", -1, row.thresholds)),
    )
    return outcome._replace(
        verdict=worst(outcome.verdict, each(*rougher)),
        seen=sentence(
            f"the weight basin's fluctuation goes {'; '.join(details)}", outcome.seen.rstrip(".")
        ),
    )


def _basins(tables: Tables, sample: str) -> Iterator[tuple[Course, dict[str, pd.DataFrame]]]:
    """Yield each training's course and the average sizes of both basins by step."""
    trainings = list(courses(tables))
    by_space = {
        space: tables.get(name, ["step", "of", "size"])
        for space, name in (("sample", sample), ("weight", "grokking_weight_basin"))
    }
    for course in trainings:
        sizes = {space: averages(table, course) for space, table in by_space.items()}
        for rows in sizes.values():
            measured(rows["size"])
        yield course, sizes


CRITERIA = {
    ("C42", "declines"): declines,
    ("C43", "jump"): jump,
    ("C46", "from_the_maximum"): from_the_maximum,
}
