"""The subject of a measurement: a run's networks and samples, on the chosen device."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

import torch
from torch import Tensor

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.networks.reading import Network, read
from netdyn.records.files import read_json
from netdyn.records.run_settings import RunSettings
from netdyn.results import runs
from netdyn.runtime.devices import measuring_device

__all__ = ["MeasurementSettings", "StepSelector", "Subject", "in_mode"]

# A step, "best", "last", "all", or "train>=x" or "test>=x" with x in [0, 1], the first snapshot of
# that accuracy; or a list of these (see `netdyn.results.runs.select_steps`).
StepSelector = int | str | list[int | str]


class MeasurementSettings(TypedDict):
    """What the settings of every measurement hold; those of a quantity are beside its `measure`."""

    threads: int  # of the processor


class Subject(NamedTuple):
    """A complete run, the data set it was trained on, and the device that measures it.

    A subject that was opened by its settings alone (`of_data`) has samples, but no networks and no
    folder.
    """

    run_folder: Path | None
    settings: RunSettings
    loaded: prepared.Dataset
    device: torch.device

    @classmethod
    def open(cls, run_folder: Path, data_file: Path, device: str = "auto") -> "Subject":
        """Open a run and the prepared data set it was trained on."""
        settings, loaded = runs.load_manifest(run_folder)["settings"], prepared.load(data_file)
        trained_on = read_json(Path(run_folder) / "provenance.json")["data_sha256"]
        if prepared.metadata(data_file)["sha256"] != trained_on:
            raise NetdynError(f"{data_file} is not the data set that {run_folder} was trained on")
        return cls(Path(run_folder), settings, loaded, measuring_device(device))

    @classmethod
    def of_data(cls, settings: RunSettings, data_file: Path, device: str = "auto") -> "Subject":
        """Open the samples of a run that need not be trained, by its settings."""
        loaded = prepared.load(data_file)
        prepared.check_name(loaded, settings, data_file)
        return cls(None, settings, loaded, measuring_device(device))

    def steps(self, selector: StepSelector) -> list[int]:
        """Return the snapshot steps that the selector means (see `runs.select_steps`)."""
        return runs.select_steps(self.run_folder, selector)

    def network(self, step: int) -> Network:
        """Return the network after `step` steps, read, in float32: its function is measured."""
        return read(runs.load_model(self.run_folder, step).float().to(self.device))

    def samples(self, split: str, count: int | str = "all") -> tuple[Tensor, Tensor]:
        """Return inputs in [0, 1] (P, N_0) and labels (P,) of the run's "train" or "test" samples.

        `count` of them, a stratified subset by the run's seed, or "all".
        """
        if split == "train":
            images, labels = prepared.training_samples(self.loaded, self.settings)
        else:
            images, labels = self.loaded.test_images, self.loaded.test_labels
        # A sweep over sample sizes requests one count; smaller runs return all their samples.
        if count != "all" and count < len(labels):
            chosen = prepared.subset(labels, count, self.settings["seed"])
            images, labels = images[chosen], labels[chosen]
        return prepared.to_unit(images.to(self.device)), labels.to(self.device)

    def modes(self, requested: list[str]) -> list[str]:
        """Return the modes to measure in: without batch norm there is only evaluation mode."""
        return requested if self.settings["batch_norm"] else ["evaluation"]

    def each_network(self, selector: StepSelector) -> Iterator[tuple[int, Network]]:
        """Yield each step that the selector means, with its network."""
        for step in self.steps(selector):
            yield step, self.network(step)


def in_mode(network: Network, x: Tensor, mode: str) -> Network:
    """Return the network as it acts on x in "evaluation" or in "training" mode (α = 1 in Eq. 3)."""
    if mode == "evaluation":
        return network
    if mode == "training":
        return network.with_batch_statistics(x)
    raise NetdynError(f"mode {mode!r}: choose evaluation or training")
