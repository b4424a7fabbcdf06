"""From tables to what is asked for: figures, scorecard, committed tables; what is behind them."""

import functools
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netdyn.claims.rows import load_claims
from netdyn.errors import NetdynError
from netdyn.plan.tables import OF_DATA, TablePlan
from netdyn.plan.written import code, once, written
from netdyn.records.files import RUN_FILES
from netdyn.results.reference import kept

__all__ = ["Plan"]

# What figures may say of a training.
SHARED_SETTINGS = (
    "activation",
    "batch_size",
    "depth",
    "learning_rate",
    "optimizer",
    "samples",
    "width",
)


# Figures and claims in the order in which their tables are made where time may not last for all.
PRIORITIES = (
    tuple(f"C{number:02d}" for number in range(8, 24)),  # phases, gradients, depth and width
    ("fig2",),
    ("fig7",),
    ("fig1", "fig3", "fig5", "fig6"),
    ("fig4",),  # sweeps
    ("supplement",),
)


class Plan(TablePlan):
    """The files of one scale."""

    def __init__(self, workflow: Path, overrides: Mapping, scale: str):
        """Load and resolve the scale's settings; raises NetdynError for what cannot be run."""
        super().__init__(workflow, overrides, scale)
        # Relative where the workflow runs in its own folder: so it can be moved.
        self.claims = Path(os.path.relpath(workflow / "workflow" / "claims.yaml"))

    def write_settings(self) -> None:
        """Write the resolved settings that jobs are handed; a file that is right is left alone.

        Before any rule is asked for: Snakemake remembers which folders it did not find.
        """
        for run_id in self.runs:
            self.run_settings(run_id)
        for name in self.measurements:
            for block in self.blocks(name):
                self.block_settings(name, block)
            self.table_settings(name)
            self.upstream(name)
        for figure in self.figures():
            self.figure_settings(figure)
        self.claims_settings()

    # Figures and claims

    def figures(self) -> list[str]:
        return list(self.config["figures"])

    @once
    def figure_settings(self, figure: str) -> str:
        seeds = set().union(*(self._seeds(table) for table in self.figure_tables(figure)))
        few, most = (min(seeds), max(seeds)) if seeds else (0, 0)
        many = f"{most} seed{'s' * (most > 1)}" if few == most else f"{few} to {most} seeds"
        note = f"scale {self.scale}, {self.config['dataset']}, {many}" if seeds else "toy neurons"
        title = figure.replace("fig", "Figure ").replace("_training", ", training mode")
        block = {
            "title": title.capitalize(),
            "note": note,
            "runs": self._trainings(figure),
            "noise_return": self._returns(figure),
        }
        return written(self._settings("figures"), figure, block | self.config["figures"][figure])

    def _seeds(self, table: str) -> set[int]:
        """Return how many seeds the points of a table's sweeps have."""
        points = (json.dumps({**run.identity, "seed": 0}) for run in self.measurement(table).runs)
        return set(Counter(points).values())

    def _trainings(self, figure: str) -> dict[str, dict[str, Any]]:
        """Return, by declared run, what the trainings behind a figure have in common."""
        found: dict[str, list[Mapping]] = {}
        for table in self.figure_tables(figure):
            for run in self.measurement(table).runs:
                found.setdefault(run.identity["run"], []).append(run.settings)
        return {
            run: {
                key: first[key]
                for key in SHARED_SETTINGS
                if all(own[key] == first[key] for own in all_of)
            }
            for run, all_of in found.items()
            for first in all_of[:1]
        }

    def _returns(self, figure: str) -> dict[str, str]:
        """Return, by table, how the noisy samples behind a figure return to the data's range."""
        measured = {table: self.measurement(table).settings for table in self.figure_tables(figure)}
        return {
            table: settings["noise_return"]
            for table, settings in measured.items()
            if "noise_return" in settings
        }

    def figure_tables(self, figure: str) -> list[str]:
        if figure not in self.config["figures"]:
            raise NetdynError(
                f"no figure {figure!r} at scale {self.scale}: "
                f"declared are {', '.join(self.config['figures'])}"
            )
        return self.config["figures"][figure]["tables"]

    @once
    def tables(self) -> list[str]:
        """Return the tables of all figures and of the scorecard, each once."""
        named = [table for figure in self.figures() for table in self.figure_tables(figure)]
        return list(dict.fromkeys([*named, *self.claim_tables()]))

    @once
    def tables_by_priority(self) -> list[list[str]]:
        """Return all tables in groups, those first that most is decided by (`PRIORITIES`)."""
        tables = {claim.id: claim.tables for claim in load_claims(self.claims)}
        tables |= {figure: self.figure_tables(figure) for figure in self.figures()}
        groups: list[list[str]] = []
        seen: set[str] = set()
        for names in (*PRIORITIES, tuple(tables)):
            wanted = dict.fromkeys(table for name in names for table in tables.get(name, ()))
            groups.append([table for table in wanted if table not in seen])
            seen.update(wanted)
        return [group for group in groups if group]

    def claim_tables(self) -> list[str]:
        """Return the tables that the scorecard reads, each once."""
        for table in self._claim_tables:
            self.measurement(table)
        return list(self._claim_tables)

    @functools.cached_property
    def _claim_tables(self) -> tuple[str, ...]:
        claims = load_claims(self.claims)
        return tuple(dict.fromkeys(table for claim in claims for table in claim.tables))

    @once
    def claims_settings(self) -> str:
        """Write which runs each table of the scorecard must hold, and what they were trained on."""
        tables = {}
        for name in self.claim_tables():
            runs = self.measurement(name).runs
            tables[name] = {
                "runs": [{**run.columns(), "samples": run.settings["samples"]} for run in runs]
            }
        content = {"scale": self.scale, "dataset": self.config["dataset"], "tables": tables}
        return written(self._settings("claims"), "claims", content)

    # What stands behind tables

    def table_files(self, names: Iterable[str]) -> list[str]:
        return [str(self.folder / "tables" / f"{name}.csv") for name in names]

    def files_needed(self, names: Iterable[str]) -> list[str]:
        """Return what tables rest on, each file once: themselves, their parts, their runs."""
        files = self.table_files(names)
        files += [part for name in names for part in self.parts(name)]
        # A history's record is its run's manifest.
        files += [f"{file}.json" for file in files if Path(file).name != "history.csv"]
        return list(dict.fromkeys(files + self.run_files(names)))

    def run_files(self, names: Iterable[str]) -> list[str]:
        """Return the files of each run behind tables."""
        folders = [self.run_folder(run) for run in self.runs_needed(names)]
        return [f"{folder}/{name}" for folder in folders for name in RUN_FILES]

    def runs_needed(self, names: Iterable[str]) -> list[str]:
        """Return the ids of the runs that must be trained for tables, each once."""
        ids = [
            run.id
            for name in names
            if self.measurement(name).quantity not in OF_DATA
            for run in self.measurement(name).runs
            if run.id not in self.kept(name)
        ]
        return list(dict.fromkeys(ids))

    def provenance_files(self) -> list[str]:
        """Return the records of all runs behind figures and scorecard, committed ones together."""
        tables = self.tables()
        files = [f"{self.run_folder(run)}/provenance.json" for run in self.runs_needed(tables)]
        if any(self.kept(name) for name in tables):
            files.append(str(self.folder / "reference" / "provenance" / "runs.json"))
        return files

    # Committed tables

    @once
    def committed(self) -> list[str]:
        """Return the tables that are committed, be it in part.

        Raises:
            NetdynError: none is.
        """
        found = [name for name in self.tables() if Path(self._reference(name)).is_file()]
        if not found:
            raise NetdynError(
                f"nothing is committed for scale {self.scale}, {self.folder}/reference has no "
                f"table: run `snakemake keep --config scale={self.scale}` first"
            )
        return found

    @once
    def left_out(self) -> dict[str, list[str]]:
        """Return what committed tables don't suffice for, figures and claims, with these tables.

        They are not committed, or not with every run that they are to hold.

        Raises:
            NetdynError: nothing is committed, or a table is not the one that its record was written
                for.
        """
        self.committed()
        needed = {figure: self.figure_tables(figure) for figure in self.figures()}
        needed["some claims"] = self.claim_tables()
        lacking = {
            name: [table for table in tables if not self._is_committed(table)]
            for name, tables in needed.items()
        }
        return {name: tables for name, tables in lacking.items() if tables}

    @once
    def _is_committed(self, name: str) -> bool:
        if not Path(self._reference(name)).is_file():
            return False
        known = kept(self.folder / "reference", self.keep_record(name))
        return {run.id for run in self.measurement(name).runs} <= known

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

    def part_to_keep(self, name: str, block: str) -> dict[str, Any]:
        """Return the inputs of putting a part into the committed table."""
        keepable = self.keepable(name)
        if block not in keepable:
            raise NetdynError(f"measurement {name!r} has no part {block!r} at scale {self.scale}")
        part, folders = keepable[block]
        trained = self.measurement(name).quantity not in OF_DATA
        return {
            "part": part,
            "settings": self.keep_settings(name),
            "provenance": [f"{folder}/provenance.json" for folder in folders if trained],
            "upstream": self.upstream(name),
            "code": code("netdyn.results.reference"),
        }

    def kept_files(self, names: Iterable[str]) -> list[str]:
        """Return the records that stand for every part of these tables being committed."""
        return [
            str(self.folder / "kept" / name / f"{block}.json")
            for name in names
            for block in self.keepable(name)
        ]

    @once
    def keep_settings(self, name: str) -> str:
        return written(self._settings("kept"), name, self.keep_record(name))
