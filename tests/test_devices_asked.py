"""Asking for a GPU: one error where there is none; profiles/gpu gives it to one job at a time."""

import re

import pytest
import torch
from dag import TINY, copy_repository, snakemake

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


def test_with_the_profile_of_a_gpu_one_training_has_it_at_a_time(folder):
    profile = ("--profile", "profiles/gpu", "--cores", "2", *TINY)
    planned = re.findall(r": train (\S+) ", snakemake(folder, "-n", "fig2", *profile).stdout)
    runs = [f"results/demo/runs/{run}/manifest.json" for run in sorted(planned)[:2]]
    said = snakemake(folder, *runs, *profile)
    assert said.returncode == 0, said.stdout
    trainings = re.findall(r"^Job (\d+): train ", said.stdout, re.MULTILINE)
    events = re.findall(r"^(Job|Finished jobid:) (\d+)", said.stdout, re.MULTILINE)
    order = [event for event, number in events if number in trainings]
    assert order == ["Job", "Finished jobid:"] * 2
