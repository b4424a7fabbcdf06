"""How far a training or a measurement is stands beside its log while it runs, and then no more."""

import json

import pandas as pd
import pytest

from netdyn.errors import NetdynError
from netdyn.jobs import measuring, training
from netdyn.records.progress_files import read_progress
from netdyn.runtime.terminal import Signals


@pytest.fixture
def log(tmp_path):
    return tmp_path / "job.log"


@pytest.mark.parametrize("error", [None, NetdynError("planted")])
def test_a_training_names_its_run_its_step_and_accuracies(tmp_path, log, monkeypatch, error):
    (tmp_path / "settings.json").write_text('{"format": 1, "steps": 100, "threads": 1}')
    own = {
        **{"settings": str(tmp_path / "settings.json"), "data": "data"},
        **{"output": str(tmp_path / "a_run"), "checkpoints": str(tmp_path / "checkpoints")},
    }
    seen = []

    def complete(*words):
        report = words[3]
        report(30, 100, "training accuracy 0.9")
        seen.append(read_progress(log))
        if error is not None:
            raise error

    monkeypatch.setattr(training, "complete", complete)
    arguments = (own, None, "cpu", "auto", 30.0, Signals())
    if error is None:
        assert not training.train_file(*arguments, log)
        training.train_file(*arguments)  # without a log nothing is written
    else:
        with pytest.raises(NetdynError, match="planted"):
            training.train_file(*arguments, log)
    first = seen[0]
    assert (first["name"], first["step"], first["steps"]) == ("a_run", 30, 100)
    assert first["text"] == "training accuracy 0.9"
    assert seen[1:] == ([None] if error is None else [])
    assert read_progress(log) is None


def test_a_measurement_counts_its_runs(tmp_path, log, monkeypatch):
    settings = tmp_path / "settings.json"
    runs = [
        {"folder": "a", "data": "d"},
        {"folder": "b", "data": "d"},
        {"folder": "c", "data": "d"},
    ]
    settings.write_text(json.dumps({"settings": {"threads": 1}, "runs": runs}))
    seen = []

    def measure(subject, settings):
        progress = read_progress(log)
        seen.append((progress["name"], progress["step"], progress["steps"]))
        # Each is written, however soon after the one before.
        log.with_name("job.log.progress").unlink()
        return pd.DataFrame({"value": [1.0]})

    monkeypatch.setattr("netdyn.records.progress_files.BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(measuring, "quantity", lambda name: measure)
    monkeypatch.setattr(measuring, "Origin", lambda module: None)
    monkeypatch.setattr(measuring, "subject_of", lambda run, device: None)
    monkeypatch.setattr(measuring, "measured_record", lambda *_: {})
    monkeypatch.setattr(measuring, "write_table", lambda *_: None)
    measuring.measure_file("toy", settings, tmp_path / "out.csv", device="cpu", log=log)
    assert seen == [("toy", 0, 3), ("toy", 1, 3), ("toy", 2, 3)]
    assert read_progress(log) is None
