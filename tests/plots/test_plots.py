"""`netdyn.plot`: what is drawn is what the tables hold."""

import inspect

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

import netdyn
from netdyn.errors import NetdynError

mpl.use("Agg")

SITES = [1, 2, 3]


def gradients_table():
    rows = [
        (site, f"layer{site}", "relu", k, 0.1 * site + (k + 1), 0.05 * site)
        for site in SITES
        for k in (0, 1, -1)
    ]
    return pd.DataFrame(rows, columns=["site", "name", "function", "class", "g", "error"])


def steps_table():
    rows = [
        (step, quantity, site, site + step / 100, 0.1 if site < 3 else np.nan)
        for step in (0, 1, 10, 100)
        for site in SITES
        for quantity in ("rpd_gradient", "pruning")
    ]
    return pd.DataFrame(rows, columns=["step", "quantity", "site", "value", "error"])


def ranks_table():
    rows = [
        (site, k, r, 2 - 2 * r + site) for site in SITES for k in (0, 1, -1) for r in (0.25, 0.75)
    ]
    return pd.DataFrame(rows, columns=["site", "class", "r", "density"])


def pruning_table():
    rows = [(1, 0.2, 0.01), (2, 0.6, 0.02), (3, 0.8, 0.03), (4, 0.9, 0.01)]
    return pd.DataFrame(rows, columns=["start", "accuracy", "error"])


def noise_table():
    rows = [
        (space, k, a, accuracy)
        for space, shift in (("sample", 0.0), ("weight", 0.2))
        for k in (-1, 0)
        for a, accuracy in ((0.0, 0.9), (0.1, 0.7), (0.2, 0.3 + shift), (0.4, 0.2))
    ]
    return pd.DataFrame(rows, columns=["space", "class", "amplitude", "accuracy"])


def basins_table():
    rows = [
        ("sample", -1, 0.5, 0.02),
        ("sample", 0, 0.4, np.nan),
        ("weight", -1, 1.5, 0.1),
        ("weight", 0, np.inf, np.nan),
    ]
    return pd.DataFrame(rows, columns=["space", "class", "size", "error"])


def plane_table():
    return pd.DataFrame(
        {
            "sample": range(4),
            "coordinate_1": [0.0, 1.0, 2.0, 3.0],
            "coordinate_2": [4.0, 5.0, 6.0, 7.0],
        }
    )


TABLES = {
    "gradients": gradients_table,
    "gradients_over_steps": steps_table,
    "rank_probability": ranks_table,
    "pruning": pruning_table,
    "noise_accuracy": noise_table,
    "basins": basins_table,
    "projection": plane_table,
}


def axes():
    return Figure().subplots()


def line(ax, label):
    return next(one for one in ax.get_lines() if one.get_label() == label)


def test_every_public_function_is_tried_here():
    assert {*TABLES} == {*netdyn.plot.__all__}


@pytest.mark.parametrize("name", [*TABLES])
def test_a_table_is_left_as_it_is_and_axes_are_those_given_or_new(name):
    draw, table = getattr(netdyn.plot, name), TABLES[name]()
    before = table.copy()
    ax = axes()
    assert draw(table, ax=ax) is ax
    pd.testing.assert_frame_equal(table, before)
    own = draw(table)
    assert own is not ax
    assert own.figure.number in pyplot.get_fignums()
    assert own.spines["top"].get_visible() is False  # the house's style
    assert mpl.rcParams["axes.spines.top"] is True  # only there
    pyplot.close(own.figure)
    # Everything has a name on its axes.
    assert ax.get_xlabel()
    assert ax.get_ylabel()


@pytest.mark.parametrize("name", [*TABLES])
def test_other_tables_are_refused_in_a_sentence(name):
    draw, table = getattr(netdyn.plot, name), TABLES[name]()
    used = inspect.getsource(inspect.unwrap(draw))
    dropped = [c for c in table.columns if f'"{c}"' in used and c not in ("label", "quantity")]
    assert dropped
    for column in dropped:
        with pytest.raises(NetdynError, match=f"no column '{column}': give what"):
            draw(table.drop(columns=column), ax=axes())
    for wrong, message in ((table[:0], "has no rows"), ([1, 2], "the table is a list")):
        with pytest.raises(NetdynError, match=message):
            draw(wrong, ax=axes())


