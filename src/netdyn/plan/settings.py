"""Settings: load, overlay a scale, validate, and resolve every run and measurement.

Imports no torch: the workflow resolves its DAG with this module. What a job gets is the resolved
block it uses, as a JSON file, never the whole configuration.
"""

import difflib
import functools
import itertools
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netdyn.errors import NetdynError
from netdyn.records.files import digest, read_yaml
from netdyn.records.run_settings import RunSettings

try:
    from netdyn.plan.schema import validate
except ModuleNotFoundError as error:
    if error.name != "jsonschema":
        raise

    def validate(config: Mapping, schema: Mapping, kept: Path | None = None) -> None:
        """Leave the settings unchecked: a machine that only computes may lack jsonschema."""
        _warn_once("jsonschema is not installed: mistyped keys and values are not noticed")

    @functools.cache
    def _warn_once(text: str) -> None:
        logging.getLogger(__name__).warning(text)


__all__ = [
    "TEST_SAMPLES",
    "TRAINING_SAMPLES",
    "Measurement",
    "Run",
    "load",
    "measurements",
    "overlay",
    "read",
    "read_under",
    "runs",
]

# Samples of each data set, known before anything is downloaded.
TRAINING_SAMPLES = {"digits": 1_297, "mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000}
TEST_SAMPLES = {"digits": 500, "mnist": 10_000, "fashion_mnist": 10_000, "kmnist": 10_000}
TRANSLATIONS = 17
# Written into every run's hash; raise it when a change of the code makes old runs incomparable.
FORMAT = 1

# What a declared run holds beside its settings, and a measurement beside its own.
RUN_SELECTION = ("sweep", "seeds", "seeds_where")
MEASUREMENT_SELECTION = ("quantity", "run", "seeds", "where")
# Left out of a measurement that has them: it is the same one with or without them.
MEASUREMENT_DEFAULTS = {"signs": "lmap", "standardization": "matrix", "correct": "label"}


class Run(NamedTuple):
    """One training: a point of a declared run's sweep under one seed."""

    id: str  # folder name: readable name and hash of the settings
    data: str  # name of the prepared data set it trains on
    identity: dict[str, Any]  # run, seed and swept values: columns of every table made from it
    settings: RunSettings

    def columns(self) -> dict[str, Any]:
        """Return the identity as a table's columns: a list of widths becomes one word."""
        return {k: _word(v) if isinstance(v, list) else v for k, v in self.identity.items()}


class Measurement(NamedTuple):
    """One table: a quantity measured on the runs `runs` with `settings`."""

    name: str
    quantity: str
    runs: tuple[Run, ...]  # empty for a quantity that needs no run
    settings: dict[str, Any]  # of the type that its `measure` in `netdyn.quantities` declares


def overlay(base: Mapping, *tops: Mapping) -> dict:
    """Return `base` with each of `tops` laid over it: mappings are merged, the rest replaced."""
    merged = dict(base)
    for top in tops:
        for key, value in top.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = overlay(merged[key], value) if both else value
    return merged


def load(folder: Path, overrides: Mapping | None = None) -> dict:
    """Return the validated settings of the workflow in `folder`.

    Args:
        folder: where config.yaml and workflow/ are.
        overrides: what the command line says; it wins over the scale, which wins over config.yaml.

    Raises:
        NetdynError: naming the key and the correction, for anything that the schema or the
            cross-checks of `runs` and `measurements` refuse.
    """
    config = read(folder, overrides)
    measurements(config)
    return config


def read(folder: Path, overrides: Mapping | None = None, kept: Path | None = None) -> dict:
    """Return what `load` does, checked against the schema alone.

    What is right is noted at `kept`, and not checked again as long as it is the same.
    """
    folder, overrides = Path(folder), dict(overrides or {})
    base, schema = read_yaml(folder / "config.yaml"), _schema(folder)
    readings = folder / "workflow" / "readings.yaml"
    declared = read_yaml(readings) if readings.is_file() else {}
    # By itself: what this scale overrides may be what another one takes.
    try:
        validate(base, schema, kept)
    except NetdynError as error:
        raise NetdynError(f"config.yaml: {error}") from None
    base = {**base, "readings": declared.get("readings", {})}
    scale = overrides.get("scale", base["scale"])
    scale_file = folder / "workflow" / "scales" / f"{scale}.yaml"
    # An unknown scale has no file either; the schema below is what names it.
    top = read_yaml(scale_file) if scale_file.is_file() else {}
    _refuse_undeclared(top, base, str(scale_file.relative_to(folder)))
    config = overlay(base, top, overrides)
    validate(config, schema, kept)
    return config


def read_under(
    config: Mapping, overlays: Mapping[str, Mapping], folder: Path, overrides: Mapping | None = None
) -> dict:
    """Return settings under one reading, or several that are crossed.

    Args:
        config: what `read` returned for the scale.
        overlays: by reading, what it lays over the scale's runs and measurements.
        folder, overrides: as for `read`; the command line wins over a reading.

    Raises:
        NetdynError: a reading names what is not declared, or a value that is not allowed.
    """
    schema = _schema(Path(folder))
    for name, top in overlays.items():
        _refuse_undeclared(top, config, f"readings.{name}.settings")
    merged = overlay(config, *overlays.values(), overrides or {})
    # What no reading changes was checked with the scale.
    changed = {
        block: {
            name: merged[block][name] for top in overlays.values() for name in top.get(block, ())
        }
        for block in ("runs", "measurements")
    }
    changed["runs"] = changed["runs"] or dict(itertools.islice(merged["runs"].items(), 1))
    try:
        validate({**merged, **changed, "figures": {}, "readings": {}}, schema)
    except NetdynError as error:
        raise NetdynError(f"readings.{', '.join(overlays)}.settings.{error}") from None
    return merged


@functools.cache  # every reading is checked by it
def _schema(folder: Path) -> dict:
    return read_yaml(folder / "workflow" / "schemas" / "settings.schema.yaml")


def _refuse_undeclared(scale: Mapping, base: Mapping, where: str) -> None:
    """Refuse a run, measurement, figure or reading that an overlay changes and nobody declared."""
    for block in ("runs", "measurements", "figures", "readings"):
        named = scale.get(block)
        for name in named if isinstance(named, Mapping) else ():
            if name not in base[block]:
                near = difflib.get_close_matches(str(name), base[block], n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ": declare it there first"
                file = "workflow/readings.yaml" if block == "readings" else "config.yaml"
                raise NetdynError(f"{where}: no {block[:-1]} {name!r} in {file}{hint}")


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
            known = [_comparable(value) for value in declared.get("sweep", {}).get(key, ())]
            missing = [value for value in values if _comparable(value) not in known]
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


def measurements(
    config: Mapping, trained: Mapping[str, list[Run]] | None = None
) -> dict[str, Measurement]:
    """Return every declared measurement with the runs it takes, resolved.

    Args:
        config: the settings.
        trained: what `runs` has made of them, where that is known.

    Raises:
        NetdynError: for a run, a swept value, a class or a table that is named but not declared.
    """
    trained = runs(config) if trained is None else trained
    by_table = {
        name: _measurement(config, trained, name, declared)
        for name, declared in config["measurements"].items()
    }
    for figure, declared in config["figures"].items():
        for table in declared["tables"]:
            if table not in by_table:
                raise NetdynError(
                    f"figures.{figure}.tables: no measurement {table!r}; "
                    f"declared are {', '.join(by_table)}"
                )
    return by_table


def _measurement(config: Mapping, trained: Mapping, name: str, declared: Mapping) -> Measurement:
    given = {
        key: value
        for key, value in declared.items()
        if key not in MEASUREMENT_SELECTION and MEASUREMENT_DEFAULTS.get(key) != value
    }
    settings = {"threads": config["threads"], **given}
    chosen: tuple[Run, ...] = ()
    if "run" in declared:
        selected = dict(declared.get("where", {}))
        if "seeds" in declared:
            selected["seed"] = declared["seeds"]
        names = declared["run"] if isinstance(declared["run"], list) else [declared["run"]]
        for run in names:
            if run not in trained:
                raise NetdynError(
                    f"measurements.{name}.run: no run {run!r}; declared are {', '.join(trained)}"
                )
            chosen += tuple(_select(trained[run], selected, f"measurements.{name}"))
    amplitudes = settings.get("amplitudes")
    if isinstance(amplitudes, Mapping) and amplitudes["first"] >= amplitudes["last"]:
        raise NetdynError(f"measurements.{name}.amplitudes: first must be below last")
    if isinstance(amplitudes, list):
        # A cone's apex is the sample itself; curves and basins start without noise.
        cone = declared["quantity"].startswith("cone")
        if any(a >= b for a, b in itertools.pairwise(amplitudes)) or (amplitudes[0] != 0) != cone:
            raise NetdynError(
                f"measurements.{name}.amplitudes: must "
                + ("increase from above 0" if cone else "start at 0 and increase")
            )
    for run in chosen:
        depth, layers = run.settings["depth"], settings.get("start_layers", "all")
        if layers != "all" and max(layers) > depth:
            raise NetdynError(
                f"measurements.{name}.start_layers: {max(layers)} is beyond the {depth} layers "
                f"of run {run.identity['run']}"
            )
    return Measurement(name, declared["quantity"], chosen, settings)


def _select(declared: list[Run], selected: Mapping, where: str) -> list[Run]:
    for key, values in selected.items():
        if key not in declared[0].identity:
            swept = [known for known in declared[0].identity if known not in ("run", "seed")]
            raise NetdynError(
                f"{where}.where: {key!r} is not swept; there are {', '.join(swept) or 'no sweeps'}"
            )
        present = {_comparable(run.identity[key]): run.identity[key] for run in declared}
        missing = [value for value in values if _comparable(value) not in present]
        if missing:
            setting = f"{where}.seeds" if key == "seed" else f"{where}.where.{key}"
            known = ", ".join(str(value) for value in present.values())
            raise NetdynError(f"{setting}: no run has {missing[0]!r}; there are {known}")
    return [
        r for r in declared if all(r.identity[key] in values for key, values in selected.items())
    ]


def _comparable(value: Any) -> str:
    # 1 is 1.0, but it is not True.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return json.dumps(float(value) if number else value)
