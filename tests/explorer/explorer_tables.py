"""Small tables of two trainings of three seeds, in files with their records."""

import numpy as np
import pandas as pd

from netdyn.results.tables import write_table

STEPS = [0, 1, 10, 100]
TRAIN = [0.1, 0.5, 0.85, 1.0]
TEST = [0.1, 0.1, 0.2, 0.9]


def history(run="deep", seeds=(0, 1, 2), **changed):
    """Return histories; `changed` are columns that differ."""
    columns = {
        "step": STEPS,
        "train_loss": [2.3, 1.0, 0.5, 0.1],
        "train_accuracy": TRAIN,
        "test_accuracy": TEST,
        "test_accuracy_batch_statistics": TRAIN,
        "statistics_distance_1": [9.0, 1.0, 0.1, 0.01],
        "statistics_distance_2": [8.0, 2.0, 0.2, 0.02],
        **changed,
    }
    return pd.concat([pd.DataFrame({"run": run, "seed": seed, **columns}) for seed in seeds])


def gradient(run="deep", seeds=(0, 1, 2), classes=(), layers=4):
    """Return gradients g = layer · step / 100 + seed, of each class as many times its number."""
    rows = [
        (
            run,
            seed,
            step,
            "evaluation",
            layer,
            100,
            k,
            (layer * step / 100 + seed) * (k if k > 0 else 1),
        )
        for seed in seeds
        for step in STEPS
        for layer in range(1, layers + 1)
        for k in (-1, *classes)
    ]
    names = ["run", "seed", "step", "mode", "layer", "samples_measured", "class", "gradient"]
    return pd.DataFrame(rows, columns=names)


def basin(space="sample"):
    return pd.DataFrame(
        {
            **{"run": "deep", "seed": 0, "step": STEPS, "space": space, "of": "average"},
            **{
                "index": -1,
                "size": [0.0, 0.1, np.inf, 0.3],
                "size_error": [0.0, 0.01, np.nan, 0.02],
            },
            "clean_accuracy": TRAIN,
        }
    )


def written(folder, record=None, **tables):
    """Write tables into `folder`, each with its record; return the folder."""
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table, record)
    return folder