def test_g_over_depth_is_the_mean_with_its_errors_and_the_classes():
    ax = netdyn.plot.gradients(gradients_table(), ax=axes())
    (bars,) = ax.containers
    assert bars.lines[0].get_ydata() == pytest.approx([0.1, 0.2, 0.3])
    segments = np.array(bars.lines[2][0].get_segments())  # (3, 2, 2)
    assert segments[:, :, 1] == pytest.approx(np.array([[0.05, 0.15], [0.1, 0.3], [0.15, 0.45]]))
    assert line(ax, "_class 1").get_ydata() == pytest.approx([2.1, 2.2, 2.3])
    alone = netdyn.plot.gradients(gradients_table(), ax=axes(), classes=False)
    assert "_class 1" not in [one.get_label() for one in alone.get_lines()]


def test_g_over_steps_is_a_line_a_site_with_a_band():
    ax = netdyn.plot.gradients_over_steps(steps_table(), ax=axes())
    for site in SITES:
        x, y = line(ax, f"site {site}").get_data()
        assert list(x) == [0, 1, 10, 100]
        assert list(y) == [site, site + 0.01, site + 0.1, site + 1]
    assert len(ax.collections) == 2  # the third site has no errors
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert [heights.min(), heights.max()] == pytest.approx([0.9, 2.1])
    with pytest.raises(NetdynError, match="no rows of rpd_gradient"):
        netdyn.plot.gradients_over_steps(steps_table().query("quantity == 'pruning'"), ax=axes())


def test_rpds_are_of_all_sites_or_of_the_classes_of_one():
    ax = netdyn.plot.rank_probability(ranks_table(), ax=axes())
    assert list(line(ax, "site 3").get_ydata()) == [4.5, 3.5]
    ax = netdyn.plot.rank_probability(ranks_table(), ax=axes(), site=2)
    assert list(line(ax, "class 1").get_ydata()) == [3.5, 2.5]
    with pytest.raises(NetdynError, match="site 9: the table has the sites 1, 2, 3"):
        netdyn.plot.rank_probability(ranks_table(), ax=axes(), site=9)


def test_pruning_is_against_the_network_itself():
    ax = netdyn.plot.pruning(pruning_table().iloc[::-1], ax=axes())
    (bars,) = ax.containers
    assert list(bars.lines[0].get_xdata()) == [1, 2, 3]
    assert list(bars.lines[0].get_ydata()) == [0.2, 0.6, 0.8]
    assert set(line(ax, "the network itself").get_ydata()) == {0.9}


def test_the_end_of_a_basin_is_marked_where_the_curve_falls_below_half():
    ax = netdyn.plot.noise_accuracy(noise_table(), ax=axes())
    assert line(ax, "_end noise on samples").get_xdata()[0] == pytest.approx(0.15)
    # At exactly one half it has not fallen yet.
    assert line(ax, "_end noise on weights").get_xdata()[0] == pytest.approx(0.2)
    assert line(ax, "_class 0").get_ydata()[0] == 0.9


def test_a_basin_without_an_end_is_a_triangle_and_one_without_an_error_a_point():
    ax = netdyn.plot.basins(basins_table(), ax=axes())
    sample, weight = ax.containers
    assert list(sample.lines[0].get_ydata()) == [0.5, 0.4]
    assert list(weight.lines[0].get_ydata()) == [1.5]
    (triangle,) = line(ax, "_weight space, without an end").get_xdata()
    assert round(triangle) == 1  # the place of class 0
    assert [text.get_text() for text in ax.get_xticklabels()] == ["all", "0"]


def test_samples_of_a_class_have_its_colour_and_labels_must_fit():
    ax = netdyn.plot.projection(plane_table(), [1, 0, 1, 0], ax=axes())
    assert list(line(ax, "1").get_xdata()) == [0, 2]
    assert list(line(ax, "0").get_ydata()) == [5, 7]
    assert line(ax, "0").get_color() != line(ax, "1").get_color()
    labelled = plane_table().assign(label=[1, 0, 1, 0])
    assert list(line(netdyn.plot.projection(labelled, ax=axes()), "1").get_xdata()) == [0, 2]
    with pytest.raises(NetdynError, match=r"labels of shape \(3,\) for 4 samples"):
        netdyn.plot.projection(plane_table(), [1, 0, 1], ax=axes())
