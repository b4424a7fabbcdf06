"""Fig. 3, its companion in training mode and the supplement, from small tables."""

import re

import matplotlib
import numpy as np
import pytest
from figure_boxes import assert_readable
from figure_tables import SETTINGS, assert_draws_mean, line, titled
from figure_tables_deep import (
    DEEP,
    DEPTHS,
    FIG3_TABLES,
    RUN_OF,
    RUNS,
    SUPPLEMENT_TABLES,
    TEN,
    WIDTHS,
    diverge,
    make_deep_tables,
)

from netdyn.errors import NetdynError
from netdyn.figures import (
    basin_axes,
    batch_norm,
    depth_and_width,
    fig3,
    fig3_training,
    marks,
    phases,
    phases_page,
    style,
    supplement,
)
from netdyn.plots.contrast import contrast
from netdyn.plots.style import layer_colours

FIGURES = {
    "fig3": (fig3, "abcdefghij", FIG3_TABLES),
    "fig3_training": (
        fig3_training,
        "abcdefgj",
        [name for name in FIG3_TABLES if name != "deep23_pruning"],
    ),
    "supplement": (supplement, "abcdefghijklmn", SUPPLEMENT_TABLES),
}
MODES = {
    "evaluation": (fig3, "test_accuracy"),
    "training": (fig3_training, "test_accuracy_batch_statistics"),
}


@pytest.fixture(scope="module")
def drawn():
    """Every figure of two seeds, laid out; only looked at."""
    figures = {}
    for name, (module, _, _) in FIGURES.items():
        figures[name] = module.draw(make_deep_tables(name), SETTINGS)
        figures[name].draw_without_rendering()
    return figures


def below(figure, letter):
    """The panel that stands below the accuracies of that letter."""
    (axes,) = [axes for axes in figure.axes if axes.get_label() == f"{letter}2"]
    return axes


def place(axes, artist):
    """Where a line's points lie, in parts of the panel."""
    pixels = artist.get_transform().transform(artist.get_xydata())
    return axes.transAxes.inverted().transform(pixels)


def texts(axes):
    return [text.get_text() for text in axes.texts]


