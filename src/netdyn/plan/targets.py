"""The targets of a scale: figures, scorecard and committed tables, and the files they need."""

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netdyn.claims.rows import load_claims
from netdyn.claims.verdicts import Claim
from netdyn.errors import NetdynError
from netdyn.plan.figure_files import FigurePlan
from netdyn.plan.tables import OF_DATA
from netdyn.plan.written import RESULTS, once, written
from netdyn.records.files import RUN_FILES
from netdyn.records.job_settings import ClaimsSettings, ClaimsTable

__all__ = ["Plan"]


# Figures and claims in the order in which their tables are made where time may not last for all.
PRIORITIES = (
    tuple(f"C{number:02d}" for number in range(8, 24)),  # phases and gradients in deep networks
    ("fig2",),
    ("fig7",),
    ("fig1", "fig3", "fig5", "fig6"),
    ("fig4",),  # sweeps
    ("supplement",),
)


class Plan(FigurePlan):
    """The files of one scale."""

    def __init__(
        self,
        workflow: Path,
        overrides: Mapping,
        scale: str,
        settings_folder: Path | None = None,
        results: Path = RESULTS,
    ):
        """Load and resolve the scale's settings, as `RunPlan` does."""
        super().__init__(workflow, overrides, scale, settings_folder, results)
        self.workflow, self.overrides = Path(workflow), dict(overrides)
        # Relative, so that the workflow's folder can be moved.
        self.claims = Path(os.path.relpath(workflow / "workflow" / "claims.yaml"))

    def write_settings(self) -> None:
        """Write the resolved settings that jobs read; files with the right content stay untouched.

        This happens before Snakemake evaluates any rule, because Snakemake remembers which folders
        were missing.
        """
        for run_id in self.runs:
            self.run_settings_file(run_id)
        for name in self.measurements:
            for block in self.blocks(name):
                self.block_settings_file(name, block)
            self.table_settings_file(name)
            self.upstream(name)
        for figure in self.figures():
            self.figure_settings_file(figure)
        self.claims_settings_file()

    # Figures and claims

    @once
    def tables(self) -> list[str]:
        """Return the tables of all figures and of the scorecard, each once."""
        named = [table for figure in self.figures() for table in self.figure_tables(figure)]
        return list(dict.fromkeys([*named, *self.claim_tables()]))

    @once
    def tables_by_priority(self) -> list[list[str]]:
        """Return all tables in groups of falling priority (see `PRIORITIES`)."""
        tables = {claim.id: claim.tables for claim in self.claim_rows}
        tables |= {figure: self.figure_tables(figure) for figure in self.figures()}
        groups: list[list[str]] = []
        seen: set[str] = set()
        for names in (*PRIORITIES, tuple(tables)):
            group = dict.fromkeys(table for name in names for table in tables.get(name, ()))
            groups.append([table for table in group if table not in seen])
            seen.update(group)
        return [group for group in groups if group]

    def claim_tables(self) -> list[str]:
        """Return the tables that the scorecard reads, each once."""
        for table in self._claim_tables:
            self.measurement(table)
        return list(self._claim_tables)

    @functools.cached_property
    def claim_rows(self) -> list[Claim]:
        """The claims with their criteria."""
        return load_claims(self.claims)

    @functools.cached_property
    def _claim_tables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(table for claim in self.claim_rows for table in claim.tables))

    @once
    def claims_settings_file(self) -> str:
        """Write `claims_settings`; return the file."""
        return written(self.settings_folder / "claims", "claims", self.claims_settings())

    def claims_settings(self) -> ClaimsSettings:
        """Return which runs each table of the scorecard must hold, with their sample counts."""
        tables: dict[str, ClaimsTable] = {}
        for name in self.claim_tables():
            runs = self.measurement(name).runs
            tables[name] = {
                "runs": [{**run.columns(), "samples": run.settings["samples"]} for run in runs]
            }
        return {"scale": self.scale, "dataset": self.config["dataset"], "tables": tables}

    # What tables depend on

    def table_files(self, names: Iterable[str]) -> list[str]:
        """Return the files of these tables."""
        return [self.table_file(name) for name in names]

    def files_needed(self, names: Iterable[str]) -> list[str]:
        """Return the files of tables, of their parts and of their runs, each once."""
        files = self.table_files(names)
        files += [part for name in names for part in self.parts(name)]
        # A history's record is its run's manifest.
        files += [f"{file}.json" for file in files if Path(file).name != "history.csv"]
        return list(dict.fromkeys(files + self.run_files(names)))

    def run_files(self, names: Iterable[str]) -> list[str]:
        """Return the files of each run that tables need."""
        folders = [self.run_folder(run) for run in self.runs_needed(names)]
        return [f"{folder}/{name}" for folder in folders for name in RUN_FILES]

    def runs_needed(self, names: Iterable[str]) -> list[str]:
        """Return the ids of the runs that must be trained for tables, each once."""
        ids = [
            run.id
            for name in names
            if self.measurement(name).quantity not in OF_DATA
            for run in self.measurement(name).runs
            if run.id not in self.reused_runs(name)
        ]
        return list(dict.fromkeys(ids))

    def provenance_files(self) -> list[str]:
        """Return the records of all runs of figures and scorecard; committed ones share a file."""
        tables = self.tables()
        files = [f"{self.run_folder(run)}/provenance.json" for run in self.runs_needed(tables)]
        if any(self.reused_runs(name) for name in tables):
            files.append(str(self.folder / "reference" / "provenance" / "runs.json"))
        return files

    # Committed tables

    @once
    def committed(self) -> list[str]:
        """Return the tables that are committed, completely or in part.

        Raises:
            NetdynError: no table is.
        """
        names = [name for name in self.tables() if Path(self.reference_file(name)).is_file()]
        if not names:
            raise NetdynError(
                f"nothing is committed for scale {self.scale}, {self.folder}/reference has no "
                f"table: run `snakemake keep --config scale={self.scale}` first"
            )
        return names

    @once
    def incomplete(self) -> dict[str, list[str]]:
        """Return the figures, and "some claims", that cannot be redrawn, with the missing tables.

        A table is missing if it is not committed, or not with all of its runs.

        Raises:
            NetdynError: nothing is committed, or a table does not match its record.
        """
        self.committed()
        needed = {figure: self.figure_tables(figure) for figure in self.figures()}
        needed["some claims"] = self.claim_tables()
        missing = {
            name: [table for table in tables if not self.is_committed(table)]
            for name, tables in needed.items()
        }
        return {name: tables for name, tables in missing.items() if tables}

    @once
    def is_committed(self, name: str) -> bool:
        """Return whether a table is committed with all of its runs."""
        if not Path(self.reference_file(name)).is_file():
            return False
        committed = {id for runs in self.committed_rows(name).values() for id in runs}
        return {run.id for run in self.measurement(name).runs} <= committed

    @once
    def keepable(self, name: str) -> dict[str, tuple[str, list[str]]]:
        """Return the parts of a table and the run folders in each, by the part's name."""
        parts = self.parts(name)
        if self.measurement(name).quantity == "history":
            return {(folder := Path(part).parent).name: (part, [str(folder)]) for part in parts}
        blocks = self.blocks(name)
        return {
            block: (part, [self.run_folder(run.id) for run in blocks[block]])
            for block, part in zip(blocks, parts, strict=True)
        }

    def keep_inputs(self, name: str, block: str) -> dict[str, Any]:
        """Return the inputs of putting a part into the committed table."""
        keepable = self.keepable(name)
        if block not in keepable:
            raise NetdynError(f"measurement {name!r} has no part {block!r} at scale {self.scale}")
        part, folders = keepable[block]
        trained = self.measurement(name).quantity not in OF_DATA
        return {
            "part": part,
            "settings": self.keep_settings_file(name),
            "provenance": [f"{folder}/provenance.json" for folder in folders if trained],
            "upstream": self.upstream(name),
            "code": self.code("netdyn.results.reference"),
        }

    def kept_files(self, names: Iterable[str]) -> list[str]:
        """Return the records which say that every part of these tables is committed."""
        return [
            str(self.folder / "kept" / name / f"{block}.json")
            for name in names
            for block in self.keepable(name)
        ]

    @once
    def keep_settings_file(self, name: str) -> str:
        """Write `keep_settings`; return the file."""
        return written(self.settings_folder / "kept", name, self.keep_settings(name))
