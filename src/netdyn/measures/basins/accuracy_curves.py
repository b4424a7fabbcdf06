"""Accuracies of groups of samples under noise, at few amplitudes near their fall through one half.

They decide which amplitude is missing for the size of a basin and its error.
"""

import math

import torch
from torch import Tensor

from netdyn.measures.basins.crossings import LEVEL, STEPS, Scan
from netdyn.measures.basins.sizes import basin_error, basin_size

__all__ = ["SURE", "AccuracyCurves", "group_means"]

SURE = 4.5  # standard errors: none of 200 resamples deviates further


def group_means(correct: Tensor, member: Tensor, groups: int) -> Tensor:
    """Return the mean of each row of correct (R, S) over each group, (R, G)."""
    sums = torch.zeros(len(correct), groups, dtype=torch.float64, device=correct.device)
    sums.index_add_(1, member, correct.double())
    return sums / member.bincount(minlength=groups)


class AccuracyCurves:
    """The accuracy curves of one kind of groups; each group has its own amplitudes."""

    def __init__(
        self,
        kind: str,
        index: Tensor,
        member: Tensor,
        clean: Tensor,
        width: Tensor,
        scan: Scan,
        seed: int,
    ):
        """Prepare the curves of a kind of groups.

        Args:
            kind: name of this kind of groups.
            index: of each group, (G,).
            member: number of each sample's group, (P,).
            clean: which samples are correct without noise, (P,).
            width: how far around the crossing to look, (G,), in log a.
            scan: ends of the amplitudes.
            seed: of the resamples.
        """
        self.kind, self.index, self.member, self.clean = kind, index, member, clean
        self._seed = seed
        self._width, self._scan = width.tolist(), scan
        self._places = [(member == g).nonzero().squeeze(1) for g in range(len(index))]
        self.clean_accuracies = [clean[places].mean().item() for places in self._places]
        self.trials = 0
        self.rows = torch.empty(0, len(index), dtype=torch.float64, device=member.device)  # (R, G)
        # (R, P), of all trials
        self._counts = torch.zeros(0, len(member), dtype=torch.float32, device=member.device)
        self._by_trial: list[list[Tensor]] = []  # per row, of each trial (G,)

    def begin(self, place: Tensor) -> None:
        """Choose the first amplitudes: around `place` (G,), in its groups."""
        width = torch.tensor(self._width, dtype=torch.float64, device=place.device)
        around = place * torch.exp(torch.stack([-width, torch.zeros_like(width), width]))
        top = 2 ** (self._scan.top / STEPS)
        around[1, place.isinf()] = top
        self.add(torch.where(around.isinf(), math.nan, around.clamp(max=top)))

    def add(self, rows: Tensor) -> None:
        """Add amplitudes (R, G), NaN for groups that need none."""
        self.rows = torch.cat([self.rows, rows])
        self._counts = torch.cat(
            [self._counts, self._counts.new_zeros(len(rows), len(self.member))]
        )
        self._by_trial += [[] for _ in rows]

    def record(self, row: int, correct: Tensor) -> None:
        """Add one trial of one row, (P,) of bool."""
        self._counts[row] += correct
        means = group_means(correct.unsqueeze(0), self.member, len(self.index))[0]
        self._by_trial[row].append(means)

    def curve(self, g: int) -> tuple[list[float], Tensor, Tensor]:
        """Return the amplitudes (A,), from 0, the shares (A, P_g) and the trials' means (A, T)."""
        places = self._places[g]
        used = [r for r, a in enumerate(self.rows[:, g].tolist()) if not math.isnan(a)]
        used.sort(key=lambda r: self.rows[r, g].item())
        # The same amplitude may have been added twice.
        used = [
            r for i, r in enumerate(used) if i == 0 or self.rows[r, g] > self.rows[used[i - 1], g]
        ]
        shares = self._counts[used][:, places].double() / self.trials
        clean = self.clean_accuracies[g]
        trials = [torch.full((self.trials,), clean, dtype=torch.float64, device="cpu")]
        trials += [torch.stack(self._by_trial[r])[:, g].cpu() for r in used]
        amplitudes = [0.0, *self.rows[used, g].tolist()]
        return amplitudes, torch.cat([self.clean[places].unsqueeze(0), shares]), torch.stack(trials)

    def judge(self, g: int) -> tuple[float, float, float, float | None]:
        """Return size, error, trial error and the missing amplitude, None if none is missing."""
        if len(self._places[g]) == 1:
            # A staircase has no slope: `bracketing` measures it as the single sample that it is.
            return math.nan, math.nan, math.nan, None
        amplitudes, shares, by_trial = self.curve(g)
        curve = shares.mean(dim=1)
        size = basin_size(amplitudes, curve)
        error = basin_error(amplitudes, shares, self._seed)
        spread = math.sqrt(0.25 / shares.shape[1])
        if size == 0 and self.clean_accuracies[g] < LEVEL - SURE * spread:
            return 0.0, 0.0, 0.0, None
        last, top = amplitudes[-1], 2 ** (self._scan.top / STEPS)
        step = math.exp(2 * self._width[g])
        if math.isinf(size) or math.isinf(error):
            missing = None
            if last < top:
                lowest = 2 ** (self._scan.first / STEPS)
                missing = min(max(last * step, lowest), top)
                self._width[g] = min(2 * self._width[g], 0.35)
            return size, error, math.nan, missing
        if size == 0:
            return size, error, 0.0, None
        after = next(i for i, share in enumerate(curve.tolist()) if share < LEVEL)
        below, above = amplitudes[after - 1], amplitudes[after]
        high, low = curve[after - 1].item(), curve[after].item()
        within = (size - below) / (above - below)
        at_size = by_trial[after - 1] * (1 - within) + by_trial[after] * within  # (T,)
        slope = (high - low) / (above - below)
        trial_error = math.nan
        if self.trials > 1:
            trial_error = at_size.std().item() / math.sqrt(self.trials) / slope
        bottom = 2 ** (self._scan.floor / STEPS)
        lowest = amplitudes[1]
        # Resamples, too, must not cross below the lowest amplitude, on the long chord from 0.
        uncovered = after == 1 or (after == 2 and curve[1] < LEVEL + SURE * spread)
        if uncovered and lowest > bottom and self.clean_accuracies[g] > curve[1] + 0.25 * spread:
            self._width[g] = min(2 * self._width[g], 0.35)
            return size, error, trial_error, lowest / step
        bend = _bend(amplitudes, curve.tolist(), after)
        if abs(bend) > 0.25 * error and above - below > 1e-3 * above:
            return size, error, trial_error, size + bend
        return size, error, trial_error, None


def _bend(amplitudes: list[float], curve: list[float], after: int) -> float:
    """Return how far the crossing of a parabola lies from that of the chord, to first order.

    The parabola is through the two points around the crossing and the nearest third but a = 0.
    """
    nearest = [i for i in (after - 2, after + 1) if 0 < i < len(curve)]
    if after == 1 or not nearest:
        return 0.0
    third = min(nearest, key=lambda i: abs(curve[i] - LEVEL))
    a, b, c = amplitudes[after - 1], amplitudes[after], amplitudes[third]
    chord = (curve[after] - curve[after - 1]) / (b - a)
    second = ((curve[third] - curve[after]) / (c - b) - chord) / (c - a)
    size = a + (LEVEL - curve[after - 1]) / chord
    moved = -second * (size - a) * (size - b) / chord
    return min(max(moved, 0.9 * (a - size)), 0.9 * (b - size))
