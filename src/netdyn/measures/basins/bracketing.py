"""Basin sizes by bracketing: passes only at amplitudes where the accuracy falls through 50 %.

The definition is that of `netdyn.measures.basins.sizes`, and the noise is the same draw for draw:
with as many trials, `find_basins` returns what a fine grid of amplitudes returns, for a few passes
per trial. A pilot on some of the samples scans from `smallest` upward by octaves (factors of 2) to
the first one in which the accuracy falls below one half; then all samples are evaluated at
amplitudes close to that crossing.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.data.prepared import subset
from netdyn.errors import NetdynError
from netdyn.measures.basins.accuracy_curves import AccuracyCurves
from netdyn.measures.basins.crossings import STEPS, Scan
from netdyn.measures.basins.noise import checked_ends
from netdyn.measures.basins.noisy_passes import labelled_samples
from netdyn.measures.basins.scanning import CountedPasses, pilot, single_sizes
from netdyn.measures.basins.traced_noise import sample_noise, weight_noise
from netdyn.networks.inputs import as_count, as_whole
from netdyn.networks.reading import Network, read
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["Basins", "GroupBasins", "find_basins"]

PILOT_SAMPLES = 500  # 50 of each of ten classes
PILOT_TRIALS = 4
FIRST_TRIALS = 4  # fewer do not show how much the trials differ
OCTAVES_BELOW = 8  # below `smallest`; at lower amplitudes a size is interpolated from a = 0
EXTENSIONS = 16


class GroupBasins(NamedTuple):
    """The basins of G groups of samples."""

    index: Tensor  # (G,): −1 for the average, the class, or the sample's position
    sizes: Tensor  # (G,), as `netdyn.measures.basins.sizes.basin_sizes`
    errors: Tensor  # (G,), as `netdyn.measures.basins.sizes.basin_error`: by resampling the samples
    trial_errors: Tensor  # (G,): standard error by differences of trials; NaN for one trial
    clean_accuracies: Tensor  # (G,), without noise
    trials: int  # number that was evaluated


class Basins(NamedTuple):
    """Basins by kind of group, and their cost in passes."""

    groups: dict[str, GroupBasins]
    passes: float  # number of evaluated samples, divided by the number of samples


@plain_mode
def find_basins(
    model: nn.Module | Network,
    x: Tensor,
    y: Tensor,
    space: str,
    trials: int,
    seed: int,
    groups: Sequence[str] = ("average",),
    error: float | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    noise_return: str = "affine",
    smallest: float = 2.0**-6,
    largest: float = 16.0,
) -> Basins:
    """Return basin sizes with their errors, evaluating only amplitudes near the 50 % crossing.

    A size is the first downward crossing of one half by the accuracy over a group's samples and
    trials; 0 if it is lower without noise; inf if it does not fall below one half up to
    `largest`. A network whose outputs are NaN classifies nothing: its basins are 0.

    Around the crossing of an average or a class at least three amplitudes are evaluated. There are
    more where resamples cross outside of them, or where by a parabola through them the
    interpolation is off by more than a quarter of the error. A single sample's share of correct
    trials is a staircase: its step through one half is bracketed to 4.4 % of the amplitude.

    A dip below one half may be missed if it lies between two octaves of the scan (or below
    `smallest`), and for averages if the pilot's 500 samples and 4 trials do not show it.

    Args:
        model, x, y, seed, value_range, noise_return: as in
            `netdyn.measures.basins.sizes.sample_noise_correct`.
        space: "sample" or "weight": the space of the noise.
        trials: largest number of draws of the noise, ≥ 1.
        groups: "average" (all samples), "class" (each label that a sample has), "sample" (each
            sample).
        error: standard error to reach, relative to the size, > 0: trials are doubled, from 4, until
            every average or class reaches it, or until the variance by samples is ten times that by
            trials. None means all `trials`, which single samples always use.
        smallest, largest: ends of the scan, 0 < smallest < largest, in units of the amplitude.

    In sample space every sample has its own noise, and `errors` include the contribution of the
    trials. In weight space the noise of a trial is common to all samples, and the total error is
    √(errors² + trial_errors²).

    A class (or average) of one sample is measured as that single sample: with all trials, and
    without an error, as one sample does not show how much samples differ.

    Raises:
        NetdynError: for arguments that are out of range, and as the functions of
            `netdyn.measures.basins.sizes`.
    """
    network = read(model)
    x, y = labelled_samples(network, x, y)
    trials, seed = as_count(trials, "trials"), as_whole(seed, "seed")
    checked_ends(value_range, noise_return)
    _check(x, space, groups, error, smallest, largest)

    def noise_on(x: Tensor, y: Tensor) -> CountedPasses:
        if space == "weight":
            return CountedPasses(weight_noise(network, x, y, seed), len(x))
        return CountedPasses(sample_noise(network, x, y, seed, value_range, noise_return), len(x))

    passes = noise_on(x, y)
    no_noise = torch.zeros(1, 1, dtype=torch.float64, device="cpu")
    clean = passes.correct(0, no_noise)[0].double()  # (P,)
    first, top = round(STEPS * math.log2(smallest)), math.floor(STEPS * math.log2(largest))
    scan = Scan(first, top, first - OCTAVES_BELOW * STEPS)
    curves = []
    pilot_passes = None
    for kind in groups:
        if kind == "sample":
            continue
        if pilot_passes is None:
            labels = len(y.unique())
            chosen = subset(y, min(len(y), max(PILOT_SAMPLES, labels)), seed).to(x.device)
            pilot_passes = noise_on(x[chosen], y[chosen])
        member, index = _members(kind, y)
        start, width = pilot(
            pilot_passes, member[chosen], len(index), member.bincount(),
            min(trials, PILOT_TRIALS), space, scan,
        )  # fmt: skip
        curve = AccuracyCurves(kind, index, member, clean, width, scan, seed)
        curve.begin(start)
        curves.append(curve)
    basins = _refined(passes, curves, trials, error, space) if curves else {}
    alone = {curve.kind: curve.member.bincount()[curve.member] == 1 for curve in curves}  # (P,)
    alone["sample"] = torch.full_like(y, "sample" in groups, dtype=torch.bool)
    singles = torch.stack([*alone.values()]).any(dim=0)
    if singles.any():
        sizes = single_sizes(passes, clean, singles, trials, scan).cpu()
        unknown = torch.full_like(sizes, math.nan)
        positions = torch.arange(len(sizes), device="cpu")
        basins["sample"] = GroupBasins(positions, sizes, unknown, unknown, clean.cpu(), trials)
        for curve in curves:
            places = alone[curve.kind].nonzero().squeeze(1).cpu()
            basins[curve.kind].sizes[curve.member.cpu()[places]] = sizes[places]
    done = passes.done + (0 if pilot_passes is None else pilot_passes.done)
    return Basins({kind: basins[kind] for kind in groups}, done / len(x))


def _check(x, space, groups, error, smallest, largest) -> None:
    if space not in ("sample", "weight"):
        raise NetdynError(f"space {space!r}: choose sample or weight")
    if len(x) == 0:
        raise NetdynError("basins of no samples: give at least one")
    if isinstance(groups, str):
        raise NetdynError(f"groups {groups!r}: give a list, [{groups!r}]")
    unknown = [kind for kind in groups if kind not in ("average", "class", "sample")]
    if unknown or not groups:
        raise NetdynError(f"groups {list(groups)}: choose from average, class, sample")
    if error is not None and not error > 0:
        raise NetdynError(f"error {error}: give a relative error above 0, or None")
    if not 0 < smallest < largest < math.inf:
        raise NetdynError(f"smallest {smallest}, largest {largest}: 0 < smallest < largest")


def _members(kind: str, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the number of each sample's group (P,) and the index of each group (G,)."""
    if kind == "average":
        return torch.zeros_like(y), torch.tensor([-1], dtype=torch.int64, device="cpu")
    index, member = y.unique(return_inverse=True)
    return member, index.cpu()


