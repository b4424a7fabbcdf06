"""Sec. IV.A, claims C08 to C27: RPD gradients of deep networks.

Accuracies and final gradients of the six trainings of Fig. 3a-f; the phases over training are
in `netdyn.claims.learning_phases`, depth and width in `netdyn.claims.depth_and_width`.

g_l: the RPD gradient of hidden layer l, mean over classes and neurons, at the last step unless
stated otherwise. Accuracies are the best of the test set over the evaluated steps, evaluation mode,
or, by option `step`, those at the last or at a common step (`netdyn.claims.panels.compared_at`).
"""

from collections.abc import Callable, Mapping

import pandas as pd
from scipy.signal import find_peaks

from netdyn.claims import depth_and_width, learning_phases
from netdyn.claims.kinds import (
    Claim,
    NotTested,
    Outcome,
    at_least,
    at_most,
    each,
    format_mean,
    mean_spread,
    number,
    order,
    rank_correlation,
    verdict,
    worst,
)
from netdyn.claims.panels import (
    accuracies,
    by_layer,
    compared_at,
    final_gradients,
    largest_spread,
    layer_gradients,
)
from netdyn.claims.tables import Tables, each_run, matching

__all__ = ["CLAIMS"]

SIX = "abcdef"


def best_accuracy_of(letter: str) -> Callable[[Tables, Claim, str], Outcome]:
    """Return the test of the accuracy that the paper gives for a panel of Fig. 3."""

    def judge(tables: Tables, row: Claim, mode: str) -> Outcome:
        values = accuracies(tables, letter, compared_at(row, tables, letter, mode))[letter]
        return number(list(values), row.paper_value, row.thresholds)

    return judge


