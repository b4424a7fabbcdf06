"""The rows of one run as the explorer's page carries them: numbers packed in 16 bits each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from netdyn.explorer.encoding import pack
from netdyn.explorer.landmarks import landmarks, phase_course
from netdyn.explorer.sources import Run, Source

__all__ = ["payload", "thinned"]

_DISTANCE = "statistics_distance_"


def payload(run: Run, others: Sequence[Run]) -> dict[str, Any]:
    """Return what the page shows of a run; what no table holds is missing.

    Args:
        run: the run.
        others: the runs that differ from it in the seed alone, with itself; where gradients have no
            errors of their own, the range over these seeds stands for them.
    """
    content: dict[str, Any] = {"name": run.name, "group": run.group}
    content["seed"] = None if run.is_monitored else run.seed
    content["place"] = "site" if run.is_monitored else "layer"
    history, gradient = run.first("history"), run.first("gradient")
    if history is not None:
        content["history"] = _history(history)
        ended = history.loc[history["train_loss"].isna(), "step"]
        content["diverged"] = int(ended.iloc[0]) if len(ended) else None
    if gradient is not None:
        content["gradient"] = {
            mode: _gradient(rows, mode, run, others) for mode, rows in gradient.groupby("mode")
        }
    if history is not None:
        by_mode = {} if gradient is None else dict(list(gradient.groupby("mode")))
        content["landmarks"] = {
            mode: landmarks(history, _by_layer(by_mode[mode]) if mode in by_mode else None)
            for mode in (*by_mode, *({"evaluation", "training"} - {*by_mode}))
        }
    makers = {"rpd": _rpd, "pruning": _pruning, "noise": _noise, "basin": _basin}
    for kind, make in makers.items():
        if kind in run.parts:
            content[kind] = [part for source in run.parts[kind] for part in make(source)]
    if projections := _all_projections(run):
        content["projection"] = projections
    if (regions := run.first("regions")) is not None:
        content["regions"] = regions.drop(columns=["run", "seed"]).to_dict("records")
    if (cone := _pca_cone(run.parts.get("cone", ()))) is not None:
        content["cone"] = cone
    return content


def thinned(run: Run, stride: int) -> Run:
    """Return a run with every `stride`-th of the steps of each table, the first and the last too.

    Steps at which tables of several moments were measured are kept: there are two of them.
    """
    parts = {kind: [_thin(source, stride) for source in each] for kind, each in run.parts.items()}
    return run._replace(parts=parts)


def _thin(source: Source, stride: int) -> Source:
    if "step" not in source.table.columns or source.kind in ("projection", "regions", "cone"):
        return source
    steps = np.unique(source.table["step"])
    kept = np.unique([*steps[::stride], steps[-1]])
    return source._replace(table=source.table[source.table["step"].isin(kept)])


def _history(history: pd.DataFrame) -> dict[str, Any]:
    layers = [c.removeprefix(_DISTANCE) for c in history.columns if c.startswith(_DISTANCE)]
    accuracies = {
        "train": "train_accuracy",
        "test": "test_accuracy",
        "batch": "test_accuracy_batch_statistics",
    }
    content: dict[str, Any] = {"steps": _integers(history["step"])}
    content |= {
        k: pack(history[c])
        for k, c in accuracies.items()
        if c in history.columns and history[c].notna().any()
    }
    distances = history[[_DISTANCE + layer for layer in layers]]
    if layers and distances.notna().to_numpy().any():
        values = pack(distances.to_numpy().ravel())
        content["distance"] = {"layers": [int(layer) for layer in layers], "values": values}
    return content


def _by_layer(rows: pd.DataFrame) -> pd.DataFrame:
    """Return g_l, mean over classes, a row per step and a column per layer."""
    return rows[rows["class"] == -1].pivot_table(index="step", columns="layer", values="gradient")


def _gradient(rows: pd.DataFrame, mode: str, run: Run, others: Sequence[Run]) -> dict[str, Any]:
    values = _by_layer(rows)
    content = {
        "steps": _integers(values.index),
        "layers": _integers(values.columns),
        "values": pack(values.to_numpy().ravel()),
        "phases": phase_course(values.to_numpy()) if values.shape[1] > 2 else None,
    }
    if "error" in rows.columns and rows["error"].notna().any():
        error = rows.pivot_table(index="step", columns="layer", values="error").reindex_like(values)
        return content | _errors("the standard error over samples", values - error, values + error)
    classes = rows[rows["class"] >= 0]
    if len(classes["class"].unique()) > 1:
        over = classes.pivot_table(
            index="step", columns="layer", values="gradient", aggfunc=["std", "count"]
        ).reindex(values.index)
        error = over["std"] / np.sqrt(over["count"])
        low, high = values - error, values + error
        return content | _errors("the standard error over classes", low, high)
    tables = [other.first("gradient") for other in others if other.seed != run.seed]
    each = [values]
    each += [_by_layer(t[t["mode"] == mode]).reindex_like(values) for t in tables if t is not None]
    if len(each) > 1:
        stacked = np.stack([table.to_numpy() for table in each])
        # A step that one seed lacks, such as another's best, has no range.
        low, high = stacked.min(axis=0), stacked.max(axis=0)
        return content | _errors(f"the range over {len(each)} seeds", low, high)
    return content


def _errors(of: str, low: Any, high: Any) -> dict[str, Any]:
    low, high = (np.asarray(each, dtype=float).ravel() for each in (low, high))
    return {"of": of, "low": pack(low), "high": pack(high)}


def _rpd(source: Source) -> list[dict[str, Any]]:
    rows = source.table[source.table["class"] == -1]
    parts = []
    for (mode, layer), part in rows.groupby(["mode", "layer"]):
        densities = part.pivot_table(index="step", columns="r", values="density")
        parts.append(
            {
                "mode": mode,
                "layer": int(layer),
                "steps": _integers(densities.index),
                "r": pack(densities.columns),
                "density": pack(densities.to_numpy().ravel()),
            }
        )
    return parts


def _pruning(source: Source) -> list[dict[str, Any]]:
    parts = []
    for split, part in source.table.groupby("split"):
        accuracy = part.pivot_table(index="step", columns="start_layer", values="accuracy")
        parts.append(
            {
                "split": split,
                "steps": _integers(accuracy.index),
                "layers": _integers(accuracy.columns),
                "accuracy": pack(accuracy.to_numpy().ravel()),
                "full": pack(part.groupby("step")["full_accuracy"].first()),
            }
        )
    return parts


def _all_projections(run: Run) -> list[dict[str, Any]]:
    """Return the projections of moments, and those of the steps at which only few were kept."""
    moments = [part for source in run.parts.get("projection", ()) for part in _projections(source)]
    known = {part["step"] for part in moments}
    course = [
        part
        for source in run.parts.get("projection_course", ())
        for part in _projections(source._replace(table=source.table.assign(moment="")))
        if part["step"] not in known
    ]
    return [*moments, *course]


def _projections(source: Source) -> list[dict[str, Any]]:
    keys = ["moment", "step", "split", "mode"]
    parts = []
    for (moment, step, split, mode), rows in source.table.groupby(keys, sort=False):
        ordered = rows.sort_values("digit", kind="stable")
        counts = ordered.groupby("digit").size()
        parts.append(
            {
                "moment": moment,
                "step": int(step),
                "split": split,
                "mode": mode,
                "digits": [[int(digit), int(count)] for digit, count in counts.items()],
                **_columns(ordered, "h1", "h2"),
            }
        )
    return parts


def _noise(source: Source) -> list[dict[str, Any]]:
    return [
        {
            **_of_noise(source, space),
            "steps": _integers(values.index),
            "amplitudes": values.columns.tolist(),
            "accuracy": pack(values.to_numpy().ravel()),
        }
        for space, values in _averages(source, ["step", "amplitude"], "accuracy")
    ]


def _basin(source: Source) -> list[dict[str, Any]]:
    rows = source.table[source.table["of"] == "average"]
    return [
        {
            **_of_noise(source, str(space)),
            "steps": _integers(part["step"]),
            "endless": [bool(np.isinf(size)) for size in part["size"]],
            **_columns(part, "size", "size_error"),
        }
        for space, part in rows.groupby("space")
    ]


def _of_noise(source: Source, space: str) -> dict[str, Any]:
    how = source.settings.get("noise_return") if space == "sample" else None
    return {"name": source.name, "space": space, "noise_return": how}


def _averages(source: Source, keys: list[str], values: str) -> list[tuple[str, pd.DataFrame]]:
    rows = source.table[source.table["of"] == "average"]
    return [
        (str(space), part.pivot_table(index=keys[0], columns=keys[1], values=values))
        for space, part in rows.groupby("space")
    ]


def _pca_cone(sources: Sequence[Source]) -> dict[str, Any] | None:
    """Return the cone of most samples: apexes and their perturbed copies in three components."""
    if not sources:
        return None
    source = max(sources, key=lambda each: each.table["sample"].nunique())
    points = source.table[source.table["kind"] == "point"]
    if points["c3"].isna().all() or points.empty:
        return None
    return {
        "step": int(points["step"].iloc[0]),
        "sample": _integers(points["sample"]),
        "digit": _integers(points["digit"]),
        "kept": _integers(points["kept"].fillna(0)),
        **_columns(points, "amplitude", "c1", "c2", "c3"),
    }


def _columns(rows: pd.DataFrame, *names: str) -> Mapping[str, Any]:
    return {name: pack(rows[name]) for name in names}


def _integers(values: Any) -> list[int]:
    return [int(value) for value in values]
