"""Small tables of two trainings of three seeds, in files with their records."""

import numpy as np
import pandas as pd

from netdyn.records.files import digest_file
from netdyn.records.sealed import write_record
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


def run_folder(folder, seed=3):
    """Write what the explorer reads of a run's folder."""
    folder.mkdir(parents=True)
    history(seeds=[seed]).drop(columns=["run", "seed"]).to_csv(folder / "history.csv", index=False)
    for name in ("snapshots.safetensors", "provenance.json"):
        (folder / name).write_text("{}")
    sums = {"history.csv": digest_file(folder / "history.csv")}
    write_record(folder / "manifest.json", {"settings": {"seed": seed}, "sha256": sums})
    return folder


def course_of_projections(steps):
    """Return three samples of two digits, h_1 = step + i / 10 and h_2 = −i / 10, at each step."""
    rows = [
        (step, split, "evaluation", digit, step + i / 10, -i / 10)
        for step in steps
        for split in ("train", "test")
        for digit in (1, 5)
        for i in range(3)
    ]
    table = pd.DataFrame(rows, columns=["step", "split", "mode", "digit", "h1", "h2"])
    table.insert(0, "run", "deep")
    table.insert(1, "seed", 0)
    return table
