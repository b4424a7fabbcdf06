"""Sec. IV.B, claims C28 to C36: attraction basins.

Average basins over depth, width and training, and those of classes; basins of single samples
are in `netdyn.claims.single_samples`.

A basin's size is the amplitude of noise at which half of the samples are still classified right;
infinite where that never happens. An infinite size ranks above all others. Sizes are measured on
training samples at the step of best test accuracy, in evaluation mode.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from netdyn.claims import single_samples
from netdyn.claims.curves import mean_curves, sizes_on, together, trends
from netdyn.claims.fitted import compared_curves, tell_left_out, unfitted_settings
from netdyn.claims.kinds import (
    Claim,
    Diverged,
    NotTested,
    Outcome,
    at_least,
    difference,
    each,
    format_mean,
    format_number,
    mean_spread,
    saturates,
    verdict,
)
from netdyn.claims.tables import (
    Tables,
    best_accuracy,
    diverged,
    each_run,
    matching,
    raise_if_diverged,
)
from netdyn.claims.values import measured

__all__ = ["CLAIMS", "Sweep", "average_sizes", "c30", "sweep_of", "with_affine"]


def c28(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The sample-space basin grows with depth in every width and seed, and levels off.

    Judged with noise returned as in the paper's picture; the result of `affine` is
    added to the sentence.
    """
    picture, affine = (
        _levels_off(tables, name, 1, row)
        for name in ("architecture_sample_basin_cone", "architecture_sample_basin")
    )
    return with_affine(picture, affine)


