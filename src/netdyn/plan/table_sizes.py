"""How large the tables of a scale become, in rows and bytes.

It follows from the settings, before anything is trained; imports no torch. What only the training
decides is counted at its most: a run keeps its best step beside the scheduled ones, no sample is
left out because it is misclassified, no training diverges.
"""

import math
from collections.abc import Mapping
from typing import Any

from netdyn.errors import NetdynError
from netdyn.plan.settings import Measurement, Run
from netdyn.plan.snapshots import CLASSES, INPUTS, evaluated_steps, possible_best, snapshot_steps
from netdyn.records.run_settings import RunSettings

__all__ = ["columns", "table_bytes", "table_rows"]

# At most this share of the training samples is of one class (of MNIST's 11.2 % are ones).
LARGEST_CLASS = 1 / 8
# As `netdyn.quantities.cone` has it, which imports torch.
DATA_POINTS = 6000

# The columns of each quantity behind a run's identity and step, each with a value of the width that
# its values have on average in the committed tables of scale cpu.
BASIN_OF = {"space": "sample", "of": "average", "index": "-1"}
CONE_OF = {"sample": "12345", "digit": "5", "shift": "0", "amplitude": "0.3"}
VIEW_OF = {"moment": "before", "split": "test", "mode": "evaluation", "digit": "5"}
LAYER_OF = {"mode": "training_", "layer": "8", "samples_measured": "10000", "class": "-1"}
COLUMNS = {
    "history": {
        "epoch": "100",
        "train_loss": "0.0234567891",
        "test_loss": "0.234567891",
        "train_accuracy": "0.98765",
        "test_accuracy": "0.98765",
        "test_accuracy_batch_statistics": "0.98765",
    },
    "rank_probability": {**LAYER_OF, "r": "0.005", "density": "1.94636595"},
    "rpd_gradient": {**LAYER_OF, "gradient": "0.234567891"},
    "pruning": {
        "split": "test", "start_layer": "1", "accuracy": "0.987654",
        "full_accuracy": "0.987654",
   },
    "first_batch_statistics": {"test_accuracy": "0.9876", "test_accuracy_first_batch": "0.9876"},
    "region_share": {
        "split": "test", "mode": "evaluation", "digit": "5", "points": "1000",
        "share": "0.987654321",
    },
    "sign_agreement": {"layer": "8", "agreement": "0.987654321"},
    "noise_accuracy": {**BASIN_OF, "amplitude": "0.123456789", "accuracy": "0.98765"},
    "basin_size": {
        **BASIN_OF, "size": "0.12345678", "size_error": "0.001234567",
        "clean_accuracy": "0.98",
    },
    "cone": {
        "kind": "train", "sample": "12", "digit": "5", "shift": "", "amplitude": "0",
        "c1": "-1.234", "c2": "-1.234", "c3": "1.23", "kept": "",
    },
    "cone_overlap": {
        "noise_return": "range", "sample_a": "12345", "sample_b": "12345", "digit_a": "5",
        "digit_b": "5", "shift_a": "0", "shift_b": "0", "amplitude": "0.3", "overlap": "0.1",
        "points": "123",
    },
    "cone_shape": {
        "noise_return": "range", **CONE_OF, "spread": "0.12345678", "drift": "0.123456789",
        "distance_to_common": "1.23456789", "kept": "0.123",
    },
    "adversarial": {
        "sample": "500", "digit": "5", "prediction": "5", "basin": "0.123456789",
        "flip_distance": "1.23456789", "flip_class": "5", "least_flip_distance": "0.123456789",
    },
    "fragile_sample": {"kind": "perturbation", "pixel": "500", "value": "-0.0123456", "name": ""},
    "projection": {**VIEW_OF, "h1": "-1.2345", "h2": "-1.2345"},
    "projection_course": {
        "split": "test", "mode": "evaluation", "digit": "5", "h1": "-1.2345", "h2": "-1.2345",
    },
    "region": {
        **VIEW_OF, "points": "1000", "mean_h1": "-1.23456789", "mean_h2": "-1.23456789",
        "cov_11": "0.123456789", "cov_12": "-0.123456789", "cov_22": "0.123456789",
        "radius": "1.23456789",
    },
    "test_distance": {"digit": "5", "test_samples": "1000", "distance": "0.123456789"},
    "toy_neurons": {
        "panel": "a", "quantity": "sample", "group": "A", "index": "100", "x": "-0.123456789",
        "y": "0.123456789",
    },
}  # fmt: skip
WITHOUT_STEP = ("test_distance", "toy_neurons")


