"""What all figures share, and Fig. 1 and 2, from the small tables of `figure_tables`."""

import functools
import re

import matplotlib
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from figure_boxes import assert_readable
from figure_tables import ACTIVATIONS, SETTINGS, assert_draws_mean, make_tables, titled

from netdyn.errors import NetdynError
from netdyn.figures import drawing, fig1, fig2, fig6, fig7, style
from netdyn.figures.marks import draw_initial_gradient
from netdyn.plots import lines
from netdyn.plots.style import label_ends, zero_log_axis
from netdyn.results.tables import write_table

FIGURES = {"fig1": (fig1, "abcd"), "fig2": (fig2, "abcde"), "fig6": (fig6, "abcdef")}
FIGURES["fig7"] = (fig7, "abcdefgh")


@functools.cache
def laid_out(name, seeds):
    """A figure of these seeds, laid out; only looked at."""
    figure = FIGURES[name][0].draw(make_tables(name, seeds), SETTINGS)
    figure.draw_without_rendering()
    return figure


def every_table():
    return [(name, table) for name in FIGURES for table in make_tables(name, (0,))]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_every_panel_has_its_letter_and_fits_the_page(name, seeds):
    figure, letters = laid_out(name, seeds), FIGURES[name][1]
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert sorted(re.findall(r"\(([a-z])\)", titles)) == list(letters)
    assert figure.get_figwidth() == 7
    assert figure.get_suptitle() == SETTINGS["title"]
    assert SETTINGS["note"] in [text.get_text() for text in figure.texts]
    assert_readable(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_type_is_at_least_seven_points(name):
    texts = laid_out(name, (0, 1, 2)).findobj(matplotlib.text.Text)
    assert min(text.get_fontsize() for text in texts if text.get_text()) >= 7


@pytest.mark.parametrize(("name", "table"), every_table())
def test_a_table_that_is_missing_empty_or_short_of_a_column_is_named(name, table):
    draw, tables = FIGURES[name][0].draw, make_tables(name, (0,))
    with pytest.raises(NetdynError, match=f"'{table}' is missing"):
        draw({key: value for key, value in tables.items() if key != table}, SETTINGS)
    with pytest.raises(NetdynError, match=f"'{table}' has no row"):
        draw({**tables, table: tables[table].iloc[:0]}, SETTINGS)
    needed = "index" if table == "toy_neurons" else "seed"
    with pytest.raises(NetdynError, match=f"'{table}' has no column {needed}"):
        draw({**tables, table: tables[table].drop(columns=needed)}, SETTINGS)


def test_over_seeds_passes_over_missing_values_and_steps_that_some_seeds_lack():
    table = pd.DataFrame(
        [
            *((0, 1, 2.0), (1, 1, 4.0), (2, 1, 9.0)),
            (0, 5, 9.0),
            *((0, 8, np.nan), (1, 8, 3.0), (2, 8, 5.0)),
            *((0, 9, np.nan), (1, 9, np.nan), (2, 9, np.nan)),
            *((0, 10, np.inf), (1, 10, 1.0), (2, 10, 1.0)),
        ],
        columns=["seed", "step", "y"],
    )
    spread = lines.over_seeds(table, "step", "y")
    assert spread["step"].tolist() == [1, 8, 10]
    assert spread["mean"].tolist() == [5.0, 4.0, np.inf]
    assert spread["low"].tolist() == [2.0, 3.0, 1.0]
    assert spread["high"].tolist() == [9.0, 5.0, np.inf]
    assert spread["count"].tolist() == [3, 2, 3]


def test_fig1_numbers_lie_where_the_fields_and_outputs_are():
    tables = make_tables("fig1")
    table = tables["toy_neurons"]
    axes = titled(fig1.draw(tables, {}), "b")
    samples = table[(table["panel"] == "b") & (table["quantity"] == "sample")]
    for number, x, y in samples[["index", "x", "y"]].itertuples(index=False):
        below, beside = (t.get_position() for t in axes.texts if t.get_text() == str(number))
        assert below[0] == pytest.approx(x)
        assert beside[1] == pytest.approx(y)


def test_fig2_draws_the_means_over_seeds():
    tables = make_tables("fig2")
    history, pruning = tables["shallow_history"], tables["shallow_pruning"]
    figure = fig2.draw(tables, SETTINGS)
    a, b = titled(figure, "a"), titled(figure, "b")
    lmap = pruning[(pruning["start_layer"] == 1) & (pruning["split"] == "test")]
    for activation, label in zip(ACTIVATIONS, ("NN (tanh)", "LNN"), strict=True):
        own = history[history["activation"] == activation]
        last = own[own["step"] == 1000]
        assert_draws_mean(a, label, last, "samples", "test_accuracy")
        assert_draws_mean(b, label, own[own["samples"] == 6000], "epoch", "test_accuracy")
    assert_draws_mean(a, "L-map", lmap[lmap["step"] == 1000], "samples", "accuracy")
    largest = lmap[lmap["samples"] == 6000].assign(epoch=lambda t: t["step"] * 20 / 6000)
    assert_draws_mean(b, "L-map", largest, "epoch", "accuracy")


def test_fig2_draws_rpds_after_training_with_their_gradients():
    tables = make_tables("fig2")
    rpd, gradient = tables["shallow_rpd"], tables["shallow_gradient"]
    figure = fig2.draw(tables, SETTINGS)
    for letter, samples in (("c", 600), ("d", 6000)):
        chosen = {"step": 1000, "samples": samples, "class": -1, "activation": "identity"}
        own = style.rows_where(rpd, **chosen)
        g = style.rows_where(gradient, mode="evaluation", **chosen)["gradient"].mean()
        assert_draws_mean(titled(figure, letter), f"LNN, g = {g:.2f}", own, "r", "density")


def test_fig2_draws_the_mean_gradient_and_ten_labelled_classes():
    tables = make_tables("fig2")
    axes = titled(fig2.draw(tables, {**SETTINGS, "large_samples": 600}), "e")
    gradient = style.rows_where(
        tables["shallow_gradient"], activation="tanh", samples=600, mode="evaluation"
    ).assign(epoch=lambda t: t["step"] * 20 / 600)
    for k in range(-1, 10):
        own = gradient[gradient["class"] == k]
        assert_draws_mean(axes, "mean" if k < 0 else f"class {k}", own, "epoch", "gradient")
    assert {str(k) for k in range(10)} <= {text.get_text() for text in axes.texts}
    assert axes.get_xlim()[0] < 0  # the untrained network is shown


@pytest.mark.parametrize(("seeds", "bands"), [((0,), 0), ((0, 1, 2), 3)])
def test_only_several_seeds_give_a_band(seeds, bands):
    axes = titled(fig2.draw(make_tables("fig2", seeds), SETTINGS), "a")
    assert len(axes.collections) == bands


def test_the_band_reaches_to_the_extremes_over_seeds():
    tables = make_tables("fig2", (0, 1, 2))
    axes = titled(fig2.draw(tables, SETTINGS), "a")
    last = style.rows_where(tables["shallow_history"], activation="tanh", step=1000)
    corners = axes.collections[0].get_paths()[0].vertices
    for samples, values in last.groupby("samples")["test_accuracy"]:
        heights = corners[np.isclose(corners[:, 0], samples), 1]
        assert {heights.min(), heights.max()} == {values.min(), values.max()}


def test_fig2_says_which_setting_or_size_is_missing():
    tables = make_tables("fig2", (0,))
    with pytest.raises(NetdynError, match="small_samples"):
        fig2.draw(tables, {})
    with pytest.raises(NetdynError, match=r"'shallow_rpd'.*samples = 77"):
        fig2.draw(tables, {"small_samples": 77})
    with pytest.raises(NetdynError, match=r"'shallow_history'.*samples = 77"):
        fig2.draw(tables, {**SETTINGS, "large_samples": 77})


def test_labels_at_the_ends_stay_apart_and_in_order():
    figure = matplotlib.figure.Figure()
    axes = figure.subplots()
    axes.set_ylim(0, 1)
    heights = [0.5, 0.51, 0.99, 1.0, 0.0, 0.01]
    label_ends(axes, heights, list("abcdef"), ["k"] * 6)
    places = {text.get_text(): text.xy[1] for text in axes.texts}
    ordered = [places[letter] for letter in "efabcd"]
    assert (np.diff(ordered) > 0.07).all()
    assert 0 <= min(ordered) < max(ordered) <= 1


def test_labels_at_the_ends_move_as_little_as_they_can_and_their_leaders_do_not_cross():
    figure = matplotlib.figure.Figure()
    axes = figure.subplots()
    axes.set_ylim(0, 1)
    heights = [1.0, 0.9999, 1.0, 0.5, 0.49, 0.1]
    label_ends(axes, heights, list("abcdef"), ["k"] * 6)
    places = [text.xy[1] for text in axes.texts]
    # Lines that end together are labelled in their order, from above.
    np.testing.assert_allclose(places[:3], [1, 0.925, 0.85])
    np.testing.assert_allclose(places[3:5], [0.495 + 0.0375, 0.495 - 0.0375])
    assert places[5] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "$10^{3}$"]),
        ([2000, 8000], ["2,000", "4,000", "6,000", "8,000"]),
        ([0, 0.5, 5], ["0", "1"]),
    ],
)
def test_every_axis_of_steps_has_several_numbers(values, labels):
    axes = matplotlib.figure.Figure().subplots()
    axes.plot(values, values)
    zero_log_axis(axes, values, "step")
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert [axes.xaxis.get_major_formatter()(tick) for tick in ticks] == labels
    assert low < values[0] < values[-1] < high
    assert (low < 0) == (values[0] == 0)


