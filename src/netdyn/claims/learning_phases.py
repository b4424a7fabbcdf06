"""Sec. IV.A, claims C14, C15, C20, C22, C23: phases over training, and where networks grok.

In phase I g_l is higher in shallow layers, in phase II in deep ones: see `kinds.phases` for
the criteria. The claims on phases are judged in either mode; grokking is a matter of test accuracy
in evaluation mode.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from netdyn.claims.kinds import (
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    Claim,
    NotTested,
    Outcome,
    Phases,
    at_least,
    at_most,
    each,
    format_mean,
    format_number,
    grokking,
    mean_spread,
    phases,
    verdict,
    worst,
)
from netdyn.claims.options import chosen
from netdyn.claims.panels import by_layer, largest_spread, layer_gradients, of_panels
from netdyn.claims.tables import Tables, each_run, matching

__all__ = ["CLAIMS", "converging", "describe_phases", "grokking_of", "trainings"]

FIRST_BATCH = "test_accuracy_first_batch"


def c14(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Fig. 3a and d pass from phase I to phase II.

    In each training: some step before the first in phase II is in phase I, and at the last step
    ρ(l, g_l) ≥ `phase_2_rho`.
    """
    verdicts, details, finals = [], [], {}
    for name, g, course in trainings(tables, row, "ad", mode):
        ends = at_least(course.final, row.thresholds["phase_2_rho"])
        verdicts.append(verdict(course.first is not None and ends))
        details.append(f"{name}: {describe_phases(g, course)}")
        finals.setdefault(name[0], []).append(course.final)
    return Outcome(
        each(*verdicts),
        f"phase I then II in {verdicts.count(REPRODUCED)} of {len(verdicts)} trainings",
        largest_spread(finals),
        f"{'; '.join(details)}.",
        len(verdicts),
        0,
    )


