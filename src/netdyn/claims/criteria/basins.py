"""Further criteria of Sec. IV.B and II.D: attraction basins."""

from collections.abc import Callable, Sequence

import pandas as pd

from netdyn.claims.basins import average_sizes, sweep_of
from netdyn.claims.concepts import basin_pairs
from netdyn.claims.curves import curves, sizes_on, together
from netdyn.claims.kinds import saturates, trend
from netdyn.claims.options import chosen
from netdyn.claims.single_samples import apexes_of, are_cones, copies, distinct_pairs
from netdyn.claims.tables import Tables, each_run, matching, raise_if_diverged
from netdyn.claims.values import (
    at_most,
    difference,
    finite,
    format_mean,
    format_number,
    rank_correlation,
)
from netdyn.claims.verdicts import Claim, NotTested, Outcome, each, verdict

__all__ = ["CRITERIA"]


def pooled(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The sample-space basin, averaged over widths and seeds, grows with depth and levels off.

    Sizes are divided by their mean over the depths and seeds of their width. The mean curve has the
    trend and saturates by the thresholds of the frozen criterion.
    """
    raise_if_diverged(tables.history("architecture_history"))
    sizes = average_sizes(tables, "architecture_sample_basin_cone", "width", "depth")
    finite(sizes["size"])
    means = sizes.groupby("width")["size"].transform("mean")
    relative = sizes.assign(size=sizes["size"] / means)
    by_width = relative.groupby(["width", "depth"])["size"].mean().reset_index()
    # Each width counts alike, whatever number of seeds it has.
    mean = by_width.groupby("depth")["size"].mean().reset_index().assign(of="all")
    curve = sizes_on(row, curves(mean, "depth", "size", ["of"]))
    outcome = together(
        ("the mean over widths and seeds", trend(curve, 1, row.thresholds, "curves")),
        ("it", saturates(curve, row.thresholds, "curves")),
    )
    return outcome._replace(judged=len(sizes), unjudged=0)


def grown_up_to_best(
    sweep: str, setting: str, sign: int
) -> Callable[[Tables, Claim, str], Outcome]:
    """Return the test that both basins have grown up to the setting of best accuracy.

    In each seed the size of either basin at the best setting is above that at every setting before
    it, in the order in which the noise of training grows.

    Args:
        sweep, setting: as in `netdyn.claims.basins.sweep_of`.
        sign: 1 where the noise grows with the setting (learning rate), −1 where it falls with it
            (batch size).
    """

    def judge(tables: Tables, row: Claim, mode: str) -> Outcome:
        swept = sweep_of(tables, row, sweep, setting)
        before = [value for value in swept.settings if sign * value < sign * swept.best]
        if not before:
            raise NotTested(f"accuracy is best at the first {setting.replace('_', ' ')}")
        by_seed: dict[int, list[bool]] = {}
        details = []
        for space, sizes in swept.sizes.items():
            excess = []
            for seed, rows in sizes.groupby("seed"):
                of_setting = rows.set_index(setting)["size"]
                excess.append(difference(of_setting[swept.best], of_setting[before].max()))
                by_seed.setdefault(seed, []).append(excess[-1] > 0)
            details.append(f"{space} basin {format_mean(excess)}")
        summary = f"above the largest before: {', '.join(details)}"
        return Outcome(
            each(*(verdict(all(grows)) for grows in by_seed.values())),
            summary,
            None,
            f"{swept.described}; there, {summary}{swept.left_out}.",
            len(swept.settings),
            swept.unjudged,
        )

    return judge


def each_amplitude(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The basins of a sample and its copy are distinct at each amplitude of the noise by itself.

    In each seed: the overlap is at most `overlap` at every amplitude at which it can be judged, and
    both are cones as in the frozen criterion. Not tested where it cannot be judged at a share
    `amplitudes` of the amplitudes or more.
    """
    raise_if_diverged(tables.history("deep23_history"))
    noise_return = chosen(row, "noise_return")
    of_copies, shapes = copies(tables, noise_return)
    pairs = matching(of_copies.dropna(subset="amplitude"), noise_return=noise_return)
    counted = pairs.dropna(subset=["overlap"])
    if len(counted) < row.thresholds["amplitudes"] * len(pairs):
        listed = ", ".join(f"{a:g}" for a in sorted(counted["amplitude"].unique())) or "none"
        raise NotTested(
            f"the overlap can be judged at {len(counted)} of {len(pairs)} amplitudes ({listed})"
        )
    verdicts, largest = [], []
    for identity, cones in each_run(shapes):
        overlaps = matching(counted, **identity)["overlap"]
        largest.append(overlaps.max())
        distinct = all(at_most(overlap, row.thresholds["overlap"]) for overlap in overlaps)
        verdicts.append(verdict(distinct and are_cones(apexes_of(cones), row.thresholds)))
    return Outcome(
        each(*verdicts),
        f"largest overlap {format_mean(largest)}",
        None,
        f"Amplitude by amplitude the effective basins overlap by up to {format_mean(largest)}, at "
        f"{len(counted)} of {len(pairs)} amplitudes.",
        len(counted),
        len(pairs) - len(counted),
    )


def all_pairs(tables: Tables, row: Claim, mode: str) -> Outcome:
    """As C35's frozen criterion; pairs whose overlap cannot be judged count as not distinct."""
    return distinct_pairs(tables, row, of_all=True)


def within_sweeps(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The sizes of the two basins do not rank networks alike, over all and within each sweep.

    |ρ| is at most `rho` over all networks and within every sweep of at least `networks`. Partly:
    over all, and within more than `partly_share` of these sweeps.
    """
    pairs, excluded, unfitted = basin_pairs(tables, row)
    large = [
        (name, rows)
        for name, rows in pairs.groupby("sweep", sort=False)
        if len(rows) >= row.thresholds["networks"]
    ]
    if not large:
        raise NotTested(f"no sweep has {row.thresholds['networks']:g} networks")
    judged = sum(len(rows) for _, rows in large)
    left_out = len(pairs) - judged + excluded + unfitted
    return _correlations(pairs, large, "within", row, judged, left_out)


def without_a_sweep(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The sizes of the two basins do not rank networks alike, whichever sweep is left out.

    |ρ| is at most `rho` over all networks, and over those of all sweeps but one, each in turn.
    Partly: over all, and without one in more than `partly_share` of the turns.
    """
    pairs, excluded, unfitted = basin_pairs(tables, row)
    others = [(name, pairs[pairs["sweep"] != name]) for name in pairs["sweep"].unique()]
    return _correlations(pairs, others, "without", row, len(pairs), excluded + unfitted)


def _correlations(
    pairs: pd.DataFrame,
    parts: Sequence[tuple[str, pd.DataFrame]],
    how: str,
    row: Claim,
    judged: int,
    unjudged: int,
) -> Outcome:
    """Judge |ρ| over all networks and over each part of them."""
    over_all = rank_correlation(pairs["sample"], pairs["weight"])
    rhos = {name: rank_correlation(rows["sample"], rows["weight"]) for name, rows in parts}
    independent = at_most(abs(over_all), row.thresholds["rho"])
    holds = [at_most(abs(rho), row.thresholds["rho"]) for rho in rhos.values()]
    enough = sum(holds) / len(holds) > row.thresholds["partly_share"]
    extreme = max(rhos, key=lambda name: abs(rhos[name]))
    listed = ", ".join(
        f"{format_number(rhos[name])} {how} {name} ({len(rows)})" for name, rows in parts
    )
    return Outcome(
        verdict(independent and all(holds), independent and enough),
        f"ρ = {format_number(over_all)} over all, {format_number(rhos[extreme])} {how} {extreme}",
        None,
        f"The sizes of the two basins correlate with ρ = {format_number(over_all)} over all "
        f"{len(pairs)} networks; {listed}.",
        judged,
        unjudged,
    )


CRITERIA = {
    ("C28", "pooled"): pooled,
    ("C31", "grown_up_to_best"): grown_up_to_best("learning_rates", "learning_rate", 1),
    ("C32", "grown_up_to_best"): grown_up_to_best("batch_sizes", "batch_size", -1),
    ("C34", "each_amplitude"): each_amplitude,
    ("C35", "all_pairs"): all_pairs,
    ("C53", "within_sweeps"): within_sweeps,
    ("C53", "without_a_sweep"): without_a_sweep,
}
