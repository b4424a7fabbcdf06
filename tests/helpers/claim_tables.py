"""Small tables, put together by hand, in which the paper's claims hold, and ways to spoil them.

`make_…()` give the tables of a part of the paper: what they hold is what the paper says is seen.
`altered` changes some of it, `judge` asks for the verdict.
"""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd

from netdyn.claims import concepts, rank_gradients, shallow
from netdyn.claims.rows import load_claims
from netdyn.claims.tables import Tables, identity_columns

CLAIMS_FILE = Path(__file__).parents[2] / "workflow" / "claims.yaml"
CLAIMS = {claim.id: claim for claim in load_claims(CLAIMS_FILE)}
JUDGES = {**concepts.CLAIMS, **shallow.CLAIMS, **rank_gradients.CLAIMS}
SEEDS = (0, 1, 2)
MODES = ("evaluation", "training")


def judge(claim, frames, expected=None, mode="evaluation"):
    """Return the outcome of a claim on tables that are expected to hold all that they do."""
    if expected is None:
        read = [name for name in CLAIMS[claim].tables if name in frames]
        expected = identities({name: frames[name] for name in read})
    tables = Tables(frames, expected)
    return JUDGES[claim](tables, CLAIMS[claim], mode)


def identities(frames):
    """Return, per table, the identities of the runs that it holds."""
    return {name: identities_of(frame) for name, frame in frames.items()}


def identities_of(frame):
    columns = identity_columns(frame)
    return [
        {"samples": 60000, **row} for row in frame[columns].drop_duplicates().to_dict("records")
    ]


def altered(frames, name, column, change, **where):
    """Return the tables with `column` of table `name` changed where columns have given values.

    Args:
        change: the new value, or a function of the old ones.
    """
    table = frames[name].copy()
    rows = pd.Series(True, index=table.index)
    for key, value in where.items():
        rows &= table[key].isin(value) if isinstance(value, list) else table[key] == value
    assert rows.any(), f"{name} has no row where {where}"
    table.loc[rows, column] = change(table.loc[rows, column]) if callable(change) else change
    return {**frames, name: table}


def one_seed(frames):
    return {name: frame[frame["seed"] == 0] for name, frame in frames.items()}


def spoilt(frames, name, run):
    """Return the tables with a history in which the last seed of a run has diverged."""
    last = frames[name]["step"].max()
    return altered(frames, name, "train_loss", math.nan, run=run, step=last, seed=SEEDS[-1])


def crossed(run, **columns):
    """Return the table of all combinations of the columns' values, all of one run."""
    table = pd.DataFrame(list(itertools.product(*columns.values())), columns=list(columns))
    table.insert(0, "run", run)
    return table.reset_index(drop=True)


def history(table):
    """Return a history with the accuracies that `table` has: seeds differ by 0.02 points."""
    return table.assign(
        train_loss=1 / (1 + table["step"]),
        test_accuracy=table["test_accuracy"] + 0.0002 * (table["seed"] - 1),
    )


# Sec. III -------------------------------------------------------------------------------------
SHALLOW_STEPS = [0, 100, 300, 3000]
SMALL = {"tanh": [0.1, 0.6, 0.7, 0.801], "identity": [0.1, 0.6, 0.7, 0.803]}
LARGE = {"tanh": [0.1, 0.9, 0.91, 0.978], "identity": [0.1, 0.898, 0.909, 0.922]}
G_LARGE = {"tanh": [0.02, 1.0, 1.88, 0.79], "identity": [0.03, 0.8, 1.2, 1.52]}
G_SMALL = {"tanh": [0.02, 1.0, 1.8, 2.17], "identity": [0.03, 1.0, 1.7, 2.09]}


def make_shallow():
    """Return the tables of Fig. 2 in which C01 to C07 hold."""
    runs = {"activation": ["tanh", "identity"], "samples": [200, 600, 60000], "seed": SEEDS}

    def course(rows, small, large):
        step = SHALLOW_STEPS.index
        return [
            (large if row.samples == 60000 else small)[row.activation][step(row.step)]
            for row in rows.itertuples()
        ]

    accuracies = crossed("shallow", **runs, step=SHALLOW_STEPS)
    accuracies["epoch"] = accuracies["step"] * 200 / accuracies["samples"]
    accuracies["test_accuracy"] = course(accuracies, SMALL, LARGE)
    pruning = crossed("shallow", **runs, step=SHALLOW_STEPS, split=["train", "test"])
    pruning = pruning[pruning["activation"] == "tanh"].merge(
        pd.DataFrame({"start_layer": [1, 2], "accuracy": [0.65, 0.978]}), how="cross"
    )
    pruning.loc[pruning["step"] < 3000, "accuracy"] = 0.95  # of no concern at the end
    runs["samples"] = [600, 60000]
    rpd = crossed("shallow", **runs, step=[3000], mode=["evaluation"], layer=[1])
    rpd = rpd.merge(
        crossed("", **{"class": [-1, 3], "r": [0.1, 0.3, 0.5, 0.7, 0.9]}).iloc[:, 1:], how="cross"
    )
    slope = rpd["activation"].map({"tanh": 1.9, "identity": 2.0})
    rpd["density"] = 1 + slope * (0.5 - rpd["r"]) + 5.0 * (rpd["class"] == 3)
    gradient = crossed(
        "shallow",
        **runs,
        step=SHALLOW_STEPS,
        mode=["evaluation"],
        layer=[1],
        **{"class": [-1, 0, 1, 2]},
    )
    gradient["gradient"] = course(gradient, G_SMALL, G_LARGE)
    gradient["gradient"] += 0.001 * (gradient["seed"] - 1)
    gradient["gradient"] += (gradient["class"] - 1) * (gradient["class"] >= 0) * 0.3
    return {
        "shallow_history": history(accuracies),
        "shallow_pruning": pruning,
        "shallow_rpd": rpd,
        "shallow_gradient": gradient,
    }


