"""Sec. IV.B, claims C34 to C36: cones, effective basins and slight perturbations of single samples.

All in the 23-layer network at the step of best test accuracy. Noisy samples return to the data's
range as in the paper's picture, where cones are seen, unless a reading chooses another return; the
results of the others are added to the sentence.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from netdyn.claims.curves import trends
from netdyn.claims.kinds import (
    Claim,
    NotTested,
    Outcome,
    at_least,
    at_most,
    each,
    format_mean,
    format_number,
    mean_spread,
    rank_correlation,
    verdict,
    worst,
)
from netdyn.claims.options import chosen
from netdyn.claims.tables import Tables, each_run, matching, raise_if_diverged
from netdyn.claims.values import measured
from netdyn.claims.verdicts import Thresholds

__all__ = ["CLAIMS", "apexes_of", "are_cones", "copies", "distinct_pairs"]

PUBLISHED, LEAST = "flip_distance", "least_flip_distance"
PAIR = ["sample_a", "sample_b", "shift_a", "shift_b", "amplitude", "overlap"]


def c34(tables: Tables, row: Claim, mode: str) -> Outcome:
    """A sample and its shifted copy are apexes of cones with distinct effective basins.

    In each seed: the overlap of the two basins, all amplitudes pooled, is at most `overlap`; and
    for both the spread of the perturbed points is smallest at the smallest noise and the drift of
    their centre from the sample rises with noise, ρ at least `drift_rho`.
    """
    raise_if_diverged(tables.history("deep23_history"))
    noise_return = chosen(row, "noise_return")
    of_copies, shapes = copies(tables, noise_return)
    of_all_amplitudes = of_copies[of_copies["amplitude"].isna()]
    pooled = matching(of_all_amplitudes, noise_return=noise_return)
    by_amplitude = matching(of_copies.dropna(subset="amplitude"), noise_return=noise_return)
    if pooled.empty or pooled["overlap"].isna().any():
        raise NotTested("too few points of a sample's basin lie within the data's region")
    verdicts, overlaps, rhos, narrowest = [], [], [], []
    for identity, cones in each_run(shapes):
        overlaps.append(matching(pooled, **identity)["overlap"].max())
        apexes = apexes_of(cones)
        distinct = at_most(overlaps[-1], row.thresholds["overlap"])
        verdicts.append(verdict(distinct and are_cones(apexes, row.thresholds)))
        narrowest += [narrow for narrow, _ in apexes]
        rhos += [rho for _, rho in apexes]
    return Outcome(
        each(*verdicts),
        f"overlap {format_mean(overlaps)}; ρ(noise, drift) = {_reach(rhos)}",
        mean_spread(overlaps)[1],
        f"The effective basins overlap by {format_mean(overlaps)}; the spread is smallest at the "
        "smallest "
        f"noise in {sum(narrowest)} of {len(narrowest)} cones, and the drift of their centre has "
        f"ρ = {_reach(rhos)} with the noise."
        + _by_other_returns(
            of_all_amplitudes,
            noise_return,
            lambda rows: format_mean(rows["overlap"]),
            "an overlap of",
        ),
        int(by_amplitude["overlap"].notna().sum()),
        int(by_amplitude["overlap"].isna().sum()),
    )


def c35(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Most samples have distinct effective basins, whose bases converge as noise grows."""
    return distinct_pairs(tables, row, of_all=False)


def distinct_pairs(tables: Tables, row: Claim, of_all: bool) -> Outcome:
    """Test that most samples have distinct effective basins, whose bases converge as noise grows.

    In each seed at least a share `pairs` of all pairs overlap, all amplitudes pooled, by at most
    `overlap`; and the mean overlap over pairs at one amplitude rises with the amplitude, ρ at least
    `rho` (partly `partly_rho`). Pairs of which too few points lie within the data's region have no
    overlap.

    Args:
        of_all: whether pairs without an overlap count, as not distinct, or do not count.
    """
    raise_if_diverged(tables.history("deep23_history"))
    noise_return = chosen(row, "noise_return")
    of_all_returns, shapes = _cones(tables, "deep23_cone", ["distance_to_common"], noise_return)
    pairs = matching(of_all_returns, noise_return=noise_return)
    counted = pairs.dropna(subset=["overlap"])
    pooled, of_amplitude = counted[counted["amplitude"].isna()], counted.dropna(subset="amplitude")
    verdicts, distinct, rhos = [], [], []
    for identity, _ in each_run(pairs):
        of_seed = matching(pairs[pairs["amplitude"].isna()] if of_all else pooled, **identity)
        share = _distinct(of_seed["overlap"], row.thresholds)
        means = matching(of_amplitude, **identity).groupby("amplitude")["overlap"].mean()
        rho = rank_correlation(means.index, means)
        converges = (at_least(rho, row.thresholds[bound]) for bound in ("rho", "partly_rho"))
        is_distinct = verdict(at_least(share, row.thresholds["pairs"]))
        verdicts.append(worst(is_distinct, verdict(*converges)))
        distinct.append(100 * share)
        rhos.append(rho)
    percent, pair_count = format_mean(distinct, " %", 0), pairs["amplitude"].isna().sum()
    both = of_all_returns.dropna(subset=["overlap"])
    others = _by_other_returns(
        both[both["amplitude"].isna()],
        noise_return,
        lambda rows: f"{100 * _distinct(rows['overlap'], row.thresholds):.0f} %",
        "distinct pairs:",
    )
    apart = shapes.groupby("amplitude")["distance_to_common"].mean().iloc[[0, -1]]
    return Outcome(
        each(*verdicts),
        f"{percent} of the pairs distinct; ρ(noise, overlap) = {_reach(rhos)}",
        mean_spread(distinct)[1],
        f"{percent} of {pair_count if of_all else len(pooled)} pairs overlap by at most "
        f"{row.thresholds['overlap']:g} ({pair_count - len(pooled)} "
        f"{'of them' if of_all else 'more'} have too few points); the mean overlap has ρ = "
        f"{_reach(rhos)} with the noise, and the bases' mean distance from their common centre "
        f"goes from {format_number(apart.iloc[0])} to {format_number(apart.iloc[1])}.{others}",
        int(pair_count) if of_all else len(pooled),
        0 if of_all else int(pair_count - len(pooled)),
    )


