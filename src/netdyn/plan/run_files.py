"""The runs of a scale: their settings, folders, data and code."""

from collections.abc import Mapping
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.plan import settings
from netdyn.plan.written import RESULTS, code, once
from netdyn.records.files import write_json

__all__ = ["RunPlan"]


class RunPlan:
    """The files of one scale, as far as its runs."""

    def __init__(
        self,
        workflow: Path,
        overrides: Mapping,
        scale: str,
        settings_folder: Path | None = None,
        results: Path = RESULTS,
    ):
        """Load and resolve the scale's settings.

        Args:
            workflow: folder of config.yaml.
            overrides: settings of the command line, laid over those of the scale.
            scale: "demo", "cpu" or "paper".
            settings_folder: where resolved settings are written; results/<scale>/settings unless
                given.
            results: folder of all results; another one where the workflow is a part of another.

        Raises:
            NetdynError: for settings that cannot be run.
        """
        kept = results / "code" / "settings.json"
        config = settings.read(workflow, {**overrides, "scale": scale}, kept)
        self._resolve(config, scale, settings_folder, results)

    def _resolve(
        self, config: dict, scale: str, settings_folder: Path | None, results: Path
    ) -> None:
        self.config = config
        self.results = results
        self.folder = results / scale
        self.scale = scale
        self.settings_folder = settings_folder or self.folder / "settings"
        declared = settings.runs(self.config)
        self.measurements = settings.measurements(self.config, declared)
        self.runs = {run.id: run for name in declared for run in declared[name]}

    def run(self, run_id: str) -> settings.Run:
        """Return a run by its id; raises NetdynError where no such run is configured."""
        if run_id not in self.runs:
            raise NetdynError(
                f"no run {run_id!r} at scale {self.scale}: its settings are no longer configured; "
                f"ask for one of the {len(self.runs)} that are, or for a figure"
            )
        return self.runs[run_id]

    @once
    def run_settings_file(self, run_id: str) -> str:
        """Write the resolved settings of a run; return the file."""
        path = self.settings_folder / "runs" / f"{run_id}.json"  # an id holds a digest already
        write_json(path, self.run(run_id).settings, durable=False)
        return str(path)

    def run_folder(self, run_id: str) -> str:
        """Return the folder of a trained run."""
        return f"{self.folder}/runs/{self.run(run_id).id}"

    def data_file(self, run_id: str) -> str:
        """Return the prepared data set that a run is trained on."""
        return f"{self.results}/data/{self.run(run_id).data}.safetensors"

    def code(self, module: str) -> str:
        """Return the file that stands for the code of a module (see `written.code`)."""
        return code(module, self.results)

    def data_code(self, *run_ids: str) -> list[str]:
        """Return the files of the code that prepares the data of these runs."""
        translated = any(self.run(run_id).settings["translated"] for run_id in run_ids)
        modules = ["datasets"] * bool(run_ids) + ["translation"] * translated
        return [self.code(f"netdyn.data.{module}") for module in modules]

    @once
    def training_blocks(self) -> dict[str, int]:
        """Return the block of each run by its id: so many as `runs_per_job` may share a process.

        Runs of a block have the same data and number of threads. Which they are follows from the
        configuration alone.
        """
        blocks: dict[str, int] = {}
        sizes: dict[tuple[str, int], list[int]] = {}  # of each kind: its last block, runs in it
        count = 0
        for run_id, run in self.runs.items():
            kind = self.data_file(run_id), run.settings["threads"]
            if kind not in sizes or sizes[kind][1] == self.config["runs_per_job"]:
                sizes[kind] = [count, 0]
                count += 1
            blocks[run_id] = sizes[kind][0]
            sizes[kind][1] += 1
        return blocks
