"""Asking for a GPU: one error where there is none; otherwise one job has it at a time."""

import functools
import os
import re

import pytest
import torch
from dag import TINY, copy_repository, run, snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("devices"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_one_error_before_anything_runs(folder):
    said = snakemake(folder, "fig6", *TINY, "--config", "device=cuda")
    assert said.returncode != 0
    assert re.findall("^error: .*", said.stdout, re.MULTILINE) == [
        "error: device 'cuda' is not available here: choose one of auto, cpu"
    ]
    assert "Traceback" not in said.stdout
    assert not (folder / "results/data").exists()
    assert not (folder / "results/demo/runs").exists()
    # The folder isn't left locked, and what needs no device is not refused.
    data = "results/data/digits.safetensors"
    said = snakemake(folder, data, *TINY, "--config", "device=cuda")
    assert said.returncode == 0, said.stdout


@functools.cache
def two_runs(folder):
    said = snakemake(folder, "-n", "fig2", "--forcerun", "train_run", *TINY).stdout
    trainings = sorted(re.findall(r": train (\S+) ", said))
    return [f"results/demo/runs/{run}/manifest.json" for run in trainings[:2]]


def trained(folder, *options):
    """Train two runs; return when each began and ended."""
    options = ("--cores", "2", "--forcerun", "train_run", *TINY, *options)
    said = snakemake(folder, *two_runs(folder), *options)
    assert said.returncode == 0, said.stdout
    trainings = re.findall(r"^Job (\d+): train ", said.stdout, re.MULTILINE)
    events = re.findall(r"^(Job|Finished jobid:) (\d+)", said.stdout, re.MULTILINE)
    return [event for event, number in events if number in trainings]


ALONE, TOGETHER = ["Job", "Finished jobid:"] * 2, ["Job", "Job"]


def test_with_the_profile_of_a_gpu_one_training_has_it_at_a_time(folder):
    assert trained(folder, "--profile", "profiles/gpu") == ALONE


@pytest.mark.workflow_runs
def test_where_a_gpu_is_visible_one_training_has_it_at_a_time(folder, tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-8932f937)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert trained(folder) == ALONE
    assert trained(folder, "--resources", "gpu=2")[:2] == TOGETHER
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert trained(folder)[:2] == TOGETHER


def test_one_job_trains_what_is_wanted_of_its_block_here_and_in_a_group_on_a_cluster(folder):
    runs = [path.split("/")[-2] for path in two_runs(folder)]
    logs = [folder / f"results/demo/logs/train_run/{name}.log" for name in runs]
    targets = [f"train_run:scale=demo,run={name}" for name in runs]
    asked = {
        "here": (*two_runs(folder), "--forcerun", "train_run"),
        # As the Snakemake of a group's job is called.
        "group": ("--mode", "subprocess", "--no-hooks", "--force", "--target-jobs", *targets),
    }
    for arguments in asked.values():
        run(folder, *TINY, "--cores", "1", *arguments)
        said = [log.read_text() for log in logs]
        assert sum("was trained by the job of another run" in text for text in said) == 1
        assert sum(all(name in text for name in runs) for text in said) == 1
