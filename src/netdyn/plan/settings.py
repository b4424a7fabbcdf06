"""Settings: load, overlay a scale, validate, and resolve every run and measurement.

Imports no torch: the workflow resolves its DAG with this module. What a job gets is the resolved
block it uses, as a JSON file, never the whole configuration.
"""

import difflib
import functools
import itertools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netdyn.errors import NetdynError
from netdyn.plan.declared_runs import TEST_SAMPLES, TRAINING_SAMPLES, Run, comparable, runs
from netdyn.plan.overlays import overlay
from netdyn.records.files import read_yaml

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


MEASUREMENT_SELECTION = ("quantity", "run", "seeds", "where")
# Left out of a measurement that has them: it is the same one with or without them.
MEASUREMENT_DEFAULTS = {"signs": "lmap", "standardization": "matrix", "correct": "label"}


class Measurement(NamedTuple):
    """One table: a quantity measured on the runs `runs` with `settings`."""

    name: str
    quantity: str
    runs: tuple[Run, ...]  # empty for a quantity that needs no run
    settings: dict[str, Any]  # of the type that its `measure` in `netdyn.quantities` declares


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
        present = {comparable(run.identity[key]): run.identity[key] for run in declared}
        missing = [value for value in values if comparable(value) not in present]
        if missing:
            setting = f"{where}.seeds" if key == "seed" else f"{where}.where.{key}"
            known = ", ".join(str(value) for value in present.values())
            raise NetdynError(f"{setting}: no run has {missing[0]!r}; there are {known}")
    return [
        r for r in declared if all(r.identity[key] in values for key, values in selected.items())
    ]