def test_only_the_chosen_rows_of_a_table_are_drawn(tmp_path, monkeypatch):
    # A committed table may hold runs that the settings have not, such as another seed's.
    tables = make_tables("fig2")
    for name, table in tables.items():
        write_table(tmp_path / f"{name}.csv", table)
    rows = {name: [{"seed": 1}] for name in tables}
    drawn = []

    def draw(tables, settings):
        drawn.append((tables, settings))
        return matplotlib.figure.Figure()

    monkeypatch.setattr(fig2, "draw", draw)
    for more in ({"rows": rows}, {}):
        settings = {**SETTINGS, "tables": list(tables), **more}
        drawing.draw("fig2", tmp_path, settings, tmp_path / "drawn")
    (chosen, with_rows), (everything, without) = drawn
    assert with_rows == without == SETTINGS
    for name, table in tables.items():
        assert set(chosen[name]["seed"]) == {1}
        assert len(chosen[name]) == (table["seed"] == 1).sum()
        assert len(everything[name]) == len(table)


def test_the_band_of_initial_gradients_is_their_root_mean_square():
    axes = matplotlib.figure.Figure().subplots()
    gradient = pd.DataFrame({"step": [0, 0, 5], "gradient": [0.3, -0.4, 9.0]})
    draw_initial_gradient(axes, gradient)
    (band,) = axes.patches
    assert band.get_extents().transformed(axes.transData.inverted()).intervaly == pytest.approx(
        [-np.sqrt(0.125), np.sqrt(0.125)]
    )
    draw_initial_gradient(axes, gradient[gradient["step"] > 0])  # nothing of the initial weights
    assert len(axes.patches) == 1
