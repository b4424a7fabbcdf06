"""Fig. 4 and 5, from small tables."""

import itertools
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from figure_boxes import assert_readable
from figure_tables import SETTINGS, assert_draws_mean, line, titled
from figure_tables_basins import (
    AMPLITUDES,
    CONE_AMPLITUDES,
    DEPTHS,
    FIG4_TABLES,
    FIG5_TABLES,
    SIDE,
    SWEEPS,
    WIDTHS,
    make_basin_tables,
)
from figure_tables_deep import diverge
from matplotlib.collections import LineCollection
from mpl_toolkits.mplot3d import proj3d

from netdyn.errors import NetdynError
from netdyn.figures import basin_axes, fig4, fig5, noise_returns, style
from netdyn.plots import noise_axes

FIGURES = {"fig4": (fig4, "abcdefgh", FIG4_TABLES), "fig5": (fig5, "ab", FIG5_TABLES)}
SPACES = ("sample", "weight")


@pytest.fixture(scope="module")
def drawn():
    """Both figures of two seeds, laid out; only looked at."""
    figures = {}
    for name, (module, _, _) in FIGURES.items():
        figures[name] = module.draw(make_basin_tables(name), SETTINGS)
        figures[name].draw_without_rendering()
    return figures


def strips(figure, letter):
    """The panel of that letter and the two below it, from above."""
    top = titled(figure, letter)
    spec = top.get_subplotspec()

    def rows_below(axes):
        own = axes.get_subplotspec()
        alike = own and own.get_gridspec() is spec.get_gridspec() and own.colspan == spec.colspan
        return own.rowspan.start - spec.rowspan.start if alike else None

    panels = {rows_below(axes): axes for axes in figure.axes}
    return [panels[row] for row in range(3)]


def sizes_with_bars(axes, label):
    """Return x, size and the ends of the bar of every bar of that line's colour."""
    drawn = line(axes, label)
    colour = matplotlib.colors.to_hex(drawn.get_color())
    for bars in axes.collections:
        if matplotlib.colors.to_hex(bars.get_edgecolor()[0]) == colour:
            ends = np.array(bars.get_segments())  # (bars, 2 ends, x and y)
            return drawn.get_xdata(), drawn.get_ydata(), ends[:, 0, 1], ends[:, 1, 1]
    return drawn.get_xdata(), drawn.get_ydata(), None, None


def texts(axes):
    return [text.get_text() for text in axes.texts]


