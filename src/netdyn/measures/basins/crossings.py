"""Search for the amplitudes at which functions first fall below one half, for many at once.

The search runs upwards on a logarithmic grid by octaves, then halves the octave in which each
function has fallen.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["LEVEL", "STEPS", "Bracket", "Scan", "search"]

LEVEL = 0.5
STEPS = 16  # an octave is divided into this many steps, 4.4 % each


class Scan(NamedTuple):
    """Exponents e of the amplitudes 2^(e/16): where the scan starts and ends; a = 0 at `floor`."""

    first: int
    top: int
    floor: int

    def amplitudes(self, exponents: Tensor) -> Tensor:
        """Return the amplitudes of these exponents, in float64."""
        a = torch.exp2(exponents.double() / STEPS)
        return torch.where(exponents <= self.floor, 0.0, a)

    def positions(self) -> list[int]:
        """Return the exponents of the scan, an octave apart, the last one `top`."""
        return [*range(self.first, self.top, STEPS), self.top]


class Bracket(NamedTuple):
    """Neighbouring exponents around each crossing and the shares there, (G,) each.

    `high` is beyond the scan's `top` where there is no crossing. Groups that are below one half
    without noise have the exponents −1.
    """

    low: Tensor
    high: Tensor
    share_low: Tensor
    share_high: Tensor


def search(
    coarse: Callable[[Tensor, Tensor], Tensor],
    fine: Callable[[Tensor, Tensor], Tensor],
    clean: Tensor,
    scan: Scan,
    step: int,
) -> Bracket:
    """Bracket each group's first downward crossing to `step` exponents.

    Args:
        coarse, fine: functions of exponents and of their groups, (n,) each, that return the shares
            there, (n,). `coarse` chooses the octave, `fine` decides.
        clean: shares without noise, (G,).
    """
    low, high = torch.full_like(clean, -1, dtype=torch.long), torch.full_like(clean, -1).long()
    unknown = torch.full_like(clean, math.nan)
    share_low, share_high = unknown.clone(), unknown.clone()
    going = (clean >= LEVEL).nonzero().squeeze(1)
    searched = going
    for position in scan.positions():
        if len(going) == 0:
            break
        below = coarse(torch.full_like(going, position), going) < LEVEL
        high[going[below]] = position
        low[going[below]] = max(position - STEPS, scan.floor)
        going = going[~below]
    high[going], low[going] = scan.top, scan.top - 1
    going = searched
    while len(going):
        wide = high[going] - low[going] > step
        # Both ends are finally evaluated by `fine`: the scan may have been wrong.
        check_high = ~wide & share_high[going].isnan()
        probe = torch.where(
            wide, (low[going] + high[going]) // 2, torch.where(check_high, high[going], low[going])
        )
        shares = fine(probe, going)
        below = shares < LEVEL
        down, up = going[below], going[~below]
        high[down], share_high[down] = probe[below], shares[below]
        low[up], share_low[up] = probe[~below], shares[~below]
        failed = down[high[down] <= low[down]]
        low[failed] = (high[failed] - STEPS).clamp(min=scan.floor)
        share_low[failed] = math.nan
        failed = up[high[up] <= low[up]]
        none = failed[low[failed] >= scan.top]
        high[failed] = (low[failed] + STEPS).clamp(max=scan.top)
        share_high[failed] = math.nan
        high[none] = scan.top + 1
        bare = going[low[going] <= scan.floor]
        share_low[bare] = clean[bare]
        settled = (high[going] - low[going] <= step) & ~share_low[going].isnan()
        settled &= ~share_high[going].isnan()
        going = going[~settled & (high[going] <= scan.top)]
    return Bracket(low, high, share_low, share_high)
