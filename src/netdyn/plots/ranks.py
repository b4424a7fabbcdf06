"""Rank probability distributions (RPDs)."""

import pandas as pd
from matplotlib.axes import Axes

from netdyn.errors import NetdynError
from netdyn.plots.style import CLASS_COLOURS, COLOURS, layer_colours
from netdyn.plots.tables import axes_or_new, checked, mean_rows

__all__ = ["rank_probability"]


def rank_probability(
    table: pd.DataFrame, ax: Axes | None = None, *, site: int | None = None
) -> Axes:
    """Draw RPDs: the density of a class's ranks r, where r = 0 is the top of the order.

    Args:
        table: of `netdyn.read(...).rank_probability(...)`: site, class, r and density.
        ax: axes to draw on; None for a new figure.
        site: whose classes are drawn; None draws the mean over classes of every site.

    Returns:
        The axes. A flat line at 1 is no alignment.

    Raises:
        NetdynError: the table has other columns, no rows, or not this site.
    """
    table = checked(table, ["site", "class", "r", "density"], "rank_probability()")
    ax = axes_or_new(ax)
    ax.axhline(1, color=COLOURS["grey"], linewidth=0.6, linestyle=":")
    if site is None:
        mean = mean_rows(table)
        sites = sorted(mean["site"].unique())
        for number, colour in zip(sites, layer_colours(len(sites)), strict=True):
            rows = mean[mean["site"] == number]
            named = number in (sites[0], sites[-1]) or len(sites) < 6
            label = f"site {number}" if named else f"_site {number}"
            look = {"color": colour, "linewidth": 1.5 if named else 0.8}
            ax.plot(rows["r"], rows["density"], label=label, **look)
    else:
        rows = table[table["site"] == site]
        if rows.empty:
            raise NetdynError(
                f"site {site}: the table has the sites {_listed(table['site'].unique())}"
            )
        for k, one in rows.groupby("class"):
            if k == -1:
                look = {"color": COLOURS["black"], "linewidth": 1.8, "zorder": 4}
                ax.plot(one["r"], one["density"], label="mean", **look)
            else:
                look = {"color": CLASS_COLOURS[k % len(CLASS_COLOURS)], "linewidth": 0.9}
                ax.plot(one["r"], one["density"], label=f"class {k}", **look)
    ax.set(xlim=(0, 1), ylim=(0, None), xlabel="rank r (0: largest)", ylabel="density p(r)")
    ax.legend(loc="best")
    return ax


def _listed(sites: object) -> str:
    return ", ".join(str(site) for site in sorted(sites))
