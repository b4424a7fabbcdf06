"""The public functions of the room, `netdyn.plot`: each takes a table and returns the Axes."""

from netdyn.errors import NetdynError

try:
    import matplotlib as _matplotlib  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "matplotlib":
        raise
    raise NetdynError(
        "netdyn.plot needs matplotlib, which is not installed: pip install 'netdyn[plot]'"
    ) from error

from netdyn.plots.gradients import gradients, gradients_over_steps
from netdyn.plots.noise import basins, noise_accuracy
from netdyn.plots.plane import projection
from netdyn.plots.pruned import pruning
from netdyn.plots.ranks import rank_probability

__all__ = [
    "basins",
    "gradients",
    "gradients_over_steps",
    "noise_accuracy",
    "projection",
    "pruning",
    "rank_probability",
]
