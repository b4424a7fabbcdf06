"""Tables of noise: accuracies by amplitude, and the sizes of attraction basins."""

import math
from collections.abc import Sequence

import pandas as pd
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.measures.basins.bracketing import find_basins
from netdyn.measures.basins.sizes import sample_noise_correct, weight_noise_correct
from netdyn.networks.kinds import ReadNetwork

__all__ = ["AMPLITUDES", "basin_table", "noise_table"]

# 0, and half octaves from 1/64 to 4.
AMPLITUDES = (0.0, *(2.0 ** (step / 2) for step in range(-12, 5)))


def basin_table(
    network: ReadNetwork,
    x: Tensor,
    y: Tensor,
    space: str,
    trials: int,
    seed: int,
    by_class: bool,
    value_range: tuple[float, float],
    noise_return: str,
) -> pd.DataFrame:
    """Return the table of `Analysis.basins`."""
    groups = ("average", "class") if by_class else ("average",)
    basins = find_basins(
        network, x, y, space, trials, seed, groups,
        value_range=value_range, noise_return=noise_return,
    )  # fmt: skip
    rows = []
    for kind in reversed(groups):
        group = basins.groups[kind]
        columns = (group.index, group.sizes, group.errors, group.trial_errors)
        for values in zip(*columns, group.clean_accuracies, strict=True):
            rows.append((space, int(values[0]), *map(float, values[1:]), group.trials))
    columns = ["space", "class", "size", "error", "trial_error", "accuracy", "trials"]
    return pd.DataFrame(rows, columns=columns)


def noise_table(
    network: ReadNetwork,
    x: Tensor,
    y: Tensor,
    space: str,
    amplitudes: Sequence[float],
    trials: int,
    seed: int,
    by_class: bool,
    value_range: tuple[float, float],
    noise_return: str,
) -> pd.DataFrame:
    """Return the table of `Analysis.noise_accuracy`."""
    if space == "sample":
        shares = sample_noise_correct(
            network, x, y, amplitudes, trials, seed,
            value_range=value_range, noise_return=noise_return,
        )  # fmt: skip
    elif space == "weight":
        shares = weight_noise_correct(network, x, y, amplitudes, trials, seed)
    else:
        raise NetdynError(f"space {space!r}: choose sample or weight")
    groups = {-1: slice(None)}
    if by_class:
        groups |= {k: y == k for k in y.unique().tolist()}
    rows = []
    for k, members in groups.items():
        own = shares[:, members].double()  # (A, P_k)
        count = own.shape[1]
        errors = (
            own.std(dim=1) / math.sqrt(count) if count > 1 else own.new_full((len(own),), math.nan)
        )
        for amplitude, p, error in zip(amplitudes, own.mean(dim=1), errors, strict=True):
            rows.append((space, k, float(amplitude), float(p), float(error), trials))
    return pd.DataFrame(
        rows, columns=["space", "class", "amplitude", "accuracy", "error", "trials"]
    )