def c16(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The mean of g_l over layers rises from step 0 to its first maximum, in all six trainings.

    The first maximum over the kept steps is the first one above both its neighbours; where there is
    none, the largest value.
    """
    table = layer_gradients(tables, SIX, mode)
    outcomes, details, rising, judged = [], [], 0, 0
    for letter in SIX:
        pairs: list[tuple[float, float]] = []
        for _, rows in each_run(matching(table, panel=letter)):
            g = by_layer(rows, "step").mean(axis=1)
            if g.index[0] != 0:
                raise NotTested(f"the gradient of Fig. 3{letter} was not measured at step 0")
            tops, _ = find_peaks(g)
            pairs.append((float(g.iloc[tops[0]] if len(tops) else g.max()), float(g.iloc[0])))
        outcomes.append(order(pairs, row.thresholds))
        rising += all(peak > start for peak, start in pairs)
        judged += len(pairs)
        peaks, starts = zip(*pairs, strict=True)
        details.append(f"{letter} {format_mean(starts)} → {format_mean(peaks)}")
    return Outcome(
        each(*(outcome.verdict for outcome in outcomes)),
        "; ".join(details),
        None,
        f"The mean g rises from step 0 to its first maximum in {rising} of {len(outcomes)} "
        f"trainings: {'; '.join(details)}.",
        judged,
        0,
    )


def c17(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The final g_l of Fig. 3a (ReLU) and c (linear) almost agree, the accuracies do not.

    The mean over layers of |g_a − g_c| / ½(|g_a| + |g_c|), averaged over seeds, is at most
    `relative_difference` (partly `partly_relative_difference`); the mean accuracy of a is at least
    `gap_points` above that of c.
    """
    g, accuracy = _compared(tables, row, "ac", mode)
    apart = (g["a"] - g["c"]).abs() / ((g["a"].abs() + g["c"].abs()) / 2)
    relative = apart.mean(axis=1, skipna=False)
    gap = accuracy["a"] - accuracy["c"]
    mean = mean_spread(relative)[0]
    return Outcome(
        worst(
            verdict(
                at_most(mean, row.thresholds["relative_difference"]),
                at_most(mean, row.thresholds["partly_relative_difference"]),
            ),
            verdict(at_least(mean_spread(gap)[0], row.thresholds["gap_points"])),
        ),
        f"g_l differ by {format_mean(100 * relative, ' %', 0)}, accuracies by "
        f"{format_mean(gap, ' points')}",
        mean_spread(100 * relative)[1],
        f"The final g_l of a and c differ by {format_mean(100 * relative, ' %', 0)} on average "
        "over "
        f"layers, the accuracies by {format_mean(gap, ' points')}.",
    )


def c18(tables: Tables, row: Claim, mode: str) -> Outcome:
    """g_1 of Fig. 3b is below that of a and of c, and its accuracy above theirs: four orders."""
    g, accuracy = _compared(tables, row, "abc", mode)
    first = {letter: of_layers[1] for letter, of_layers in g.items()}
    orders = [order(_pairs(first[other], first["b"]), row.thresholds) for other in "ac"]
    orders += [order(_pairs(accuracy["b"], accuracy[other]), row.thresholds) for other in "ac"]
    held = _describe_panels(first, accuracy, "abc")
    return Outcome(worst(*(outcome.verdict for outcome in orders)), *held)


def c19(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Over the six trainings accuracy falls with g_1, and Adam does better than SGD in both.

    Means over seeds: Spearman's ρ of g_1 and accuracy is at most `rho`; g_1 is lower and accuracy
    higher in d than in a, in e than in b, in f than in c.
    """
    layers, accuracy = _compared(tables, row, SIX, mode)
    first = {letter: of_layers[1] for letter, of_layers in layers.items()}
    g = {letter: mean_spread(first[letter])[0] for letter in SIX}
    best = {letter: mean_spread(accuracy[letter])[0] for letter in SIX}
    rho = rank_correlation(list(g.values()), list(best.values()))
    pairs = {"d": "a", "e": "b", "f": "c"}
    lower = [adam for adam, sgd in pairs.items() if g[adam] < g[sgd]]
    higher = [adam for adam, sgd in pairs.items() if best[adam] > best[sgd]]
    _, spread, listed = _describe_panels(first, accuracy, SIX)
    return Outcome(
        worst(
            verdict(at_most(rho, row.thresholds["rho"])),
            verdict(len(lower) == len(higher) == len(pairs)),
        ),
        f"ρ(g_1, accuracy) = {rho:.2f}".replace("-", "−"),
        spread,
        f"ρ(g_1, accuracy) is {rho:.2f}; Adam has the lower g_1 in {len(lower)} and the higher "
        f"accuracy in {len(higher)} of {len(pairs)} pairs: {listed}".replace("-", "−"),
    )


def _compared(
    tables: Tables, row: Claim, letters: str, mode: str
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.Series]]:
    """Return g_l, seeds by layers, and the accuracies of panels at the step of option `step`.

    Gradients at the best step were not all kept: with the best accuracies go the last gradients.
    """
    at = compared_at(row, tables, letters, mode)
    g = final_gradients(tables, letters, mode, "last" if at == "best" else at)
    return g, accuracies(tables, letters, at)


def _pairs(larger: pd.Series, smaller: pd.Series) -> list[tuple[float, float]]:
    return list(pd.concat([larger, smaller], axis=1).itertuples(index=False, name=None))


def _describe_panels(
    first: Mapping[str, pd.Series], accuracy: Mapping[str, pd.Series], letters: str
) -> tuple[str, float | None, str]:
    """Return g_1 of the panels, the largest seed spread, and a sentence with the accuracies."""
    return (
        "g_1 " + ", ".join(f"{letter} {format_mean(first[letter])}" for letter in letters),
        largest_spread(first),
        ", ".join(
            f"{x} g_1 {format_mean(first[x])} at {format_mean(accuracy[x], ' %')}" for x in letters
        )
        + ".",
    )


CLAIMS = {
    "C08": best_accuracy_of("a"),
    "C09": best_accuracy_of("b"),
    "C10": best_accuracy_of("c"),
    "C11": best_accuracy_of("d"),
    "C12": best_accuracy_of("e"),
    "C13": best_accuracy_of("f"),
    "C16": c16,
    "C17": c17,
    "C18": c18,
    "C19": c19,
    **learning_phases.CLAIMS,
    **depth_and_width.CLAIMS,
}
