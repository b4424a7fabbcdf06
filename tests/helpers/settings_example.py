"""A small configuration that the tests of settings share, and the folder of its workflow."""

from pathlib import Path

import yaml

from netdyn.plan import settings

__all__ = ["CONFIG", "DEFAULTS", "ROOT", "SCHEMA", "at", "resolved", "workflow_folder"]

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = "workflow/schemas/settings.schema.yaml"
SCHEMA = yaml.safe_load((ROOT / SCHEMA_FILE).read_text(encoding="utf-8"))
DEFAULTS = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["run_defaults"]

CONFIG = {
    "scale": "demo",
    "data_root": "data",
    "dataset": "mnist",
    "device": "auto",
    "engine": "auto",
    "checkpoint_seconds": 30,
    "threads": 1,
    "seeds": [0, 1],
    "runs_per_job": 1,
    "reuse": False,
    "run_defaults": DEFAULTS,
    "runs": {
        "wide": {
            "sweep": {"activation": ["tanh", "relu"], "samples": [100, "all"]},
            "width": 7,
            "batch_size": 50,
        },
        "deep": {"depth": 4, "width": [6, 5, 4], "seeds": [3]},
    },
    "measurements": {
        "wide_history": {"quantity": "history", "run": "wide"},
        "wide_gradient": {
            "quantity": "rpd_gradient",
            "run": "wide",
            "where": {"samples": [100]},
            "seeds": [1],
            "steps": "all",
            "samples": 50,
            "modes": ["evaluation"],
        },
        "deep_pruning": {
            "quantity": "pruning",
            "run": "deep",
            "steps": ["best", 5],
            "start_layers": [1, 4],
            "splits": ["test"],
        },
        "deep_noise": {
            "quantity": "noise_accuracy",
            "run": "deep",
            "steps": "train>=0.9",
            "space": "sample",
            "amplitudes": [0.0, 0.5, 1],
            "trials": 2,
            "samples": "all",
            "of": ["average"],
        },
        "deep_projection": {
            "quantity": "projection",
            "run": "deep",
            "moments": {"before": "train>=0.8", "after": "best"},
            "views": [["train", "training"]],
            "digits": [0, 1],
            "points": 10,
        },
    },
    "figures": {"fig2": {"tables": ["wide_history"], "small_samples": 100}},
}


def workflow_folder(folder, config=CONFIG, scale=None):
    """Make a workflow folder with a configuration, one scale and the true schema; return it."""
    (folder / "workflow/scales").mkdir(parents=True, exist_ok=True)
    (folder / "workflow/schemas").mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    (folder / "workflow/scales/demo.yaml").write_text(yaml.safe_dump(scale or {}), encoding="utf-8")
    (folder / SCHEMA_FILE).write_bytes((ROOT / SCHEMA_FILE).read_bytes())
    return folder


def at(path, value):
    """The nested mapping with `value` at a dotted path."""
    *outer, last = path.split(".")
    nested = {last: value}
    for key in reversed(outer):
        nested = {key: nested}
    return nested


def resolved(config=CONFIG, **changed):
    """The settings of the only run of a configuration with these settings for it."""
    return settings.runs({**config, "runs": {"only": changed}, "seeds": [0]})["only"][0]