# What all three share


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_has_its_letter_and_fits_the_page(drawn, name):
    figure, letters = drawn[name], FIGURES[name][1]
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert sorted(re.findall(r"\(([a-z])\)", titles)) == list(letters)
    assert figure.get_figwidth() == 7
    assert figure.get_suptitle() == SETTINGS["title"]
    assert SETTINGS["note"] in [text.get_text() for text in figure.texts]
    assert_readable(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_type_is_at_least_seven_points(drawn, name):
    written = drawn[name].findobj(matplotlib.text.Text)
    assert min(text.get_fontsize() for text in written if text.get_text()) >= 7


def test_layouts_leave_no_digit_to_chance(drawn):
    for figure in drawn.values():
        places = [axes.get_position(original=True).get_points() for axes in figure.axes]
        places += [part.bbox_relative.get_points() for part in figure.subfigs]
        np.testing.assert_array_equal(places, np.round(places, 6))


@pytest.mark.parametrize("name", FIGURES)
def test_required_columns_are_sufficient(name, monkeypatch):
    module, _, names = FIGURES[name]
    tables, requested = make_deep_tables(name, (0,)), {}

    def recorded(tables, name, columns):
        requested.setdefault(name, {}).update(dict.fromkeys(columns))
        return style.required_table(tables, name, columns)

    parts = (fig3, phases, phases_page, depth_and_width, supplement, batch_norm, basin_axes)
    for part in parts:
        if hasattr(part, "required_table"):
            monkeypatch.setattr(part, "required_table", recorded)
    module.draw(tables, {})
    assert sorted(requested) == sorted(names)
    assert all("seed" in columns for columns in requested.values())
    for table, columns in requested.items():  # of columns per layer, the first is requested
        required = tables[table].columns.str.replace(r"_\d+$", "_1", regex=True).isin(columns)
        tables[table] = tables[table].loc[:, required]
    module.draw(tables, {})


@pytest.mark.parametrize("name", ["fig3", "supplement"])
@pytest.mark.parametrize("broken", ["is missing", "has no row", "has no column seed"])
def test_a_table_that_is_missing_empty_or_short_of_a_column_is_named(name, broken):
    tables = make_deep_tables(name, (0,))
    history = tables.pop("deep10_history")
    if broken != "is missing":
        tables["deep10_history"] = (
            history.iloc[:0] if "row" in broken else history.drop(columns="seed")
        )
    with pytest.raises(NetdynError, match=f"'deep10_history' {broken}"):
        FIGURES[name][0].draw(tables, {})


def test_a_run_that_is_missing_is_named():
    tables = make_deep_tables("fig3", (0,))
    history = tables["deep10_history"]
    tables["deep10_history"] = history[history["run"] != "deep10_adam"]
    with pytest.raises(NetdynError, match=r"'deep10_history'.*run = deep10_adam"):
        fig3.draw(tables, {})


# Fig. 3


def test_panels_say_rates_batches_samples_and_seeds():
    runs = {run: {"optimizer": "sgd", "samples": 60000, "batch_size": "full"} for run in RUNS}
    runs["deep10_adam_batches"] = {
        **runs["deep10_sgd"],
        "optimizer": "adam",
        "batch_size": 20000,
    }
    runs["deep10_sgd_linear"] = {**runs["deep10_sgd"], "activation": "identity"}
    for settings, rate in zip(runs.values(), (0.03, 0.37, 0.03, 0.001, 0.001, 0.001), strict=True):
        settings["learning_rate"] = rate
    runs["architecture"] = {"samples": 6000}
    figure = fig3.draw(make_deep_tables("fig3", (0, 1, 2)), {"runs": runs})
    title = {letter: titled(figure, letter).get_title(loc="left") for letter in "abcehij"}
    assert title["a"].endswith("  SGD, rate 0.03")
    assert title["b"].endswith("  SGD, rate 0.37")
    assert title["c"].endswith("  SGD, rate 0.03, linear")
    assert title["e"].endswith("  Adam, rate 0.001, batch 20,000")
    assert title["h"].endswith(", 3 seeds")
    assert title["i"].endswith("\nn = 6,000, 3 seeds")
    assert title["j"].endswith("\nn = 6,000, 3 seeds")
    texts = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    assert "(a)–(f): n = 60,000, 3 seeds; (g): 3 seeds; full batch where no batch is given" in texts


@pytest.mark.parametrize("mode", MODES)
def test_accuracies_and_gradients_of_every_layer_are_those_of_the_mode(drawn, mode):
    name = {"evaluation": "fig3", "training": "fig3_training"}[mode]
    tables, figure = make_deep_tables(name), drawn[name]
    for letter, run in RUN_OF.items():
        prefix, depth = ("deep23", DEEP) if letter == "g" else ("deep10", TEN)
        # Of (g), seed 0: phases of several seeds would cancel in a mean.
        seeds = {"seed": 0} if letter == "g" else {}
        history = style.rows_where(tables[f"{prefix}_history"], run=run, **seeds)
        above = titled(figure, letter)
        assert_draws_mean(above, "training", history, "step", "train_accuracy")
        assert_draws_mean(above, "test", history, "step", MODES[mode][1])
        selected = {"run": run, "mode": mode, "class": -1, **seeds}
        own = style.rows_where(tables[f"{prefix}_gradient"], **selected)
        for layer in range(1, depth):
            rows = own[own["layer"] == layer]
            assert_draws_mean(below(figure, letter), f"layer {layer}", rows, "step", "gradient")


@pytest.mark.parametrize("mode", MODES)
def test_the_other_seeds_of_the_deep_network_are_drawn_beside_the_first(mode):
    tables = make_deep_tables("fig3", (0, 1, 4))
    figure = MODES[mode][0].draw(tables, {})
    assert titled(figure, "g").get_title(loc="left").endswith("seed 0")
    for number, seed in enumerate((1, 4), 1):
        (above,) = [a for a in figure.axes if a.get_title(loc="left") == f"seed {seed}"]
        history = style.rows_where(tables["deep23_history"], seed=seed)
        assert_draws_mean(above, "test", history, "step", MODES[mode][1])
        (under,) = [a for a in figure.axes if a.get_label() == f"g2, {number}"]
        assert under.get_ylim() == below(figure, "g").get_ylim()
        own = style.rows_where(tables["deep23_gradient"], seed=seed, mode=mode, **{"class": -1})
        for layer in range(1, DEEP):
            rows = own[own["layer"] == layer]
            assert_draws_mean(under, f"layer {layer}", rows, "step", "gradient")


@pytest.mark.parametrize("mode", MODES)
def test_the_best_accuracy_is_the_mean_of_each_seeds_best(mode):
    module, column = MODES[mode]
    tables = make_deep_tables("fig3", (0, 1))
    history = tables["deep10_history"]
    own = history["run"] == "deep10_adam"
    history.loc[own, column] = 0.5
    history.loc[own & (history["seed"] == 0) & (history["step"] == 10), column] = 0.9712
    history.loc[own & (history["seed"] == 1) & (history["step"] == 100), column] = 0.9732
    assert "best test\n97.22 %" in texts(titled(module.draw(tables, {}), "d"))


@pytest.mark.parametrize(("late", "place"), [(0.9, (0.99, 0.04)), (0.3, (0.02, 0.98))])
def test_the_best_accuracy_stands_where_no_curve_is(late, place):
    tables = make_deep_tables("fig3", (0,))
    history = tables["deep10_history"]
    own = history["run"] == "deep10_adam"
    history.loc[own, "train_accuracy"] = 0.95
    history.loc[own, "test_accuracy"] = [0.1, 0.1, 0.5, late, 0.9]
    axes = titled(fig3.draw(tables, {}), "d")
    (text,) = [text for text in axes.texts if text.get_text() == "best test\n90.00 %"]
    assert text.get_position() == place


def test_one_scale_of_colours_runs_from_the_first_to_the_last_layer(drawn):
    figure = drawn["fig3"]
    panels = {letter: below(figure, letter) for letter in RUN_OF}
    for layer in range(1, TEN):
        assert len({tuple(line(panels[p], f"layer {layer}").get_color()) for p in "abcdef"}) == 1
    for last in (line(panels["a"], f"layer {TEN - 1}"), line(panels["g"], f"layer {DEEP - 1}")):
        np.testing.assert_array_equal(last.get_color(), layer_colours(2)[1])
    contrasts = [contrast(colour) for colour in layer_colours(22)]
    assert (np.diff(contrasts) < 0).all()
    assert contrasts[-1] >= 3  # to be seen on white
    written = [text for axes in figure.axes for text in texts(axes)]
    assert {"hidden layer in (g)", "in (a)–(f)"} <= set(written)


def test_first_and_last_layer_are_named_and_ten_layer_panels_share_their_axis(drawn):
    figure = drawn["fig3"]
    panels = [below(figure, letter) for letter in "abcdef"]
    assert len({axes.get_ylim() for axes in panels}) == 1
    for axes in panels:
        assert {"1", str(TEN - 1)} <= set(texts(axes))
        low, high = axes.get_ylim()
        for drawn_line in axes.get_lines():
            if drawn_line.get_label().startswith("layer"):
                assert low <= min(drawn_line.get_ydata()) <= max(drawn_line.get_ydata()) <= high
    assert {"1", str(DEEP - 1)} <= set(texts(below(figure, "g")))


def test_steps_are_logarithmic_and_show_the_untrained_network(drawn):
    for letter in RUN_OF:
        axes = below(drawn["fig3"], letter)
        assert axes.get_xscale() == "symlog"
        assert axes.get_xlim()[0] < 0
        assert axes.get_xlim() == titled(drawn["fig3"], letter).get_xlim()


def test_pruning_is_drawn_beside_the_full_accuracy(drawn):
    axes, table = titled(drawn["fig3"], "h"), make_deep_tables("fig3")["deep23_pruning"]
    for split, label in (("test", "test"), ("train", "training")):
        rows = table[table["split"] == split]
        assert_draws_mean(axes, label, rows, "start_layer", "accuracy")
        assert_draws_mean(axes, f"{label}, full network", rows, "start_layer", "full_accuracy")
        full = line(axes, f"{label}, full network").get_ydata()
        assert np.ptp(full) == pytest.approx(0)


def test_depth_and_width_of_best_accuracy_and_first_gradient(drawn):
    tables = make_deep_tables("fig3")
    history = tables["architecture_history"]
    best = history.groupby(["width", "depth", "seed"], as_index=False)["test_accuracy"].max()
    for width in WIDTHS:
        rows = best[best["width"] == width]
        assert_draws_mean(titled(drawn["fig3"], "i"), f"{width}", rows, "depth", "test_accuracy")
        for mode, name in (("evaluation", "fig3"), ("training", "fig3_training")):
            own = style.rows_where(
                tables["architecture_gradient"], width=width, mode=mode, **{"class": -1}
            )
            j = titled(drawn[name], "j")
            assert_draws_mean(j, f"{width}", own, "depth", "gradient")
            assert [t.get_text() for t in j.get_legend().get_texts()] == [str(w) for w in WIDTHS]
            assert j.get_xticks().tolist() == DEPTHS


def test_only_several_seeds_give_a_band(drawn):
    one = fig3.draw(make_deep_tables("fig3", (0,)), {})
    for letter, bands in (("a", 2), ("h", 4), ("i", len(WIDTHS))):
        assert len(titled(drawn["fig3"], letter).collections) == bands
        assert len(titled(one, letter).collections) == 0


@pytest.mark.parametrize(
    ("values", "labels"),
    [([0.3, 4], ["0.5", "1", "2"]), ([0.003, 2], ["0.01", "0.1", "1"])],
)
def test_a_logarithmic_axis_of_sizes_has_plain_numbers(values, labels):
    axes = matplotlib.figure.Figure(figsize=(2, 1.4)).subplots()
    axes.plot([0, 1], values)
    marks.plain_log_axis(axes)
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert [axes.yaxis.get_major_formatter()(tick) for tick in ticks] == labels


def test_a_diverged_run_is_drawn_until_then_and_says_so():
    tables = make_deep_tables("fig3", (0,))
    tables["deep10_history"] = diverge(tables["deep10_history"], 100, run="deep10_sgd_fast")
    kept = tables["deep10_gradient"]
    tables["deep10_gradient"] = kept[(kept["run"] != "deep10_sgd_fast") | (kept["step"] < 100)]
    figure = fig3.draw(tables, {})
    above, gradients = titled(figure, "b"), below(figure, "b")
    assert line(above, "test").get_xdata().tolist() == [0, 1, 10]
    assert line(gradients, "layer 1").get_xdata().tolist() == [0, 1, 10]
    assert texts(gradients) == ["diverged\nat step 100"]  # and no names of layers
    assert line(gradients, "_diverged").get_xdata() == [100, 100]
    assert gradients.get_xlim()[1] > 1000  # as far as its neighbours
    assert not any("diverged" in text for text in texts(below(figure, "a")))


def test_of_several_seeds_it_is_said_how_many_diverged():
    tables = make_deep_tables("fig3", (0, 1, 2))
    history = diverge(tables["deep10_history"], 10, run="deep10_sgd", seed=1)
    tables["deep10_history"] = diverge(history, 100, run="deep10_sgd", seed=2)
    history = tables["architecture_history"]
    tables["architecture_history"] = diverge(history, 10, depth=6, width=8)
    figure = fig3.draw(tables, {})
    assert "2 of 3 diverged\nfrom step 10" in texts(below(figure, "a"))
    assert line(titled(figure, "a"), "test").get_xdata().tolist() == [0, 1]
    for letter in "ij":
        assert texts(titled(figure, letter)) == ["3 of 9 diverged\nat step 10"]
        assert line(titled(figure, letter), "_diverged").get_xdata() == [6, 6]
    rows = tables["architecture_history"].query("depth == 6 and width == 8 and step < 10")
    last = line(titled(figure, "i"), "8").get_ydata()[-1]
    assert last == pytest.approx(rows["test_accuracy"].mean())  # what it reached before


# The supplement


def test_weights_before_grokking_are_shares_of_their_start(drawn):
    figure, table = drawn["supplement"], make_deep_tables("supplement")["grokking_history"]
    above, norms = titled(figure, "a"), below(figure, "a")
    assert_draws_mean(above, "training", table, "step", "train_accuracy")
    assert_draws_mean(above, "test", table, "step", "test_accuracy")
    for layer in (1, 2, 3):
        column = f"weight_norm_{layer}"
        start = table[table["step"] == 0].set_index("seed")[column]
        share = table.assign(share=table[column] / table["seed"].map(start))
        assert_draws_mean(norms, f"layer {layer}", share, "step", "share")
    spans = [patch.get_extents() for patch in norms.patches]
    ends = [norms.transData.inverted().transform(span.get_points())[:, 0] for span in spans]
    np.testing.assert_allclose(ends, [[10, 100]])  # training >= 99 %, test >= 80 %


def test_basins_over_initial_scales_and_widths(drawn):
    tables, figure = make_deep_tables("supplement"), drawn["supplement"]
    for space in ("sample", "weight"):
        own = style.rows_where(tables[f"initial_scales_{space}_basin"], of="average")
        b = titled(figure, "b")
        assert_draws_mean(b, f"{space} space", own, "initial_scale", "size")
        axes = titled(figure, {"weight": "c", "sample": "d"}[space])
        fixed = style.rows_where(tables[f"fixed_range_{space}_basin"], of="average")
        assert_draws_mean(axes, "fixed range", fixed, "width", "size")
        default = style.rows_where(tables[f"architecture_{space}_basin"], of="average", depth=6)
        assert_draws_mean(axes, r"range $1/\sqrt{\mathrm{width}}$", default, "width", "size")
        assert axes.get_xlabel() == "width, 6 layers"
    assert b.get_xscale() == "log"
    assert b.get_ylim()[0] == 0


def test_a_basin_that_never_crosses_is_an_arrow_at_the_top():
    tables = make_deep_tables("supplement", (0,))
    for name, at in (
        ("initial_scales_weight_basin", {"initial_scale": 2.0}),
        ("fixed_range_weight_basin", {"width": 32}),
        ("translations_weight_basin", {"translated": True}),
    ):
        rows = style.rows_where(tables[name], **at).index
        tables[name].loc[rows, ["size", "size_error"]] = [np.inf, np.nan]
    figure = supplement.draw(tables, {})
    for letter, label, x in (
        ("b", "weight space", 2.0),
        ("c", "fixed range", 32),
        ("e", "weight, translated", 1.13),
    ):
        axes = titled(figure, letter)
        arrow = line(axes, f"{label}, infinite")
        assert arrow.get_marker() == "^"
        assert arrow.get_xdata() == pytest.approx([x])
        assert 0.9 <= place(axes, arrow)[0, 1] <= 1
        if letter != "e":
            assert np.isfinite(line(axes, label).get_ydata()).sum() == 2
    names = [tick.get_text() for tick in titled(figure, "e").get_xticklabels()]
    assert names[1] == "weight space"  # no relative change


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_the_translated_sets_basins_carry_bars_and_their_relative_change(seeds):
    tables = make_deep_tables("supplement", seeds)
    axes = titled(supplement.draw(tables, {}), "e")
    names = [tick.get_text() for tick in axes.get_xticklabels()]
    for index, space in enumerate(("sample", "weight")):
        own = style.rows_where(tables[f"translations_{space}_basin"], of="average")
        means = own.groupby("translated")["size"].mean()
        change = f"{100 * (means[True] / means[False] - 1):+.1f} %".replace("-", "−")
        assert names[index] == f"{space} space\n{change}"
        for translated, text, shift in ((False, "original", -0.13), (True, "translated", 0.13)):
            label = f"{space}, {text}"
            sizes = own[own["translated"] == translated]
            drawn_point = line(axes, label).get_xydata()
            np.testing.assert_allclose(drawn_point, [[index + shift, means[translated]]])
            error = sizes["size_error"].iloc[0]
            ends = (
                (means[translated] - error, means[translated] + error)
                if len(seeds) == 1
                else (sizes["size"].min(), sizes["size"].max())
            )
            bars = np.concatenate([np.concatenate(c.get_segments()) for c in axes.collections])
            own_bar = bars[np.isclose(bars[:, 0], index + shift), 1]
            np.testing.assert_allclose(own_bar, ends)
    history = tables["translations_history"]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    for entry, translated in zip(legend, (False, True), strict=True):
        own = history[history["translated"] == translated]
        best = own.groupby("seed")["test_accuracy"].max().mean()
        assert entry.endswith(f"test {100 * best:.1f} %")


def test_distances_are_means_over_layers_with_marks_where_accuracies_are_reached():
    tables = make_deep_tables("supplement", (0,))
    history = tables["deep10_history"]
    own = history["run"] == "deep10_adam"
    history.loc[own, "train_accuracy"] = [0.1, 0.5, 0.9, 1.0, 1.0]
    history.loc[own, "test_accuracy"] = [0.1, 0.1, 0.5, 0.6, 0.95]
    figure = supplement.draw(tables, {})
    axes = titled(figure, "f")
    for letter, run in RUN_OF.items():
        rows = style.rows_where(
            tables["deep23_history" if letter == "g" else "deep10_history"], run=run
        )
        columns = [column for column in rows if column.startswith("statistics_distance_")]
        rows = rows.assign(distance=rows[columns].mean(axis=1))
        assert_draws_mean(axes, f"3{letter}", rows, "step", "distance")
    for word, step in (("training", 10), ("test", 1000)):
        mark = line(axes, f"_{word} accuracy first 90 % 3d")
        height = line(axes, "3d").get_ydata()[{10: 2, 1000: 4}[step]]
        np.testing.assert_allclose(mark.get_xydata(), [[step, height]])
    assert axes.get_yscale() == "log"


def test_runs_that_diverged_are_told_in_every_panel_of_the_supplement():
    tables = make_deep_tables("supplement", (0, 1))
    tables["deep10_history"] = diverge(tables["deep10_history"], 100, run="deep10_sgd_linear")
    for name, at in (
        ("initial_scales_history", {"initial_scale": 2.0, "seed": 1}),
        ("fixed_range_history", {"width": 8}),
        ("translations_history", {"translated": True, "seed": 0}),
    ):
        tables[name] = diverge(tables[name], 10, **at)
    figure = supplement.draw(tables, {})
    cross = line(titled(figure, "f"), "3c diverged at step 100")
    last = line(titled(figure, "f"), "3c")
    np.testing.assert_allclose(cross.get_xydata(), last.get_xydata()[-1:])
    assert last.get_xdata()[-1] == 10
    for letter, count, x in (("b", 1, 2.0), ("c", 2, 8), ("d", 2, 8), ("e", 1, 1.13)):
        axes = titled(figure, letter)
        assert texts(axes) == [f"{count} of 2 diverged\nat step 10"]
        assert line(axes, "_diverged").get_xdata()[0] == pytest.approx(x)
    assert texts(titled(figure, "k")) == ["2 of 2 diverged\nat step 100"]


def test_signs_by_layer_at_best_and_last_step(drawn):
    table = make_deep_tables("supplement")["sign_agreement"]
    for letter, runs in (("g", "ad"), ("h", "g")):
        axes = titled(drawn["supplement"], letter)
        for run in runs:
            own = table[table["run"] == RUN_OF[run]]
            best, last = own[own["step"] < 500], own[own["step"] > 500]
            assert_draws_mean(axes, f"3{run}, best", best, "layer", "agreement")
            assert_draws_mean(axes, f"3{run}, last", last, "layer", "agreement")
        labels = {drawn_line.get_label() for drawn_line in axes.get_lines()}
        assert labels == {f"3{run}, {moment}" for run in runs for moment in ("best", "last")}


def test_one_key_names_the_runs_of_three_panels(drawn):
    figure = drawn["supplement"]
    (key,) = [part for part in figure.subfigs if titled(figure, "f") in part.axes]
    (legend,) = key.legends
    entries = [text.get_text() for text in legend.get_texts()]
    assert [entry[:2] for entry in entries[:7]] == [f"3{letter}" for letter in RUN_OF]
    assert entries[7:9] == ["best step", "last step"]
    for letter in "fgh":
        assert titled(figure, letter) in key.axes


def test_test_accuracy_with_the_first_batchs_statistics(drawn):
    tables = make_deep_tables("supplement")
    for letter, run_letter, run in zip("ijklmn", "abcdef", RUNS, strict=True):
        axes = titled(drawn["supplement"], letter)
        assert f"Fig. 3{run_letter}\n" in axes.get_title(loc="left")
        history = style.rows_where(tables["deep10_history"], run=run)
        kept = style.rows_where(tables["deep10_first_batch"], run=run)
        assert_draws_mean(axes, "training", history, "step", "train_accuracy")
        for label, column in (
            ("test, running statistics from 0 and 1", "test_accuracy"),
            ("test, from the first batch's", "test_accuracy_first_batch"),
        ):
            assert_draws_mean(axes, label, kept, "step", column)
