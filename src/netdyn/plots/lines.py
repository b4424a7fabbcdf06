"""Lines of several seeds: their mean, and a band to the extremes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

__all__ = ["over_seeds", "plot_line"]


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
    """Draw the mean of y over seeds as a line, with a band to the extremes if there are several."""
    spread = over_seeds(table, x, y)
    (line,) = axes.plot(spread[x], spread["mean"], **look)
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