def _refined(
    passes: CountedPasses,
    curves: list[AccuracyCurves],
    trials: int,
    error: float | None,
    space: str,
) -> dict[str, GroupBasins]:
    """Evaluate all samples, add missing amplitudes, then trials until the error is reached."""
    now = trials if error is None else min(trials, FIRST_TRIALS)
    _evaluate(passes, [(curve, range(len(curve.rows))) for curve in curves], range(now))
    while True:
        for curve in curves:
            curve.trials = now
        judged = {curve.kind: _settled(passes, curve, now) for curve in curves}
        if now == trials or all(_is_settled(basins, error, space) for basins in judged.values()):
            return judged
        then = min(2 * now, trials)
        _evaluate(passes, [(curve, range(len(curve.rows))) for curve in curves], range(now, then))
        now = then


def _evaluate(
    passes: CountedPasses, parts: list[tuple[AccuracyCurves, range]], trials: range
) -> None:
    """Evaluate the rows of each curve in these trials; all rows share the noise of a trial."""
    rows = torch.cat([c.rows[r.start : r.stop, c.member] for c, r in parts])  # (R, P)
    if rows.numel() == 0:
        return
    samples = (~rows.isnan()).any(dim=0).nonzero().squeeze(1)
    chosen = None if len(samples) == rows.shape[1] else samples
    amplitudes = rows if chosen is None else rows[:, samples]
    for trial in trials:
        correct = torch.zeros_like(rows, dtype=torch.bool)
        correct[:, samples] = passes.correct(trial, amplitudes, chosen)
        places = iter(correct)
        for curve, curve_rows in parts:
            for row in curve_rows:
                curve.record(row, next(places))


def _settled(passes: CountedPasses, curves: AccuracyCurves, trials: int) -> GroupBasins:
    groups = range(len(curves.index))
    judged = [curves.judge(g) for g in groups]
    for _ in range(EXTENSIONS):
        missing = [math.nan if amplitude is None else amplitude for *_, amplitude in judged]
        changed = [g for g in groups if not math.isnan(missing[g])]
        if not changed:
            break
        before = len(curves.rows)
        curves.add(torch.tensor([missing], dtype=torch.float64, device=curves.rows.device))
        _evaluate(passes, [(curves, range(before, before + 1))], range(trials))
        for g in changed:
            judged[g] = curves.judge(g)
    sizes, errors, trial_errors, _ = torch.tensor(
        [[math.nan if value is None else value for value in values] for values in judged],
        dtype=torch.float64, device="cpu",
    ).T  # fmt: skip
    clean = torch.tensor(curves.clean_accuracies, dtype=torch.float64, device="cpu")
    return GroupBasins(curves.index, sizes, errors, trial_errors, clean, trials)


def _is_settled(basins: GroupBasins, error: float | None, space: str) -> bool:
    by_sample, by_trial = basins.errors, basins.trial_errors
    total = by_sample.hypot(by_trial) if space == "weight" else by_sample
    reached = total <= error * basins.sizes
    dominated = by_trial.square() <= 0.1 * by_sample.square()
    hopeless = ~basins.sizes.isfinite() | ~by_sample.isfinite()
    return bool((reached | dominated | hopeless).all())
