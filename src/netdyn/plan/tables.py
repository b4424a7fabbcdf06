"""From data to tables: the runs of a scale, what is measured on them, what tables hold."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from netdyn.errors import NetdynError
from netdyn.plan import settings
from netdyn.plan.written import RESULTS, code, once, written
from netdyn.quantities.modules import module_of
from netdyn.records.files import RUN_FILES, digest, write_json
from netdyn.results.reference import is_kept, kept

__all__ = ["OF_DATA", "TablePlan"]

NO_RUN = "none"  # the run of a quantity that needs none
# Quantities that depend on a run's samples alone: measured without training it.
OF_DATA = ("test_distance",)


class TablePlan:
    """The files of one scale, as far as its tables."""

    def __init__(self, workflow: Path, overrides: Mapping, scale: str):
        """Load and resolve the scale's settings; raises NetdynError for what cannot be run."""
        self.config = settings.read(workflow, {**overrides, "scale": scale})
        self.folder = RESULTS / scale
        self.scale = scale
        declared = settings.runs(self.config)
        self.measurements = settings.measurements(self.config, declared)
        self.runs = {run.id: run for name in declared for run in declared[name]}

    # Runs

    def run(self, run_id: str) -> settings.Run:
        if run_id not in self.runs:
            raise NetdynError(
                f"no run {run_id!r} at scale {self.scale}: its settings are no longer configured; "
                f"ask for one of the {len(self.runs)} that are, or for a figure"
            )
        return self.runs[run_id]

    @once
    def run_settings(self, run_id: str) -> str:
        path = self._settings("runs") / f"{run_id}.json"  # an id holds a digest already
        write_json(path, self.run(run_id).settings, durable=False)
        return str(path)

    def run_folder(self, run_id: str) -> str:
        return f"{self.folder}/runs/{self.run(run_id).id}"

    def data_file(self, run_id: str) -> str:
        return f"{RESULTS}/data/{self.run(run_id).data}.safetensors"

    def data_code(self, *run_ids: str) -> list[str]:
        """Return the code that the data of runs were prepared by."""
        translated = any(self.run(run_id).settings["translated"] for run_id in run_ids)
        modules = ["datasets"] * bool(run_ids) + ["translation"] * translated
        return [code(f"netdyn.data.{module}") for module in modules]

    # Measurements: on which runs, in which jobs

    def measurement(self, name: str) -> settings.Measurement:
        if name not in self.measurements:
            raise NetdynError(
                f"no measurement {name!r} at scale {self.scale}: "
                f"declared are {', '.join(self.measurements)}"
            )
        return self.measurements[name]

    @once
    def kept(self, name: str) -> dict[str, settings.Run]:
        """Return the runs whose rows are taken from the committed table instead of measured.

        None unless `reuse` is set; then those that the committed table's record names, if it was
        measured with the same settings.
        """
        if not self.config["reuse"]:
            return {}
        try:
            known = kept(self.folder / "reference", self.keep_record(name))
        except NetdynError as error:
            raise NetdynError(f"{error}, or set reuse to false") from None
        return {run.id: run for run in self.measurement(name).runs if run.id in known}

    @once
    def is_kept_as_a_whole(self, name: str) -> bool:
        """Return whether the committed table of a quantity that needs no run is taken."""
        if not self.config["reuse"] or self.measurement(name).runs:
            return False
        return is_kept(self.folder / "reference", self.keep_record(name))

    @once
    def blocks(self, name: str) -> dict[str, list[settings.Run]]:
        """Return the runs that each job of a measurement measures, by the block's name.

        A block of one is named as its run. History is not measured, a run's folder holds it.
        """
        measurement = self.measurement(name)
        if measurement.quantity == "history":
            return {}
        if not measurement.runs:
            return {} if self.is_kept_as_a_whole(name) else {NO_RUN: []}
        kept = self.kept(name)
        chosen = [run for run in measurement.runs if run.id not in kept]
        size = self.config["runs_per_job"]
        found = {}
        for start in range(0, len(chosen), size):
            block = chosen[start : start + size]
            ids = [run.id for run in block]
            first = block[0].identity["run"]
            found[ids[0] if len(ids) == 1 else f"{first}_block-{digest(ids)[:10]}"] = block
        return found

    def block(self, name: str, block: str) -> list[settings.Run]:
        blocks = self.blocks(name)
        if block not in blocks:
            raise NetdynError(
                f"measurement {name!r} takes no run {block!r} at scale {self.scale}: "
                f"it takes {', '.join(blocks)}"
            )
        return blocks[block]

    @once
    def block_settings(self, name: str, block: str) -> str:
        """Write a measuring job's settings and the runs that it measures."""
        measurement = self.measurement(name)
        runs = []
        for run in self.block(name, block):
            where = (
                {"settings": self.run_settings(run.id)}
                if measurement.quantity in OF_DATA
                else {"folder": self.run_folder(run.id)}
            )
            runs.append({**where, "data": self.data_file(run.id), "identity": run.columns()})
        content = {"settings": measurement.settings, "runs": runs}
        return written(self._settings("measurements") / name, block, content)

    @once
    def measured(self, name: str, block: str) -> dict[str, Any]:
        """Return the inputs of measuring `name` on a block of runs."""
        measurement, chosen = self.measurement(name), self.block(name, block)
        inputs: dict[str, Any] = {
            "settings": self.block_settings(name, block),
            "code": code(module_of(measurement.quantity)),
        }
        if not chosen:
            return inputs
        if measurement.quantity in OF_DATA:
            inputs["runs"] = [self.run_settings(run.id) for run in chosen]
        else:
            # All of a run but its provenance, which may differ between equal runs.
            names = [name for name in RUN_FILES if name != "provenance.json"]
            inputs["runs"] = [f"{self.run_folder(r.id)}/{name}" for r in chosen for name in names]
        inputs["data"] = list(dict.fromkeys(self.data_file(run.id) for run in chosen))
        inputs["upstream"] = self._code_upstream(name, chosen)
        return inputs

    def _code_upstream(self, name: str, chosen: Sequence[settings.Run]) -> list[str]:
        """Return the code that made what a measurement reads."""
        prepared = self.data_code(*(run.id for run in chosen))
        trained = prepared and self.measurement(name).quantity not in OF_DATA
        return [*prepared, code("netdyn.training.train")] if trained else prepared

    # Tables, put together from parts

    @once
    def parts(self, name: str) -> list[str]:
        """Return the files that a measurement's table is put together from."""
        measurement = self.measurement(name)
        if measurement.quantity == "history":
            kept = self.kept(name)
            runs = [run.id for run in measurement.runs if run.id not in kept]
            return [f"{self.run_folder(run)}/history.csv" for run in runs]
        folder = self.folder / "tables" / "parts" / name
        return [f"{folder}/{block}.csv" for block in self.blocks(name)]

    def table_inputs(self, name: str) -> list[str]:
        """Return a table's parts, and the committed table where rows are taken from it."""
        taken = self.kept(name) or self.is_kept_as_a_whole(name)
        return self.parts(name) + ([self._reference(name)] if taken else [])

    @once
    def table_settings(self, name: str) -> str:
        """Write which parts a table is put together from, and which rows of the committed one."""
        measurement, kept = self.measurement(name), self.kept(name)
        parts: list[dict] = [{"file": part} for part in self.parts(name)]
        if measurement.quantity == "history":
            chosen = [run for run in measurement.runs if run.id not in kept]
            for part, run in zip(parts, chosen, strict=True):
                part["identity"] = run.columns()
        if kept:
            rows = [run.columns() for run in kept.values()]
            parts.append({"file": self._reference(name), "rows": rows})
        if self.is_kept_as_a_whole(name):
            parts.append({"file": self._reference(name)})
        order = [run.columns() for run in measurement.runs]
        return written(self._settings("tables"), name, {"parts": parts, "order": order})

    @once
    def upstream(self, name: str) -> str:
        """Write which settings and code a table rests on, from the data to its rows.

        It is named by them. What is made from the table has it as an input, so that it is out of
        date whenever the table is: also while a job that failed has left nothing to compare with,
        and whatever the clock says.
        """
        measurement = self.measurement(name)
        files = [code("netdyn.results.tables"), *self._code_upstream(name, measurement.runs)]
        if measurement.quantity != "history":
            files.append(code(module_of(measurement.quantity)))
        content = {
            "settings": measurement.settings,
            "table": self.table_settings(name),
            "code": files,
        }
        return written(self._settings("upstream"), name, content)

    def upstreams(self, names: Iterable[str]) -> list[str]:
        return [self.upstream(name) for name in names]

    def keep_record(self, name: str) -> dict[str, Any]:
        """Return what tells a table from others: quantity, settings, and runs in their order."""
        measurement = self.measurement(name)
        # Threads change how fast a table is made, and at most its last digit.
        own = {key: value for key, value in measurement.settings.items() if key != "threads"}
        runs = [{"id": run.id, "identity": run.columns()} for run in measurement.runs]
        return {"name": name, "quantity": measurement.quantity, "settings": own, "runs": runs}

    def _reference(self, name: str) -> str:
        return str(self.folder / "reference" / "tables" / f"{name}.csv")

    def _settings(self, kind: str) -> Path:
        return self.folder / "settings" / kind
