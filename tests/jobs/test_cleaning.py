"""`netdyn clean`: which runs are left over, and that no others are touched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from netdyn import cli
from netdyn.errors import NetdynError
from netdyn.jobs import cleaning
from netdyn.plan.settings import read, runs
from netdyn.records.files import RUN_FILES, read_json, read_yaml
from netdyn.runtime import locks

ROOT = Path(__file__).parents[2]
ASKED = {"demo": "asked-1", "cpu": "asked-2", "paper": "asked-3"}


def put(results: Path, scale: str, name: str, *, trained: bool = True) -> None:
    """Write a run's files, finished ones with hard links as a training leaves them."""
    run, checkpoints = results / scale / "runs" / name, results / scale / "checkpoints"
    if not trained:
        (checkpoints / name).mkdir(parents=True)
        (checkpoints / name / "state.safetensors").write_bytes(bytes(300))
        return
    kept = checkpoints / f"{name}.whole" / "0123456789"
    for folder in (run, kept):
        folder.mkdir(parents=True)
    for file in RUN_FILES:
        (kept / file).write_bytes(bytes(1000))
        os.link(kept / file, run / file)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results with a run that each scale asks for, and left-over, committed and unfinished ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cleaning, "configured_runs", lambda *_: set(ASKED.values()))
    for scale, name in ASKED.items():
        put(Path("results"), scale, name)
    put(Path("results"), "demo", "old-1")
    put(Path("results"), "demo", "old-2", trained=False)
    put(Path("results"), "cpu", "committed-1")
    put(Path("results"), "cpu", "committed-2")
    put(Path("results"), "cpu", "old-3")
    put(Path("results"), "cpu", ASKED["paper"] + "x", trained=False)
    tables = Path("results/cpu/reference/provenance/tables")
    tables.mkdir(parents=True)
    (tables / "history.json").write_text(json.dumps({"runs": [{"id": "committed-1"}]}))
    (tables.parent / "runs.json").write_text(json.dumps({"committed-2": {}}))
    return Path("results")


LEFT = {"old-1": 4000, "old-2": 300, "old-3": 4000, ASKED["paper"] + "x": 300}


def clean(*words: str) -> None:
    cli.app(["clean", "--workflow", str(ROOT), *words], standalone_mode=False)


def everything(results: Path) -> set[Path]:
    return {path for path in results.rglob("*") if path.is_file()}


def test_runs_that_are_left_over_are_listed_with_their_sizes_and_kept(results, capsys):
    before = everything(results)
    assert {left.name: left.size for left in cleaning.leftovers(ASKED.values())} == LEFT
    clean()
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["old-1", "old-2", *sorted([*LEFT][2:])]
    assert "0.0 MB  results/demo: old-1" in lines[0]
    assert said.err == "4 runs, 0.0 MB: nothing was removed: --remove does it\n"
    assert everything(results) == before


def test_they_alone_are_removed_when_told_to(results, capsys):
    kept = {path for path in everything(results) if not any(name in str(path) for name in LEFT)}
    clean("--remove")
    assert capsys.readouterr().err == "4 runs, 0.0 MB: removed\n"
    assert {path for path in everything(results) if path.suffix != ".lock"} == kept
    clean("--remove")
    assert capsys.readouterr().err == "no run is left over\n"


def test_settings_count_as_they_are_and_as_they_are_given(monkeypatch):
    monkeypatch.setattr(cleaning, "SCALES", ("demo", "cpu"))
    tiny = read_yaml(ROOT / "tests/workflow_tiny.yaml")  # fits scale demo alone
    asked = cleaning.configured_runs(ROOT, tiny)
    committed = read_json(ROOT / "results/cpu/reference/provenance/runs.json")
    assert set(committed) <= asked
    own = {run.id for run in runs(read(ROOT, {**tiny, "scale": "demo"}))["deep23"]}
    assert own <= asked - set(committed)


@pytest.mark.parametrize("name", ["old-1", "old-2"])
def test_a_run_in_training_is_neither_listed_nor_removed(results, name):
    listed = {left.name: left for left in cleaning.leftovers(ASKED.values())}
    program = (
        "import sys; from pathlib import Path; from netdyn.runtime import locks\n"
        f"with locks.alone(Path('results/demo/checkpoints/{name}')):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    before = everything(results)
    try:
        holder.stdout.readline()
        assert name not in {left.name for left in cleaning.leftovers(ASKED.values())}
        with pytest.raises(NetdynError, match=f"{name} is being trained: nothing"):
            cleaning.remove(listed[name])
        assert everything(results) - before <= {Path(f"results/demo/checkpoints/.{name}.lock")}
    finally:
        holder.communicate()
    assert not locks.is_held(listed[name].checkpoints)
    assert name in {left.name for left in cleaning.leftovers(ASKED.values())}


def test_a_removal_that_is_cut_leaves_no_run_that_seems_complete(results, monkeypatch):
    def cut(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(cleaning.shutil, "rmtree", cut)
    old = cleaning.leftovers(ASKED.values())[0]
    with pytest.raises(KeyboardInterrupt):
        cleaning.remove(old)
    assert not (results / "demo/runs/old-1/manifest.json").exists()


def test_a_folder_that_is_linked_elsewhere_is_only_unlinked(results, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "manifest.json").write_text("{}")
    (results / "demo/runs/linked").symlink_to(elsewhere)
    clean("--remove")
    assert not (results / "demo/runs/linked").is_symlink()
    assert (elsewhere / "manifest.json").exists()


def test_settings_that_fit_no_scale_are_an_error(monkeypatch):
    monkeypatch.setattr(cleaning, "SCALES", ("demo",))
    with pytest.raises(NetdynError, match="steps"):
        cleaning.configured_runs(ROOT, {"steps": 3})
