import numpy as np
import pandas as pd
import pytest

from netdyn.errors import NetdynError
from netdyn.quantities.toy_neurons import SETTINGS, measure

CHOSEN = {"seed": 0, "samples": 40, "neurons": 48, "steps": 200, "bins": 8, "points": 101}


@pytest.fixture(scope="module")
def table():
    return measure(CHOSEN)


def rows(table, panel, quantity, group=None):
    result = table[(table["panel"] == panel) & (table["quantity"] == quantity)]
    return result if group is None else result[result["group"] == group]


def number(table, panel, quantity):
    (value,) = rows(table, panel, quantity)["y"]
    return value


def test_same_settings_same_table_and_another_seed_another(table):
    pd.testing.assert_frame_equal(measure(CHOSEN), table)
    other = measure({**CHOSEN, "seed": 1})
    assert not np.array_equal(rows(other, "a", "sample")["x"], rows(table, "a", "sample")["x"])


def test_one_monotonic_neuron_keeps_the_order(table):
    samples = rows(table, "a", "sample")
    assert samples["index"].tolist() == [1, 2, 3, 4, 5]
    assert (np.diff(samples["x"]) > 0).all()
    assert (np.diff(samples["y"]) > 0).all()
    np.testing.assert_allclose(samples["y"], np.tanh(samples["x"]))


@pytest.mark.parametrize("seed", range(5))
def test_two_monotonic_neurons_fold_the_order_at_sample_3(seed):
    table = measure({**CHOSEN, "seed": seed, "samples": 3, "neurons": 2, "steps": 1})
    outputs = rows(table, "b", "sample").set_index("index")["y"]
    assert outputs[3] > 0.95
    assert outputs[4] < outputs[3]
    assert outputs[5] < outputs[4]
    assert outputs[2] < outputs[3]
    terms = [rows(table, "b", "neuron", name)["y"].to_numpy() for name in ("h1", "h2")]
    assert all(len(set(np.sign(np.diff(term)))) == 1 for term in terms)
    np.testing.assert_allclose(sum(terms), rows(table, "b", "curve")["y"])


def test_fields_of_both_neurons_are_those_of_panel_a(table):
    np.testing.assert_array_equal(
        rows(table, "a", "sample")["x"].to_numpy(), rows(table, "b", "sample")["x"].to_numpy()
    )


@pytest.mark.parametrize("panel", ["c", "d"])
def test_rpd_and_resultant_are_those_of_the_drawn_weight_vectors(table, panel):
    points = [rows(table, panel, "sample", g)[["x", "y"]].to_numpy() for g in "AB"]
    x = np.concatenate(points)
    is_a = np.repeat([1.0, 0.0], [len(p) for p in points])
    weights = rows(table, panel, "weight")[["x", "y"]].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1)

    per_bin = len(x) // CHOSEN["bins"]
    density, mean_r = np.zeros(CHOSEN["bins"]), []
    for weight in weights:
        ordered = is_a[np.argsort(-(x @ weight))]
        density += ordered.reshape(-1, per_bin).sum(1) * CHOSEN["bins"] / is_a.sum()
        centres = (np.arange(len(x)) + 0.5) / len(x)
        mean_r.append((centres * ordered).sum() / is_a.sum())
    np.testing.assert_allclose(rows(table, panel, "rpd")["y"], density / len(weights))
    assert number(table, panel, "gradient") == pytest.approx(12 * (0.5 - np.mean(mean_r)))
    assert number(table, panel, "resultant") == pytest.approx(np.hypot(*weights.mean(0)))


@pytest.mark.parametrize("seed", range(3))
def test_separable_samples_align_the_weights_and_alternating_ones_do_not(seed):
    table = measure({**CHOSEN, "seed": seed})
    assert number(table, "c", "accuracy") == 1
    assert number(table, "d", "accuracy") == 1
    assert number(table, "c", "resultant") > 0.7
    assert number(table, "d", "resultant") < 0.3
    assert number(table, "c", "gradient") > 2.4  # 3 if every neuron parts A from B
    assert abs(number(table, "d", "gradient")) < 0.3
    top, bottom = rows(table, "c", "rpd")["y"].iloc[[0, -1]]
    assert top > 10 * bottom


@pytest.mark.parametrize("name", SETTINGS)
def test_a_missing_setting_is_named(name):
    with pytest.raises(NetdynError, match=f"set {name} "):
        measure({key: value for key, value in CHOSEN.items() if key != name})


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "20"])
def test_a_count_that_is_none_is_named(value):
    with pytest.raises(NetdynError, match="set bins "):
        measure({**CHOSEN, "bins": value})
