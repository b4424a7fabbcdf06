"""Scans of groups of samples for the amplitudes at which their shares fall through one half.

A pilot scans averages and classes on some of the samples; single samples are only scanned.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from netdyn.measures.basins.accuracy_curves import SURE, group_means
from netdyn.measures.basins.crossings import LEVEL, Scan, search
from netdyn.measures.basins.noisy_passes import SampleNoise, WeightNoise

__all__ = ["CountedPasses", "pilot", "single_sizes"]

SCAN_TRIALS = 2  # of single samples: their result is verified with all trials
PILOT_STEP = 4  # of the steps of an octave, 19 %: all samples refine the pilot's result


class CountedPasses:
    """Noisy passes, with the number of samples passed so far in `done`."""

    def __init__(self, noise: SampleNoise | WeightNoise, samples: int):
        self._noise, self._samples, self.done = noise, samples, 0

    def correct(self, trial: int, amplitudes: Tensor, samples: Tensor | None = None) -> Tensor:
        """Return the result of the noise's `correct` for these arguments, and count the samples."""
        count = self._samples if samples is None else len(samples)
        self.done += len(amplitudes) * count
        return self._noise.correct(trial, amplitudes, samples)


def _shares(
    passes: CountedPasses, member: Tensor, groups: int, trials: int, scan: Scan
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function for `crossings.search`: means over trials and a group's samples."""

    def shares(exponents: Tensor, which: Tensor) -> Tensor:
        amplitudes = torch.full((groups,), math.nan, dtype=torch.float64, device=member.device)
        amplitudes[which] = scan.amplitudes(exponents)
        return _by_trial(passes, member, amplitudes, trials).mean(dim=0)[which]

    return shares


def _by_trial(passes: CountedPasses, member: Tensor, amplitudes: Tensor, trials: int) -> Tensor:
    """Return each group's share at its amplitude (G,), trial by trial (T, G); NaN where NaN."""
    by_sample = amplitudes[member]  # (P,)
    samples = (~by_sample.isnan()).nonzero().squeeze(1)
    rows = by_sample[samples].unsqueeze(0)
    return torch.stack(
        [
            group_means(passes.correct(trial, rows, samples), member[samples], len(amplitudes))[0]
            for trial in range(trials)
        ]
    )


def single_sizes(
    passes: CountedPasses, clean: Tensor, chosen: Tensor, trials: int, scan: Scan
) -> Tensor:
    """Return the basin sizes of single samples, (P,).

    Args:
        passes: noise on all samples.
        clean: whether each is correct without noise, (P,), 0 or 1.
        chosen: the samples that are measured, (P,) of bool; the others have the size NaN.
        trials: draws of the noise.
        scan: where to look.
    """
    samples = len(clean)
    clean = clean.where(chosen, math.nan)
    member = torch.arange(samples, device=clean.device)
    coarse = _shares(passes, member, samples, min(trials, SCAN_TRIALS), scan)
    fine = _shares(passes, member, samples, trials, scan)
    low, high, share_low, share_high = search(coarse, fine, clean, scan, step=1)
    below, above = scan.amplitudes(low), scan.amplitudes(high)
    sizes = below + (share_low - LEVEL) / (share_low - share_high) * (above - below)
    sizes[clean < LEVEL] = 0.0
    sizes[high > scan.top] = math.inf
    return sizes


def pilot(
    passes: CountedPasses, member: Tensor, groups: int, counts: Tensor, trials: int, space: str,
    scan: Scan,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the amplitudes of the groups' crossings, (G,), and their uncertainties in log a, (G,).

    The amplitude is NaN for a group that starts below one half, inf for one that never falls below.
    """
    shares = _shares(passes, member, groups, trials, scan)
    all_groups = torch.arange(groups, device=member.device)
    clean = shares(torch.full_like(all_groups, scan.floor), all_groups)
    clean[counts == 1] = math.nan  # which is measured as a single sample
    low, high, share_low, share_high = search(shares, shares, clean, scan, PILOT_STEP)
    below, above = scan.amplitudes(low), scan.amplitudes(high)
    place = below + (share_low - LEVEL) / (share_low - share_high) * (above - below)
    place[clean < LEVEL] = math.nan
    place[high > scan.top] = math.nan
    by_trial = _by_trial(passes, member, place, trials)  # (T, G)
    variance = 0.25 / member.bincount(minlength=groups).float()
    if space == "weight":
        # One trial does not show how much trials differ: 10 % is a cautious guess.
        variance = variance + (by_trial.var(dim=0) / trials if trials > 1 else 0.01)
    slope = (share_low - share_high) / (above / below).log()
    # Wide enough for the error of the pilot, and for resamples of all samples.
    width = torch.maximum(4 * variance.sqrt(), SURE * (0.25 / counts.float()).sqrt()) / slope
    width = width.nan_to_num(0.4).clamp(0.01, 0.4)
    place[high > scan.top] = math.inf
    return place, width