def c29(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The weight-space basin shrinks with depth in every width and seed, and levels off."""
    return _levels_off(tables, "architecture_weight_basin", -1, row)


def c30(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Both basins grow with width in every depth and seed; noisy samples return by `affine`."""
    history = tables.history("architecture_history")
    raise_if_diverged(history)
    parts, unjudged = [], 0
    for space in ("sample", "weight"):
        sizes = average_sizes(tables, f"architecture_{space}_basin", "width", "depth")
        sizes, unjudged = compared_curves(row, sizes, history, "width", "depth")
        growth = trends(sizes, "width", "size", 1, row.thresholds, of="depth")
        parts.append((f"the {space} basin", growth))
    return tell_left_out(row, together(*parts), history, unjudged)


def c31(tables: Tables, row: Claim, mode: str) -> Outcome:
    """At the learning rate of best accuracy both basins are near their maxima (`_at_best`)."""
    return _at_best(tables, row, "learning_rates", "learning_rate")


def c32(tables: Tables, row: Claim, mode: str) -> Outcome:
    """At the batch size of best accuracy both basins are near their maxima (`_at_best`)."""
    return _at_best(tables, row, "batch_sizes", "batch_size")


def c33(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The basins of the classes differ substantially, in each seed.

    Their range is over `errors` times its own resampling error, that of the difference between its
    two ends (an infinite end has none), and over `share_of_mean` of the mean finite size.
    Judged with noise returned as in the paper's picture; the result of `affine` is
    added to the sentence.
    """
    raise_if_diverged(tables.history("deep23_history"))
    columns = ["of", "index", "size", "size_error"]
    picture, affine = (
        _classes_differ(matching(tables.get(name, columns), of="class"), row)
        for name in ("deep23_class_basin", "deep23_class_basin_affine")
    )
    return with_affine(picture, affine)


def with_affine(picture: Outcome, affine: Outcome) -> Outcome:
    """Return the outcome under the picture's noise, with the one under `affine` in its sentence."""
    return picture._replace(
        seen=f"{picture.seen.rstrip('.')}. With noise returned by affine: {affine.verdict} "
        f"({affine.measured})."
    )


def average_sizes(tables: Tables, name: str, *settings: str) -> pd.DataFrame:
    """Return the average basins of a table by their settings."""
    return matching(tables.get(name, [*settings, "of", "size"]), of="average")


def _levels_off(tables: Tables, name: str, sign: int, row: Claim) -> Outcome:
    history = tables.history("architecture_history")
    raise_if_diverged(history)
    sizes = average_sizes(tables, name, "width", "depth")
    sizes, unjudged = compared_curves(row, sizes, history, "depth", "width")
    means = mean_curves(sizes, "depth", "size", ["width"])
    outcome = together(
        ("the basin", trends(sizes, "depth", "size", sign, row.thresholds, of="width")),
        ("it", saturates(sizes_on(row, means), row.thresholds, "widths")),
    )
    return tell_left_out(row, outcome, history, unjudged)


def _at_best(tables: Tables, row: Claim, sweep: str, setting: str) -> Outcome:
    """Test that at the setting of best accuracy both basins are near their maxima over settings.

    Sizes are means over seeds; near is at least `share_of_maximum`.
    """
    swept = sweep_of(tables, row, sweep, setting)
    shares, by_seed = {}, []
    for space, sizes in swept.sizes.items():
        shares[space] = _share_of_maximum(sizes.groupby(setting)["size"].mean(), swept.best)
        by_seed.append(
            [
                _share_of_maximum(rows.set_index(setting)["size"], swept.best)
                for _, rows in sizes.groupby("seed")
            ]
        )
    summary = (
        f"sample basin {shares['sample']:.2f}, weight basin {shares['weight']:.2f} of the maximum"
    )
    return Outcome(
        verdict(all(at_least(s, row.thresholds["share_of_maximum"]) for s in shares.values())),
        summary,
        mean_spread([min(both) for both in zip(*by_seed, strict=True)])[1],
        f"{swept.described}, with {summary}{swept.left_out}.",
        len(swept.settings),
        swept.unjudged,
    )


class Sweep(NamedTuple):
    """The networks of a sweep over one setting, and the setting of best accuracy.

    Accuracies are each run's best; the best setting is that of the best mean over seeds. Settings
    at which a seed diverged are left out, and so are those at which one does not fit its training
    set where only networks that do are compared.
    """

    settings: list[float]  # ascending, those that are compared
    best: float
    sizes: dict[str, pd.DataFrame]  # space → the average basins, by setting and seed
    described: str  # a clause on the best accuracy
    left_out: str  # a clause on what is left out, "" where nothing is
    unjudged: int  # settings left out


def sweep_of(tables: Tables, row: Claim, sweep: str, setting: str) -> Sweep:
    """Return the networks of a sweep with both of their basins.

    Raises:
        NotTested: a table is incomplete, or fewer than two settings are left to compare.
        Diverged: fewer than two settings are left without a run that diverged.
    """
    history = tables.history(f"{sweep}_history", [setting, "test_accuracy"])
    excluded = sorted({identity[setting] for identity, _ in diverged(history)})
    counted = history[~history[setting].isin(excluded)]
    unfitted = sorted(unfitted_settings(row, counted, setting))
    accuracies = best_accuracy(counted[~counted[setting].isin(unfitted)])
    if accuracies[setting].nunique() < 2:
        remaining = ", ".join(f"{value:g}" for value in accuracies[setting].unique()) or "none"
        if unfitted:
            raise NotTested(f"of the settings {remaining} is left to compare")
        raise Diverged(f"of each {setting.replace('_', ' ')} a run diverged, except of {remaining}")
    best = accuracies.groupby(setting)["test_accuracy"].mean().idxmax()
    by_space = {}
    for space in ("sample", "weight"):
        sizes = average_sizes(tables, f"{sweep}_{space}_basin", setting)
        measured(sizes["size"])
        by_space[space] = sizes[~sizes[setting].isin([*excluded, *unfitted])]
    accuracy = 100 * matching(accuracies, **{setting: best})["test_accuracy"]
    left_out = {"diverged": excluded, "not fitted": unfitted}
    return Sweep(
        sorted(accuracies[setting].unique()),
        best,
        by_space,
        f"Accuracy is best, {format_mean(accuracy, ' %')}, at {setting.replace('_', ' ')} {best:g}",
        "".join(
            f"; left out, {why}: {', '.join(f'{value:g}' for value in values)}"
            for why, values in left_out.items()
            if values
        ),
        len(excluded) + len(unfitted),
    )


def _share_of_maximum(sizes: pd.Series, at: float) -> float:
    """Return a size as a share of the largest, in [0, 1].

    It is 1 where both are infinite, and 0 where both are 0.
    """
    largest = sizes.max()
    if sizes[at] == largest:
        return 1.0 if largest > 0 else 0.0
    return float(sizes[at] / largest)


def _classes_differ(table: pd.DataFrame, row: Claim) -> Outcome:
    verdicts, ranges, details = [], [], []
    for _, rows in each_run(table):
        sizes = measured(rows["size"])
        finite = np.isfinite(sizes)
        ends = [sizes.argmin(), sizes.argmax()]
        errors = rows["size_error"].iloc[[end for end in ends if finite[end]]]
        error = np.linalg.norm(measured(errors))
        mean = sizes[finite].mean() if finite.any() else 0.0
        extent = difference(sizes.max(), sizes.min())
        ranges.append(extent)
        bounds = row.thresholds["errors"] * error, row.thresholds["share_of_mean"] * mean
        verdicts.append(verdict(extent > max(bounds)))
        smallest, largest = rows["index"].iloc[ends]
        details.append(
            f"{format_number(sizes.min())} (class {smallest}) to {format_number(sizes.max())} "
            "(class "
            f"{largest}), the resampling error of the range {format_number(error, 3)}"
        )
    return Outcome(
        each(*verdicts),
        f"range over classes {format_mean(ranges)}",
        mean_spread(ranges)[1],
        f"Basins of classes reach from {'; from '.join(details)}.",
        len(table),
        0,
    )


CLAIMS = {
    "C28": c28,
    "C29": c29,
    "C30": c30,
    "C31": c31,
    "C32": c32,
    "C33": c33,
    **single_samples.CLAIMS,
}