# Sec. IV.A: the trainings of Fig. 3 -------------------------------------------------------------
DEEP_STEPS = [0, 1, 5, 20, 100]
# Best test accuracy and final g_1 of each training.
BEST = {
    "deep10_sgd": (0.9714, 0.66),
    "deep10_sgd_fast": (0.9789, 0.46),
    "deep10_sgd_linear": (0.9237, 0.68),
    "deep10_adam": (0.9826, 0.40),
    "deep10_adam_batches": (0.9829, 0.38),
    "deep10_adam_linear": (0.9246, 0.67),
}
GROK = ["deep10_sgd", "deep10_adam"]
UP = np.arange(5) / 4  # over hidden layers


def courses(run, first):
    """Return g_l, steps by layers: phase I then II where the training groks, else II throughout."""
    final = first + 0.4 * UP
    if run in GROK:
        return [0.01 + 0 * UP, 0.3 - 0.2 * UP, 0.9 - 0.5 * UP, 1.0 + UP, final]
    return [0.02 * UP, 0.1 + 0.2 * UP, 0.4 + 0.5 * UP, 1.0 + UP, final]


def make_deep10():
    """Return the tables of Fig. 3a-f in which C08 to C19, C22 and C23 hold."""
    histories, gradients = [], []
    for run, (best, first) in BEST.items():
        grok = run in GROK
        rows = crossed(run, seed=SEEDS, step=DEEP_STEPS)
        train, test = [0.1, 0.3, 0.85, 0.95, 1.0], [0.1, 0.1, 0.1 if grok else 0.8, 0.9, best]
        rows["train_accuracy"] = rows["step"].map(dict(zip(DEEP_STEPS, train, strict=True)))
        rows["test_accuracy"] = rows["step"].map(dict(zip(DEEP_STEPS, test, strict=True)))
        histories.append(history(rows))
        gradients.append(layer_gradients(run, DEEP_STEPS, courses(run, first)))
    accuracies = pd.concat(histories, ignore_index=True)
    restarted = accuracies[["run", "seed", "step", "test_accuracy"]]
    return {
        "deep10_history": accuracies,
        "deep10_gradient": pd.concat(gradients, ignore_index=True),
        "deep10_first_batch": restarted.assign(
            test_accuracy_first_batch=restarted["test_accuracy"]
        ),
    }


def layer_gradients(run, steps, g):
    """Return a table of gradients from g_l, (S, L−1), in both modes, with a class beside."""
    g = np.asarray(g)
    layers = list(range(1, g.shape[1] + 1))
    table = crossed(run, seed=SEEDS, step=steps, mode=MODES, layer=layers, **{"class": [-1, 0]})
    at = [g[steps.index(row.step), row.layer - 1] for row in table.itertuples()]
    shift = 0.001 * (table["seed"] - 1) * (table["step"] > 0)
    return table.assign(gradient=at + shift + 9.0 * (table["class"] == 0))