def diverged_at(figure, letter):
    """Return the x of the dotted lines of a panel, and the words beside the middle one."""
    panels = strips(figure, letter)
    places = [
        [mark.get_xdata()[0] for mark in axes.get_lines() if mark.get_label() == "_diverged"]
        for axes in panels
    ]
    assert places[0] == places[1] == places[2]
    return places[0], [text for text in texts(panels[1]) if "diverged" in text]


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_has_its_letter_and_fits_the_page(drawn, name):
    figure = drawn[name]
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert sorted(re.findall(r"\(([a-z])\)", titles)) == list(FIGURES[name][1])
    assert figure.get_figwidth() == 7
    assert figure.get_figheight() < 9.6  # fits a page with its caption
    assert figure.get_suptitle() == SETTINGS["title"]
    assert SETTINGS["note"] in [text.get_text() for text in figure.texts]
    assert_readable(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_type_is_at_least_seven_points(drawn, name):
    written = drawn[name].findobj(matplotlib.text.Text)
    assert min(text.get_fontsize() for text in written if text.get_text()) >= 7


@pytest.mark.parametrize("name", FIGURES)
def test_no_label_of_an_axis_meets_another(drawn, name):
    for axes in drawn[name].axes:
        shown = [text.get_window_extent() for text in axes.get_xticklabels() if text.get_text()]
        low, high = axes.get_window_extent().intervalx
        shown = sorted(
            box.intervalx.tolist() for box in shown if low <= box.x0 + box.width / 2 <= high
        )
        assert all(left[1] < right[0] for left, right in itertools.pairwise(shown))


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_that_is_missing_empty_or_short_of_a_column_is_named(name):
    draw, tables = FIGURES[name][0].draw, make_basin_tables(name, (0,))
    assert set(tables) == set(FIGURES[name][2])
    for table in tables:
        with pytest.raises(NetdynError, match=f"'{table}' is missing"):
            draw({key: value for key, value in tables.items() if key != table}, SETTINGS)
        with pytest.raises(NetdynError, match=f"'{table}' has no row"):
            draw({**tables, table: tables[table].iloc[:0]}, SETTINGS)
        with pytest.raises(NetdynError, match=f"'{table}' has no column seed"):
            draw({**tables, table: tables[table].drop(columns="seed")}, SETTINGS)


def test_accuracy_under_noise_is_drawn_for_every_depth(drawn):
    tables = make_basin_tables("fig4")
    for letter, space in zip("ab", SPACES, strict=True):
        axes = titled(drawn["fig4"], letter)
        table = tables[f"architecture_{space}_noise"]
        for depth in DEPTHS:
            own = table[table["depth"] == depth]
            assert_draws_mean(axes, f"{depth}", own, "amplitude", "accuracy")
        assert f"width {table['width'].iloc[0]}" in axes.get_title(loc="left")
        assert axes.get_xlim()[0] < 0  # without noise
        low, high = axes.get_xlim()
        assert low < min(AMPLITUDES) < max(AMPLITUDES) < high
        assert [f"{tick:g}" for tick in axes.get_xticks()] == ["0", "0.03", "0.1", "0.3", "1", "3"]


def test_noise_curves_of_several_widths_are_refused():
    tables = make_basin_tables("fig4", (0,))
    name = "architecture_weight_noise"
    tables[name] = pd.concat([tables[name], tables[name].assign(width=7)])
    with pytest.raises(NetdynError, match=rf"'{name}'.*\[7, 512\]"):
        fig4.draw(tables, SETTINGS)


def test_average_basins_over_width_with_bars_to_the_extremes_over_seeds(drawn):
    tables = make_basin_tables("fig4")
    for letter, space in zip("cd", SPACES, strict=True):
        axes = titled(drawn["fig4"], letter)
        table = tables[f"architecture_{space}_basin"]
        table = table[table["of"] == "average"]
        for depth in DEPTHS:
            own = table[table["depth"] == depth]
            assert_draws_mean(axes, f"{depth}", own, "width", "size")
            _, _, low, high = sizes_with_bars(axes, f"{depth}")
            np.testing.assert_allclose(low, own.groupby("width")["size"].min())
            np.testing.assert_allclose(high, own.groupby("width")["size"].max())
        assert axes.get_xticks().tolist() == WIDTHS
        assert axes.get_ylim()[0] == 0
        assert axes.get_ylim()[1] > table["size"].max()


def test_one_key_names_every_depth_by_the_looks_of_its_lines(drawn):
    (key,) = [
        axes.get_legend()
        for axes in drawn["fig4"].axes
        if axes.get_legend()
        and axes.get_legend().get_texts()[0].get_text() == "(a)–(d), 2 seeds, depth L:"
    ]
    assert [text.get_text() for text in key.get_texts()[1:]] == [f"{depth}" for depth in DEPTHS]
    for handle in key.legend_handles[1:]:
        for letter in "abcd":
            own = line(titled(drawn["fig4"], letter), handle.get_label())
            assert tuple(own.get_color()) == tuple(handle.get_color())
            assert own.get_marker() in (handle.get_marker(), "None")
    assert len({handle.get_marker() for handle in key.legend_handles[1:]}) == len(DEPTHS)


def test_a_single_seeds_bars_are_its_resampling_error():
    tables = make_basin_tables("fig4", (3,))
    figure = fig4.draw(tables, SETTINGS)
    _, below, _ = strips(figure, "f")
    own = tables["batch_sizes_sample_basin"].query("of == 'average'").sort_values("batch_size")
    x, size, low, high = sizes_with_bars(below, "sample space")
    assert x.tolist() == own["batch_size"].tolist()
    np.testing.assert_allclose(size, own["size"])
    np.testing.assert_allclose(low, own["size"] - own["size_error"])
    np.testing.assert_allclose(high, own["size"] + own["size_error"])


@pytest.mark.parametrize("letter", "ef")
def test_accuracy_and_both_basins_stand_above_each_other_over_the_swept_setting(drawn, letter):
    sweep = {"e": "learning_rates", "f": "batch_sizes"}[letter]
    column, values = SWEEPS[sweep]
    tables = make_basin_tables("fig4")
    above, *below = strips(drawn["fig4"], letter)
    best = tables[f"{sweep}_history"].groupby([column, "seed"], as_index=False).max()
    assert_draws_mean(above, "test accuracy", best, column, "test_accuracy")
    for axes, space in zip(below, SPACES, strict=True):
        own = tables[f"{sweep}_{space}_basin"].query("of == 'average'")
        assert_draws_mean(axes, f"{space} space", own, column, "size")
        assert space in axes.get_ylabel()
    highest = best.groupby(column)["test_accuracy"].mean().idxmax()
    for axes in (above, *below):
        assert axes.get_xlim() == above.get_xlim()
        assert axes.get_xticks().tolist() == values
        assert axes.get_xscale() == "log"
        assert set(line(axes, "_best accuracy").get_xdata()) == {highest}
    assert below[-1].get_xlabel() == column.replace("_", " ")
    assert diverged_at(drawn["fig4"], letter) == ([], [])


@pytest.mark.parametrize("letter", "ef")
def test_accuracies_carry_the_error_of_the_test_samples_and_the_training_accuracy(letter):
    sweep = {"e": "learning_rates", "f": "batch_sizes"}[letter]
    column, _ = SWEEPS[sweep]
    tables = make_basin_tables("fig4")
    above = strips(fig4.draw(tables, {**SETTINGS, "test_samples": 400}), letter)[0]
    best = tables[f"{sweep}_history"].groupby([column, "seed"], as_index=False).max()
    assert_draws_mean(above, "training accuracy", best, column, "train_accuracy")
    p = best.groupby(column)["test_accuracy"].mean().to_numpy()
    (bars,) = [bars for bars in above.collections if isinstance(bars, LineCollection)]
    low, high = np.array([segment[:, 1] for segment in bars.get_segments()]).T
    np.testing.assert_allclose((low + high) / 2, p)
    np.testing.assert_allclose((high - low) / 2, np.sqrt(p * (1 - p) / (2 * 400)))


def test_a_basin_that_never_ends_is_an_arrow_at_the_top():
    tables = make_basin_tables("fig4", (0,))
    name = "architecture_sample_basin"
    table = tables[name]
    endless = (table["of"] == "average") & (table["width"] == 512) & (table["depth"] >= 8)
    table.loc[endless, ["size", "size_error"]] = [np.inf, np.nan]
    figure = fig4.draw(tables, SETTINGS)
    axes = titled(figure, "c")
    places = []
    for depth in (8, 16):
        arrow = line(axes, f"{depth}, infinite")
        assert arrow.get_xdata().tolist() == [512]
        (at,) = arrow.get_transform().transform(arrow.get_xydata())
        column, height = axes.transAxes.inverted().transform(at)
        assert 0.9 < height <= 1
        places.append(column)
        assert np.isnan(line(axes, f"{depth}").get_ydata()[WIDTHS.index(512)])
        assert np.isfinite(np.delete(line(axes, f"{depth}").get_ydata(), WIDTHS.index(512))).all()
    assert 0.005 < places[1] - places[0] < 0.1  # side by side
    assert sum(places) / 2 == pytest.approx(
        axes.transAxes.inverted().transform(axes.transData.transform((512, 0)))[0]
    )
    # The arrows stand above all sizes.
    finite = table.loc[(table["of"] == "average") & np.isfinite(table["size"]), "size"]
    assert finite.max() < 0.9 * axes.get_ylim()[1]
    assert not [drawn for drawn in axes.get_lines() if drawn.get_label() == "2, infinite"]


def test_sizes_over_seeds_with_ends_that_are_open():
    rows = [
        *((1, 0, 2.0, 0.5),),  # one seed: its error
        *((2, 0, 2.0, np.inf),),  # not bounded from above
        *((3, 0, 0.2, 0.5),),  # no size is below 0
        *((4, 0, np.inf, np.nan),),
        *((5, 0, 1.0, 0.1), (5, 1, 3.0, 0.1), (5, 2, 2.0, 0.1)),
        *((6, 0, 1.0, 0.1), (6, 1, np.inf, np.nan)),
        *((7, 0, np.nan, np.nan),),  # a diverged network has no size
        *((8, 0, 0.0, 0.0),),
    ]
    table = pd.DataFrame(rows, columns=["x", "seed", "size", "size_error"])
    spread = basin_axes.sizes_over_seeds(table, "x").set_index("x")
    assert spread.index.tolist() == [1, 2, 3, 4, 5, 6, 8]
    assert spread["mean"].tolist() == [2, 2, 0.2, np.inf, 2, np.inf, 0]
    assert spread["low"].tolist() == [1.5, 0, 0, np.inf, 1, 1, 0]
    assert spread["high"].tolist() == [2.5, np.inf, 0.7, np.inf, 3, np.inf, 0]
    axes = matplotlib.figure.Figure().subplots()
    basin_axes.draw_basins(axes, table, "x", "size")
    bars = [(note.xy[0], note.xyann[1]) for note in axes.texts]
    assert bars == [(2, 2.0), (6, 1.0)]  # thin arrows, from the size or the lowest seed upwards
    assert line(axes, "size, infinite").get_xdata().tolist() == [4, 6]
    _, _, low, high = sizes_with_bars(axes, "size")
    np.testing.assert_allclose([low, high], [[1.5, 0, 1], [2.5, 0.7, 3]])


def test_a_diverged_run_is_told_at_its_place_and_drawn_by_what_it_reached():
    tables = make_basin_tables("fig4", (0, 1, 2))
    history = diverge(tables["learning_rates_history"], 100, learning_rate=1.6)
    history = diverge(history, 10, learning_rate=0.4, seed=1)
    tables["learning_rates_history"] = history
    tables["batch_sizes_history"] = diverge(tables["batch_sizes_history"], 10, batch_size=200)
    figure = fig4.draw(tables, SETTINGS)
    assert diverged_at(figure, "e") == ([0.4, 1.6], ["1 of 3 diverged", "diverged"])
    assert diverged_at(figure, "f") == ([200], ["diverged"])
    best = history.groupby(["learning_rate", "seed"], as_index=False)["test_accuracy"].max()
    assert_draws_mean(titled(figure, "e"), "test accuracy", best, "learning_rate", "test_accuracy")


def test_a_diverged_run_without_any_basin_keeps_its_place_on_the_axis():
    tables = make_basin_tables("fig4", (0,))
    tables["learning_rates_history"] = diverge(
        tables["learning_rates_history"], 10, learning_rate=1.6
    )
    for space in SPACES:
        name = f"learning_rates_{space}_basin"
        tables[name] = tables[name][tables[name]["learning_rate"] < 1.6]
    figure = fig4.draw(tables, SETTINGS)
    assert diverged_at(figure, "e") == ([1.6], ["diverged"])
    for axes in strips(figure, "e"):
        assert axes.get_xlim()[0] < 0.01 < 1.6 < axes.get_xlim()[1]


def test_every_class_is_drawn_and_named_on_its_curve_and_all_in_black(drawn):
    axes = titled(drawn["fig4"], "g")
    table = make_basin_tables("fig4")["deep23_class_noise"]
    for k in range(10):
        assert_draws_mean(axes, f"{k}", table[table["index"] == k], "amplitude", "accuracy")
        curve = line(axes, f"{k}")
        (name,) = [text for text in axes.texts if text.get_text() == f"{k}"]
        assert name.get_position() in {tuple(point) for point in curve.get_xydata()}
    assert_draws_mean(axes, "all classes", table[table["of"] == "average"], "amplitude", "accuracy")
    assert line(axes, "all classes").get_color() == "#000000"
    # No two lines look alike.
    looks = [
        (drawn.get_color(), drawn.get_linestyle())
        for drawn in axes.get_lines()
        if drawn.get_linestyle() != "None"
    ]
    assert len({*looks}) == len(looks)


def test_a_curve_is_marked_where_its_basin_ends_hollow_if_it_rises_again():
    axes = matplotlib.figure.Figure().subplots()
    amplitudes = [0.0, 0.1, 0.2, 0.4]
    curves = {"0": [1, 0.8, 0.2, 0.1], "1": [1, 0.6, 0.4, 0.7], "2": [1, 0.9, 0.8, 0.6]}
    lines = [axes.plot(amplitudes, ys, label=label)[0] for label, ys in curves.items()]
    marks = noise_axes.mark_ends(axes, lines)
    assert line(axes, "_end 0").get_xydata().tolist() == [[pytest.approx(0.15), 0.5]]
    assert line(axes, "_end 0").get_markerfacecolor() == lines[0].get_color()
    assert line(axes, "_end 1").get_xydata().tolist() == [[pytest.approx(0.15), 0.5]]
    assert line(axes, "_end 1").get_markerfacecolor() == "white"
    assert "_end 2" not in [drawn.get_label() for drawn in axes.get_lines()]
    assert [mark.get_label() for mark in marks] == ["basin ends", "rises again"]


@pytest.mark.parametrize(
    ("ends", "insets"), [((0.6, 0.7), 1), ((0.6, 1.2), 0), ((0.06, 0.07), 0), ((0.6,), 0)]
)
def test_curves_that_end_close_together_are_enlarged_where_there_is_room(ends, insets):
    axes = matplotlib.figure.Figure().subplots()
    amplitudes = np.array([0.0, *np.geomspace(0.03, 3, 25)])
    for end in ends:
        axes.plot(amplitudes, 1 / (1 + (amplitudes / end) ** 4), label=f"{end}")
    noise_axes.noise_axes(axes, amplitudes, "noise")
    basin_axes.zoom_on_half(axes)
    assert len(axes.child_axes) == insets
    for zoom in axes.child_axes:
        low, high = zoom.get_xlim()
        assert low < min(ends) < max(ends) < high
        for end in ends:
            drawn = line(zoom, f"_{end}").get_xydata()
            np.testing.assert_array_equal(drawn, line(axes, f"{end}").get_xydata())


def test_panels_say_samples_seeds_and_how_noisy_samples_return():
    settings = {
        "runs": {
            "architecture": {"samples": 6000},
            "learning_rates": {
                "optimizer": "sgd", "depth": 3, "width": [1024, 1024], "samples": 600,
            },
            "deep23": {"depth": 23, "samples": 60000},
        },
        "noise_return": {
            "architecture_sample_noise": "affine",
            "deep23_class_noise": "range",
            "deep23_shift_cone": "clip",
        },
    }  # fmt: skip
    figure = fig4.draw(make_basin_tables("fig4", (4, 5)), settings)
    panels = {letter: titled(figure, letter) for letter in "abcdegh"}
    for letter in "abcd":
        assert panels[letter].get_title(loc="left").endswith("n = 6,000")
    title = panels["e"].get_title(loc="left")
    assert title.endswith("  SGD, 3 layers of 1,024, n = 600, 2 seeds")
    assert panels["g"].get_title(loc="left").endswith("n = 60,000, 2 seeds")
    assert panels["a"].get_xlabel() == "noise a (pixel range 1; returned affinely)"
    assert panels["b"].get_xlabel() == "noise a (std of each weight matrix)"
    assert panels["g"].get_xlabel() == "noise a (pixel range 1;\nreturned to its own range)"
    title = panels["h"].get_title(loc="left")
    assert title.endswith("a 2 and its shifted copy, seed 4\nnoise clipped to the data's range")


def test_cones_are_coloured_by_amplitude_and_filled_where_the_prediction_is_kept(drawn):
    axes = titled(drawn["fig4"], "h")
    table = style.rows_where(make_basin_tables("fig4")["deep23_shift_cone"], seed=0)
    colours, shapes = {}, {}
    for shift in (0, 3):
        cone = style.rows_where(table, kind="point", shift=shift)
        apex = line(axes, f"_{shift}, apex")
        assert (
            apex.get_xydata().tolist()
            == cone.loc[cone["amplitude"] == 0, ["c1", "c2"]].values.tolist()
        )
        for amplitude in CONE_AMPLITUDES:
            for kept in (0, 1):
                rows = style.rows_where(cone, amplitude=amplitude, kept=kept)
                points = line(axes, f"_{shift}, {amplitude:g}, {kept}")
                assert points.get_xydata().tolist() == rows[["c1", "c2"]].values.tolist()
                filled = not isinstance(points.get_markerfacecolor(), str)
                assert filled == bool(kept)
                colours.setdefault(amplitude, set()).add(tuple(points.get_markeredgecolor()))
                shapes.setdefault(shift, set()).add(points.get_marker())
    assert all(len(own) == 1 for own in [*colours.values(), *shapes.values()])
    assert len(set.union(*colours.values())) == len(CONE_AMPLITUDES)
    assert len(set.union(*shapes.values())) == 2
    for kind in ("train", "test"):
        rows = style.rows_where(table, kind=kind)
        label = {"train": "training samples", "test": "test samples"}[kind]
        assert line(axes, label).get_xydata().tolist() == rows[["c1", "c2"]].values.tolist()
    named = " ".join(text.get_text() for text in axes.get_legend().get_texts())
    for words in (
        "shifted by 3 px",
        "prediction kept",
        "prediction lost",
        "a = 0.05",
        "test samples",
    ):
        assert words in named


def space_of(figure):
    (axes,) = [axes for axes in figure.axes if axes.name == "3d"]
    return axes


def scattered(axes, label):
    (match,) = [drawn for drawn in axes.collections if drawn.get_label() == label]
    return match


def test_basins_of_single_samples_hold_the_points_that_keep_the_prediction(drawn):
    axes = space_of(drawn["fig5"])
    table = style.rows_where(make_basin_tables("fig5")["deep23_cone"], seed=0, kind="point")
    looks, colours = {}, {}
    for (sample, digit), cone in table.groupby(["sample", "digit"]):
        for amplitude in CONE_AMPLITUDES:
            rows = style.rows_where(cone, amplitude=amplitude, kept=1)
            points = scattered(axes, f"_{sample}, {amplitude:g}")
            places = np.array(points._offsets3d).T
            assert places.tolist() == rows[["c1", "c2", "c3"]].values.tolist()
            if len(rows):
                looks.setdefault(amplitude, set()).add(points.get_sizes()[0])
                colours.setdefault(digit, set()).add(tuple(points.get_facecolor()[0][:3]))
        way = line(axes, f"_way {sample}")
        means = cone.groupby("amplitude")[["c1", "c2", "c3"]].mean()
        np.testing.assert_allclose(np.array(way.get_data_3d()).T, means)
    assert all(len(own) == 1 for own in [*looks.values(), *colours.values()])
    assert len(set.union(*colours.values())) == 10
    sizes = [looks[amplitude].pop() for amplitude in CONE_AMPLITUDES]
    assert sizes == sorted(sizes, reverse=True)
    assert sorted(texts(axes)) == sorted(f"{i // 2}" for i in range(20))


@pytest.mark.parametrize("common", [1.0, 0.1, 0.0])
def test_samples_that_lie_together_are_named_apart_and_joined_to_their_places(common):
    tables = make_basin_tables("fig5", (0,))
    apexes = tables["deep23_cone"]["amplitude"] == 0
    tables["deep23_cone"].loc[apexes, ["c1", "c2", "c3"]] *= common
    figure = fig5.draw(tables, {})
    figure.draw_without_rendering()
    axes = space_of(figure)
    boxes = [matplotlib.text.Text.get_window_extent(text) for text in axes.texts]
    assert len(boxes) == 20
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    places = proj3d.proj_transform(
        *tables["deep23_cone"].loc[apexes, ["c1", "c2", "c3"]].to_numpy().T, axes.get_proj()
    )
    np.testing.assert_allclose([text.xy for text in axes.texts], np.stack(places[:2], axis=1))
    joined = [text.arrow_patch is not None for text in axes.texts]
    assert any(joined) == (common < 1)


def test_the_view_is_the_same_of_other_tables():
    angles = set()
    for factor in (1, 3):
        tables = make_basin_tables("fig5", (0,))
        tables["deep23_cone"][["c1", "c2", "c3"]] *= factor
        axes = space_of(fig5.draw(tables, {}))
        angles.add((axes.elev, axes.azim))
        assert max(axes.get_xlim()) >= tables["deep23_cone"].query("kind == 'point'")["c1"].max()
    assert len(angles) == 1


def image_panels(figure):
    """Return the panels that hold an image, from left to right."""
    panels = [axes for axes in figure.axes if axes.get_images()]
    return sorted(panels, key=lambda axes: axes.get_position().x0)


def test_the_fragile_sample_is_shown_with_what_flips_it(drawn):
    table = style.rows_where(make_basin_tables("fig5")["deep23_fragile"], seed=0)
    kinds = ["original", "noise", "noisy", "perturbation", "flipped"]
    panels = image_panels(drawn["fig5"])
    for axes, kind in zip(panels, kinds, strict=True):
        (image,) = axes.get_images()
        expected = style.rows_where(table, kind=kind)["value"].to_numpy().reshape(SIDE, SIDE)
        np.testing.assert_array_equal(image.get_array(), expected)
        low, high = image.get_clim()
        if kind in ("noise", "perturbation"):
            assert -low == high == np.abs(expected).max()  # grey is 0
        else:
            assert (low, high) == (0, 1)
    texts = dict(zip(kinds, [axes.get_xlabel() for axes in panels], strict=True))
    assert texts["original"] == "predicted 2\nbasin 0.015"
    assert texts["noisy"] == "predicted 3\n83.5 % of trials flip"
    assert texts["flipped"] == "predicted 8"
    assert "a = 0.03" in texts["noise"]
    assert "0.097" in texts["perturbation"]
    assert "a 2" in panels[0].get_title(loc="left")


def test_the_fragile_sample_is_shown_among_the_others():
    tables = make_basin_tables("fig5", (0,))
    figure = fig5.draw(tables, {})
    (axes,) = [a for a in figure.axes if a.get_xlabel() == "basin size a"]
    samples = tables["deep23_adversarial"]
    finite = samples[np.isfinite(samples["basin"])]
    assert line(axes, "_sample").get_xdata().tolist() == finite["basin"].tolist()
    assert line(axes, "shown above").get_xydata().tolist() == [[0.0151, 0.0968]]
    middle = samples[["basin", "least_flip_distance"]].median()
    np.testing.assert_allclose(line(axes, "median").get_xydata(), [middle])
    written = " ".join(text for a in figure.axes for text in texts(a)).replace("\n", " ")
    assert f"the smallest, 0.015; the median is {middle['basin']:.2g}." in written
    assert "3 basins do not end" in written


def test_pixels_are_put_in_their_places_whatever_the_rows_order():
    tables = make_basin_tables("fig5", (0,))
    expected = [axes.get_images()[0].get_array() for axes in image_panels(fig5.draw(tables, {}))]
    shuffled = tables["deep23_fragile"].sample(frac=1, random_state=0)
    figure = fig5.draw({**tables, "deep23_fragile": shuffled}, {})
    for axes, image in zip(image_panels(figure), expected, strict=True):
        np.testing.assert_array_equal(axes.get_images()[0].get_array(), image)


def test_what_no_perturbation_flips_is_said():
    tables = make_basin_tables("fig5", (0,))
    table = tables["deep23_fragile"]
    table = table[table["kind"].isin(["original", "summary"])].copy()
    lost = ["amplitude", "held_out_flips", "prediction_noisy", "prediction_flipped"]
    table.loc[table["name"].isin(lost), "value"] = np.nan
    table.loc[table["name"] == "flip_distance", "value"] = np.inf
    figure = fig5.draw({**tables, "deep23_fragile": table}, {})
    assert len(image_panels(figure)) == 1
    written = " ".join(text for axes in figure.axes for text in texts(axes))
    assert "no amplitude\nflips most trials" in written
    assert "no flip found" in written
    assert "nan" not in written


def test_pixels_that_make_no_square_are_named():
    tables = make_basin_tables("fig5", (0,))
    table = tables["deep23_fragile"]
    tables["deep23_fragile"] = table[table["pixel"] != 5]
    with pytest.raises(NetdynError, match="783 pixels of 'flipped'"):
        fig5.draw(tables, {})


@pytest.mark.parametrize("name", FIGURES)
def test_of_several_seeds_single_samples_are_those_of_the_smallest(name):
    tables = make_basin_tables(name, (1, 2))
    for table in ("deep23_shift_cone", "deep23_cone", "deep23_fragile"):
        if table in tables:
            later = tables[table]["seed"] == 2
            value = "value" if "value" in tables[table] else "c1"
            tables[table].loc[later, value] = 1e6
    figure = FIGURES[name][0].draw(tables, {})
    if name == "fig4":
        assert titled(figure, "h").get_xlim()[1] < 1e3
    else:
        assert space_of(figure).get_xlim()[1] < 1e3
        assert image_panels(figure)[0].get_images()[0].get_array().max() <= 1


@pytest.mark.parametrize(
    ("first", "ticks"),
    [(0.03, [0, 0.03, 0.1, 0.3, 1, 3]), (0.003, [0, 0.01, 0.1, 1]), (0.5, [0, 1, 3])],
)
def test_noise_axes_have_a_few_round_numbers_and_zero(first, ticks):
    axes = matplotlib.figure.Figure().subplots()
    noise_axes.noise_axes(axes, [0.0, *np.geomspace(first, 3, 7)], "noise")
    assert axes.get_xticks().tolist() == pytest.approx(ticks)


# Both returns ------------------------------------------------------------------------------------


def test_basins_under_both_returns_stand_side_by_side():
    tables, names = make_basin_tables("noise_returns"), ("sample_basin", "sample_basin_cone")
    returns = {f"{run}_{name}": value for run in ("architecture", "grokking")
               for name, value in zip(names, ("affine", "range"), strict=True)}  # fmt: skip
    returns |= {"deep23_class_basin_affine": "affine", "deep23_class_basin": "range"}
    figure = noise_returns.draw(tables, {**SETTINGS, "noise_return": returns})
    for letter, name in zip("ab", names, strict=True):
        table = tables[f"architecture_{name}"].query("of == 'average'")
        for depth in DEPTHS:
            rows = table[table["depth"] == depth]
            assert_draws_mean(titled(figure, letter), f"{depth}", rows, "width", "size")
    texts_of = {"affine": "noise returned affinely", "range": "noise returned to its own range"}
    assert texts_of["affine"] in titled(figure, "a").get_title(loc="left")
    assert texts_of["range"] in titled(figure, "b").get_title(loc="left")
    for (name, value), prefix in itertools.product(returns.items(), ("deep23", "grokking")):
        if not name.startswith(prefix):
            continue
        table = tables[name]
        if prefix == "deep23":
            finite = table[table["index"] != 3]  # in one seed it never ends
            drawn_sizes = line(titled(figure, "c"), texts_of[value]).get_ydata()
            expected = finite.groupby("index")["size"].mean()
            np.testing.assert_allclose(drawn_sizes[expected.index], expected)
            assert np.isnan(drawn_sizes[3])
            arrow = line(titled(figure, "c"), f"{texts_of[value]}, infinite")
            assert arrow.get_xdata() == [3]
        else:
            formed = table.query("of == 'average' and size > 0")
            panel = titled(figure, "d")
            assert_draws_mean(panel, texts_of[value], formed, "step", "size")
