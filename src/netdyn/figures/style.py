"""Shared by all figures: matplotlib settings, checks of tables, lines and axes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from netdyn.errors import NetdynError
from netdyn.figures.layout import SteadyLayout
from netdyn.figures.pages import Page
from netdyn.figures.rounding import RoundedFigure
from netdyn.figures.wrapping import break_words
from netdyn.plots.style import house_style, small_type
from netdyn.records.figure_settings import PageTexts

__all__ = [
    "at_last_step",
    "new_figure",
    "over_seeds",
    "panel_title",
    "plot_line",
    "required_rows",
    "required_table",
    "rows_where",
]


@contextmanager
def new_figure(settings: PageTexts, page: Page) -> Iterator[Figure]:
    """Yield a Figure of the page's size in the common style.

    Args:
        settings: `title` stands above the panels, `note` in small grey type below; both optional.
        page: its size. On a page whose panels flow, long words are broken into lines at the end.
    """
    width, height = page.width, page.height
    with house_style(single=page.layout == "single"):
        engine = SteadyLayout(w_pad=0.05, h_pad=0.05, wspace=0.03, hspace=0.04)
        figure = RoundedFigure(figsize=(width, height), layout=engine)
        FigureCanvasAgg(figure)
        if settings.get("title"):
            figure.suptitle(settings["title"], fontsize=9)
        if settings.get("note"):
            strip = 0.18 / height  # kept free below the panels
            figure.get_layout_engine().set(rect=(0, strip, 1, 1 - strip))
            look = {"ha": "right", "fontsize": small_type(), "color": "0.4"}
            figure.text(0.99, 0.05 / height, settings["note"], **look)
        yield figure
        if page.flows:
            break_words(figure)


def required_table(
    tables: Mapping[str, pd.DataFrame], name: str, columns: Iterable[str]
) -> pd.DataFrame:
    """Return the table `name`, which must have rows and all of `columns`.

    Raises:
        NetdynError: the table or a column is missing, or the table is empty.
    """
    if name not in tables:
        raise NetdynError(f"table {name!r} is missing: list it under the figure's tables")
    table = tables[name]
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise NetdynError(
            f"table {name!r} has no column {', '.join(missing)}: measure it again, it has only "
            f"{', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise NetdynError(f"table {name!r} has no row: measure it again")
    return table


def rows_where(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows of `table` in which every column equals the value given; possibly none."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def required_rows(table: pd.DataFrame, name: str, **values: object) -> pd.DataFrame:
    """Return the rows of `table` as `rows_where` does; at least one must match.

    Raises:
        NetdynError: no row matches; the message names the table and the values.
    """
    chosen = rows_where(table, **values)
    if chosen.empty:
        filters = ", ".join(f"{column} = {value}" for column, value in values.items())
        raise NetdynError(f"table {name!r} has no row with {filters}: measure it, or draw another")
    return chosen


def over_seeds(table: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Return mean, low and high (the extremes over seeds) and count of y at every x.

    An x that fewer seeds have than others, such as the best step of one seed, is excluded: the mean
    over other seeds than at its neighbours would be a jag in the line. Missing values of y are
    ignored. An infinite value makes the mean infinite.
    """
    seeds = table.groupby(x)["seed"].transform("nunique")
    groups = table[seeds == seeds.max()].groupby(x)[y]
    spread = groups.agg(mean="mean", low="min", high="max", count="count").reset_index()
    return spread.dropna(subset=["mean"]).reset_index(drop=True)


def at_last_step(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of every run's last step."""
    return table[table["step"] == table.groupby("run")["step"].transform("max")]


def panel_title(axes: Axes, letter: str, text: str = "") -> None:
    """Set a panel's title: its letter, bold and in brackets, and a short text."""
    axes.set_title(rf"$\mathbf{{({letter})}}$  {text}".rstrip())


def _draw_errors(
    axes: Axes, table: pd.DataFrame, x: str, spread: pd.DataFrame, line: Line2D
) -> None:
    squares = table.assign(square=table["error"] ** 2).groupby(x)["square"].mean()
    error = np.sqrt(squares.reindex(spread[x]).to_numpy())
    for edge in (spread["mean"] - error, spread["mean"] + error):
        axes.plot(
            spread[x],
            edge,
            color=line.get_color(),
            linestyle=":",
            linewidth=0.6,
            zorder=line.get_zorder() - 0.25,
            label="_error",
        )


def plot_line(axes: Axes, table: pd.DataFrame, x: str, y: str, **look: object) -> Line2D:
    """Draw the mean of y over seeds as a line, with a band to the extremes if there are several.

    Where gradients have errors over samples (column `error`), thin dotted lines are at y ± error,
    the root mean square over seeds of one network's error.
    """
    spread = over_seeds(table, x, y)
    (line,) = axes.plot(spread[x], spread["mean"], **look)
    if y == "gradient" and "error" in table:
        _draw_errors(axes, table, x, spread, line)
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