def make_deep23():
    """Return the tables of Fig. 3g, h, with eight layers, in which C20 to C22 hold."""
    rows = crossed("deep23", seed=SEEDS, step=DEEP_STEPS)
    train, test = [0.1, 0.3, 0.85, 0.95, 1.0], [0.1, 0.1, 0.15, 0.9, 0.976]
    rows["train_accuracy"] = rows["step"].map(dict(zip(DEEP_STEPS, train, strict=True)))
    rows["test_accuracy"] = rows["step"].map(dict(zip(DEEP_STEPS, test, strict=True)))
    up = np.arange(7) / 6
    third = np.append(np.full(6, 0.6), 1.4)  # all but the last have converged
    g = [0.01 + 0 * up, 0.3 - 0.2 * up, 0.9 - 0.5 * up, 1.0 + up, third]
    pruning = crossed(
        "deep23", seed=SEEDS, step=[100], split=["train", "test"], start_layer=range(1, 9)
    )
    rising = [0.3, 0.5, 0.7, 0.9, 0.972, 0.975, 0.976, 0.976]
    pruning["accuracy"] = [rising[layer - 1] for layer in pruning["start_layer"]]
    pruning.loc[pruning["split"] == "train", "accuracy"] = 0.5
    return {
        "deep23_history": history(rows),
        "deep23_first_batch": rows[["run", "seed", "step", "test_accuracy"]].assign(
            test_accuracy_first_batch=rows["test_accuracy"]
        ),
        "deep23_gradient": layer_gradients("deep23", DEEP_STEPS, g),
        "deep23_pruning": pruning.assign(full_accuracy=0.976),
    }


WIDTHS, DEPTHS = [128, 256, 512, 1024], [2, 4, 6, 8, 12]


def narrow(width):
    """Return how narrow a network is: falls with width and levels off."""
    return np.exp(-width / 150)


def make_architecture():
    """Return the tables of Fig. 3i, j in which C24 to C27 hold."""
    shapes = {"width": WIDTHS, "depth": DEPTHS, "seed": SEEDS}
    rows = crossed("architecture", **shapes, step=[0, 50, 100])
    shallower, deeper = (6 - rows["depth"]).clip(0), (rows["depth"] - 6).clip(0)
    loss = (0.02 + 0.004 * deeper) * narrow(rows["width"]) + 0.002 * shallower + 0.001
    rows["test_accuracy"] = (0.98 - loss) * rows["step"].map({0: 0.1, 50: 1.0, 100: 0.99})
    # Gradients are of the best step.
    first = crossed(
        "architecture", **shapes, step=[50], mode=MODES, layer=[1, 2], **{"class": [-1, 0]}
    )
    other = 5.0 * ((first["layer"] == 2) | (first["class"] == 0)) * first["width"] / 1024
    first["gradient"] = (
        0.5 + 0.3 * narrow(first["width"]) + 0.01 * (first["depth"] - 6) ** 2 + other
    )
    return {"architecture_history": history(rows), "architecture_gradient": first}


# Sec. II --------------------------------------------------------------------------------------
SWEEPS = {
    "architecture": {"width": [128, 256], "depth": [2, 4]},
    "learning_rates": {"learning_rate": [0.01, 0.1, 1 / 3]},
    "batch_sizes": {"batch_size": [200, 600]},
    "deep23": {},
    "grokking": {},
    "initial_scales": {"initial_scale": [0.5, 1.0]},
    "fixed_range": {"width": [128, 256]},
    "translations": {"translated": [False, True]},
}


def make_basins(weight_rank):
    """Return histories and basins of all trained networks.

    Network i of N, in the order of SWEEPS, has a sample basin of i / N at its best step and a
    weight basin of weight_rank(i, N) / N; at other steps they are alike.
    """
    frames, count = {}, itertools.count()
    total = sum(math.prod(map(len, swept.values())) * len(SEEDS) for swept in SWEEPS.values())
    for prefix, swept in SWEEPS.items():
        rows = crossed(prefix, **swept, seed=SEEDS, step=[0, 50, 100])
        rows["test_accuracy"] = rows["step"].map({0: 0.1, 50: 0.9, 100: 0.8})
        frames[f"{prefix}_history"] = history(rows)
        runs = crossed(prefix, **swept, seed=SEEDS)
        ranks = [next(count) for _ in range(len(runs))]
        sample = "class_basin_affine" if prefix == "deep23" else "sample_basin"
        for space, sizes in (
            (sample, ranks),
            ("weight_basin", [weight_rank(i, total) for i in ranks]),
        ):
            best = runs.assign(step=50, of="average", index=-1, size=np.divide(sizes, total))
            beside = best.assign(of="class", index=3, size=np.divide(ranks, total))
            parts = [best, beside]
            if prefix == "grokking":
                parts.append(best.assign(step=100, size=np.divide(ranks, total)))
            frames[f"{prefix}_{space}"] = pd.concat(parts, ignore_index=True)
    return frames


def make_signs():
    """Return the tables of Sec. II.C in which C54 holds; seeds have their best at other steps."""
    runs = ["deep10_sgd", "deep23"]
    tables = [crossed(run, seed=SEEDS, step=[0, 1], layer=[1, 2, 3]) for run in runs]
    signs = pd.concat(tables, ignore_index=True)
    signs["step"] = (50 + signs["seed"]).where(signs["step"] == 0, 100)
    signs["agreement"] = 0.9 + 0.03 * signs["layer"]
    deep10, deep23 = make_deep10()["deep10_history"], make_deep23()["deep23_history"]
    return {"sign_agreement": signs, "deep10_history": deep10, "deep23_history": deep23}