def c36(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The smaller a sample's basin, the slighter the perturbation (L2) that flips it.

    Spearman's ρ over the samples of each seed that DeepFool flips. Its steps overshoot in deep
    networks, so the sentence also gives ρ with the smallest flip of its variants with shortened
    steps. The sample shown is the one with the smallest basin.
    """
    raise_if_diverged(tables.history("deep23_history"))
    samples = tables.get("deep23_adversarial", ["basin", PUBLISHED, LEAST])
    flipped = samples.dropna(subset=[PUBLISHED])
    if set(flipped["seed"]) != set(samples["seed"]):
        raise NotTested("in one of the networks no sample was flipped")
    by_flip = {
        flip: trends(flipped, "basin", flip, 1, row.thresholds) for flip in (PUBLISHED, LEAST)
    }
    outcome, least = by_flip[PUBLISHED], by_flip[LEAST]
    fragile = matching(tables.get("deep23_fragile", ["kind", "name", "value"]), kind="summary")
    _, summary = next(each_run(fragile))
    shown = summary.set_index("name")["value"].reindex(["basin", "digit", "flip_distance"])
    judged = outcome if chosen(row, "flip") == "deepfool" else least
    return judged._replace(
        judged=len(flipped),
        unjudged=len(samples) - len(flipped),
        seen=f"The flipping distance of a sample with its basin {outcome.seen[:-1]}, the "
        f"least of shortened steps with {least.measured}; "
        f"{len(samples) - len(flipped)} of {len(samples)} samples were not flipped; that of the "
        f"smallest basin, {shown['basin']:.3f}, is a {shown['digit']:.0f} that flips at distance "
        f"{shown['flip_distance']:.3f}.",
    )


def copies(tables: Tables, noise_return: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return overlaps of samples with their shifted copies, under every return, and cones' shapes.

    The shapes are those under `noise_return`.
    """
    pairs, shapes = _cones(
        tables, "deep23_shift", ["sample", "shift", "spread", "drift"], noise_return
    )
    of_copies = (pairs["sample_a"] == pairs["sample_b"]) & (pairs["shift_a"] != pairs["shift_b"])
    return pairs[of_copies], shapes


def apexes_of(cones: pd.DataFrame) -> list[tuple[bool, float]]:
    """Return, per sample, whether its cone is narrowest at the apex, and ρ(noise, drift)."""
    return [_apex(cone) for _, cone in cones.groupby(["sample", "shift"])]


def are_cones(apexes: Sequence[tuple[bool, float]], thresholds: Thresholds) -> bool:
    """Return whether all are narrowest at their apex and drift with noise, ρ ≥ `drift_rho`."""
    return all(narrow and at_least(rho, thresholds["drift_rho"]) for narrow, rho in apexes)


def _distinct(overlaps: pd.Series, thresholds: Thresholds) -> float:
    """Return the share of overlaps that are at most `overlap`."""
    return overlaps.map(lambda overlap: at_most(overlap, thresholds["overlap"])).mean()


def _cones(
    tables: Tables, name: str, shape: Sequence[str], noise_return: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return overlaps of pairs under every return of noise, and the shapes of cones under one."""
    pairs = tables.get(f"{name}_overlap", ["noise_return", *PAIR])
    shapes = tables.get(f"{name}_shape", ["noise_return", "amplitude", *shape])
    shapes = matching(shapes, noise_return=noise_return).sort_values("amplitude", kind="stable")
    return pairs, shapes


def _by_other_returns(
    pairs: pd.DataFrame, judged: str, describe: Callable[[pd.DataFrame], str], what: str
) -> str:
    """Return a sentence on the results under the other returns of noisy samples."""
    details = [
        f"{describe(rows)} ({how})"
        for how, rows in pairs.groupby("noise_return")
        if how != judged and rows["overlap"].notna().all()
    ]
    return (
        f" Not judged, with noise returned otherwise, {what} {', '.join(details)}."
        if details
        else ""
    )


def _apex(cone: pd.DataFrame) -> tuple[bool, float]:
    """Return whether a cone is narrowest at its apex, and ρ of its centre's drift with noise."""
    narrowest = measured(cone["spread"]).argmin() == 0
    return bool(narrowest), rank_correlation(cone["amplitude"], cone["drift"])


def _reach(numbers: Sequence[float]) -> str:
    return " … ".join(dict.fromkeys([format_number(min(numbers)), format_number(max(numbers))]))


CLAIMS = {"C34": c34, "C35": c35, "C36": c36}