def table_rows(measurement: Measurement, best: Mapping[str, int] | None = None) -> int:
    """Return how many rows the table of a measurement has.

    Args:
        measurement: as `netdyn.plan.settings.measurements` resolves it.
        best: the best steps of runs, by run id; for the others the most rows are returned that
            there can be.

    Raises:
        NetdynError: for a quantity that is not known here.
    """
    if not measurement.runs:
        return _rows(measurement, None, None)
    known = best or {}
    return sum(_rows(measurement, run, known.get(run.id)) for run in measurement.runs)


def table_bytes(measurement: Measurement, best: Mapping[str, int] | None = None) -> int:
    """Return how many bytes the table of a measurement has, an estimate: good to 15 %.

    Takes and raises what `table_rows` does.
    """
    names = columns(measurement)
    known = best or {}
    total = len(",".join(names)) + 1
    for run in measurement.runs or (None,):
        step = None if run is None else known.get(run.id)
        filled = _filled(measurement, run)
        total += _rows(measurement, run, step) * (filled + len(names))  # a comma or an end each
    return round(total)


def columns(measurement: Measurement) -> list[str]:
    """Return the columns of a measurement's table; those of a history in no certain order."""
    identity = dict.fromkeys(key for run in measurement.runs for key in run.columns())
    step = [] if measurement.quantity in WITHOUT_STEP else ["step"]
    layers: list[str] = []
    if measurement.quantity == "history":
        for name, count in (("weight_norm", _depth), ("statistics_distance", _normalised)):
            most = max(count(run) for run in measurement.runs)
            layers += [f"{name}_{layer}" for layer in range(1, most + 1)]
    return [*identity, *step, *_quantity_columns(measurement), *layers]


def _quantity_columns(measurement: Measurement) -> dict[str, str]:
    if measurement.quantity not in COLUMNS:
        raise NetdynError(
            f"quantity {measurement.quantity!r} has no size: add it to netdyn.plan.table_sizes"
        )
    has_errors = measurement.settings.get("errors", False)  # of rpd_gradient
    return {**COLUMNS[measurement.quantity], **({"error": "0.0123456789"} if has_errors else {})}


def _filled(measurement: Measurement, run: Run | None) -> float:
    """Return the characters in the cells of a row, on average."""
    size = float(sum(map(len, _quantity_columns(measurement).values())))
    if run is None:
        return size
    size += sum(len(str(value)) for value in run.columns().values())
    if measurement.quantity == "history":
        size += 10 * (_depth(run) + _normalised(run))
        steps = evaluated_steps(run.settings)
    else:
        steps = snapshot_steps(run.settings)
    if measurement.quantity not in WITHOUT_STEP:
        size += sum(len(str(step)) for step in steps) / len(steps)
    return size


def _rows(measurement: Measurement, run: Run | None, best: int | None) -> int:
    """Return the rows of one run, None where a quantity needs none."""
    settings, quantity = measurement.settings, measurement.quantity
    if quantity == "toy_neurons":
        curves = 2 * 5 + 4 * settings["points"]
        trained = 2 * settings["samples"] + settings["neurons"] + settings["bins"] + 3
        return curves + 2 * trained
    if quantity == "history":
        return len(evaluated_steps(run.settings))
    if quantity == "test_distance":
        return 1 + CLASSES
    if quantity in ("projection", "region"):
        return len(settings["moments"]) * _viewed(quantity, settings, run)
    steps = len(_selected(settings["steps"], run.settings, best))
    return steps * _rows_of_step(quantity, settings, run)


