"""Sec. II, claims C53 and C54: definitions of the basins and of the L-map."""

from collections.abc import Iterable, Mapping

import pandas as pd

from netdyn.claims.fitted import is_compared
from netdyn.claims.kinds import (
    Claim,
    NotTested,
    Outcome,
    at_least,
    at_most,
    format_mean,
    format_number,
    mean_spread,
    rank_correlation,
    verdict,
)
from netdyn.claims.tables import Tables, diverged, each_run, identity_columns, raise_if_diverged
from netdyn.claims.values import measured

__all__ = ["CLAIMS", "basin_pairs"]

# All networks with both basins: the prefix of their tables, and the table of the sample basin.
# Noisy samples return to the data's range by `affine` in all of them.
FAMILIES = {
    "architecture": "architecture_sample_basin",
    "learning_rates": "learning_rates_sample_basin",
    "batch_sizes": "batch_sizes_sample_basin",
    "deep23": "deep23_class_basin_affine",
    "grokking": "grokking_sample_basin",
    "initial_scales": "initial_scales_sample_basin",
    "fixed_range": "fixed_range_sample_basin",
    "translations": "translations_sample_basin",
}


def c53(tables: Tables, row: Claim, mode: str) -> Outcome:
    """The sizes of the two basins do not rank the trained networks alike.

    |Spearman's ρ| between the average sample-space and weight-space basin is at most `rho` over all
    trainings, each at its step of best test accuracy; those that diverged are excluded, and, by
    option `compared`, those that do not fit their training set.
    """
    pairs, excluded, unfitted = basin_pairs(tables, row)
    rho = rank_correlation(pairs["sample"], pairs["weight"])
    correlation = f"ρ = {format_number(rho)} over {len(pairs)} networks"
    left_out = [
        f"{count} that {why} are left out"
        for count, why in ((excluded, "diverged"), (unfitted, "did not fit"))
        if count
    ]
    return Outcome(
        verdict(at_most(abs(rho), row.thresholds["rho"])),
        correlation,
        None,
        "; ".join([f"The sizes of the two basins correlate with {correlation}", *left_out]) + ".",
        len(pairs),
        excluded + unfitted,
    )


def basin_pairs(tables: Tables, row: Claim) -> tuple[pd.DataFrame, int, int]:
    """Return the sizes of both basins of each network, at its step of best test accuracy.

    Returns:
        sweep, the prefix of the network's tables; sample; weight: the average sizes. Then the
        number of networks that are left out because they diverged, and the number of those that are
        not compared.
    """
    pairs, excluded, unfitted = [], 0, 0
    for sweep, sample_basin in FAMILIES.items():
        history = tables.history(f"{sweep}_history", ["test_accuracy"])
        diverged_runs = {tuple(divergence.identity.items()) for divergence in diverged(history)}
        excluded += len(diverged_runs)
        spaces = [
            _averages(tables.get(name, ["step", "of", "size"]))
            for name in (sample_basin, f"{sweep}_weight_basin")
        ]
        for identity, rows in each_run(history):
            if tuple(identity.items()) in diverged_runs:
                continue
            if not is_compared(row, rows):
                unfitted += 1
                continue
            best = rows.loc[rows["test_accuracy"].idxmax(), "step"]
            pairs.append([sweep, *(_size(sizes, identity, int(best)) for sizes in spaces)])
    if not pairs:
        raise NotTested("no network is left to compare")
    return pd.DataFrame(pairs, columns=["sweep", "sample", "weight"]), excluded, unfitted


def c54(tables: Tables, row: Claim, mode: str) -> Outcome:
    """sign(M_l) agrees with the sign of the mean Jacobian of the logits, layer by layer.

    In every network, step and layer, mean over seeds, the agreement is at least `agreement`
    (partly: `partly_agreement`).
    """
    table = tables.get("sign_agreement", ["run", "step", "layer", "agreement"])
    for prefix in ("deep10", "deep23"):
        runs = [run for run in table["run"].unique() if run.startswith(prefix)]
        if runs:
            raise_if_diverged(tables.history(f"{prefix}_history", runs=runs))
    measured(table["agreement"])
    # Seeds have their best accuracy at different steps: steps are numbered within each seed.
    moment = table.groupby(identity_columns(table))["step"].rank(method="dense").astype(int)
    layers = table.assign(moment=moment).groupby(["run", "moment", "layer"])["agreement"]
    means = layers.mean()
    lowest = means.idxmin()
    values = layers.get_group(lowest)
    run, _, layer = lowest
    return Outcome(
        verdict(
            at_least(means.min(), row.thresholds["agreement"]),
            at_least(means.min(), row.thresholds["partly_agreement"]),
        ),
        f"lowest {format_mean(values)}, mean {means.mean():.2f}",
        mean_spread(values)[1],
        f"The signs agree in {means.mean():.2f} of the entries on average, least in layer {layer} "
        f"of {run}: {format_mean(values)}.",
        len(means),
        0,
    )


def _averages(table: pd.DataFrame) -> dict[tuple, float]:
    """Return the average basin sizes by the identity of their run and the step."""
    rows = table[table["of"] == "average"]
    keys = rows[[*identity_columns(rows), "step"]].itertuples(index=False, name=None)
    return dict(zip(map(_rounded, keys), rows["size"], strict=True))


def _size(sizes: Mapping[tuple, float], identity: Mapping, step: int) -> float:
    """Return a run's average basin size at a step."""
    size = sizes.get(_rounded((*identity.values(), step)))
    if size is None:
        raise NotTested(f"no basin of run {identity['run']} at its best step, {step}")
    return float(measured([size])[0])


def _rounded(key: Iterable) -> tuple:
    """Return a key with its floats rounded to the nine digits that tables hold."""
    return tuple(float(f"{value:.9g}") if isinstance(value, float) else value for value in key)


CLAIMS = {"C53": c53, "C54": c54}
