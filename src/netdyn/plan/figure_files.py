"""From tables to figures: what the drawing of each figure of a scale reads."""

import json
from collections import Counter
from typing import Any

from netdyn.errors import NetdynError
from netdyn.plan.declared_runs import TEST_SAMPLES
from netdyn.plan.tables import TablePlan
from netdyn.plan.written import once, written
from netdyn.records.figure_settings import FigureSettings, Training
from netdyn.records.run_settings import RunSettings
from netdyn.results.reference import committed_runs

__all__ = ["FigurePlan"]

# What figures may say of a training.
SHARED_SETTINGS = tuple(Training.__annotations__)
# Of figures that are not one of the paper's.
TITLES = {"noise_returns": "Fig. 4c, 4g and 7b, noise returned in two ways"}


class FigurePlan(TablePlan):
    """The files of one scale, as far as its figures."""

    def figures(self) -> list[str]:
        """Return the names of all figures."""
        return list(self.config["figures"])

    @once
    def figure_settings_file(self, figure: str, redrawn: bool = False) -> str:
        """Write `figure_settings`; return the file."""
        settings = self.figure_settings(figure, redrawn)
        return written(self.settings_folder / "figures", figure, settings)

    def figure_settings(self, figure: str, redrawn: bool = False) -> FigureSettings:
        """Return what the drawing of a figure reads: its block of config.yaml, title and note.

        Args:
            figure: its name.
            redrawn: whether it is drawn from committed tables, which may hold other runs, too.
        """
        counts = set().union(*(self._seeds(table) for table in self.figure_tables(figure)))
        least, most = (min(counts), max(counts)) if counts else (0, 0)
        seeds = f"{most} seed{'s' * (most > 1)}" if least == most else f"{least} to {most} seeds"
        note = f"scale {self.scale}, {self.config['dataset']}, {seeds}" if counts else "toy neurons"
        title = figure.replace("fig", "Figure ").replace("_training", ", training mode")
        block = {
            "title": TITLES.get(figure, title.capitalize()),
            "note": note,
            "runs": self._trainings(figure),
            "noise_return": self._returns(figure),
        }
        if counts:  # the toy neurons of Fig. 1 are of no data set
            block["test_samples"] = TEST_SAMPLES[self.config["dataset"]]
        if redrawn and (rows := self._chosen_rows(figure)):
            block["rows"] = rows
        declared = dict(self.config["figures"][figure])
        # Journals want neither: switched off, the text is left out.
        for switch, text in (("title", "title"), ("footer", "note")):
            if not declared.pop(switch, True):
                del block[text]
        return block | declared

    def _chosen_rows(self, figure: str) -> dict[str, list[dict[str, Any]]]:
        """Return, of each committed table that holds other runs, too, the runs of this plan."""
        chosen = {}
        for table in self.figure_tables(figure):
            runs = self.measurement(table).runs
            committed = committed_runs(self.folder / "reference", self.keep_settings(table))
            if committed - {run.id for run in runs}:
                chosen[table] = [run.columns() for run in runs]
        return chosen

    def _seeds(self, table: str) -> set[int]:
        """Return how many seeds the points of a table's sweeps have."""
        points = (json.dumps({**run.identity, "seed": 0}) for run in self.measurement(table).runs)
        return set(Counter(points).values())

    def _trainings(self, figure: str) -> dict[str, Training]:
        """Return, by declared run, what the trainings behind a figure have in common."""
        trainings: dict[str, list[RunSettings]] = {}
        for table in self.figure_tables(figure):
            for run in self.measurement(table).runs:
                trainings.setdefault(run.identity["run"], []).append(run.settings)
        return {
            run: {
                key: first[key]
                for key in SHARED_SETTINGS
                if all(settings[key] == first[key] for settings in trained)
            }
            for run, trained in trainings.items()
            for first in trained[:1]
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
        """Return the tables that a figure is drawn from; raises NetdynError for an unknown one."""
        if figure not in self.config["figures"]:
            raise NetdynError(
                f"no figure {figure!r} at scale {self.scale}: "
                f"declared are {', '.join(self.config['figures'])}"
            )
        return self.config["figures"][figure]["tables"]
