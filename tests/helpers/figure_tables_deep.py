"""Small tables, put together by hand, to draw Fig. 3 and the supplement from."""

import numpy as np
import pandas as pd
from figure_tables import STEPS, crossed, wave

RUNS = [
    "deep10_sgd", "deep10_sgd_fast", "deep10_sgd_linear",
    "deep10_adam", "deep10_adam_batches", "deep10_adam_linear",
]  # fmt: skip
RUN_OF = {**dict(zip("abcdef", RUNS, strict=True)), "g": "deep23"}
TEN, DEEP = 4, 6  # layers in place of 10 and 23
WIDTHS, DEPTHS = [8, 32, 64], [2, 4, 6]
FIG3_TABLES = [
    "deep10_history", "deep10_gradient", "deep23_history", "deep23_gradient", "deep23_pruning",
    "architecture_history", "architecture_gradient",
]  # fmt: skip
SWEEPS = {
    "initial_scales": ("initial_scale", [0.5, 1.0, 2.0]),
    "fixed_range": ("width", WIDTHS),
    "translations": ("translated", [False, True]),
}
SUPPLEMENT_TABLES = [
    "grokking_history", "deep10_history", "deep23_history", "deep10_first_batch", "sign_agreement",
    "architecture_sample_basin", "architecture_weight_basin",
    *(f"{sweep}_{part}" for sweep in SWEEPS for part in ("history", "sample_basin")),
    *(f"{sweep}_weight_basin" for sweep in SWEEPS),
]  # fmt: skip


def history(layers, steps=STEPS, **identity):
    """Return a history of networks of that many layers."""
    table = crossed(**identity, step=steps)
    keys = list(identity)
    table["train_loss"] = 1 - 0.5 * wave(table, *keys, "step")
    table["train_accuracy"] = wave(table, "step", *keys)
    table["test_accuracy"] = wave(table, *keys, "step") * 0.95
    table["test_accuracy_batch_statistics"] = wave(table, "step", *keys) * 0.9
    for layer in range(1, layers + 1):
        table[f"weight_norm_{layer}"] = layer + wave(table, "step", *keys)
    for layer in range(1, layers):
        table[f"statistics_distance_{layer}"] = layer * wave(table, *keys, "step")
    return table


def gradient(of_layers, **identity):
    columns = {"mode": ["evaluation", "training"], "layer": of_layers, "class": [-1, 0]}
    table = crossed(**identity, **columns)
    table["gradient"] = 3 * wave(table, *identity, "mode", "layer", "class")
    return table


def basin(space, **identity):
    table = crossed(**identity, of=["average", "class"])
    table["step"] = 100 + table["seed"]  # each seed has its own best step
    table["space"] = space
    table["size"] = wave(table, *identity, "of") * {"sample": 1, "weight": 2}[space]
    table["size_error"] = 0.1 * table["size"]
    return table


def deep_tables(seeds):
    parts = {"run": RUNS, "seed": seeds}, {"run": ["deep23"], "seed": seeds}
    pruning = crossed(**parts[1], split=["train", "test"], start_layer=range(1, DEEP + 1))
    pruning["accuracy"] = wave(pruning, "start_layer", "split", "seed")
    pruning["full_accuracy"] = 0.9 + 0.01 * wave(pruning, "split", "seed")
    network = {"run": ["architecture"], "width": WIDTHS, "depth": DEPTHS, "seed": seeds}
    return {
        "deep10_history": history(TEN, **parts[0]),
        "deep10_gradient": gradient(range(1, TEN), **parts[0], step=STEPS),
        "deep23_history": history(DEEP, **parts[1]),
        "deep23_gradient": gradient(range(1, DEEP), **parts[1], step=STEPS),
        "deep23_pruning": pruning.assign(step=100 + pruning["seed"]),
        "architecture_history": history(2, steps=[0, 10, 100], **network),
        "architecture_gradient": gradient([1], **network).assign(step=100),
    }


def supplement_tables(seeds):
    tables = deep_tables(seeds)
    tables = {name: tables[name] for name in ("deep10_history", "deep23_history")}
    grokking = history(3, run=["grokking"], seed=seeds)
    for column, accuracies in (
        ("train_accuracy", [0.1, 0.5, 0.99, 1.0, 1.0]),
        ("test_accuracy", [0.1, 0.1, 0.2, 0.8, 0.9]),
    ):
        grokking[column] = grokking["step"].map(dict(zip(STEPS, accuracies, strict=True)))
    tables["grokking_history"] = grokking
    kept = tables["deep10_history"][["run", "seed", "step", "test_accuracy"]]
    kept = kept[kept["step"] <= 100]
    tables["deep10_first_batch"] = kept.assign(
        test_accuracy_first_batch=wave(kept, "seed", "step", "run")
    )
    agreement = crossed(run=[RUNS[0], RUNS[3], "deep23"], seed=seeds, step=[50, 1000], layer=[1, 2])
    agreement["agreement"] = wave(agreement, "layer", "run", "step", "seed")
    agreement["step"] -= agreement["seed"]  # each seed has its own best step
    tables["sign_agreement"] = agreement
    for space in ("sample", "weight"):
        network = {"run": ["architecture"], "width": WIDTHS, "depth": DEPTHS, "seed": seeds}
        tables[f"architecture_{space}_basin"] = basin(space, **network)
        for sweep, (column, values) in SWEEPS.items():
            point = {"run": [sweep], column: values, "seed": seeds}
            tables[f"{sweep}_{space}_basin"] = basin(space, **point)
            tables[f"{sweep}_history"] = history(6, steps=[0, 10, 100], **point)
    return tables


def diverge(table, step, **required):
    """Return the history in which the runs with the wanted values end at `step`, without a loss."""
    chosen = pd.Series(True, index=table.index)
    for column, value in required.items():
        chosen &= table[column] == value
    table = table[~(chosen & (table["step"] > step))].copy()
    last = chosen & (table["step"] == step)
    measured = [column for column in table if column.startswith(("train_", "test_"))]
    table.loc[last, measured] = np.nan
    return table


def make_deep_tables(name, seeds=(0, 1)):
    return supplement_tables(seeds) if name == "supplement" else deep_tables(seeds)
