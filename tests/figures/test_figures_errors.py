"""Errors of gradients in figures, where a table has them."""

import numpy as np
import pytest
from figure_tables import SETTINGS, make_tables, titled
from matplotlib.figure import Figure

from netdyn.figures import fig2, fig7
from netdyn.plots.lines import plot_line

PANELS = {"fig2": (fig2, "shallow_gradient", "e"), "fig7": (fig7, "grokking_gradient", "c")}


def edges(axes):
    return [line for line in axes.get_lines() if line.get_label() == "_error"]


@pytest.mark.parametrize("name", [*PANELS])
def test_thin_lines_are_at_g_plus_and_minus_its_error(name):
    figure, table, letter = PANELS[name]
    tables = make_tables(name)
    bare = titled(figure.draw(tables, SETTINGS), letter)
    tables[table]["error"] = 0.1 * (1 + tables[table]["seed"])
    axes = titled(figure.draw(tables, SETTINGS), letter)
    drawn = [line for line in bare.get_lines() if len(line.get_xdata()) == 5]
    assert not edges(bare)
    assert len(edges(axes)) == 2 * len(drawn)
    size = np.sqrt((0.1**2 + 0.2**2) / 2)  # of two seeds
    for place, line in enumerate(drawn):
        below, above = edges(axes)[2 * place : 2 * place + 2]
        np.testing.assert_allclose(below.get_ydata(), line.get_ydata() - size)
        np.testing.assert_allclose(above.get_ydata(), line.get_ydata() + size)
    assert len(axes.get_lines()) == len(bare.get_lines()) + 2 * len(drawn)


def test_errors_of_other_columns_are_not_those_of_g():
    table = make_tables("fig7")["grokking_history"].assign(error=1.0)
    axes = Figure().subplots()
    plot_line(axes, table, "step", "test_accuracy")
    assert not edges(axes)
