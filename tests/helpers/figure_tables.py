"""Small tables, put together by hand, to draw the figures from, and ways to look at the drawn."""

import functools
import itertools

import numpy as np
import pandas as pd

from netdyn.quantities import toy_neurons

STEPS = [0, 1, 10, 100, 1000]
SIZES = [100, 600, 6000]
ACTIVATIONS = ["tanh", "identity"]
SETTINGS = {"title": "Figure – demo", "note": "scale demo, 1 seed", "small_samples": 600}


def at_steps(*values):
    """Return the mapping from STEPS to values."""
    return dict(zip(STEPS, values, strict=True))


def crossed(**columns):
    """Return the table of all combinations of the columns' values."""
    return pd.DataFrame(list(itertools.product(*columns.values())), columns=list(columns))


def run_of(table, *columns):
    name = table[list(columns)].astype(str).agg("-".join, axis=1)
    table.insert(0, "run", name)
    return table


def wave(table, *columns):
    """Return numbers in (0, 1), different for every combination of the columns' values."""
    phase = sum(
        (i + 1.3) * pd.factorize(table[column])[0].astype(float) for i, column in enumerate(columns)
    )
    return 0.5 + 0.45 * np.sin(phase)


def shallow_tables(seeds):
    own = {"seed": seeds, "activation": ACTIVATIONS, "samples": SIZES, "step": STEPS}

    def table(**columns):
        return run_of(crossed(**own, **columns), "activation", "samples", "seed")

    history = table().assign(epoch=lambda t: t["step"] * 20 / t["samples"])
    history["test_accuracy"] = wave(history, "seed", "activation", "samples", "step")
    pruning = table(start_layer=[1, 2], split=["train", "test"])
    pruning = pruning[pruning["activation"] == "tanh"]
    pruning["accuracy"] = wave(pruning, "seed", "samples", "step", "start_layer", "split")
    rpd = table(layer=[1], r=[0.25, 0.75], **{"class": [-1, 0]})
    rpd["density"] = 1 + wave(rpd, "seed", "samples", "activation", "class") * (0.5 - rpd["r"])
    gradient = table(layer=[1], mode=["evaluation", "training"], **{"class": [-1, *range(10)]})
    gradient["gradient"] = wave(gradient, "seed", "samples", "step", "class", "mode", "activation")
    return {
        "shallow_history": history,
        "shallow_pruning": pruning,
        "shallow_rpd": rpd,
        "shallow_gradient": gradient,
    }


def projection_tables(prefix, views, digits, points, seeds):
    columns = {"seed": seeds, "moment": ["before", "after"], "view": range(len(views))}
    table = crossed(**columns, digit=digits, point=range(points))
    table["step"] = table["moment"].map({"before": 10, "after": 100})
    table["split"] = [views[view][0] for view in table["view"]]
    table["mode"] = [views[view][1] for view in table["view"]]
    angle = table["point"] * 2.4
    table["h1"] = 3 * np.cos(table["digit"]) + table["point"] / points * np.cos(angle)
    table["h2"] = 3 * np.sin(table["digit"]) + table["point"] / points * np.sin(angle)
    regions = crossed(seed=seeds, moment=["before", "after"], digit=digits)
    regions = regions.assign(
        step=regions["moment"].map({"before": 10, "after": 100}),
        mean_h1=3 * np.cos(regions["digit"]),
        mean_h2=3 * np.sin(regions["digit"]),
        cov_11=0.3,
        cov_12=-0.1 * (-1) ** regions["digit"],
        cov_22=0.2,
        radius=2.5,
    )
    return {
        f"{prefix}_projection": run_of(table.drop(columns=["view", "point"]), "seed"),
        f"{prefix}_regions": run_of(regions, "seed"),
    }


def deep23_tables(seeds, points=30):
    views = [("train", "training"), ("test", "evaluation"), ("test", "training")]
    history = run_of(crossed(seed=seeds, step=STEPS), "seed")
    history["train_accuracy"] = wave(history, "seed", "step")
    history["test_accuracy"] = wave(history, "step", "seed")
    history["test_accuracy_batch_statistics"] = wave(history, "step") * 0.9
    return {
        "deep23_history": history,
        **projection_tables("deep23", views, [0, 2, 5], points, seeds),
    }


def grokking_tables(seeds):
    history = run_of(crossed(seed=seeds, step=STEPS), "seed")
    history["train_accuracy"] = history["step"].map(at_steps(0.1, 0.5, 0.95, 1, 1))
    history["test_accuracy"] = history["step"].map(at_steps(0.1, 0.1, 0.2, 0.85, 0.9))
    history["test_accuracy"] += 0.01 * history["seed"]
    noise = run_of(crossed(seed=seeds, step=STEPS, amplitude=[0.0, 0.1, 0.3]), "seed")
    noise["accuracy"] = wave(noise, "seed", "step", "amplitude")
    noise["of"] = "average"
    basin = run_of(crossed(seed=seeds, step=STEPS, of=["average", "class"]), "seed")
    basin["size"] = basin["step"].map(at_steps(0.0, 0.0, 0.01, 0.2, 0.3))
    basin["size"] *= (1 + 0.1 * basin["seed"]) * basin["of"].map({"average": 1, "class": 2})
    basin["size_error"] = 0.05 * basin["size"]
    gradient = crossed(seed=seeds, step=STEPS, layer=[1, 2], mode=["evaluation"])
    gradient = run_of(gradient.merge(pd.DataFrame({"class": [-1, 0]}), how="cross"), "seed")
    gradient["gradient"] = wave(gradient, "seed", "step", "layer", "class")
    views = [("train", "evaluation"), ("test", "evaluation")]
    return {
        "grokking_history": history,
        "grokking_noise": noise,
        "grokking_sample_basin": basin,
        "grokking_weight_basin": basin.assign(size=4 * basin["size"]),
        "grokking_gradient": gradient,
        **projection_tables("grokking", views, [1, 5, 9], 30, seeds),
    }


@functools.cache
def toy_table():
    chosen = {"seed": 0, "samples": 9, "neurons": 8, "steps": 20, "bins": 5, "points": 21}
    return toy_neurons.measure(chosen)


def make_tables(name, seeds=(0, 1)):
    if name == "fig1":
        return {"toy_neurons": toy_table().copy()}
    return {"fig2": shallow_tables, "fig6": deep23_tables, "fig7": grokking_tables}[name](seeds)


def titled(figure, letter):
    """Return the panel of that letter."""
    (axes,) = [a for a in figure.axes if f"({letter})" in a.get_title(loc="left")]
    return axes


def line(axes, label):
    (match,) = [drawn for drawn in axes.get_lines() if drawn.get_label() == label]
    return match


def assert_draws_mean(axes, label, table, x, y):
    means = table.groupby(x)[y].mean()
    drawn = line(axes, label)
    np.testing.assert_allclose(drawn.get_xdata(), means.index)
    np.testing.assert_allclose(drawn.get_ydata(), means)