def c15(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Fig. 3b, c, e and f have no phase I.

    In each training ρ(l, g_l) stays above `no_phase_1_rho` at all steps whose mean g_l is above
    `mean_gradient`; there must be such steps.
    """
    verdicts, lowest, details = [], [], []
    for name, g, course in trainings(tables, row, "bcef", mode):
        if np.isnan(course.correlations).all():
            raise NotTested(
                f"the mean g of Fig. 3{name} stays below {row.thresholds['mean_gradient']:g}"
            )
        at = int(np.nanargmin(course.correlations))
        low = course.correlations[at]
        verdicts.append(verdict(not at_most(low, row.thresholds["no_phase_1_rho"])))
        lowest.append(low)
        details.append(f"{name} {format_number(low)} at step {g.index[at]:,}")
    return Outcome(
        each(*verdicts),
        f"lowest ρ(l, g_l) {format_number(min(lowest))}",
        None,
        f"No phase I in {verdicts.count(REPRODUCED)} of {len(verdicts)} trainings; the lowest "
        f"ρ(l, g_l): {', '.join(details)}.",
        len(verdicts),
        0,
    )


def c20(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Fig. 3g has three phases: I, II, and one in which all g_l but the last layer's converge."""
    return converging(tables, row, mode, 1)


def converging(tables: Tables, row: Claim, mode: str, left_out: int) -> Outcome:
    """Test that Fig. 3g has three phases: in the third the g_l of all but the last layers converge.

    In each training: phase I before phase II first holds, as in C14; then the standard deviation of
    g_l over all hidden layers but the last `left_out` falls, at the last step, to at most
    `spread_share` of its maximum over the steps in phase II.
    """
    verdicts, details, shares = [], [], []
    for name, g, course in trainings(tables, row, "g", mode):
        if g.shape[1] < left_out + 2:
            raise NotTested(f"{g.shape[1]} hidden layers are too few to leave out {left_out}")
        seen = f"{name}: {describe_phases(g, course)}"
        share = math.inf
        if course.second is not None:
            spread = g.iloc[:, :-left_out].std(axis=1, ddof=0).to_numpy()
            in_second = [
                at_least(rho, row.thresholds["phase_2_rho"]) for rho in course.correlations
            ]
            largest = spread[in_second].max()
            share = float(spread[-1] / largest)
            seen += f"; the g_l spread by up to {largest:.2f} in phase II, {spread[-1]:.2f} at last"
        converges = at_most(share, row.thresholds["spread_share"])
        verdicts.append(verdict(course.first is not None and converges))
        details.append(seen)
        shares.append(share)
    finite = np.isfinite(shares).all()
    return Outcome(
        each(*verdicts),
        f"final / largest spread of g_l {format_mean(shares)}" if finite else "no phase II",
        mean_spread(shares)[1] if finite else None,
        f"{'; '.join(details)}.",
        len(verdicts),
        0,
    )


def c22(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Fig. 3a, d and g grok, each training (see `kinds.grokking`).

    By the running statistics of the run, or, by option `statistics`, by running statistics
    initialised from the first batch; the sentence gives the accuracies of both. C23 judges the
    other panels by both.
    """
    history = of_panels(tables, "history", "adg", ["train_accuracy", "test_accuracy"])
    verdicts, details = grokking_of(history, "test_accuracy", row, expected="grokking")
    reset_verdicts, reset_details = grokking_of(
        _from_first_batch(tables, "adg", history), FIRST_BATCH, row, expected="grokking"
    )
    first_batch = chosen(row, "statistics") == "first_batch"
    return Outcome(
        each(*(reset_verdicts if first_batch else verdicts)),
        f"grokking in {verdicts.count(REPRODUCED)} of {len(verdicts)} trainings, "
        f"{reset_verdicts.count(REPRODUCED)} with statistics from the first batch",
        None,
        f"Test accuracy when training accuracy reaches {_percent(row)}: {', '.join(details)}; with "
        f"running statistics initialised from the first batch: {', '.join(reset_details)}.",
        len(verdicts),
        0,
    )


def c23(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Fig. 3b, c, e and f do not grok, each training (see `kinds.grokking`).

    Neither with the running statistics of the run, over the evaluated steps, nor with running
    statistics initialised from the first batch, over the kept steps; by option `statistics` by the
    latter alone.
    """
    history = of_panels(tables, "history", "bcef", ["train_accuracy", "test_accuracy"])
    verdicts, details = grokking_of(history, "test_accuracy", row, expected="none")
    reset_verdicts, reset_details = grokking_of(
        _from_first_batch(tables, "bcef", history), FIRST_BATCH, row, expected="none"
    )
    first_batch = chosen(row, "statistics") == "first_batch"
    return Outcome(
        each(*reset_verdicts) if first_batch else worst(each(*verdicts), each(*reset_verdicts)),
        f"no grokking in {verdicts.count(REPRODUCED)} of {len(verdicts)} trainings, "
        f"{reset_verdicts.count(REPRODUCED)} with statistics from the first batch",
        None,
        f"Test accuracy when training accuracy reaches {_percent(row)}: {', '.join(details)}; with "
        f"running statistics initialised from the first batch: {', '.join(reset_details)}.",
        len(verdicts),
        0,
    )


def _from_first_batch(tables: Tables, letters: str, history: pd.DataFrame) -> pd.DataFrame:
    """Return the kept steps with `FIRST_BATCH` and the training accuracy there."""
    keys = ["run", "seed", "step"]
    restarted = of_panels(tables, "first_batch", letters, [FIRST_BATCH])
    return restarted.merge(history[[*keys, "train_accuracy"]], on=keys)


def trainings(
    tables: Tables, row: Claim, letters: str, mode: str
) -> Iterator[tuple[str, pd.DataFrame, Phases]]:
    """Yield, per training of the panels, its name, g_l (steps by layers) and its phases."""
    table = layer_gradients(tables, letters, mode)
    for letter in letters:
        of_panel = matching(table, panel=letter)
        for _, rows in each_run(of_panel):
            g = by_layer(rows, "step")
            yield _name(rows, of_panel), g, phases(g.to_numpy(), row.thresholds)


def _name(rows: pd.DataFrame, among: pd.DataFrame) -> str:
    """Return a training's panel, and its seed if there are several: "a", "a (seed 0)"."""
    panel, seed = rows[["panel", "seed"]].iloc[0]
    return f"{panel} (seed {seed})" if among["seed"].ne(seed).any() else f"{panel}"


def describe_phases(g: pd.DataFrame, course: Phases) -> str:
    """Return in words where the phases of g_l, steps by layers, begin."""

    def since(name: str, index: int | None) -> str:
        return f"no {name}" if index is None else f"{name} from step {g.index[index]:,}"

    return (
        f"{since('early phase I', course.first)}, {since('phase II', course.second)}, "
        f"ρ(l, g_l) = {format_number(course.final)} at the end"
    )


def grokking_of(
    table: pd.DataFrame, test: str, row: Claim, expected: str
) -> tuple[list[str], list[str]]:
    """Return, per training, the verdict on grokking and the test accuracy that decides it."""
    verdict_on = {expected: REPRODUCED, "partly": PARTLY}  # any other grade: not reproduced
    verdicts, details = [], []
    for _, rows in each_run(table):
        name = _name(rows, table)
        try:
            grade = grokking(rows["train_accuracy"], rows[test], row.thresholds)
        except NotTested as error:
            raise NotTested(f"Fig. 3{name}: {error}") from error
        verdicts.append(verdict_on.get(grade, NOT_REPRODUCED))
        bound = row.thresholds["train_accuracy"]
        first = rows[[at_least(value, bound) for value in rows["train_accuracy"]]].iloc[0]
        details.append(f"{name} {100 * first[test]:.1f} % at step {first['step']:,}")
    return verdicts, details


def _percent(row: Claim) -> str:
    return f"{100 * row.thresholds['train_accuracy']:g} %"


CLAIMS = {"C14": c14, "C15": c15, "C20": c20, "C22": c22, "C23": c23}
