"""Sec. V.A, claims C37 to C40 and C52: grokking in deep networks, and batch norm's part in it."""

import itertools

import numpy as np
import pandas as pd

from netdyn.claims.curves import format_step, steepest_rise
from netdyn.claims.kinds import (
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    Claim,
    NotTested,
    Outcome,
    at_least,
    each,
    format_mean,
    grokking,
    inside,
    mean_spread,
    verdict,
    worst,
)
from netdyn.claims.panels import of_panels
from netdyn.claims.regions import moments
from netdyn.claims.tables import Tables, each_run, matching
from netdyn.claims.values import measured

__all__ = ["CLAIMS"]

# Panels of Fig. 3 with a transition from phase I to phase II, and without.
WITH, WITHOUT = "adg", "bcef"
TRAINING_REGIONS = {"split": "train", "mode": "training"}
DISTANCE = "statistics_distance"


def c37(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Test samples lie outside their class's training region before grokking, inside after."""
    view = {"split": "test", "mode": "evaluation"}
    stated = {"before": "outside", "after": "inside"}
    return moments(tables, "deep23", view, TRAINING_REGIONS, stated, row)


def c38(tables: Tables, row: Claim, mode: str) -> Outcome:
    """In training mode they lie inside before and after."""
    view = {"split": "test", "mode": "training"}
    stated = {"before": "inside", "after": "inside"}
    return moments(tables, "deep23", view, TRAINING_REGIONS, stated, row)


def c39(tables: Tables, row: Claim, mode: str) -> Outcome:
    """With the batch's own statistics (α = 1) Fig. 3a, d and g do not grok, each training."""
    accuracy = "test_accuracy_batch_statistics"
    history = of_panels(tables, "history", WITH, ["train_accuracy", accuracy])
    graded = {"none": REPRODUCED, "partly": PARTLY, "grokking": NOT_REPRODUCED}
    verdicts, details = [], []
    for identity, rows in each_run(history):
        grade = grokking(rows["train_accuracy"], rows[accuracy], row.thresholds)
        verdicts.append(graded[grade])
        learned = rows["train_accuracy"].map(
            lambda value: at_least(value, row.thresholds["train_accuracy"])
        )
        panel, test = rows["panel"].iloc[0], rows.loc[learned.idxmax(), accuracy]
        details.append(f"{panel} (seed {identity['seed']}) {100 * test:.0f} %")
    return Outcome(
        each(*verdicts),
        f"no grokking in {verdicts.count(REPRODUCED)} of {len(verdicts)} trainings",
        None,
        f"Test accuracy in training mode when training accuracy reaches "
        f"{100 * row.thresholds['train_accuracy']:g} %: {', '.join(details)}.",
        len(verdicts),
        0,
    )


def c40(tables: Tables, row: Claim, mode: str) -> Outcome:
    """In Fig. 3b, c, e and f test samples in evaluation mode stay inside the training regions.

    In each training the share of the test samples, all digits, inside their class's region is
    "inside" at every kept step with training accuracy above `train_accuracy`. Partly: it is nowhere
    "outside". Seeds in which no share was measured do not count.
    """
    history = of_panels(tables, "history", WITHOUT, ["train_accuracy"])
    columns = ["split", "mode", "digit", "points", "share"]
    shares = of_panels(tables, "region_share", WITHOUT, columns)
    shares = matching(shares, split="test", mode="evaluation")
    measured(shares["share"])
    history = history[history["seed"].isin(shares["seed"])]
    graded = {"inside": REPRODUCED, "between": PARTLY, "outside": NOT_REPRODUCED}
    verdicts, lowest, details, judged = [], {}, [], 0
    for identity, rows in each_run(history):
        learned = rows.loc[rows["train_accuracy"] > row.thresholds["train_accuracy"], "step"]
        measured_shares = matching(shares, **identity)
        measured_shares = measured_shares[measured_shares["step"].isin(learned)]
        name = f"{rows['panel'].iloc[0]} (seed {identity['seed']})"
        if measured_shares.empty:
            raise NotTested(f"Fig. 3{name}: no kept step has so high a training accuracy")
        counts = measured_shares.assign(
            inside=measured_shares["share"] * measured_shares["points"]
        ).groupby("step")
        share = counts["inside"].sum() / counts["points"].sum()
        verdicts.append(graded[inside(share.min(), row.thresholds)])
        judged += len(share)
        lowest.setdefault(identity["seed"], []).append(share.min())
        details.append(f"{name} {100 * share.min():.0f} % at step {share.idxmin():,}")
    least = 100 * np.array([min(of_seed) for of_seed in lowest.values()])
    return Outcome(
        each(*verdicts),
        f"lowest share inside {format_mean(least, ' %', 0)}",
        mean_spread(least)[1],
        f"The lowest share of test samples inside: {', '.join(details)}.",
        judged,
        0,
    )


def c52(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Running and current statistics part where the phase changes, and meet before grokking.

    Distance: of the running statistics from the current ones, mean over layers. In each seed its
    mean over the evaluated steps from 1 on, before the training accuracy first reaches
    `train_accuracy`, is larger in every one of Fig. 3a, d, g than in every one of b, c, e, f. (At
    step 0 the running statistics have not seen the run; seeds without all seven trainings do not
    count.) And in each of a, d, g the steepest fall of the distance after its
    largest value, at a step from 1 on, comes no later than the steepest rise of test accuracy, both
    against the logarithm of the step; where only some of the three do, partly.
    """
    history = of_panels(tables, "history", WITH + WITHOUT, ["train_accuracy", "test_accuracy"])
    history = history[history["step"] > 0]
    distances = [column for column in history.columns if column.startswith(DISTANCE)]
    if not distances:
        raise NotTested(f"the histories have no column {DISTANCE}_1")
    # Networks of fewer layers have fewer of the columns.
    history = history.assign(distance=history[distances].mean(axis=1))
    measured(history["distance"])
    early, precedes, details = {}, {}, {}
    for identity, rows in each_run(history):
        seed, panel = identity["seed"], rows["panel"].iloc[0]
        early.setdefault(seed, {})[panel] = _early_distance(rows, panel, row)
        if panel in WITH:
            fall, rise = _fall_and_rise(rows)
            precedes.setdefault(seed, []).append(verdict(fall <= rise))
            details.setdefault(seed, []).append(
                f"{panel} {format_step(fall)} and {format_step(rise)}"
            )
    verdicts, ratios = [], []
    trainings = sum(map(len, early.values()))
    early = {
        seed: by_panel for seed, by_panel in early.items() if by_panel.keys() == {*WITH, *WITHOUT}
    }
    if not early:
        raise NotTested("no seed has all trainings of Fig. 3a to g")
    for seed, by_panel in early.items():
        least, most = min(by_panel[x] for x in WITH), max(by_panel[x] for x in WITHOUT)
        ratios.append(least / most)
        verdicts.append(worst(verdict(least > most), each(*precedes[seed])))
    means = {x: format_mean([by_panel[x] for by_panel in early.values()]) for x in WITH + WITHOUT}
    return Outcome(
        each(*verdicts),
        f"smallest distance of a, d, g over largest of b, c, e, f: {format_mean(ratios)}",
        mean_spread(ratios)[1],
        f"Early distance {', '.join(f'{x} {mean}' for x, mean in means.items())}; steepest fall of "
        f"the distance and rise of test accuracy at steps: "
        f"{', '.join(step for seed in early for step in details[seed])}.",
        sum(map(len, early.values())),
        trainings - sum(map(len, early.values())),
    )


def _early_distance(rows: pd.DataFrame, panel: str, row: Claim) -> float:
    """Return the mean distance over the steps before the training accuracy is first reached."""
    reached = [at_least(a, row.thresholds["train_accuracy"]) for a in rows["train_accuracy"]]
    before = list(itertools.takewhile(lambda is_reached: not is_reached, reached))
    if not before:
        raise NotTested(f"Fig. 3{panel} has no evaluated step before it is trained")
    return float(rows["distance"].iloc[: len(before)].mean())


def _fall_and_rise(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the steps of the distance's steepest fall and of the test accuracy's steepest rise."""
    steps, distance = rows["step"].to_numpy(), rows["distance"].to_numpy()
    largest = distance.argmax()
    return (
        steepest_rise(steps[largest:], -distance[largest:]),
        steepest_rise(steps, rows["test_accuracy"]),
    )


CLAIMS = {"C37": c37, "C38": c38, "C39": c39, "C40": c40, "C52": c52}
