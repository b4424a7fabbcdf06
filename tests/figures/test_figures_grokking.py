"""Fig. 6 and 7 from the small tables of `figure_tables`."""

import re

import numpy as np
import pytest
from figure_tables import SETTINGS, assert_draws_mean, deep23_tables, line, make_tables, titled
from matplotlib.figure import SubFigure
from matplotlib.patches import Polygon

from netdyn.errors import NetdynError
from netdyn.figures import fig6, fig7, style
from netdyn.figures.projection_axes import headings
from netdyn.measures.regions import mahalanobis, trimmed_region


def test_fig6_shares_axes_in_a_column_and_writes_each_panels_own_accuracy():
    tables = make_tables("fig6", (3, 4))
    figure = fig6.draw(tables, SETTINGS)
    history = tables["deep23_history"].query("seed == 3").set_index("step")
    columns = ["train_accuracy", "test_accuracy", "test_accuracy_batch_statistics"]
    for letters, step in (("ace", 10), ("bdf", 100)):
        panels = [titled(figure, letter) for letter in letters]
        assert len({(*axes.get_xlim(), *axes.get_ylim()) for axes in panels}) == 1
        for axes, column in zip(panels, columns, strict=True):
            share = f"{100 * history.loc[step, column]:.1f} %"
            assert axes.get_title(loc="left").endswith(share)


def test_fig6_draws_the_smallest_seed_in_at_most_a_thousand_rasterised_points_a_digit():
    tables = make_tables("fig6", (3, 4))
    many = deep23_tables((3, 4), points=1200)
    for chosen, expected in ((tables, 30), (many, 1000)):
        axes = titled(fig6.draw(chosen, SETTINGS), "c")
        rows = style.rows_where(
            chosen["deep23_projection"],
            seed=3, moment="before", split="test", mode="evaluation", digit=2,
        )  # fmt: skip
        drawn = line(axes, "2")
        assert drawn.get_rasterized()
        assert len(drawn.get_xdata()) == expected
        np.testing.assert_array_equal(drawn.get_xdata(), rows["h1"].iloc[:expected])
        np.testing.assert_array_equal(drawn.get_ydata(), rows["h2"].iloc[:expected])


def test_outlines_lie_at_the_mahalanobis_radius():
    tables = make_tables("fig6")
    axes = titled(fig6.draw(tables, SETTINGS), "d")
    outlines = [patch for patch in axes.patches if isinstance(patch, Polygon)]
    assert [patch.get_linestyle() for patch in outlines[::2]] == ["-"] * 3
    for patch, digit in zip(outlines[::2], (0, 2, 5), strict=True):
        covariance = -0.1 * (-1) ** digit
        inverse = np.linalg.inv([[0.3, covariance], [covariance, 0.2]])
        away = patch.get_xy() - 3 * np.array([np.cos(digit), np.sin(digit)])
        distance = np.sqrt(np.einsum("pi,ij,pj->p", away, inverse, away))
        np.testing.assert_allclose(distance, 2.5)


def test_dashed_outlines_are_of_the_inner_training_samples_and_shares_are_of_each_region():
    tables = deep23_tables((0,), points=200)
    projection = tables["deep23_projection"]
    before = projection["moment"] == "before"
    of_training = before & (projection["split"] == "train") & (projection["digit"] == 2)
    projection.loc[projection.index[of_training][:3], "h1"] = 40.0  # the outline stays where it was
    evaluated = before & (projection["mode"] == "evaluation")
    projection.loc[projection.index[evaluated & (projection["digit"] == 0)][:60], "h2"] = 9.0
    axes = titled(fig6.draw(tables, SETTINGS), "c")
    dashed = [patch for patch in axes.patches if patch.get_linestyle() != "-"]
    points = projection[of_training][["h1", "h2"]].to_numpy()
    region = trimmed_region(points)
    assert mahalanobis(dashed[1].get_xy(), region) == pytest.approx(np.full(201, region.radius))
    assert np.abs(dashed[1].get_xy()).max() < 6
    # 60 of 600 points were moved out of every region; few others are outside.
    words = axes.get_xlabel().split("\n")[-1]
    numbers = [int(number) for number in re.findall(r"(\d+) %", words)]
    assert 88 <= numbers[0] <= 90
    assert 75 < numbers[1] < numbers[0]


@pytest.mark.parametrize(("shift", "scale"), [(5, "linear"), (500, "symlog")])
def test_samples_far_from_the_training_samples_stay_within_the_axes(shift, scale):
    tables = make_tables("fig6", (0,))
    projection = tables["deep23_projection"]
    moved = (projection["mode"] == "evaluation") & (projection["moment"] == "before")
    projection.loc[moved, "h1"] += shift
    axes = titled(fig6.draw(tables, SETTINGS), "c")
    assert axes.get_xscale() == scale
    low, high = axes.get_xlim()
    assert low < projection["h1"].min()
    assert high > projection["h1"].max()


