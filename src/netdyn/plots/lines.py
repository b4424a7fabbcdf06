"""Lines of several seeds: their mean, and a band to the extremes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

__all__ = ["draw_errors", "over_seeds", "plot_line"]


def over_seeds(table: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Return mean, low and high (the extremes over seeds) and count of y at every x.

    A table without a column `seed` is of one.

    An x that fewer seeds have than others, such as the best step of one seed, is excluded: the mean
    over other seeds than at its neighbours would be a jag in the line. Missing values of y are
    ignored. An infinite value makes the mean infinite.
    """
    if "seed" not in table.columns:
        table = table.assign(seed=0)
    seeds = table.groupby(x)["seed"].transform("nunique")
    groups = table[seeds == seeds.max()].groupby(x)[y]
    spread = groups.agg(mean="mean", low="min", high="max", count="count").reset_index()
    return spread.dropna(subset=["mean"]).reset_index(drop=True)


def plot_line(axes: Axes, table: pd.DataFrame, x: str, y: str, **look: object) -> Line2D:
    """Draw the mean of y over seeds as a line, with a band to the extremes if there are several.

    Where gradients have errors over samples (column `error`), `draw_errors` draws them.
    """
    spread = over_seeds(table, x, y)
    (line,) = axes.plot(spread[x], spread["mean"], **look)
    if y == "gradient" and "error" in table:
        draw_errors(axes, table, x, spread, line)
    if spread["count"].max() > 1:
        axes.fill_between(
            spread[x],
            spread["low"],
            spread["high"],
            color=line.get_color(),
            alpha=0.2,
            linewidth=0,
            zorder=line.get_zorder() - 0.5,
        )
    return line


def draw_errors(
    axes: Axes, table: pd.DataFrame, x: str, spread: pd.DataFrame, line: Line2D
) -> None:
    """Draw thin dotted lines at a line's y ± the root mean square over seeds of `error`.

    Args:
        table: `x` and `error`, one row per x and seed.
        spread: what `over_seeds` returned for the line.
        line: whose colour they have.
    """
    squares = table.assign(square=table["error"] ** 2).groupby(x)["square"].mean()
    error = np.sqrt(squares.reindex(spread[x]).to_numpy())
    look = {"color": line.get_color(), "linestyle": ":", "linewidth": 0.6, "label": "_error"}
    for edge in (spread["mean"] - error, spread["mean"] + error):
        axes.plot(spread[x], edge, zorder=line.get_zorder() - 0.25, **look)