def _rows_of_step(quantity: str, settings: Mapping, run: Run) -> int:
    hidden = _depth(run) - 1
    match quantity:
        case "rank_probability":
            return hidden * _modes(settings, run) * _curves(settings) * settings["bins"]
        case "rpd_gradient":
            return hidden * _modes(settings, run) * _curves(settings)
        case "projection_course":
            return _viewed(quantity, settings, run)
        case "pruning":
            layers = settings["start_layers"]
            return len(settings["splits"]) * (_depth(run) if layers == "all" else len(layers))
        case "first_batch_statistics":
            return 1
        case "region_share":
            return len(settings["views"]) * len(settings["digits"])
        case "sign_agreement":
            return hidden
        case "noise_accuracy":
            return _groups(settings, run) * _amplitudes(settings)
        case "basin_size":
            return _groups(settings, run)
        case "cone":
            shown = min(settings["points"], settings["trials"])
            digits = len(settings["digits"])
            data = min(10 * settings["points"], DATA_POINTS // (2 * digits))
            return _apexes(settings) * (1 + _noisy(settings) * shown) + 2 * digits * data
        case "cone_overlap":
            pairs = math.comb(_apexes(settings), 2)
            return len(settings["noise_return"]) * (_noisy(settings) + 1) * pairs
        case "cone_shape":
            return len(settings["noise_return"]) * _noisy(settings) * _apexes(settings)
        case "adversarial":
            return _count(settings["samples"], run)
        case "fragile_sample":
            return 5 * INPUTS + 9
    raise NetdynError(f"quantity {quantity!r} has no size: add it to netdyn.plan.table_sizes")


def _viewed(quantity: str, settings: Mapping, run: Run) -> int:
    """Return the rows of one moment or step: of each view and digit one region, or its points."""
    digits = len(settings["digits"])
    if quantity == "region":
        return digits * len(settings["views"])
    samples = _count(settings.get("samples", "all"), run)
    of_class = math.ceil(samples * LARGEST_CLASS)
    shown = {"train": min(settings["points"], of_class), "test": settings["points"]}
    return digits * sum(shown[split] for split, _ in settings["views"])


def _depth(run: Run) -> int:
    return run.settings["depth"]


def _normalised(run: Run) -> int:
    return run.settings["depth"] - 1 if run.settings["batch_norm"] else 0


def _modes(settings: Mapping, run: Run) -> int:
    return len(settings["modes"]) if run.settings["batch_norm"] else 1


def _curves(settings: Mapping) -> int:
    return 1 + CLASSES if settings.get("classes", True) else 1


def _count(samples: int | str, run: Run) -> int:
    every = run.settings["samples"]
    return every if samples == "all" else min(samples, every)


def _groups(settings: Mapping, run: Run) -> int:
    sizes = {"average": 1, "class": CLASSES, "sample": _count(settings["samples"], run)}
    return sum(sizes[name] for name in settings["of"])


def _amplitudes(settings: Mapping) -> int:
    amplitudes: Any = settings["amplitudes"]
    return amplitudes["points"] + 1 if isinstance(amplitudes, Mapping) else len(amplitudes)


def _noisy(settings: Mapping) -> int:
    # A cone's list starts above 0.
    return _amplitudes(settings) - isinstance(settings["amplitudes"], Mapping)


def _apexes(settings: Mapping) -> int:
    copies = 2 if settings["shift"] else 1
    return len(settings["digits"]) * settings["samples_per_class"] * copies


def _selected(
    selector: int | str | list, settings: RunSettings, best: int | None
) -> set[int | str]:
    """Return the steps that a selector means; a threshold, which means one, stands for itself."""
    if isinstance(selector, list):
        return set().union(*(_selected(each, settings, best) for each in selector))
    if selector == "all":
        return {*snapshot_steps(settings, best)}
    if selector == "best":
        return {possible_best(settings) if best is None else best}
    return {settings["steps"] if selector == "last" else selector}