def test_points_beyond_the_axes_are_counted():
    tables = deep23_tables((0,), points=200)
    projection = tables["deep23_projection"]
    rows = (projection["mode"] == "evaluation") & (projection["moment"] == "before")
    projection.loc[projection.index[rows][:2], "h2"] = 1e6
    axes = titled(fig6.draw(tables, SETTINGS), "c")
    assert "(2 points beyond the axes)" in axes.get_xlabel()


def test_axes_hold_the_points_whatever_the_size_of_the_regions():
    limits = set()
    for radius in (2.5, 25):
        tables = make_tables("fig6", (0,))
        tables["deep23_regions"]["radius"] = radius
        axes = titled(fig6.draw(tables, SETTINGS), "a")
        limits.add((*axes.get_xlim(), *axes.get_ylim()))
    assert len(limits) == 1


@pytest.mark.parametrize("letter", "cd")
def test_samples_that_take_up_little_of_their_panel_are_enlarged_in_a_free_corner(letter):
    tables = make_tables("fig6", (0,))
    projection = tables["deep23_projection"]
    moment = {"c": "before", "d": "after"}[letter]
    collapsed = (projection["mode"] == "evaluation") & (projection["moment"] == moment)
    projection.loc[collapsed, ["h1", "h2"]] *= 0.02
    figure = fig6.draw(tables, SETTINGS)
    insets = {other: titled(figure, other).child_axes for other in "abcdef"}
    (zoom,) = insets.pop(letter)
    assert not any(insets.values())
    axes = titled(figure, letter)
    figure.draw_without_rendering()
    for digit in "025":
        drawn = line(axes, digit)
        (enlarged,) = [own for own in zoom.get_lines() if own.get_color() == drawn.get_color()]
        np.testing.assert_array_equal(enlarged.get_xydata(), drawn.get_xydata())
        pixels = axes.transData.transform(drawn.get_xydata())
        assert not zoom.get_tightbbox().count_contains(pixels)
    low, high = zoom.get_xlim()
    assert low < projection.loc[collapsed, "h1"].quantile(0.02)
    assert high > projection.loc[collapsed, "h1"].quantile(0.98)
    assert high - low < 0.25 * np.ptp(axes.get_xlim())


def test_samples_of_a_digit_that_hide_each_other_are_pointed_out():
    tables = make_tables("fig6", (0,))
    projection = tables["deep23_projection"]
    rows = (projection["mode"] == "evaluation") & (projection["moment"] == "before")
    hidden = rows & (projection["digit"] == 2)
    projection.loc[hidden, ["h1", "h2"]] = [-1.0, 1.0]
    figure = fig6.draw(tables, SETTINGS)
    written = {
        letter: [text.get_text() for text in titled(figure, letter).texts] for letter in "abcdef"
    }
    assert written.pop("c") == ["30 of digit 2"]
    assert not any(written.values())


def test_a_panel_without_a_digit_or_without_numbers_is_drawn():
    tables = make_tables("fig6", (0,))
    projection = tables["deep23_projection"]
    evaluation = projection["mode"] == "evaluation"
    before = projection["moment"] == "before"
    projection.loc[evaluation & before, ["h1", "h2"]] = np.nan
    lacking = evaluation & ~before & (projection["digit"] == 2)
    tables["deep23_projection"] = projection[~lacking]
    figure = fig6.draw(tables, SETTINGS)
    figure.draw_without_rendering()
    for letter in "cd":
        axes = titled(figure, letter)
        assert not axes.child_axes
        assert not axes.texts


def test_fig7_draws_accuracies_of_clean_and_of_noisy_samples():
    tables = make_tables("fig7")
    axes = titled(fig7.draw(tables, SETTINGS), "a")
    assert_draws_mean(axes, "training", tables["grokking_history"], "step", "train_accuracy")
    assert_draws_mean(axes, "test", tables["grokking_history"], "step", "test_accuracy")
    for amplitude in (0.1, 0.3):
        own = style.rows_where(tables["grokking_noise"], amplitude=amplitude)
        assert_draws_mean(axes, f"noise {amplitude}", own, "step", "accuracy")
    assert {text.get_text() for text in axes.texts} == {"a = 0.1", "a = 0.3"}


def test_fig7_draws_basins_from_90_percent_training_accuracy_on():
    tables = make_tables("fig7")
    axes = titled(fig7.draw(tables, SETTINGS), "b")
    for space in ("sample", "weight"):
        own = style.rows_where(tables[f"grokking_{space}_basin"], of="average")
        assert_draws_mean(axes, f"{space} space", own[own["step"] >= 10], "step", "size")


def test_fig7_says_why_no_basins_are_drawn_before():
    axes = titled(fig7.draw(make_tables("fig7"), SETTINGS), "b")
    assert "not formed:\ntraining accuracy < 90 %" in [text.get_text() for text in axes.texts]


