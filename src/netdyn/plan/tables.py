"""From runs to tables: what is measured on the runs of a scale, and what tables hold."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from netdyn.errors import NetdynError
from netdyn.plan import settings
from netdyn.plan.run_files import RunPlan
from netdyn.plan.written import once, written
from netdyn.quantities.modules import module_of
from netdyn.records.files import RUN_FILES, digest
from netdyn.records.job_settings import (
    BlockSettings,
    KeepSettings,
    MeasuredRun,
    TablePart,
    TableSettings,
)
from netdyn.results.reference import committed_runs, is_committed_table

__all__ = ["OF_DATA", "TablePlan"]

NO_RUN = "none"  # the run of a quantity that needs none
# Quantities that depend on a run's samples alone: measured without training it.
OF_DATA = ("test_distance",)


class TablePlan(RunPlan):
    """The files of one scale, as far as its tables."""

    # Measurements: on which runs, in which jobs

    def measurement(self, name: str) -> settings.Measurement:
        """Return a measurement by its name; raises NetdynError where none is declared so."""
        if name not in self.measurements:
            raise NetdynError(
                f"no measurement {name!r} at scale {self.scale}: "
                f"declared are {', '.join(self.measurements)}"
            )
        return self.measurements[name]

    def reused_runs(self, name: str) -> dict[str, settings.Run]:
        """Return, by id, the runs whose rows come from committed tables and are not measured."""
        return {id: run for runs in self.reused_rows(name).values() for id, run in runs.items()}

    @once
    def reused_rows(self, name: str) -> dict[str, dict[str, settings.Run]]:
        """Return, by committed table, the runs by id whose rows come from there.

        There are none unless `reuse` is set. Then they are the runs in the committed table's
        record, if the table was measured with the same settings.
        """
        if not self.config["reuse"]:
            return {}
        try:
            return self.committed_rows(name)
        except NetdynError as error:
            raise NetdynError(f"{error}, or set reuse to false") from None

    @once
    def committed_rows(self, name: str) -> dict[str, dict[str, settings.Run]]:
        """Return, by committed table that was measured with the same settings, its runs by id.

        Raises:
            NetdynError: a committed table does not match its record.
        """
        rows: dict[str, dict[str, settings.Run]] = {}
        remaining = {run.id: run for run in self.measurement(name).runs}
        for file, folder in self.reference_tables(name):
            committed = committed_runs(folder, self.keep_settings(name)) & set(remaining)
            if committed:
                rows[file] = {id: run for id, run in remaining.items() if id in committed}
                remaining = {id: run for id, run in remaining.items() if id not in committed}
        return rows

    def reference_tables(self, name: str) -> list[tuple[str, Path]]:
        """Return the committed tables that may hold rows of a table, and their folders."""
        return [(self.reference_file(name), self.folder / "reference")]

    @once
    def reuses_table(self, name: str) -> bool:
        """Return whether a table without runs, such as toy_neurons, is reused as committed."""
        if not self.config["reuse"] or self.measurement(name).runs:
            return False
        try:
            return is_committed_table(self.folder / "reference", self.keep_settings(name))
        except NetdynError as error:
            raise NetdynError(f"{error}, or set reuse to false") from None

    @once
    def blocks(self, name: str) -> dict[str, list[settings.Run]]:
        """Return the runs that each job of a measurement measures, by the block's name.

        A block of one is named as its run. History is not measured, a run's folder holds it.
        """
        measurement = self.measurement(name)
        if measurement.quantity == "history":
            return {}
        if not measurement.runs:
            return {} if self.reuses_table(name) else {NO_RUN: []}
        reused = self.reused_runs(name)
        chosen = [run for run in measurement.runs if run.id not in reused]
        size = self.config["runs_per_job"]
        blocks = {}
        for start in range(0, len(chosen), size):
            block = chosen[start : start + size]
            ids = [run.id for run in block]
            first = block[0].identity["run"]
            blocks[ids[0] if len(ids) == 1 else f"{first}_block-{digest(ids)[:10]}"] = block
        return blocks

    def block(self, name: str, block: str) -> list[settings.Run]:
        """Return the runs of one block; raises NetdynError where there is no such block."""
        blocks = self.blocks(name)
        if block not in blocks:
            raise NetdynError(
                f"measurement {name!r} has no run {block!r} at scale {self.scale}: "
                f"it has {', '.join(blocks)}"
            )
        return blocks[block]

    @once
    def block_settings_file(self, name: str, block: str) -> str:
        """Write `block_settings`; return the file."""
        folder = self.settings_folder / "measurements" / name
        return written(folder, block, self.block_settings(name, block))

    def block_settings(self, name: str, block: str) -> BlockSettings:
        """Return a measuring job's settings and the runs that it measures."""
        measurement = self.measurement(name)
        runs: list[MeasuredRun] = []
        for run in self.block(name, block):
            where = (
                {"settings": self.run_settings_file(run.id)}
                if measurement.quantity in OF_DATA
                else {"folder": self.run_folder(run.id)}
            )
            runs.append({**where, "data": self.data_file(run.id), "identity": run.columns()})
        return {"settings": measurement.settings, "runs": runs}

    @once
    def measure_inputs(self, name: str, block: str) -> dict[str, Any]:
        """Return the inputs of measuring `name` on a block of runs."""
        measurement, chosen = self.measurement(name), self.block(name, block)
        inputs: dict[str, Any] = {
            "settings": self.block_settings_file(name, block),
            "code": self.code(module_of(measurement.quantity)),
        }
        if not chosen:
            return inputs
        if measurement.quantity in OF_DATA:
            inputs["runs"] = [self.run_settings_file(run.id) for run in chosen]
        else:
            # All of a run but its provenance, which may differ between equal runs.
            names = [name for name in RUN_FILES if name != "provenance.json"]
            inputs["runs"] = [f"{self.run_folder(r.id)}/{name}" for r in chosen for name in names]
        inputs["data"] = list(dict.fromkeys(self.data_file(run.id) for run in chosen))
        inputs["upstream"] = self._code_upstream(name, chosen)
        return inputs

    def _code_upstream(self, name: str, chosen: Sequence[settings.Run]) -> list[str]:
        """Return the files of the code behind what a measurement reads."""
        data_code = self.data_code(*(run.id for run in chosen))
        trained = data_code and self.measurement(name).quantity not in OF_DATA
        return [*data_code, self.code("netdyn.training.train")] if trained else data_code

    # Tables, put together from parts

    @once
    def parts(self, name: str) -> list[str]:
        """Return the files that a measurement's table is put together from."""
        measurement = self.measurement(name)
        if measurement.quantity == "history":
            reused = self.reused_runs(name)
            runs = [run.id for run in measurement.runs if run.id not in reused]
            return [f"{self.run_folder(run)}/history.csv" for run in runs]
        folder = self.folder / "tables" / "parts" / name
        return [f"{folder}/{block}.csv" for block in self.blocks(name)]

    def table_inputs(self, name: str) -> list[str]:
        """Return a table's parts, and the committed tables whose rows are reused."""
        table = [self.reference_file(name)] if self.reuses_table(name) else []
        return [*self.parts(name), *self.reused_rows(name), *table]

    @once
    def table_settings_file(self, name: str) -> str:
        """Write `table_settings`; return the file."""
        return written(self.settings_folder / "tables", name, self.table_settings(name))

    def table_settings(self, name: str) -> TableSettings:
        """Return which parts a table is put together from, and which rows of the committed one."""
        measurement, reused = self.measurement(name), self.reused_runs(name)
        parts: list[TablePart] = [{"file": part} for part in self.parts(name)]
        if measurement.quantity == "history":
            chosen = [run for run in measurement.runs if run.id not in reused]
            for part, run in zip(parts, chosen, strict=True):
                part["identity"] = run.columns()
        for file, runs in self.reused_rows(name).items():
            parts.append({"file": file, "rows": [run.columns() for run in runs.values()]})
        if self.reuses_table(name):
            parts.append({"file": self.reference_file(name)})
        return {"parts": parts, "order": [run.columns() for run in measurement.runs]}

    @once
    def upstream(self, name: str) -> str:
        """Write which settings and code a table depends on, from the data to its rows.

        The file is named by its content. It is an input of all that is made from the table, which
        is therefore out of date whenever the table is: also while a failed job has left nothing to
        compare with, and whatever the clock says.
        """
        measurement = self.measurement(name)
        files = [self.code("netdyn.results.tables"), *self._code_upstream(name, measurement.runs)]
        if measurement.quantity != "history":
            files.append(self.code(module_of(measurement.quantity)))
        content = {
            "settings": measurement.settings,
            "table": self.table_settings_file(name),
            "code": files,
        }
        return written(self.settings_folder / "upstream", name, content)

    def upstreams(self, names: Iterable[str]) -> list[str]:
        """Return `upstream` of each of these tables."""
        return [self.upstream(name) for name in names]

    def keep_settings(self, name: str) -> KeepSettings:
        """Return what identifies a committed table: quantity, settings, runs in their order."""
        measurement = self.measurement(name)
        return {
            "name": name,
            "quantity": measurement.quantity,
            # Threads change how long a measurement takes, and at most a number's last digit.
            "settings": {k: v for k, v in measurement.settings.items() if k != "threads"},
            "runs": [{"id": run.id, "identity": run.columns()} for run in measurement.runs],
        }

    @once
    def names_by_content(self) -> dict[str, str]:
        """Return the tables' names by a digest of what they hold; the first of equal ones."""
        names = {self.content(name): name for name in reversed(self.measurements)}
        return dict(reversed(names.items()))

    @once
    def content(self, name: str) -> str:
        """Return a digest of what a table holds: quantity, settings and runs, not its name."""
        return digest({k: v for k, v in self.keep_settings(name).items() if k != "name"})

    def table_file(self, name: str) -> str:
        """Return the file of a table."""
        return str(self.folder / "tables" / f"{name}.csv")

    def reference_file(self, name: str) -> str:
        """Return the file of a committed table, whether it is there or not."""
        return str(self.folder / "reference" / "tables" / f"{name}.csv")
