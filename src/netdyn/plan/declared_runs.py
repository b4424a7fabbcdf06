"""The trainings of declared runs: sweeps expanded, words turned into numbers, ids."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from netdyn.errors import NetdynError
from netdyn.plan.overlays import overlay
from netdyn.records.files import digest
from netdyn.records.run_settings import RunSettings

__all__ = ["TEST_SAMPLES", "TRAINING_SAMPLES", "Run", "comparable", "runs"]

# Samples of each data set, known before anything is downloaded.
TRAINING_SAMPLES = {"digits": 1_297, "mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000}
TEST_SAMPLES = {"digits": 500, "mnist": 10_000, "fashion_mnist": 10_000, "kmnist": 10_000}
TRANSLATIONS = 17
# Written into every run's hash; raise it when a change of the code makes old runs incomparable.
FORMAT = 1
# What a declared run holds beside its settings, and a measurement beside its own.
RUN_SELECTION = ("sweep", "seeds", "seeds_where")


class Run(NamedTuple):
    """One training: a point of a declared run's sweep under one seed."""

    id: str  # folder name: readable name and hash of the settings
    data: str  # name of the prepared data set it trains on
    identity: dict[str, Any]  # run, seed and swept values: columns of every table made from it
    settings: RunSettings

    def columns(self) -> dict[str, Any]:
        """Return the identity as a table's columns: a list of widths becomes one word."""
        return {k: _word(v) if isinstance(v, list) else v for k, v in self.identity.items()}


def runs(config: Mapping) -> dict[str, list[Run]]:
    """Return, per declared run, its trainings: every point of the sweep under every seed.

    Raises:
        NetdynError: for settings that are valid one by one but impossible together.
    """
    by_name = {
        name: list(_expand(config, name, declared)) for name, declared in config["runs"].items()
    }
    for name, expanded in by_name.items():
        times = Counter(_digest(run) for run in expanded)
        for run in expanded:
            if times[_digest(run)] > 1:
                raise NetdynError(f"runs.{name}.sweep: {run.id} comes twice: name each value once")
    return by_name


def _digest(run: Run) -> str:
    return run.id.rpartition("-")[2]  # of its settings


def _expand(config: Mapping, name: str, declared: Mapping) -> Iterator[Run]:
    sweep = declared.get("sweep", {})
    given = {key: value for key, value in declared.items() if key not in RUN_SELECTION}
    defaults = overlay(
        {"dataset": config["dataset"], "threads": config["threads"]}, config["run_defaults"]
    )
    for point in itertools.product(*sweep.values()):
        swept = dict(zip(sweep, point, strict=True))
        settings = _resolve_run(overlay(defaults, given, swept), f"runs.{name}")
        for seed in _seeds(config, name, declared, swept):
            # Swept values as resolved, "all" samples as their number; but one width for all
            # layers stays one number.
            columns = {
                key: value if key == "width" else settings[key] for key, value in swept.items()
            }
            identity = {"run": name, **columns, "seed": seed}
            resolved = RunSettings(format=FORMAT, **settings, seed=seed)
            words = [name, *(f"{k}-{_word(v)}" for k, v in identity.items() if k != "run")]
            data = settings["dataset"] + ("_translated" if settings["translated"] else "")
            yield Run("_".join(words) + "-" + digest(resolved)[:10], data, identity, resolved)


def _seeds(config: Mapping, name: str, declared: Mapping, swept: Mapping) -> list[int]:
    """Return the seeds of a point of a sweep: those of the last `seeds_where` that it matches."""
    seeds = declared.get("seeds", config["seeds"])
    for exception in declared.get("seeds_where", ()):
        for key, values in exception["where"].items():
            known = [comparable(value) for value in declared.get("sweep", {}).get(key, ())]
            missing = [value for value in values if comparable(value) not in known]
            if missing:
                raise NetdynError(
                    f"runs.{name}.seeds_where: {key} {missing[0]!r} is not in the sweep; "
                    f"there are {', '.join(known) or 'no such values'}"
                )
        if all(swept[key] in values for key, values in exception["where"].items()):
            seeds = exception["seeds"]
    return seeds


def _word(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


def _resolve_run(settings: dict, where: str) -> dict:
    """Turn words into numbers (all, full, one width for all) and refuse what cannot be trained."""
    available = TRAINING_SAMPLES[settings["dataset"]] * (
        TRANSLATIONS if settings["translated"] else 1
    )
    if settings["samples"] == "all":
        settings["samples"] = available
    # 1 and 1.0 are the same setting, so they must have the same hash.
    for key in ("momentum", "initial_scale", "initial_range", "learning_rate", "weight_decay"):
        if settings[key] != "fan_in":
            settings[key] = float(settings[key])
    samples, depth, width = settings["samples"], settings["depth"], settings["width"]
    if samples > available:
        raise NetdynError(
            f"{where}.samples: {samples} asked for, but {settings['dataset']} has {available} "
            "training samples: give at most that many, or all"
        )
    if settings["batch_size"] != "full" and settings["batch_size"] > samples:
        raise NetdynError(
            f"{where}.batch_size: {settings['batch_size']} is larger than the {samples} training "
            "samples: give at most that many, or full"
        )
    if isinstance(settings["steps"], Mapping):
        batch = samples if settings["batch_size"] == "full" else settings["batch_size"]
        settings["steps"] = settings["steps"]["epochs"] * (samples // batch)
    settings["width"] = [width] * (depth - 1) if isinstance(width, int) else list(width)
    if len(settings["width"]) != depth - 1:
        raise NetdynError(
            f"{where}.width: {len(settings['width'])} hidden widths, but depth {depth} has "
            f"{depth - 1} hidden layers: give one number for all, or {depth - 1}"
        )
    return settings


def comparable(value: Any) -> str:
    """Return a text that is the same for settings that are: of 1 and 1.0, but not of True."""
    # 1 is 1.0, but it is not True.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return json.dumps(float(value) if number else value)