def test_fig7_says_samples_seeds_and_how_noisy_samples_return():
    settings = {
        "runs": {"grokking": {"samples": 1000}},
        "noise_return": {"grokking_noise": "affine"},
    }
    figure = fig7.draw(make_tables("fig7", (4, 5, 6)), settings)
    title = titled(figure, "a").get_title(loc="left")
    assert title.endswith("\nnoise returned affinely; n = 1,000, 3 seeds")
    heads = [part.get_suptitle() for part in figure.findobj(SubFigure) if part.get_suptitle()]
    assert heads == ["before grokking, step 10, seed 4", "after grokking, step 100, seed 4"]


def test_a_network_that_does_not_grok_is_not_said_to():
    tables = make_tables("fig7", (0,))
    points, history = tables["grokking_projection"], tables["grokking_history"]
    assert headings(points, history)["before"] == "before grokking, step 10, seed 0"
    history.loc[history["step"] == 10, "test_accuracy"] = 0.8
    assert headings(points, history) == {
        "before": "training samples learned; no grokking, step 10, seed 0",
        "after": "best test accuracy, step 100, seed 0",
    }


def test_fig7_says_that_no_basin_has_formed():
    tables = make_tables("fig7")
    tables["grokking_history"]["train_accuracy"] = 0.5
    with pytest.raises(NetdynError, match=r"grokking_sample_basin.*train longer"):
        fig7.draw(tables, SETTINGS)


@pytest.mark.parametrize(
    ("size", "word", "marker", "inside"),
    [(np.inf, "infinite", "^", (0.9, 1.0)), (0.0, "zero", "v", (0.0, 0.1))],
)
def test_basins_that_have_no_finite_size_are_arrows_at_the_edge(size, word, marker, inside):
    tables = make_tables("fig7")
    basin = tables["grokking_weight_basin"]
    basin.loc[basin["step"] == 100, ["size", "size_error"]] = [size, np.nan]
    figure = fig7.draw(tables, SETTINGS)
    axes = titled(figure, "b")
    arrow = line(axes, f"weight space, {word}")
    assert arrow.get_xdata().tolist() == [100]
    assert arrow.get_marker() == marker
    figure.draw_without_rendering()
    pixels = arrow.get_transform().transform(arrow.get_xydata())
    ((_, height),) = axes.transAxes.inverted().transform(pixels)
    assert inside[0] <= height <= inside[1]
    assert np.isnan(line(axes, "weight space").get_ydata()).tolist() == [False, True, False]


def test_one_seeds_basins_carry_their_resampling_error():
    tables = make_tables("fig7", (0,))
    axes = titled(fig7.draw(tables, SETTINGS), "b")
    heights = np.concatenate([p.vertices[:, 1] for p in axes.collections[0].get_paths()])
    assert heights.min() == pytest.approx(0.01 * 0.95)
    assert heights.max() == pytest.approx(0.3 * 1.05)


def test_fig7_enlarges_the_late_course():
    tables = make_tables("fig7")
    figure = fig7.draw(tables, SETTINGS)
    late = titled(figure, "d")
    own = tables["grokking_history"].query("step >= 100")
    assert_draws_mean(late, "test", own, "step", "test_accuracy")
    assert late.get_ylim()[0] > 0.7
    gradient = style.rows_where(tables["grokking_gradient"], layer=2, **{"class": -1})
    assert_draws_mean(titled(figure, "c"), "layer 2", gradient, "step", "gradient")
    (below,) = [a for a in figure.axes if a.get_ylabel() == "g"]
    assert_draws_mean(below, "layer 2", gradient[gradient["step"] >= 100], "step", "gradient")


def test_fig7_compares_training_and_test_samples_on_the_same_axes():
    figure = fig7.draw(make_tables("fig7"), SETTINGS)
    for training, test in ("eg", "fh"):
        one, other = titled(figure, training), titled(figure, test)
        assert one.get_xlim() == other.get_xlim()
        assert one.get_ylim() == other.get_ylim()


def test_fig7_draws_the_projections_of_the_smallest_seed_with_its_accuracies():
    tables = make_tables("fig7", (4, 5))
    history = tables["grokking_history"].query("seed == 4").set_index("step")
    figure = fig7.draw(tables, SETTINGS)
    for letter, step, split in (("e", 10, "train"), ("f", 100, "train"), ("h", 100, "test")):
        share = f"acc. {100 * history.loc[step, f'{split}_accuracy']:.1f} %"
        assert titled(figure, letter).get_title(loc="left").endswith(share)
        rows = style.rows_where(tables["grokking_projection"], seed=4, split=split, digit=5)
        rows = rows[rows["step"] == step]
        np.testing.assert_array_equal(line(titled(figure, letter), "5").get_xdata(), rows["h1"])
