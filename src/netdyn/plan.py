"""What the workflow's rules ask: which files a result is made of, for every scale.

The rules name outputs by pattern; from a pattern's wildcards this module finds the inputs. So
`snakemake results/cpu/figures/fig7.pdf` works whatever scale the configuration names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netdyn import settings
from netdyn.errors import NetdynError
from netdyn.files import RUN_FILES, digest, write_json
from netdyn.import_graph import code_digests

__all__ = ["Plan", "code"]

RESULTS = Path("results")
NO_RUN = "none"  # the run of a quantity that needs none


def code(module: str) -> str:
    """Return the file that stands for the code of a module and all that it imports.

    It holds their digests and is named by them: the input by which a rule reruns exactly when code
    it uses has changed its meaning.
    """
    return _written(RESULTS / "code", module, code_digests(module))


def _written(folder: Path, name: str, value: Mapping[str, Any]) -> str:
    """Write `value` to a file that is never rewritten, its content being part of its name.

    Snakemake records its inputs when a job ends. Were the file rewritten under a running job, by a
    dry run after an edit, what the job made from the old content would pass for the new.
    """
    path = folder / f"{name}-{digest(value)[:10]}.json"
    write_json(path, value)
    return str(path)


class Plan:
    """The files of one scale."""

    def __init__(self, workflow: Path, overrides: Mapping, scale: str):
        """Load and resolve the scale's settings; raises NetdynError for what cannot be run."""
        self.config = settings.load(workflow, {**overrides, "scale": scale})
        self.folder = RESULTS / scale
        self.scale = scale
        self.measurements = settings.measurements(self.config)
        declared = settings.runs(self.config)
        self.runs = {run.id: run for name in declared for run in declared[name]}

    def write_settings(self) -> None:
        """Write the resolved settings that jobs are handed; a file that is right is left alone.

        Before any rule is asked for: Snakemake remembers which folders it did not find.
        """
        for run_id in self.runs:
            self.run_settings(run_id)
        for name in self.measurements:
            self.measurement_settings(name)
            self.table_settings(name)
        for figure in self.figures():
            self.figure_settings(figure)

    def figures(self) -> list[str]:
        return list(self.config["figures"])

    def run(self, run_id: str) -> settings.Run:
        if run_id not in self.runs:
            raise NetdynError(
                f"no run {run_id!r} at scale {self.scale}: its settings are no longer configured; "
                f"ask for one of the {len(self.runs)} that are, or for a figure"
            )
        return self.runs[run_id]

    def measurement(self, name: str) -> settings.Measurement:
        if name not in self.measurements:
            raise NetdynError(
                f"no measurement {name!r} at scale {self.scale}: "
                f"declared are {', '.join(self.measurements)}"
            )
        return self.measurements[name]

    def run_settings(self, run_id: str) -> str:
        path = self._settings("runs") / f"{run_id}.json"  # an id holds a digest already
        write_json(path, self.run(run_id).settings)
        return str(path)

    def measurement_settings(self, name: str) -> str:
        return _written(self._settings("measurements"), name, self.measurement(name).settings)

    def table_settings(self, name: str) -> str:
        """Write which parts a table is put together from, and where each is from."""
        chosen = self.measurement(name).runs
        parts = [
            {"file": part, "identity": run.identity if run else {}}
            for part, run in zip(self.parts(name), chosen or [None], strict=True)
        ]
        return _written(self._settings("tables"), name, {"parts": parts})

    def figure_settings(self, figure: str) -> str:
        seeds = {len(self._seeds(table)) for table in self.figure_tables(figure)} - {0}
        many = f"{max(seeds)} seed{'s' * (max(seeds) > 1)}" if seeds else "toy neurons"
        note = f"scale {self.scale}, {self.config['dataset']}, {many}" if seeds else many
        block = {"title": f"Figure {figure.removeprefix('fig')}", "note": note}
        block |= self.config["figures"][figure]
        return _written(self._settings("figures"), figure, block)

    def _seeds(self, table: str) -> set[int]:
        return {run.identity["seed"] for run in self.measurement(table).runs}

    def _settings(self, kind: str) -> Path:
        return self.folder / "settings" / kind

    def figure_tables(self, figure: str) -> list[str]:
        if figure not in self.config["figures"]:
            raise NetdynError(
                f"no figure {figure!r} at scale {self.scale}: "
                f"declared are {', '.join(self.config['figures'])}"
            )
        return self.config["figures"][figure]["tables"]

    def figure_runs(self, figure: str) -> list[str]:
        """Return the run folders behind a figure, each once."""
        ids = [r.id for t in self.figure_tables(figure) for r in self.measurement(t).runs]
        return [str(self.folder / "runs" / run_id) for run_id in dict.fromkeys(ids)]

    def files_behind(self, figure: str) -> list[str]:
        """Return what a figure rests on, each file once: its tables, their parts, their runs."""
        tables = self.figure_tables(figure)
        files = [str(self.folder / "tables" / f"{table}.csv") for table in tables]
        files += [part for table in tables for part in self.parts(table)]
        files += [f"{folder}/manifest.json" for folder in self.figure_runs(figure)]
        return list(dict.fromkeys(files))

    def run_files(self, run_id: str) -> list[str]:
        """Return what a measurement reads of a run: all but its provenance, which may differ."""
        folder = self.folder / "runs" / self.run(run_id).id
        return [str(folder / name) for name in RUN_FILES if name != "provenance.json"]

    def parts(self, name: str) -> list[str]:
        """Return the tables of single runs that a measurement's table is put together from."""
        measurement = self.measurement(name)
        if measurement.quantity == "history":
            return [str(self.folder / "runs" / r.id / "history.csv") for r in measurement.runs]
        ids = [run.id for run in measurement.runs] or [NO_RUN]
        return [str(self.folder / "tables" / "parts" / name / f"{i}.csv") for i in ids]

    def data_file(self, run_id: str) -> str:
        return str(RESULTS / "data" / f"{self.run(run_id).data}.safetensors")

    def measured(self, name: str, run_id: str) -> dict[str, Any]:
        """Return the inputs of measuring `name` on a run."""
        measurement = self.measurement(name)
        ids = [run.id for run in measurement.runs] or [NO_RUN]
        if run_id not in ids:
            raise NetdynError(
                f"measurement {name!r} takes no run {run_id!r} at scale {self.scale}: "
                f"it takes {', '.join(ids)}"
            )
        inputs: dict[str, Any] = {
            "settings": self.measurement_settings(name),
            "code": code(f"netdyn.measurements.{measurement.quantity}"),
        }
        if run_id != NO_RUN:
            inputs |= {"run": self.run_files(run_id), "data": self.data_file(run_id)}
        return inputs
