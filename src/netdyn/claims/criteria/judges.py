"""The judge of each further criterion, by the claim's id and the criterion's."""

from collections.abc import Callable, Mapping

from netdyn.claims.criteria import basins, deep_networks, shallow_grokking
from netdyn.claims.tables import Tables
from netdyn.claims.verdicts import Claim, Outcome

__all__ = ["JUDGES"]

JUDGES: Mapping[tuple[str, str], Callable[[Tables, Claim, str], Outcome]] = {
    **deep_networks.CRITERIA,
    **basins.CRITERIA,
    **shallow_grokking.CRITERIA,
}
